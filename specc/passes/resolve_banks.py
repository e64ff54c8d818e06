"""Norm banks: how many an op has, and which of them is in use. Only banks that its guard can reach exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product

from specc.diagnostics import Findings
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Option, Var, apply, both, evaluate, free
from specc.ir.graph import SHARED, SUBNET, Bank, Graph, ListedSubnet, Op

REACH_LIMIT = 100_000


def resolve_banks(graph: Graph, findings: Findings) -> Graph:
    """Every open bank request becomes an index expression and a count."""
    if all(op.bank.count for op in graph.ops):
        return graph
    choices = graph.choice_table()
    known: dict[tuple[Expr, Expr], Bank] = {}
    ops = []
    for op in graph.ops:
        if op.bank.count == 0:
            key = (op.bank.index, op.guard)
            if key not in known:
                known[key] = resolved(op, graph.listed, choices)
            op = replace(op, bank=known[key])
        ops.append(op)
    return replace(graph, ops=tuple(ops))


def resolved(op: Op, listed: tuple[ListedSubnet, ...], choices: Mapping[str, Choice]) -> Bank:
    index = op.bank.index
    if index == SUBNET:
        return reachable(listed_index(listed, choices), len(listed), op.guard, choices)
    assert isinstance(index, Var)
    if index.choice not in choices:
        return SHARED
    options = tuple(choices[index.choice].options)
    position = index if options == (0, 1) else apply("position", index, *options)
    return reachable(position, len(options), op.guard, choices)


def listed_index(listed: tuple[ListedSubnet, ...], choices: Mapping[str, Choice]) -> Expr:
    """The place of the assignment in the method's list; of the first in it where the assignment is not listed."""
    index: Expr = 0
    for place in reversed(range(1, len(listed))):
        subnet = listed[place]
        chosen = dict(subnet.options)
        matches: Expr = 1
        for choice in choices.values():
            default = choice.largest if subnet.default == "max" else choice.smallest
            matches = both(matches, apply("eq", Var(choice.name), chosen.get(choice.name, default)))
        index = apply("if", matches, place, index)
    return index


def reachable(index: Expr, count: int, guard: Expr, choices: Mapping[str, Choice]) -> Bank:
    """The bank with the indices that the guard rules out removed."""
    names = sorted(free(index) | free(guard))
    combinations = 1
    for name in names:
        combinations *= len(choices[name].options)
    if isinstance(guard, int) or combinations > REACH_LIMIT:
        return Bank(index, count) if count > 1 else SHARED
    seen: set[Option] = set()
    for options in product(*(tuple(choices[n].options) for n in names)):
        values = dict(zip(names, options, strict=True))
        if evaluate(guard, values):
            seen.add(evaluate(index, values))
    if len(seen) <= 1:
        return SHARED
    kept = sorted(i for i in seen if isinstance(i, int))
    if len(kept) == count:
        return Bank(index, count)
    return Bank(apply("position", index, *kept), len(kept))
