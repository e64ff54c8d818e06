"""Sets of channels that can change places: in every layer that writes or reads them at once, no answer changes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from specc.analyses.protocol import Analysis, Answer
from specc.codegen.names import attribute
from specc.frozen import frozen
from specc.ir.expr import free
from specc.ir.graph import DENSE, Graph, Op, Tensor, of_channels
from specc.ir.parameter import Call

DIGITS: Final = 8
"""Significant digits of a score."""


@frozen
class ChannelSet:
    """Channels that stand in the same place in several feature maps.

    choices  what their number depends on
    rows     ops with a row, an entry or a filter for each of these channels: what writes them, norms, depthwise ones
    columns  ops with a column for each: what reads them
    judges   those of `columns` that read whole maps, not what is pooled of them (a squeeze-excite's gate); all of
             them where none does
    tensor   one of the feature maps
    """

    choices: tuple[str, ...]
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    judges: tuple[str, ...]
    tensor: str


class Places:
    """Feature maps whose channels stand in the same places, as a forest; and those that must keep their order."""

    def __init__(self, names: Iterable[str]) -> None:
        self.parent = {name: name for name in names}
        self.fixed: set[str] = set()

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            self.parent[name] = self.parent[self.parent[name]]
            name = self.parent[name]
        return name

    def join(self, names: Iterable[str]) -> None:
        first, *others = map(self.root, names)
        for other in others:
            self.parent[other] = first


def channel_sets(graph: Graph) -> tuple[ChannelSet, ...]:
    """The elastic sets of a finished graph, in the order of their first feature maps.

    A set is left out where something needs its order: the images, an answer, a group of a grouped convolution, a part
    of a concatenation, flattened maps, or an operator that is none of the plain ones.
    """
    tensors = graph.tensor_table()
    places = Places(tensor.name for tensor in graph.tensors)
    places.fixed.update(graph.inputs)
    places.fixed.update(output.tensor for output in graph.outputs if output.kind != "features")
    places.fixed.update(t.name for t in graph.tensors if len(t.channels) != 1 or t.channels[0].spread != 1)
    for op in graph.ops:
        if is_dense(op):
            continue
        if keeps_places(op) and (op.operator.row_per_channel or not has_weights(op, tensors)):
            meeting = of_channels([tensors[name] for name in op.inputs], tensors[op.output])
            places.join((*(tensor.name for tensor in meeting), *op.outputs))
        else:
            places.fixed.update((*op.inputs, *op.outputs))
    fixed = {places.root(name) for name in places.fixed}
    members: dict[str, list[Tensor]] = {}
    for tensor in graph.tensors:
        root = places.root(tensor.name)
        if root not in fixed:
            members.setdefault(root, []).append(tensor)
    rows: dict[str, list[str]] = {root: [] for root in members}
    readers: dict[str, list[Op]] = {root: [] for root in members}
    for op in graph.ops:
        written, read = places.root(op.outputs[0]), places.root(op.inputs[0])
        if written in rows and has_rows(op, tensors):
            rows[written].append(op.name)
        if read in readers and is_dense(op):
            readers[read].append(op)
    sets = []
    for root, maps in members.items():
        choices = dict.fromkeys(name for tensor in maps for name in sorted(free(tensor.features)))
        if choices:
            columns = tuple(op.name for op in readers[root])
            whole = tuple(op.name for op in readers[root] if not is_pooled(tensors[op.inputs[0]]))
            elastic = next(tensor for tensor in maps if free(tensor.features))
            sets.append(ChannelSet(tuple(choices), tuple(rows[root]), columns, whole or columns, elastic.name))
    return tuple(sets)


def is_pooled(tensor: Tensor) -> bool:
    """Whether a feature map has one value a channel."""
    return all(size == 1 for size in tensor.space)


def is_dense(op: Op) -> bool:
    """Whether every output channel reads every input channel."""
    return op.operator.connects and op.connection == DENSE and getattr(op.params, "groups", 1) == 1


def keeps_places(op: Op) -> bool:
    """Whether channel c of what leaves depends on channel c of what enters alone."""
    return op.operator.channelwise and op.operator.keeps_channels


def has_rows(op: Op, tensors: Mapping[str, Tensor]) -> bool:
    """Whether its weights have an entry for each channel that it writes, not one for all."""
    weights = op.operator.weights(op, [tensors[name] for name in op.inputs], [tensors[op.output]])
    return op.operator.row_per_channel and not any(weight.full == (1,) for weight in weights)


def has_weights(op: Op, tensors: Mapping[str, Tensor]) -> bool:
    ends = ([tensors[name] for name in names] for names in (op.inputs, op.outputs))
    return bool(op.operator.weights(op, *ends))


def answer(graph: Graph, request: Call) -> Answer:
    """The sets, with the modules of model.py instead of the ops."""
    return {
        "sets": [
            {
                "choices": [*found.choices],
                "rows": [*map(module, found.rows)],
                "columns": [*map(module, found.columns)],
                "judges": [*map(module, found.judges)],
                "tensor": found.tensor,
            }
            for found in channel_sets(graph)
        ]
    }


def channels_json(graph: Graph, scores: Mapping[str, float] | None = None) -> str:
    """channels.json: the sets, and with `scores` the TAS of the layers that judge; "" where there are none."""
    sets = channel_sets(graph)
    rows = []
    for found in sets:
        row: dict[str, object] = {
            "rows": [*map(module, found.rows)],
            "columns": [*map(module, found.columns)],
            "judges": [*map(module, found.judges)],
        }
        if scores is not None:
            row["scores"] = [float(f"{scores.get(name, 0.0):.{DIGITS}g}") for name in found.judges]
        rows.append(f"    {json.dumps(row)}")
    body = ",\n".join(rows)
    return f'{{\n  "network": {json.dumps(graph.name)},\n  "channels": [\n{body}\n  ]\n}}\n' if rows else ""


def module(op: str) -> str:
    """The path of an op's module in the generated network."""
    return ".".join(attribute(part) for part in op.split("."))


ANALYSIS: Final = Analysis("channels", answer)
