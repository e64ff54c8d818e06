"""Sizes at every option: whole, positive, and large enough for the windows that slide over them.

Sizes whose value does not depend on a choice after all (a kernel under its own padding) are folded here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import prod

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, evaluate, free, tabulate
from specc.ir.graph import Graph
from specc.ir.rewrite import rewrite_graph
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
TABLE_LIMIT = 20_000


def check_sizes(graph: Graph, findings: Findings) -> Graph:
    """Reports sizes that are no sizes at some option, and folds those that are always the same."""
    choices = graph.choice_table()
    constant: dict[Expr, Expr] = {}
    tables: dict[Expr, tuple[Option, ...]] = {}
    done: set[Expr] = set()
    for size, origin, what in sizes_of(graph):
        if isinstance(size, Apply) and size not in done:
            done.add(size)
            seen: set[Option] = set()
            for value, options in values_of(size, choices, tables):
                if not isinstance(value, int) or value < 1:
                    at = dict(zip(sorted(free(size)), options))
                    report(origin, f"{what} would be {shown(value)}", at, findings)
                    break
                seen.add(value)
            if len(seen) == 1 and combinations(size, choices) <= TABLE_LIMIT:
                constant[size] = seen.pop()
        elif isinstance(size, int) and size < 1:
            report(origin, f"{what} is {size}", {}, findings)
    if not constant:
        return graph
    return without_unread(rewrite_graph(graph, lambda expr: constant.get(expr, expr)))


def sizes_of(graph: Graph) -> Iterator[tuple[Expr, Span, str]]:
    """Every size that must be whole and positive: channels, heights, widths, groups and heads."""
    for tensor in graph.tensors:
        for size in (*(s.size for s in tensor.channels), *tensor.space):
            yield size, tensor.origin, "this size"
    for op in graph.ops:
        groups = getattr(op.params, "groups", 1)
        if groups != 1:
            yield groups, op.origin, "the number of groups"
        if (heads := getattr(op.params, "heads", 1)) != 1:
            yield heads, op.origin, "the number of heads"


def values_of(
    size: Expr, choices: Mapping[str, Choice], tables: dict[Expr, tuple[Option, ...]]
) -> Iterator[tuple[Option, tuple[Option, ...]]]:
    """The values a size takes, each with the options that give it. Of very many combinations only the corners."""
    names = sorted(free(size))
    if len(names) == 1:
        options = tuple(choices[names[0]].options)
        yield from zip(tabulate(size, names[0], options, tables), ((o,) for o in options))
        return
    tried: list[tuple[Option, ...]]
    if combinations(size, choices) > TABLE_LIMIT:
        tried = [(choices[n].smallest, choices[n].largest) for n in names]
    else:
        tried = [tuple(choices[n].options) for n in names]
    for combination in product(*tried):
        yield evaluate(size, dict(zip(names, combination))), combination


def combinations(size: Expr, choices: Mapping[str, Choice]) -> int:
    return prod(len(choices[name].options) for name in free(size))


def shown(value: Option) -> str:
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)


def report(origin: Span, message: str, values: dict[str, Option], findings: Findings) -> None:
    where = ", ".join(f"{name}={value}" for name, value in values.items())
    findings.report(
        SIZE_AT_OPTION,
        origin,
        message + (f" at {where}" if where else ""),
        help=cure(origin),
    )


def without_unread(graph: Graph) -> Graph:
    """Folding a size may leave a choice that nothing reads."""
    read = choices_read(graph.ops, graph.tensors)
    return replace(graph, choices=tuple(c for c in graph.choices if c.name in read))


def cure(origin: Span) -> str:
    """What makes a size whole: in a block whose call can say how its widths are chosen, that argument too."""
    help = "round it (`floor(..)`, `divisible(.., 8)`), or leave the options out that do not fit"
    own = next((site for site in reversed(origin.calls) if site.cures), None)
    return help if own is None else f"write `{own.cures[0]}` where `{own.block}` is called; or {help}"
