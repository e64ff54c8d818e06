"""The order in which a sweep takes up choices: small frontiers first."""

from __future__ import annotations

from collections import Counter
from math import log

from .choices import Space

CANDIDATES = 24
"""How many choices are weighed at each step, in the order of the space, which is the network's."""


def neighbours(space: Space, with_costs: bool) -> list[set[int]]:
    """For every choice, by its index, those that a part of the cost or a term of an activity reads with it."""
    index = {name: at for at, name in enumerate(space.choices)}
    groups = [{index[name] for name in scope} for scope in space.together] if with_costs else []
    for name, terms in space.active.items():
        for term in terms:
            scope = {index[parent] for parent in term}
            groups.append(scope)
            groups.extend({parent, index[name]} for parent in scope)
    near: list[set[int]] = [set() for _ in index]
    for group in groups:
        for member in group:
            near[member] |= group
    for member, others in enumerate(near):
        others.discard(member)
    return near


def elimination_order(space: Space, near: list[set[int]]) -> list[int]:
    """Every choice once. Greedy: next come those that complete some choice and leave the least to remember.

    A choice must be remembered while one of its neighbours is still to come; what is remembered is measured
    in combinations of options. On a chain of stages with blocks hanging from them each block comes and goes
    at once, then the next stage's width; a choice that everything reads stays throughout.
    """
    sizes = [log(len(options)) for options in space.choices.values()]
    left = [len(others) for others in near]
    order: list[int] = []
    waiting = dict.fromkeys(range(len(near)))
    border: dict[int, None] = {}
    open_: dict[int, None] = {}

    def missing(choice: int) -> list[int]:
        return sorted(c for c in (choice, *near[choice]) if c in waiting)

    def burden(coming: list[int]) -> float:
        """By how much the frontier grows."""
        calls = Counter(other for choice in coming for other in near[choice])
        grown = sum(sizes[choice] for choice in coming if left[choice] > calls[choice])
        return grown - sum(sizes[c] for c, n in calls.items() if c in open_ and left[c] == n)

    def at_once(coming: list[int]) -> float:
        """How many combinations stand beside each other on the way there, at most."""
        return round(sum(sizes[choice] for choice in coming), 9)

    while waiting:
        candidates = [*sorted(open_)[:CANDIDATES], *sorted(border)[:CANDIDATES]]
        options = [coming for c in candidates if left[c] <= CANDIDATES and (coming := missing(c))]
        chosen = min(
            options,
            key=lambda coming: (round(burden(coming), 9), at_once(coming), coming),
            default=None,
        )
        for choice in chosen or [min(border or waiting)]:
            del waiting[choice]
            border.pop(choice, None)
            order.append(choice)
            if left[choice]:
                open_[choice] = None
            for other in near[choice]:
                left[other] -= 1
                if other in waiting:
                    border[other] = None
                elif not left[other]:
                    open_.pop(other, None)
    return order
