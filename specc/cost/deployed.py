"""The operations of a sub-network as it is deployed, `net.extract(plan, fold=True)`, and what each costs.

Parallel linear branches are one convolution (`specc.space.branches`), and a norm that alone reads a convolution or
linear layer is folded into it: it then has a bias.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

from specc.cost.rows import OpRow
from specc.frozen import frozen
from specc.ir.graph import Connection
from specc.space.branches import Merged
from specc.space.steps import Step, viewed


@frozen
class Layer:
    """An operation as it is trained: its costs, whether it has a bias, and which of its weights exist."""

    row: OpRow
    biased: bool
    connection: Connection


def deployed_rows(
    layers: Mapping[str, Layer],
    steps: Sequence[Step],
    merged: Mapping[str, Merged],
    views: Mapping[str, str],
    prediction: str,
) -> tuple[OpRow, ...]:
    """The rows of what runs. `layers` are by the tensor that they write; `steps` and `merged` are what
    `merge_branches` found."""
    see = viewed(views)
    readers = Counter(name for step in steps for name in {see(read) for read in step.reads})
    readers[see(prediction)] += 1
    absorbing = {step.writes[0] for step in steps if step.absorbs}
    found: dict[str, Layer] = {}
    for step in steps:
        out = step.writes[0]
        source = see(step.reads[0])
        if out in merged:
            found[out] = as_one(merged[out], layers, layers[out].row.out)
        elif step.role == "folds" and source in absorbing and readers[source] == 1:
            found[source] = with_bias(found[source])
        else:
            found[out] = layers[out]
    return tuple(layer.row for layer in found.values())


def as_one(merged: Merged, layers: Mapping[str, Layer], shape: tuple[int, ...]) -> Layer:
    """The convolution that branches are."""
    main, window = layers[merged.main], merged.window
    convs = [layers[name] for name in merged.way.convs()]
    entering, leaving = window.channels
    if all(conv.connection == main.connection for conv in convs):
        weights = main.row.params - (leaving if main.biased else 0)
    else:
        weights = prod(window.kernel) * entering // window.groups * leaving
    row = replace(main.row, params=weights, macs=weights * prod(shape[1:]), out=shape)
    layer = Layer(row, False, main.connection)
    return with_bias(layer) if merged.way.norms() or any(conv.biased for conv in convs) else layer


def with_bias(layer: Layer) -> Layer:
    """A layer with a number to add to each channel."""
    if layer.biased:
        return layer
    features = layer.row.out[-1] if len(layer.row.out) == 2 else layer.row.out[0]
    return replace(layer, row=replace(layer.row, params=layer.row.params + features), biased=True)
