"""Sizes at every option: whole, positive, and in the largest network at their largest.

Sizes whose value does not depend on a choice after all (a kernel under its own padding) are folded here, and those that
are whole are written so that they stay whole wherever they are computed (`specc.ir.whole`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from specc.assignments import show_option
from specc.diagnostics import Findings, Rule
from specc.frozen import frozen
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, Var, apply, evaluate, show
from specc.ir.graph import Graph, Op, Segment
from specc.ir.rewrite import rewrite_graph, values_of
from specc.ir.values import ValueTable, value_at
from specc.ir.whole import whole_form
from specc.ir.window import sides
from specc.ops.shapes import EVEN_KERNEL
from specc.passes.drop_dead import choices_read
from specc.source import Span

SIZE_AT_OPTION = Rule(
    "E511",
    "bad-size-at-option",
    "a size is not a positive whole number at some option",
    "Every sub-network must exist: sizes are positive whole numbers at every option, not only at the largest.\n"
    "Wrong:  width per_group 0.5..1.0 ... conv(in / 2, kernel=1)        where 32 channels may become 17\n"
    "Right:  width per_group 0.5..1.0 round 2 ... conv(in / 2, kernel=1)",
)
NOT_LARGEST = Rule(
    "E512",
    "larger-than-largest",
    "a size is larger at some option than in the largest network",
    "The largest network has every choice at its last option, and numbers are sorted by value. Weights\n"
    "are allocated for it, so channels, kernels, groups and heads are nowhere larger than there. An expression that\n"
    "falls while a choice grows is turned around.\n"
    "Wrong:  conv(in / {1, 2, 4}, kernel=1)           where the last option, 4, gives the fewest channels\n"
    "Right:  conv(in * {0.25, 0.5, 1}, kernel=1)",
)


COUNTED: Final[Mapping[str, str]] = {
    "kernel": "the kernel",
    "groups": "the number of groups",
    "heads": "the number of heads",
    "kv_heads": "the number of heads of keys and values",
    "slices": "the number of slices",
}
"""What counts something: the field in an operator's params, and what a message calls it."""


@frozen
class Size:
    """A number that must be whole and positive. One that is `allocated` has weights: no more than the largest's."""

    value: Expr
    origin: Span
    what: str
    allocated: bool


def check_sizes(graph: Graph, findings: Findings) -> Graph:
    """Reports sizes that are no sizes at some option; folds those that are always the same; keeps the others whole."""
    table = ValueTable({choice.name: choice.options for choice in graph.choices})
    largest = {choice.name: choice.largest for choice in graph.choices}
    done: set[tuple[Expr, bool]] = set()
    for size in sizes_of(graph):
        if (size.value, size.allocated) not in done:
            done.add((size.value, size.allocated))
            check_size(size, table, largest, graph.choice_table(), findings)
    for op in graph.ops:
        check_kernel(op, table, graph.choice_table(), findings)
    if findings:
        return graph
    return without_unread(rewrite_graph(graph, WholeForms(graph, table)))


def check_size(
    size: Size,
    table: ValueTable,
    largest: Mapping[str, Option],
    choices: Mapping[str, Choice],
    findings: Findings,
) -> None:
    """Reports a size that is not whole or not positive at some option, or larger than in the largest network."""
    if not isinstance(size.value, (Var, Apply)):
        if not is_size(size.value):
            report(size, size.value, {}, choices, findings)
        return
    found = table.of(size.value)
    if found is None or not all(map(is_size, found.options)):
        at = table.witness(size.value, lambda value: not is_size(value))
        if at is not None:
            report(size, value_at(size.value, at), at, choices, findings)
        else:
            message = f"{size.what} reads too many choices to show that it is whole and positive at all of them"
            findings.report(SIZE_AT_OPTION, size.origin, message, help="round it: `floor(..)`, `divisible(.., 8)`")
        return
    if not size.allocated:
        return
    most = evaluate(size.value, largest)
    assert isinstance(most, int)
    if any(value > most for value in found.options if isinstance(value, int)):
        at = table.witness(size.value, lambda value: isinstance(value, int) and value > most)
        where = "" if at is None else f"{value_at(size.value, at)} at {listed(at, choices)}, and "
        message = f"{size.what} would be {where}{most} in the largest network"
        findings.report(NOT_LARGEST, size.origin, message, help=turned(size.value, choices))


def check_kernel(op: Op, table: ValueTable, choices: Mapping[str, Choice], findings: Findings) -> None:
    """Reports an elastic kernel with an even option, which has no centre in a larger odd one."""
    kernel = getattr(op.params, "kernel", None)
    for side in () if kernel is None else dict.fromkeys(sides(kernel)):
        found = table.of(side) if isinstance(side, (Var, Apply)) else None
        if found is None or not any(map(is_even, found.options)):
            continue
        at = table.witness(side, is_even)
        if at is not None:
            message = f"the kernel would be {value_at(side, at)}, an even number, at {listed(at, choices)}"
            findings.report(EVEN_KERNEL, op.origin, message)


