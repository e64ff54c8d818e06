"""Small graphs for the analyses, built without the language: operators of one line each, and random networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Literal

from hypothesis import strategies as st

from specc.ir.choice import Choice, Kind
from specc.ir.expr import Apply, Expr, Option, Var, apply, both, evaluate
from specc.ir.graph import Bank, Graph, Op, Output, Predicts, Scope, Segment, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Signature
from specc.source import Source, Span

HERE = Span(Source("tests/graphs.specc", "supernet random { }"), 9, 15)


@dataclass(frozen=True, slots=True)
class ConvParams:
    """A convolution without strides or borders: maps keep their size."""

    kernel: Expr


@dataclass(frozen=True, slots=True)
class SelectParams:
    conditions: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Nothing:
    """No params."""


class Toy(Operator):
    """An operator of any kind; only `conv` and `batch_norm` have weights, only `conv` costs MACs."""

    signature = Signature("toy")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.selects = kind == "select"

    def build(self, call: OpCall) -> Built:
        raise AssertionError("these graphs are not lowered")

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        match op.params:
            case ConvParams(kernel):
                return (Weight("weight", (1,), (inputs[0].features, outputs[0].features, kernel, kernel)),)
        if self.kind == "batch_norm":
            return tuple(Weight(name, (1,), (inputs[0].features,), op.bank.count) for name in ("weight", "bias"))
        return ()

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        match op.params:
            case ConvParams(kernel):
                return times(inputs[0].features, outputs[0].features, kernel, kernel, *outputs[0].space)
        return 0

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return times(outputs[0].features, *outputs[0].space) if self.kind == "batch_norm" else 0

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("view" if self.selects else "own")


def times(*factors: Expr) -> Expr:
    total: Expr = 1
    for factor in factors:
        total = apply("mul", total, factor)
    return total


class Builder:
    """Writes a graph op by op; `here` is the tensor that comes in next."""

    def __init__(self, resolution: Expr = 8) -> None:
        self.tensors = [Tensor("image", (Segment(3),), (resolution, resolution), HERE)]
        self.ops: list[Op] = []
        self.choices: list[Choice] = []
        self.here = "image"
        self.guard: Expr = 1
        self.outputs: list[Output] = []

    def choice(self, kind: Kind, *options: Option) -> Var:
        name = f"c{len(self.choices)}.{kind}"
        self.choices.append(Choice(name, options, kind, HERE))
        return Var(name)

    def tensor(self, name: str) -> Tensor:
        return next(tensor for tensor in self.tensors if tensor.name == name)

    def put(
        self,
        kind: str,
        width: Expr | None = None,
        params: object = Nothing(),
        inputs: tuple[str, ...] = (),
        bank: Bank = Bank(),  # noqa: B008
    ) -> str:
        """One op after `here` (or `inputs`), which becomes `here`. `width` None keeps the channels."""
        inputs = inputs or (self.here,)
        before = self.tensor(inputs[0])
        name = f"op{len(self.ops)}"
        channels = before.channels if width is None else (Segment(width),)
        self.tensors.append(Tensor(f"{name}.out", channels, before.space, HERE))
        self.ops.append(Op(name, Toy(kind), params, inputs, (f"{name}.out",), self.guard, HERE, bank=bank))
        self.here = f"{name}.out"
        return self.here

    def conv(self, width: Expr, kernel: Expr = 1) -> str:
        return self.put("conv", width, ConvParams(kernel))

    def region(self, condition: Expr) -> _Region:
        """What is added inside is present where the condition holds; afterwards a select joins it with what came in."""
        return _Region(self, condition)

    def graph(self) -> Graph:
        outputs = [*self.outputs, Output("main", self.here, "head")]
        root = Scope("random", "", "network", 1, tuple(op.name for op in self.ops), HERE)
        parts = (tuple(self.tensors), tuple(self.ops), tuple(self.choices), tuple(outputs))
        return Graph("random", ("image",), *parts, root, Predicts("classes", 10), HERE, main=self.here)


class _Region:
    def __init__(self, builder: Builder, condition: Expr) -> None:
        self.builder, self.condition = builder, condition

    def __enter__(self) -> None:
        self.before, self.guard = self.builder.here, self.builder.guard
        self.builder.guard = both(self.guard, self.condition)

    def __exit__(self, *_: object) -> None:
        b = self.builder
        new, b.guard = b.here, self.guard
        if new != self.before:
            b.put("select", None, SelectParams((self.condition, 1)), (new, self.before))


@st.composite
def graphs(draw: st.DrawFn, most: int = 5) -> Graph:
    """Random networks of a few hundred sub-networks: elastic widths, kernels, depths, skips, banks, words, ratios."""
    resolution = draw(st.booleans())
    b = Builder(Var("c0.resolution") if resolution else 8)
    if resolution:
        b.choice("resolution", 4, 6, 8)
    shared = b.choice("value", 1, 3) if draw(st.booleans()) else None
    width = widths(draw, b)
    b.conv(width)
    for _ in range(draw(st.integers(1, most))):
        if prod_of(b) > 60:
            break
        items(draw, b, width, shared, draw(st.integers(0, 2)))
        if draw(st.booleans()) and b.guard == 1:
            width = widths(draw, b)
            b.conv(width)
    return b.graph()


def prod_of(b: Builder) -> int:
    total = 1
    for choice in b.choices:
        total *= len(choice.options)
    return total


def widths(draw: st.DrawFn, b: Builder) -> Expr:
    """A width: fixed, of its own, or a rounded share of a ratio."""
    match draw(st.sampled_from(("fixed", "own", "own", "ratio"))):
        case "own":
            return b.choice("width", *draw(st.sampled_from(((8, 16), (4, 6, 8), (3, 7, 8)))))
        case "ratio":
            ratios = [c for c in b.choices if any(isinstance(o, Fraction) for o in c.options)]
            ratio = Var(ratios[0].name) if ratios else b.choice("width", Fraction(1, 3), Fraction(7, 20), 1)
            return apply("divisible", apply("mul", 24, ratio), 4)
    return 8


def items(draw: st.DrawFn, b: Builder, width: Expr, shared: Var | None, depth: int) -> None:
    """A shape-keeping piece of network, perhaps with others in it."""
    what = draw(st.sampled_from(("block", "skip", "repeat", "word", "norm", "reuse", "exit")))
    if what == "skip":
        with b.region(b.choice("skip", 0, 1)):
            block(draw, b, width, shared)
            if depth:
                items(draw, b, width, shared, depth - 1)
    elif what == "repeat":
        rounds = b.choice("depth", 0, 1, 2)
        for number in (1, 2):
            with b.region(apply("ge", rounds, number)):
                block(draw, b, width, shared)
    elif what == "word":
        word = b.choice("operator", "wide", "narrow")
        before, guard = b.here, b.guard
        branches = []
        for option in word_options(b, word):
            b.here, b.guard = before, both(guard, apply("eq", word, option))
            block(draw, b, width, shared)
            branches.append(b.here)
        b.guard = guard
        b.put("select", None, SelectParams((apply("eq", word, "wide"), 1)), tuple(branches))
    elif what == "exit":
        before, guard = b.here, b.guard
        b.guard = both(guard, apply("eq", b.choice("exit", 1, 2, 3), 2)) if draw(st.booleans()) else guard
        b.conv(draw(st.sampled_from((5, width))))
        kind = draw(st.sampled_from(("exit", "features")))
        b.outputs.append(Output(f"e{len(b.outputs)}", b.here, kind))  # type: ignore[arg-type]
        b.here, b.guard = before, guard
    elif what == "norm":
        b.put("batch_norm", bank=bank(draw, b))
    elif what == "reuse" and any(c.kind == "skip" for c in b.choices):
        skips = [c for c in b.choices if c.kind == "skip"]
        first, last = Var(skips[0].name), Var(skips[-1].name)
        with b.region(draw(st.sampled_from((apply("not", last), apply("or", first, last), apply("and", last, first))))):
            block(draw, b, width, shared)
    else:
        block(draw, b, width, shared)


def word_options(b: Builder, word: Var) -> tuple[Option, ...]:
    return tuple(next(choice for choice in b.choices if choice.name == word.choice).options)


def bank(draw: st.DrawFn, b: Builder) -> Bank:
    """A norm bank by the state of some skip, or the only one."""
    skips = [choice.name for choice in b.choices if choice.kind == "skip"]
    shared = not skips or draw(st.booleans())
    return Bank() if shared else Bank(Var(draw(st.sampled_from(skips))), 2)


def block(draw: st.DrawFn, b: Builder, width: Expr, shared: Var | None) -> None:
    """Into a hidden width and back."""
    hidden = widths(draw, b) if draw(st.booleans()) else apply("mul", 2, width)
    kernel: Expr = 1
    if shared is not None and draw(st.booleans()):
        kernel = shared
    elif draw(st.integers(0, 3)) == 0:
        kernel = b.choice("kernel", 3, 5)
    b.conv(hidden, kernel)
    b.conv(width)


# The same by brute force


def assignments(graph: Graph) -> Iterator[dict[str, Option]]:
    """Every combination of options, canonical or not."""
    names = [choice.name for choice in graph.choices]
    for options in product(*(tuple(choice.options) for choice in graph.choices)):
        yield dict(zip(names, options, strict=True))


def traced(expr: Expr, full: Mapping[str, Option], reads: set[str]) -> Option:
    """`evaluate` that reads no more than it must, and notes what."""
    match expr:
        case Var(name):
            reads.add(name)
            return full[name]
        case Apply("and", (a, b)):
            return int(bool(traced(a, full, reads)) and bool(traced(b, full, reads)))
        case Apply("or", (a, b)):
            return int(bool(traced(a, full, reads)) or bool(traced(b, full, reads)))
        case Apply("if", (condition, a, b)):
            return traced(a if traced(condition, full, reads) else b, full, reads)
        case Apply(function, args):
            return evaluate(Apply(function, tuple(value(traced(a, full, reads)) for a in args)), {})
    return expr


def value(option: Option) -> Expr:
    return option


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """One sub-network worked out op by op."""

    at: dict[str, Option]
    present: tuple[str, ...]
    macs: int
    params: int
    normalised: int


def facts(graph: Graph, full: Mapping[str, Option]) -> Facts:
    """What DESIGN says of presence and activity, read literally."""
    tensors = graph.tensor_table()
    needed = {graph.prediction()}
    reads: set[str] = set()
    present: list[Op] = []
    for op in reversed(graph.ops):
        if not needed.intersection(op.outputs) or not traced(op.guard, full, reads):
            continue
        present.append(op)
        match op.params:
            case SelectParams(conditions):
                needed.add(next(t for t, c in zip(op.inputs, conditions, strict=True) if traced(c, full, reads)))
                seen: tuple[str, ...] = op.outputs
            case ConvParams(kernel):
                traced(kernel, full, reads)
                needed.update(op.inputs)
                seen = (*op.inputs, *op.outputs)
            case _:
                needed.update(op.inputs)
                seen = (*op.inputs, *op.outputs)
        traced(op.bank.index, full, reads)
        for name in seen:
            traced(tensors[name].features, full, reads)
            for size in tensors[name].space:
                traced(size, full, reads)
    at = {choice.name: full[choice.name] for choice in graph.choices if choice.name in reads}
    return Facts(at, tuple(op.name for op in reversed(present)), *sums(graph, present, full))


def sums(graph: Graph, present: Sequence[Op], full: Mapping[str, Option]) -> tuple[int, int, int]:
    tensors = graph.tensor_table()
    totals = {"macs": 0, "params": 0, "normalised": 0}
    for op in present:
        inputs, outputs = [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs]
        totals["macs"] += number(op.operator.macs(op, inputs, outputs), full)
        totals["normalised"] += number(op.operator.normalised(op, inputs, outputs), full)
        for weight in op.operator.weights(op, inputs, outputs):
            totals["params"] += number(times(*weight.active), full)
    return totals["macs"], totals["params"], totals["normalised"]


def number(expr: Expr, full: Mapping[str, Option]) -> int:
    result = evaluate(expr, full)
    assert isinstance(result, int)
    return result


End = Literal["min", "max"]
