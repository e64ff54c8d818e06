"""The order in which a sweep takes up choices: small frontiers first."""

from __future__ import annotations

from math import log

from specc.portable.choices import Space

CANDIDATES = 24
"""How many neighbours of the frontier are weighed at each step, in the order of the space, which is the network's."""


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
    """Every choice once. Greedy: the next one leaves the least to remember, in options of choices still needed.

    A choice is needed while one of its neighbours is still to come. On a chain of stages with blocks hanging from
    them this remembers a stage's width and its neighbour's; a choice that everything reads stays throughout.
    """
    sizes = [log(len(options)) for options in space.choices.values()]
    left = [len(others) for others in near]
    order: list[int] = []
    waiting = dict.fromkeys(range(len(near)))
    border: dict[int, None] = {}
    while waiting:
        candidates = sorted(border)[:CANDIDATES] or [min(waiting)]

        def burden(choice: int) -> float:
            freed = sum(sizes[u] for u in near[choice] if u not in waiting and left[u] == 1)
            return (sizes[choice] if left[choice] else 0.0) - freed

        chosen = min(candidates, key=lambda choice: (round(burden(choice), 9), choice))
        del waiting[chosen]
        border.pop(chosen, None)
        order.append(chosen)
        for other in near[chosen]:
            left[other] -= 1
            if other in waiting:
                border[other] = None
    return order