def is_even(value: Option) -> bool:
    return isinstance(value, int) and value % 2 == 0


def is_size(value: Expr) -> bool:
    return isinstance(value, int) and value >= 1


def sizes_of(graph: Graph) -> Iterator[Size]:
    """Every size that must be whole and positive: channels, heights, widths, kernels, groups and heads."""
    for tensor in graph.tensors:
        for segment in tensor.channels:
            yield Size(segment.size, tensor.origin, "this size", True)
        for side in tensor.space:
            yield Size(side, tensor.origin, "this size", False)
    for op in graph.ops:
        for name, what in COUNTED.items():
            value = getattr(op.params, name, None)
            if value is not None:
                yield from (Size(side, op.origin, what, True) for side in dict.fromkeys(sides(value)))


def numbers_of(graph: Graph) -> Iterator[Expr]:
    """The sizes, and all that operators make of them: whole numbers, each."""
    for tensor in graph.tensors:
        yield from (segment.features for segment in tensor.channels)
        yield from (*tensor.space, tensor.features, *(segment.size for segment in tensor.channels))
    for op in graph.ops:
        if not op.operator.selects:  # which has conditions
            yield from flat(values_of(op.params))


def flat(values: Iterable[object]) -> Iterator[Expr]:
    """The expressions among values, those in tuples and segments too."""
    for value in values:
        if isinstance(value, (Var, Apply)):
            yield value
        elif isinstance(value, Segment):
            yield from flat((value.size, value.spread, value.features))
        elif isinstance(value, tuple):
            yield from flat(value)


class WholeForms:
    """Rewrites the expressions of a checked graph: a constant where a size is always the same, a form that stays whole
    where it is not. Parts come before what is made of them."""

    def __init__(self, graph: Graph, table: ValueTable) -> None:
        self.table = table
        self.sizes = {*numbers_of(graph)}
        self.whole = frozenset(c.name for c in graph.choices if all(type(o) is int for o in c.options))
        self.known: dict[Expr, Expr] = {}

    def __call__(self, expr: Expr) -> Expr:
        if not isinstance(expr, Apply):
            return expr
        if expr not in self.known:
            self.known[expr] = self.fresh(expr)
        return self.known[expr]

    def fresh(self, expr: Apply) -> Expr:
        found = self.table.of(expr) if expr in self.sizes else None
        if found is not None and len(found.options) == 1:
            return next(iter(found.options))
        args = tuple(self(arg) for arg in expr.args)
        same = all(a is b for a, b in zip(args, expr.args, strict=True))
        kept = expr if same else apply(expr.function, *args)
        return whole_form(kept, self.whole) if expr in self.sizes else kept


def report(
    size: Size, value: Expr, at: Mapping[str, Option], choices: Mapping[str, Choice], findings: Findings
) -> None:
    where = listed(at, choices)
    findings.report(
        SIZE_AT_OPTION,
        size.origin,
        f"{size.what} would be {shown(value)} at {where}" if where else f"{size.what} is {shown(value)}",
        help=cure(size.origin),
    )


def shown(value: Expr) -> str:
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)


def listed(at: Mapping[str, Option], choices: Mapping[str, Choice]) -> str:
    return ", ".join(f"{name}={show_option(choices[name], option)}" for name, option in at.items())


def turned(value: Expr, choices: Mapping[str, Choice]) -> str:
    """How to write a size that falls while a choice grows: a quotient by a choice as a product with its shares."""
    divisor = next(divisors(value), None)
    options = () if divisor is None else choices[divisor].options
    numbers = [option for option in options if isinstance(option, (int, Fraction)) and option > 0]
    if not numbers or len(numbers) < len(options):
        return "turn the expression around: options are sorted by value, and the last must give the most"
    shares = ", ".join(show(apply("div", numbers[0], number)) for number in reversed(numbers))
    above = ".." if numbers[0] == 1 else f".. / {show(numbers[0])}"
    below = ", ".join(map(show, numbers))
    return f"write `{above} * {{{shares}}}` instead of `.. / {{{below}}}`"


def divisors(value: Expr) -> Iterator[str]:
    """The choices that something is divided by."""
    if isinstance(value, Apply):
        if value.function == "div" and isinstance(value.args[1], Var):
            yield value.args[1].choice
        for arg in value.args:
            yield from divisors(arg)


def without_unread(graph: Graph) -> Graph:
    """Folding a size may leave a choice that nothing reads."""
    read = choices_read(graph.ops, graph.tensors)
    return replace(graph, choices=tuple(c for c in graph.choices if c.name in read))


def cure(origin: Span) -> str:
    """What makes a size whole: in a block whose call can say how its widths are chosen, that argument too."""
    help = "round it (`floor(..)`, `divisible(.., 8)`), or leave the options out that do not fit"
    own = next((site for site in reversed(origin.calls) if site.cures), None)
    return help if own is None else f"write `{own.cures[0]}` where `{own.block}` is called; or {help}"
