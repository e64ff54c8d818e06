"""The fingerprint of a network: a short hash that two networks share if they compute the same with the same weights.

Checkpoints, fronts, bundles and journals carry it, so that weights are never given to another network whose shapes
happen to agree: one with another activation, stride or choice of widths.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, fields, is_dataclass, replace
from fractions import Fraction
from typing import Any, Final

from specc.ir.choice import Choice, Options, Range
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import DENSE, SHARED, Graph, LabelLevel, Op, Predicts, Tensor
from specc.ir.rewrite import rewrite_graph, substitution
from specc.portable.files.renames import inverse, present, renames

LISTED: Final = 4096
"""Options of a longer range are not listed one by one."""


def fingerprint(graph: Graph) -> str:
    """Sixteen hexadecimal digits. Equal for equal networks, in every process and version of Python.

    It depends on the operations with all their attributes, guards and norm banks, on the names and shapes of their
    weights, on the choices with their options, and on what comes in and goes out. It does not depend on the network's
    name, the method, the data, the recipe, comments, nor on the names of tensors and the order of statements where
    these leave no trace in the names of operations.
    """
    data = network_data(graph)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:16]


def first_fingerprint(graph: Graph) -> str:
    """The fingerprint that the first version of specc gave: that of the graph under its first names."""
    table = inverse(renames(graph.renamed))
    names = {choice.name: present(choice.name, table) for choice in graph.choices}
    rewrite = substitution({now: Var(first) for now, first in names.items() if first != now})
    first = rewrite_graph(graph, rewrite) if any(names[n] != n for n in names) else graph
    return fingerprint(
        first.with_(
            ops=tuple(replace(op, name=present(op.name, table)) for op in first.ops),
            choices=tuple(replace(choice, name=names[choice.name]) for choice in first.choices),
        )
    )


def network_data(graph: Graph) -> dict[str, Any]:
    """What the hash is made of, as plain data."""
    places = tensor_places(graph)
    tensors = graph.tensor_table()
    hashed = Hashed()
    return {
        "inputs": [[name, hashed.shape(tensors[name])] for name in graph.inputs],
        "choices": {choice.name: hashed.options(choice) for choice in graph.choices},
        "ops": {op.name: op_data(op, places, tensors, hashed) for op in graph.ops},
        "outputs": {output.name: [output.kind, places[output.tensor], output.level] for output in graph.outputs},
        "answer": places[graph.prediction()],
        **predicted(graph.predicts),
        "labels": [level_data(level) for level in graph.labels],
    }


def predicted(predicts: Predicts) -> dict[str, Any]:
    """What heads and exits predict; of plain classes as it was when there was nothing else."""
    if predicts.kind == "classes":
        return {"classes": predicts.count}
    return {"predicts": [predicts.kind, predicts.count, predicts.scale]}


def tensor_places(graph: Graph) -> dict[str, str]:
    """Every tensor by where it comes from - an input, or an operation's output - as its name is the spec's own."""
    places = {name: f"<{name}" for name in graph.inputs}
    for op in graph.ops:
        places |= {tensor: f"{op.name}>{number}" for number, tensor in enumerate(op.outputs)}
    return places


def op_data(op: Op, places: dict[str, str], tensors: Any, hashed: Hashed) -> dict[str, Any]:
    """An operation; what has its usual value is left out."""
    inputs, outputs = ([tensors[name] for name in names] for names in (op.inputs, op.outputs))
    data: dict[str, Any] = {
        "kind": op.kind,
        "params": hashed.value(op.params),
        "inputs": [places[name] for name in op.inputs],
        "outputs": [hashed.shape(tensor) for tensor in outputs],
        "weights": [[w.name, w.full, w.copies] for w in op.operator.weights(op, inputs, outputs)],
    }
    if op.guard != 1:
        data["guard"] = hashed.value(op.guard)
    if op.connection != DENSE:
        data["connection"] = hashed.value(op.connection)
    if op.bank != SHARED:
        data["bank"] = hashed.value(op.bank)
    return data


def level_data(level: LabelLevel) -> list[Any]:
    return [level.name, level.classes, level.parents]


class Hashed:
    """Values as plain data. An expression becomes a hash, made once: it may stand in many places and in itself."""

    def __init__(self) -> None:
        self.known: dict[Apply, str] = {}

    def value(self, value: object) -> Any:
        """A param as data. A field that has its default is left out, so that an operator may be given a new one."""
        match value:
            case Apply():
                return self.expression(value)
            case Var(choice):
                return {"choice": choice}
            case tuple():
                return [self.value(item) for item in value]
            case Fraction():
                return f"{value.numerator}/{value.denominator}"
            case _ if is_dataclass(value):
                own = [(field, getattr(value, field.name)) for field in fields(value) if field.compare]
                return {
                    field.name: self.value(item)
                    for field, item in own
                    if field.default is MISSING or item != field.default
                }
        return value

    def expression(self, expr: Apply) -> str:
        if expr not in self.known:
            text = json.dumps([expr.function, *map(self.value, expr.args)], sort_keys=True)
            self.known[expr] = "=" + hashlib.sha256(text.encode()).hexdigest()[:16]
        return self.known[expr]

    def shape(self, tensor: Tensor) -> Any:
        """Channels, segment by segment, and the spatial size."""
        segments = [self.pair(segment.size, segment.spread) for segment in tensor.channels]
        return [segments, [self.value(size) for size in tensor.space]]

    def pair(self, size: Expr, spread: Expr) -> list[Any]:
        return [self.value(size), self.value(spread)]

    def options(self, choice: Choice) -> Any:
        """The options in their order; those of a skippable are yes and no, and no numbers."""
        if choice.kind == "skip":
            return [bool(option) for option in choice.options]
        return self.listed(choice.options)

    def listed(self, options: Options) -> Any:
        if isinstance(options, Range) and len(options) > LISTED:
            return {"range": [self.value(end) for end in (options.start, options.stop, options.step)]}
        return [self.value(option) for option in options]
