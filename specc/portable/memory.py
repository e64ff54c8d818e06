"""The most memory that the activations of a sub-network take at once, counted on the graph.

A tensor lives from the operation that writes it until the last one that reads it has run. `Memory` reads a project's
ir.json, in which an expression is a number, {"choice": name} or [function, arguments...].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, TypeAlias

from specc.portable.functions import FUNCTIONS, exact

BYTES = 4
"""Of one float32 activation."""
VIEWS = ("select", "narrow")
"""Operations that copy nothing: their output is an input, or a part of it."""

Step: TypeAlias = tuple[Sequence[str], Sequence[str]]
"""The tensors that an operation reads, and those that it writes."""


def most_alive(
    steps: Sequence[Step],
    elements: Mapping[str, int],
    inputs: Sequence[str],
    answer: str,
    views: Mapping[str, str],
) -> int:
    """The most elements alive while the steps run in order, the network's inputs among them.

    `views` has the tensor that a select or narrow goes on with, by the name of its output; these are no steps.
    """

    def real(name: str) -> str:
        while name in views:
            name = views[name]
        return name

    last = {real(name): at for at, (reads, _) in enumerate(steps) for name in reads}
    last[real(answer)] = len(steps)
    alive = {name for name in inputs if name in last}
    now = most = sum(elements[name] for name in alive)
    for at, (reads, writes) in enumerate(steps):
        alive.update(writes)
        now += sum(elements[name] for name in writes)
        most = max(most, now)
        for name in dict.fromkeys((*map(real, reads), *writes)):
            if name in alive and last.get(name, -1) <= at:
                alive.discard(name)
                now -= elements[name]
    return most


class Memory:
    """Calling it with an assignment gives the peak in bytes: float32, one image, as `specc cost` counts it."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.ops: Sequence[Mapping[str, Any]] = graph["ops"]
        self.inputs: Sequence[str] = graph["inputs"]
        self.answer: str = graph["answer"]
        self.first = {
            row["name"]: (row.get("options") or row["range"])[0] for row in graph["choices"]
        }
        # Most tensors share their shape with others: equal sizes are computed once an assignment.
        self.sizes: dict[str, Any] = {}
        self.shapes = {row["name"]: self.shape(row) for row in graph["tensors"]}

    def shape(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        """The keys in `sizes` of a tensor's channels, their sum, and of its height and width."""
        terms = [["mul", *run] if is_pair(run) else run for run in row["channels"]]
        total = terms[0]
        for term in terms[1:]:
            total = ["add", total, term]
        found = {json.dumps(size): size for size in (total, *row["space"])}
        self.sizes.update(found)
        return tuple(json.dumps(size) for size in (total, *row["space"]))

    def __call__(self, assignment: Mapping[str, Any]) -> int:
        at = {name: exact(assignment.get(name, first)) for name, first in self.first.items()}
        kept, views = self.present(at)
        known: dict[str, int] = {}

        def elements(name: str) -> int:
            for size in self.shapes[name]:
                if size not in known:
                    known[size] = int(value(self.sizes[size], at))
            return prod(known[size] for size in self.shapes[name])

        steps = [(op["inputs"], op["outputs"]) for op in kept]
        written = {name: elements(name) for _, outputs in steps for name in outputs}
        written |= {name: elements(name) for name in self.inputs}
        return BYTES * most_alive(steps, written, self.inputs, self.answer, views)

    def present(self, at: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
        """The operations that the answer depends on, in order, and what each view of them goes on with."""
        needed = {self.answer}
        kept: list[Mapping[str, Any]] = []
        views: dict[str, str] = {}
        for op in reversed(self.ops):
            if needed.isdisjoint(op["outputs"]) or not value(op.get("guard", 1), at):
                continue
            if op["kind"] in VIEWS:
                conditions = op["params"].get("conditions", [1])
                pairs = zip(op["inputs"], conditions, strict=True)
                chosen = next((name for name, when in pairs if value(when, at)), op["inputs"][-1])
                views[op["outputs"][0]] = chosen
                needed.add(chosen)
            else:
                kept.append(op)
                needed.update(op["inputs"])
        return kept[::-1], views


def read_memory(path: Path) -> Memory:
    """Of the network whose graph lies in a file: ir.json of the project."""
    return Memory(json.loads(path.read_text(encoding="utf-8")))


def is_pair(run: Any) -> bool:
    """Whether channels are written as [number of maps, features of each]."""
    return isinstance(run, list) and not isinstance(run[0], str)


def value(expression: Any, at: Mapping[str, Any]) -> Any:
    """An expression at an assignment: exact."""
    if isinstance(expression, list):
        name, *arguments = expression
        return FUNCTIONS[name](*(value(argument, at) for argument in arguments))
    return at[expression["choice"]] if isinstance(expression, Mapping) else exact(expression)
