"""The order in which an elimination takes up choices: small frontiers first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import exp, log

CANDIDATES = 24
"""How many choices are weighed at each step, in the order of the space, which is the network's."""
STARTS = 24
"""The most choices that orders begin at."""
WEIGHED = 1_000_000
"""About so many choices are weighed for all these orders together, in spaces of very many choices."""
EVERYWHERE = 6
"""In spaces of more choices than this, one that is read with more than half of them comes first."""
MOST = 600.0
"""Logarithms beyond this are all the same."""


def neighbours(scopes: Iterable[Sequence[int]], choices: int) -> list[set[int]]:
    """For every choice those that are read with it: `scopes` are the sets that are read together."""
    near: list[set[int]] = [set() for _ in range(choices)]
    for scope in scopes:
        for member in scope:
            near[member].update(scope)
    for member, others in enumerate(near):
        others.discard(member)
    return near


def elimination_order(counts: Sequence[int], near: list[set[int]]) -> list[int]:
    """Every choice once. Greedy: next come those that complete some choice and leave the least to remember.

    A choice must be remembered while one of its neighbours is still to come; what is remembered is measured
    in combinations of options. On a chain of stages with blocks hanging from them each block comes and goes
    at once, then the next stage's width; a choice that everything reads stays throughout.
    """
    sizes = [log(number) for number in counts]
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


def pairs_of(order: Sequence[int], options: Sequence[int], near: list[set[int]]) -> float:
    """How many pairs of a combination and an option an order meets, if no combinations are alike."""
    left = [len(others) for others in near]
    taken = [False] * len(near)
    beside, total = 0.0, 0.0
    for choice in order:
        total += exp(min(beside + log(options[choice]), MOST))
        taken[choice] = True
        beside += log(options[choice]) if left[choice] else 0.0
        for other in near[choice]:
            left[other] -= 1
            if taken[other] and not left[other]:
                beside -= log(options[other])
    return total


def frontier_orders(options: Sequence[int], near: list[set[int]]) -> list[list[int]]:
    """Orders that begin at different choices and go on with the one that leaves the least to remember.

    What most choices are read with (a resolution) comes first: it stays to the end anyway. A network whose end reads
    its beginning (a U-Net) is best begun in the middle.
    """
    number = len(options)
    everywhere = [c for c in range(number) if 2 * len(near[c]) > number > EVERYWHERE]
    others = [c for c in range(number) if c not in set(everywhere)]
    within = [near[c] - set(everywhere) for c in range(number)]
    most = max(2, min(STARTS, WEIGHED // max(1, number) ** 2))
    starts = others[:: -(-len(others) // most)] if others else []
    return [[*everywhere, *grown(options, within, start, others)] for start in starts]


def grown(
    options: Sequence[int], near: list[set[int]], start: int, members: Sequence[int]
) -> list[int]:
    """The order from one start."""
    left = {choice: len(near[choice]) for choice in members}
    waiting = dict.fromkeys(members)
    border: dict[int, None] = {}
    open_: set[int] = set()
    order: list[int] = []

    def growth(choice: int) -> float:
        """By what the combinations to remember are multiplied."""
        size = float(options[choice]) if left[choice] else 1.0
        for other in near[choice]:
            if other in open_ and left[other] == 1:
                size /= options[other]
        return size

    choice = start
    while True:
        del waiting[choice]
        border.pop(choice, None)
        order.append(choice)
        if left[choice]:
            open_.add(choice)
        for other in near[choice]:
            left[other] -= 1
            if other in waiting:
                border[other] = None
            elif not left[other]:
                open_.discard(other)
        if not waiting:
            return order
        choice = min(border or waiting, key=lambda one: (growth(one), options[one], one))
