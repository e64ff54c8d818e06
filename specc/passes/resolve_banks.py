"""Norm banks: how many an op has, and which of them is in use. Only banks that its guard can reach exist.

Where the method lists its sub-networks no step would train the banks of others, so there are none: what is not listed
uses the bank of the next larger that is (AWN's protocol for the norms of slimmable networks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    choice = choices[index.choice]
    options = tuple(choice.options)
    trained = sorted({options.index(option_of(subnet, choice)) for subnet in listed})
    if 1 <= len(trained) < len(options) and len(listed) > 1:
        return reachable(next_larger(choice, trained), len(trained), op.guard, choices)
    position = index if options == (0, 1) else apply("position", index, *options)
    return reachable(position, len(options), op.guard, choices)


def next_larger(choice: Choice, trained: Sequence[int]) -> Expr:
    """The place among the trained options, given by their positions, of the least that is not below the choice's; of
    the last where all are."""
    index: Expr = len(trained) - 1
    for place in reversed(range(len(trained) - 1)):
        index = apply("if", at_most(choice, trained[place]), place, index)
    return index


def at_most(choice: Choice, position: int) -> Expr:
    """Whether a choice stands at the option of a position or at one before it."""
    options = tuple(choice.options)
    if position == len(options) - 1:
        return 1
    if any(isinstance(option, str) for option in options):
        return apply("le", apply("position", Var(choice.name), *options), position)
    return apply("le", Var(choice.name), options[position])


def option_of(subnet: ListedSubnet, choice: Choice) -> Option:
    """What a listed sub-network chooses. What is none of the options, the method's check reports."""
    default = choice.largest if subnet.default == "max" else choice.smallest
    chosen = dict(subnet.options).get(choice.name, default)
    return chosen if chosen in choice.options else default


def listed_index(listed: tuple[ListedSubnet, ...], choices: Mapping[str, Choice]) -> Expr:
    """The place in the method's list of the least sub-network that is not below the assignment in any choice; of the
    largest where none is. Of several that cannot be compared, the one with the smaller options comes first."""
    places = {
        place: [choice.position(option_of(subnet, choice)) for choice in choices.values()]
        for place, subnet in enumerate(listed)
    }
    *smaller, largest = sorted(places, key=lambda place: sum(places[place]))
    index: Expr = largest
    for place in reversed(smaller):
        covers: Expr = 1
        for choice, position in zip(choices.values(), places[place], strict=True):
            covers = both(covers, at_most(choice, position))
        index = apply("if", covers, place, index)
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
