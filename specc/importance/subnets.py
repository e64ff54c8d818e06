"""The sampled sub-networks: every choice that decides what is present is drawn, each option alike (TIPS).

Draws are conditional on every operation being kept at least once. Choices that no guard joins do not know of each other
under that condition either, so each component of choices is drawn on its own.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from specc.frozen import frozen
from specc.importance.cover import MOST_POINTS, Component, draw_covering, draw_switch, inclusion
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, Var, apply, evaluate, free
from specc.passes.importance_view import View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Flags = NDArray[np.bool_]
    """(guards, T)"""


@frozen
class Pairs:
    """The pairs of feature maps that edges join: A is 0/1 also where edges are parallel.

    `guards` are the distinct conditions of all edges and pairs; `pair_guards` and `edge_guards` say which is whose.
    """

    sources: tuple[int, ...]
    targets: tuple[int, ...]
    guards: tuple[Expr, ...]
    pair_guards: tuple[int, ...]
    edge_guards: tuple[int, ...]


@frozen
class Subnets:
    """T drawn sub-networks: the options of the choices that were drawn, and which guards hold in which of them."""

    at: tuple[dict[str, Option], ...]
    holds: Flags


def pairs_of(view: View) -> Pairs:
    """The pairs of a view, in the order of their first edges."""
    joined: dict[tuple[int, int], Expr] = {}
    numbers: dict[Expr, int] = {}
    for edge in view.edges:
        pair = edge.source, edge.target
        joined[pair] = apply("or", joined[pair], edge.guard) if pair in joined else edge.guard
        numbers.setdefault(edge.guard, len(numbers))
    pair_guards = tuple(numbers.setdefault(guard, len(numbers)) for guard in joined.values())
    return Pairs(
        sources=tuple(source for source, _ in joined),
        targets=tuple(target for _, target in joined),
        guards=tuple(numbers),
        pair_guards=pair_guards,
        edge_guards=tuple(numbers[edge.guard] for edge in view.edges),
    )


def components(view: View, guards: Iterable[Expr], choices: Sequence[Choice]) -> list[Component]:
    """The choices that guards read, joined where one guard reads several, in the graph's order.

    Operations that no sub-network has, as under `when k == 1 { when k == 2 { .. } }`, need not be kept.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    reading = [(guard, sorted(free(guard))) for guard in guards]
    for _, names in reading:
        for name in names:
            parent.setdefault(name, name)
            parent[root(name)] = root(names[0])
    members: dict[str, list[Choice]] = {}
    for choice in choices:
        if choice.name in parent:
            members.setdefault(root(choice.name), []).append(choice)
    table = {choice.name: choice for choice in choices}
    wanted = {edge.guard for edge in view.edges if not edge.bypass and can_hold(edge.guard, table)}
    read: dict[str, list[Expr]] = {name: [] for name in members}
    for guard, names in reading:
        if names:
            read[root(names[0])].append(guard)
    return [
        Component(tuple(found), tuple(read[name]), tuple(guard for guard in read[name] if guard in wanted))
        for name, found in members.items()
    ]


def can_hold(guard: Expr, choices: Mapping[str, Choice]) -> bool:
    """Whether a condition holds under some options; taken for granted where it reads too many to try them all."""
    if not isinstance(guard, Apply):
        return True
    names = sorted(free(guard))
    options = [tuple(choices[name].options) for name in names]
    if prod(map(len, options)) > MOST_POINTS:
        return True
    return any(evaluate(guard, dict(zip(names, point, strict=True))) for point in product(*options))


def draw_subnets(view: View, pairs: Pairs, choices: Sequence[Choice], number: int, seed: int) -> Subnets:
    """`number` sub-networks that keep every operation once between them. Raises Uncovered where so few can't."""
    import numpy as np

    rng = random.Random(seed)
    places = {guard: place for place, guard in enumerate(pairs.guards)}
    holds = np.ones((len(pairs.guards), number), dtype=np.bool_)
    names: list[str] = []
    columns: list[Sequence[Option]] = []
    for component in components(view, pairs.guards, choices):
        names.extend(choice.name for choice in component.choices)
        if component.is_switch:
            column = draw_switch(number, rng)
            columns.append(column)
            kept = np.frombuffer(column, dtype=np.bool_)
            for guard in component.guards:
                if isinstance(guard, Var):
                    holds[places[guard]] = kept
                else:
                    off, on = (bool(evaluate(guard, component.values((option,)))) for option in (0, 1))
                    holds[places[guard]] = np.where(kept, on, off)
            continue
        points = draw_covering(component, number, rng)
        columns.extend(zip(*points))
        for guard in component.guards:
            known = {point: bool(evaluate(guard, component.values(point))) for point in dict.fromkeys(points)}
            holds[places[guard]] = [known[point] for point in points]
    at = tuple(dict(zip(names, options)) for options in zip(*columns)) if columns else ({},) * number
    return Subnets(at, holds)


def expected_subnets(view: View, pairs: Pairs, choices: Sequence[Choice], number: int) -> list[float]:
    """The probability of each guard in one of `number` sub-networks that keep every operation once between them.

    Raises Uncovered where so few can't, NotListed where too many choices decide together.
    """
    known: dict[Expr, float] = {}
    for component in components(view, pairs.guards, choices):
        known.update(inclusion(component, number))
    return [known.get(guard, 1.0) for guard in pairs.guards]
