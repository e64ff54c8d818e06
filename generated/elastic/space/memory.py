"""The most memory that the activations of a sub-network take at once, counted on the graph.

The sub-network is counted as it is deployed, `net.extract(plan, fold=True)`: parallel linear branches are one
convolution, norms are folded into the layer that they alone read, an activation overwrites what nothing reads after it,
views take nothing, and the image is there from the beginning to the end. A tensor lives from the operation that writes
it until the last one that reads it has run.
Weights are not counted, nor what kernels need for themselves while they run.

`Memory` reads a project's ir.json, in which an expression is a number, {"choice": name} or [function, arguments...].
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

from elastic.net.windows import window_from
from elastic.space.branches import merge_branches
from elastic.space.functions import FUNCTIONS, exact
from elastic.space.steps import Step, viewed

BYTES = 4
"""Of one float32 activation."""


def most_alive(
    steps: Sequence[Step],
    elements: Mapping[str, int],
    inputs: Sequence[str],
    prediction: str,
    views: Mapping[str, str],
) -> int:
    """The most elements alive while the steps run in order, the network's inputs among them all the time.

    `views` has the tensor that a select or narrow goes on with, by the name of its output; these are no steps.
    """
    origin: dict[str, str] = {}

    def real(name: str) -> str:
        while name in views or name in origin:
            name = views[name] if name in views else origin[name]
        return name

    readers: dict[str, int] = {}
    for step in steps:
        for name in dict.fromkeys(map(viewed(views), step.reads)):
            readers[name] = readers.get(name, 0) + 1
    readers[viewed(views)(prediction)] = readers.get(viewed(views)(prediction), 0) + 1
    maker = {name: step for step in steps for name in step.writes}
    shared: list[bool] = []
    for step in steps:  # what is an output's memory, before it is known how long it lives
        source = viewed(views)(step.reads[0]) if step.reads else ""
        folds = step.role == "folds" and source in maker and maker[source].absorbs
        shared.append(step.role == "alias" or (folds and readers[source] == 1))
        if shared[-1]:
            origin.update((name, source) for name in step.writes)
    given = {real(name) for name in inputs}
    ends: dict[str, int] = {}
    for at, step in enumerate(steps):
        for name in step.reads:
            ends[real(name)] = at
    ends[real(prediction)] = len(steps)
    readers_of: dict[str, list[Step]] = {}
    for step in steps:
        for name in map(viewed(views), step.reads):
            readers_of.setdefault(name, []).append(step)

    def goes_on(step: Step) -> bool:
        """Whether `y += x` is written for a sum: y is made in its block and read by it alone, and the block goes on."""
        first = viewed(views)(step.reads[0])
        made = maker.get(first)
        if made is None or made.block != step.block or not made.summed or readers[first] != 1:
            return False
        return any(reader.block == step.block for reader in readers_of.get(step.writes[0], ()))

    # an activation overwrites what nothing reads afterwards: what it writes goes on in that memory
    for at, step in enumerate(steps):
        source = real(step.reads[0]) if step.reads else ""
        overwrites = step.role == "overwrites" or (step.role == "adds" and goes_on(step))
        if overwrites and source not in given and ends[source] == at:
            (out,) = step.writes
            shared[at] = True
            ends[source] = max(ends.pop(real(out), at), at)
            origin[out] = source
    now = most = sum(elements[name] for name in given)
    alive = set(given)
    for at, step in enumerate(steps):
        if not shared[at]:
            alive.update(step.writes)
            now += sum(elements[name] for name in step.writes)
            if step.inner:
                queries, weighed, said = step.inner
                source = real(step.reads[0])
                dies = source in alive and source not in given and ends[source] <= at
                before = now - written(step, elements)
                after = before - (elements[source] if dies else 0)  # nothing else reads the tokens
                most = max(most, before + queries, after + queries + weighed)
                most = max(most, after + said + written(step, elements))
            else:
                most = max(most, now + step.more)
        for name in dict.fromkeys((*map(real, step.reads), *map(real, step.writes))):
            if name in alive and name not in given and ends.get(name, -1) <= at:
                alive.discard(name)
                now -= elements[name]
    return most


def written(step: Step, elements: Mapping[str, int]) -> int:
    return sum(elements[name] for name in step.writes)


class Memory:
    """Calling it with an assignment gives the peak in bytes: float32, one image, as `specc cost` counts it."""

    def __init__(self, graph: Mapping[str, Any]) -> None:
        self.ops: Sequence[Mapping[str, Any]] = graph["ops"]
        self.inputs: Sequence[str] = graph["inputs"]
        self.prediction: str = graph["answer"]
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

        names = dict.fromkeys(name for op in kept for name in (*op["inputs"], *op["outputs"]))
        written = {name: elements(name) for name in (*names, *self.inputs)}
        steps = [
            step_of(op, at, self.shapes[op["inputs"][0]] == self.shapes[op["outputs"][0]])
            for op in kept
        ]
        steps, _ = merge_branches(steps, self.prediction, views)
        return BYTES * most_alive(steps, written, self.inputs, self.prediction, views)

    def present(self, at: Mapping[str, Any]) -> tuple[list[Mapping[str, Any]], dict[str, str]]:
        """The operations that the answer depends on, in order, and what each view of them goes on with."""
        needed = {self.prediction}
        kept: list[Mapping[str, Any]] = []
        views: dict[str, str] = {}
        for op in reversed(self.ops):
            if needed.isdisjoint(op["outputs"]) or not value(op.get("guard", 1), at):
                continue
            if op.get("memory", {}).get("role") == "view":
                conditions = op["params"].get("conditions", [1])
                pairs = zip(op["inputs"], conditions, strict=True)
                chosen = next((name for name, when in pairs if value(when, at)), op["inputs"][-1])
                views[op["outputs"][0]] = chosen
                needed.add(chosen)
            else:
                kept.append(op)
                needed.update(op["inputs"])
        return kept[::-1], views


def step_of(op: Mapping[str, Any], at: Mapping[str, Any], keeps: bool) -> Step:
    """An operation of ir.json as memory is counted of it; `keeps` says whether it keeps the shape."""
    said = op.get("memory", {})
    return Step(
        op["inputs"],
        op["outputs"],
        op["name"].rpartition(".")[0],
        said.get("role", "own"),
        said.get("absorbs", False),
        said.get("summed", False),
        int(value(said.get("more", 0), at)),
        tuple(int(value(part, at)) for part in said.get("inner", ())),  # type: ignore[arg-type]
        window_from([int(value(part, at)) for part in said.get("window", ())]),
        op.get("effect") == "sums",
        keeps and said.get("role") == "alias",
    )


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
