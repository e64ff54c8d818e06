"""When choices matter: as expressions, and as the plain data of `specc.space`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

from specc.activity.diagrams import TRUE, Diagrams, Term
from specc.cost.source import compile_cost
from specc.cost.totals import costs_of
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Option, Var, apply
from specc.ir.graph import Graph
from specc.space.choices import Space, every, independent_parts

FEW = 1000
"""So many combinations of options are counted one by one."""


def activity(graph: Graph) -> Mapping[str, Expr]:
    """For each choice the condition under which something present reads it: 1 for always, 0 for never."""
    where = costs_of(graph).presence
    return {name: as_expr(where.diagrams, where.diagrams.terms(node)) for name, node in where.active.items()}


def as_expr(diagrams: Diagrams, terms: Sequence[Term]) -> Expr:
    """A disjunction of conjunctions as an expression."""
    total: Expr = 0
    for term in terms:
        conjunction: Expr = 1
        for choice, positions in term:
            conjunction = apply("and", conjunction, literal_expr(diagrams.choices[choice], positions))
        total = apply("or", total, conjunction)
    return total


def literal_expr(choice: Choice, positions: Sequence[int]) -> Expr:
    """That a choice stands at one of some positions, as a person would say it."""
    count = len(choice.options)
    variable = Var(choice.name)
    if tuple(choice.options) == (0, 1):
        return variable if list(positions) == [1] else apply("not", variable)
    numeric = not any(isinstance(option, str) for option in choice.options)
    if numeric and len(positions) > 1 and list(positions) == list(range(count - len(positions), count)):
        return apply("ge", variable, choice.options[positions[0]])
    if numeric and len(positions) > 1 and list(positions) == list(range(len(positions))):
        return apply("le", variable, choice.options[positions[-1]])
    total: Expr = 0
    for position in positions:
        total = apply("or", total, apply("eq", variable, choice.options[position]))
    return total


@lru_cache(maxsize=4)
def conditions(graph: Graph) -> Space:
    """The choices of a graph and when they matter, without costs. Options are the graph's."""
    where = costs_of(graph).presence
    active = {
        name: tuple(named(where.diagrams, term) for term in where.diagrams.terms(node))
        for name, node in where.active.items()
        if node != TRUE
    }
    return Space({choice.name: choice.options for choice in graph.choices}, active)


def named(diagrams: Diagrams, term: Term) -> Mapping[str, tuple[Option, ...]]:
    """A conjunction with the names of choices and their options."""
    return {
        diagrams.choices[choice].name: tuple(diagrams.options[choice][at] for at in positions)
        for choice, positions in term
    }


def count_of(space: Space) -> int | None:
    """The number of canonical assignments; None where choices are too entangled.

    Choices that decide about others are counted with them, one by one where they are few: numpy is imported only
    where they are many.
    """
    total = 1
    for part in independent_parts(space):
        combinations = prod(len(options) for options in part.choices.values())
        if not part.active:
            total *= combinations
        elif combinations <= FEW:
            total *= sum(1 for _ in every(part))
        else:
            from specc.space.elimination import TooEntangled, size

            try:
                total *= size(part)
            except TooEntangled:
                return None
    return total


@lru_cache(maxsize=4)
def space_of(graph: Graph) -> Space:
    """The space of a graph with its costs."""
    compiled, space = compile_cost(graph), conditions(graph)
    return Space(space.choices, space.active, compiled.together, compiled.many)
