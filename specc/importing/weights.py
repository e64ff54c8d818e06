"""The original's numbers under the names of the spec, and back.

Both ways are one list of entries, one for each parameter and buffer of ours: it travels in the metadata of
`net.safetensors`, so that an exported network can go back to the class that it came from.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from specc.importing.network import Network, Operation, Written
from specc.importing.python import COUNTER
from specc.ir.graph import Graph, Op
from specc.ops import find_operator
from specc.portable.files.original import METADATA, UNUSED, Entry, digits, entries_text

if TYPE_CHECKING:
    from torch import Tensor


class Differs(Exception):
    """The compiled graph is not the network that was recognised: a mistake of ours, and nothing is written."""


def entries_of(
    network: Network,
    written: Written,
    graph: Graph,
    shapes: Mapping[str, tuple[int, ...]],
    tied: Mapping[str, str] | None = None,
) -> list[Entry]:
    """Which tensor of ours comes from where. `shapes` are those of the original's state, `tied` names in it that mean
    what an earlier one does: they are given back, too.

    Operations with weights are met in the order in which both execute them. Raises Differs where they do not meet.
    """
    table = {operation.name: operation for operation in network.operations}
    mine = [table[name] for name in written.order if table[name].weights or is_foreign(table[name])]
    tensors = graph.tensor_table()
    theirs = [op for op in graph.ops if op.operator.foreign or weight_names(op, graph)]
    if len(mine) != len(theirs):
        raise Differs(f"{len(mine)} operations with weights were recognised, and the text has {len(theirs)}")
    entries = []
    for operation, op in zip(mine, theirs, strict=True):
        made = tuple(size for size in tensors[op.output].shape)
        if operation.operator != op.kind or network.shapes[operation.outputs[0]] != made:
            told = f"{operation.operator} {network.shapes[operation.outputs[0]]}"
            raise Differs(f"{op.name} is {op.kind} {made}, and {told} was recognised ({operation.place})")
        for name, weight in operation.weights.items():
            sources = tuple(shapes[source] for source in weight.sources)
            entries.append(Entry(f"{op.name}.{name}", weight.sources, weight.how, sources))
            beside = weight.sources[0].removesuffix("running_mean") + COUNTER
            if name == "running_mean" and beside in shapes:
                entries.append(Entry(f"{op.name}.{COUNTER}", (beside,), "same", ((),)))
    for other, first in (tied or {}).items():
        again = [replace(e, sources=tuple(other if s == first else s for s in e.sources)) for e in entries]
        entries += [new for new, old in zip(again, tuple(entries), strict=True) if new.sources != old.sources]
    return entries


def is_foreign(operation: Operation) -> bool:
    """Whether it is a module of the user's, which may hold buffers alone."""
    operator = find_operator(operation.operator)
    return operator is not None and operator.foreign


def weight_names(op: Op, graph: Graph) -> tuple[str, ...]:
    tensors = graph.tensor_table()
    inputs, outputs = ([tensors[name] for name in names] for names in (op.inputs, op.outputs))
    return tuple(weight.name for weight in op.operator.weights(op, inputs, outputs))


def to_spec(
    entries: Iterable[Entry], state: Mapping[str, Tensor], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Tensor]:
    """Our tensors, of these shapes, from the original's."""
    return {e.name: taken([state[name] for name in e.sources], e.how, shapes[e.name]) for e in entries}


def taken(sources: Sequence[Tensor], how: str, shape: tuple[int, ...]) -> Tensor:
    """One tensor of ours. `how` is a word of `specc.traced.graph.Weight`."""
    import torch

    value = sources[0] if len(sources) == 1 else torch.cat([source.reshape(len(source), -1) for source in sources])
    if how.startswith("rows "):
        sizes, order = digits(how)
        value = value.reshape(*sizes, -1).permute(*order, len(order))
    if value.numel() != prod(shape):
        raise Differs(f"{tuple(value.shape)} can't be read as {shape}")
    return value.reshape(shape).contiguous()


def write_weights(
    path: Path, state: Mapping[str, Tensor], entries: Sequence[Entry], unused: Sequence[str] = ()
) -> None:
    """`net.safetensors`, with the way back in its metadata. `unused` are names of the original's alone."""
    from safetensors.torch import save_file

    about = {"format": "pt", METADATA: entries_text(entries), UNUSED: json.dumps([*unused])}
    save_file(dict(state), str(path), metadata=about)
