"""The most memory that the activations of a sub-network take at once, counted on the graph.

What is counted is the sub-network as it is deployed, `net.bind(plan, fold=True)`: norms are folded into the layer that
they alone read, an activation overwrites what nothing reads after it, views take nothing, and the image is there from
the beginning to the end. A tensor lives from the operation that writes it until the last one that reads it has run.
Weights are not counted, nor what kernels need for themselves while they run.

`Memory` reads a project's ir.json, in which an expression is a number, {"choice": name} or [function, arguments...].
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from elastic.space.functions import FUNCTIONS, exact

BYTES = 4
"""Of one float32 activation."""
VIEWS = ("select", "narrow")
"""Operations that are none at run time: their output is an input, or a part of it."""
ALIASES = ("dropout", "drop_path", "split", "flatten", "take")
"""Operations whose outputs are their input, or views of it, in eval mode."""
OVERWRITING = ("relu", "relu6", "hswish", "silu")
"""Activations that overwrite their input where nothing reads it afterwards."""
FOLDING = ("conv", "depthwise", "linear")
"""Layers that take up the batch norm that alone reads them."""
SUMMED = (
    *FOLDING,
    "batch_norm",
    "group_norm",
    "layer_norm",
    "attention",
    "add",
    "concat",
    "scale",
    "position",
)
"""Operations into whose output a sum is added, where the block goes on with it."""


WORDS = ("mode", "which", "kernel", "size")
"""Parameters that are words, or may be None."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """An operation.

    kind    of the operator; `mean` for a mean of tokens
    reads   the tensors that it reads, and `writes` those that it writes
    axes    how many of its first input's axes are of space
    block   where it stands: the name of the operation without its last part
    more    elements that it needs while it runs, beside what it writes: indices of maxima (of 8 bytes), statistics
    inner   what an attention makes on the way: queries, keys and values; what the heads say with their sums; that alone
    """

    kind: str
    reads: Sequence[str]
    writes: Sequence[str]
    axes: int = 2
    block: str = ""
    more: int = 0
    inner: tuple[int, int, int] | tuple[()] = ()


def most_alive(
    steps: Sequence[Step],
    elements: Mapping[str, int],
    inputs: Sequence[str],
    answer: str,
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
    readers[viewed(views)(answer)] = readers.get(viewed(views)(answer), 0) + 1
    maker = {name: step.kind for step in steps for name in step.writes}
    shared: list[bool] = []
    for step in steps:  # what is an output's memory, before it is known how long it lives
        source = viewed(views)(step.reads[0]) if step.reads else ""
        folds = step.kind == "batch_norm" and maker.get(source) in FOLDING and readers[source] == 1
        shared.append(folds or (step.kind in ALIASES and is_view(step)))
        if shared[-1]:
            origin.update((name, source) for name in step.writes)
    given = {real(name) for name in inputs}
    ends: dict[str, int] = {}
    for at, step in enumerate(steps):
        for name in step.reads:
            ends[real(name)] = at
    ends[real(answer)] = len(steps)
    readers_of: dict[str, list[Step]] = {}
    for step in steps:
        for name in map(viewed(views), step.reads):
            readers_of.setdefault(name, []).append(step)
    made_in = {name: step.block for step in steps for name in step.writes}

    def goes_on(step: Step) -> bool:
        """Whether `y += x` is written for a sum: y is made in its block and read by it alone, and the block goes on."""
        first = viewed(views)(step.reads[0])
        own = made_in.get(first) == step.block and maker[first] in SUMMED and readers[first] == 1
        return own and any(
            reader.block == step.block for reader in readers_of.get(step.writes[0], ())
        )

    # an activation overwrites what nothing reads afterwards: what it writes goes on in that memory
    for at, step in enumerate(steps):
        source = real(step.reads[0]) if step.reads else ""
        overwrites = step.kind in OVERWRITING or (
            step.kind == "add" and len(step.reads) == 2 and goes_on(step)
        )
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


def viewed(views: Mapping[str, str]) -> Callable[[str], str]:
    """A tensor, or what a select or narrow of it goes on with."""

    def found(name: str) -> str:
        while name in views:
            name = views[name]
        return name

    return found


def is_view(step: Step) -> bool:
    """Whether a reshaping copies nothing: tokens, whose features stand last, are brought to the front by a copy; means
    of tokens are none of them."""
    return not (step.kind == "flatten" and step.axes == 1)


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
        self.axes = {row["name"]: len(row["space"]) for row in graph["tensors"]}

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
            step_of(
                op["name"],
                op["kind"],
                (op["inputs"], op["outputs"]),
                self.axes[op["inputs"][0]],
                written,
                lambda name, op=op: (
                    op["params"].get(name) if name in WORDS else value(op["params"][name], at)
                ),  # type: ignore[misc]
            )
            for op in kept
        ]
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


def step_of(
    name: str,
    kind: str,
    tensors: tuple[Sequence[str], Sequence[str]],
    axes: int,
    elements: Mapping[str, int],
    number: Callable[[str], Any],
) -> Step:
    """An operation as memory is counted of it; `number` gives its parameters by name."""
    reads, writes = tensors
    more = 0
    inner: tuple[int, int, int] | tuple[()] = ()
    size = sum(elements[out] for out in writes)
    if (
        kind in ("pool", "maxpool")
        and number("mode") == "max"
        and (number("kernel") or number("size"))
    ):
        more = 2 * size
    elif kind == "take" and number("which") != "class_token":
        kind = "mean"
    elif kind == "layer_norm":
        more = 2 * size // int(number("channels"))
    elif kind == "group_norm":
        more = 2 * int(number("groups"))
    elif kind == "attention":
        heads = int(number("heads"))
        tokens = size // int(number("inputs"))
        said = tokens * heads * int(number("head_dim"))
        inner = (3 * said, said + heads * tokens, said)
    return Step(kind, reads, writes, axes, name.rpartition(".")[0], more, inner)


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
