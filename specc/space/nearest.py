"""Error message for an infeasible budget: the nearest reachable costs."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor, inf, isfinite

import numpy as np

from specc.space.catch import found_in
from specc.space.choices import Space
from specc.space.elimination import Elimination, Ints
from specc.space.line import ANY, Interval, Window

NARROWINGS = 40
"""The most times that what lies between a window and the nearest cost found is searched."""
FEW_NARROWINGS = 6
"""The same where several windows must be met, which takes longer."""
MANY = 256
"""So many draws leave about so small a share of it."""

Costs = tuple[int, ...]


def nearest(
    elimination: Elimination, window: Window, certain: bool
) -> tuple[str, tuple[Costs, ...]]:
    """A message, and the costs that it names, of sub-networks next to the window. `certain`: that it is empty."""
    limited = [kind for kind, interval in enumerate(window) if interval != ANY]
    unmet = [
        kind
        for kind in limited
        if len(limited) == 1 or not found_in(elimination, only(window, kind), number=1)
    ]
    words, found = [], []
    for kind in unmet or limited:
        around = only(window, kind) if unmet else window
        said, ends = told(elimination, around, kind)
        words += said
        found += ends
    reason = "; ".join(words)
    if not unmet:
        several = len(limited) > 2
        alone = f"each constraint alone can be satisfied, but not {'all' if several else 'both'} together"
        kept = f"with the other{'s' if several else ''} satisfied, "
        reason = f"{alone}; {kept}{reason}" if reason else alone
    lies = "is" if certain else "was found"
    return f"no sub-network {lies} within the budget" + (f": {reason}" if reason else ""), tuple(
        found
    )


def told(elimination: Elimination, window: Window, kind: int) -> tuple[list[str], list[Costs]]:
    """What there is below and above the limits of a kind, in words."""
    sides = [beside(elimination, window, kind, below) for below in (True, False)]
    ends = [end for end, _ in sides if end is not None]
    if not ends:
        return [], []
    sure = all(certain for _, certain in sides)
    words = named("nearest" if sure else "nearest found", elimination.space.kinds[kind], kind, ends)
    alone = sum(interval != ANY for interval in window) == 1
    if sure and alone and len(ends) == 1:
        words += ", the most there are" if sides[1][0] is None else ", the least there are"
    return [words], ends


def named(word: str, name: str, kind: int, ends: Sequence[Costs]) -> str:
    """`the nearest MACs are 1,000 and 2,000`."""
    costs = " and ".join(shown(name, end[kind]) for end in ends)
    return f"the {word} {'latencies' if name == 'nanoseconds' else name} are {costs}"


def nearest_of(
    space: Space, window: Window, costs: Ints, word: str = "nearest found"
) -> tuple[str, tuple[Costs, ...]]:
    """What `nearest` says, of some sub-networks none of which lies in the window: their costs are [n, kinds]. Where
    choices are too entangled for an elimination, these are all that is known."""
    inside = np.stack([(c >= lo) & (c <= hi) for c, (lo, hi) in zip(costs.T, window, strict=True)])
    limited = [kind for kind, interval in enumerate(window) if interval != ANY]
    unmet = [kind for kind in limited if not inside[kind].any()]
    words, found = [], []
    for kind in unmet or limited:
        others = costs if unmet else costs[np.delete(inside, kind, axis=0).all(axis=0)]
        below, above = (
            others[others[:, kind] < window[kind][0]],
            others[others[:, kind] > window[kind][1]],
        )
        ends = [
            side[at(side[:, kind])]
            for side, at in ((below, np.argmax), (above, np.argmin))
            if len(side)
        ]
        if ends:
            found += [tuple(end.tolist()) for end in ends]
            words.append(named(word, space.kinds[kind], kind, found[-len(ends) :]))
    kept = "" if unmet or len(limited) == 1 else "with the other constraints satisfied, "
    return kept + "; ".join(words) if words else "", tuple(found)


def only(window: Window, kind: int) -> Window:
    """A window without all limits but one."""
    return tuple(interval if at == kind else ANY for at, interval in enumerate(window))


def beside(
    elimination: Elimination, window: Window, kind: int, below: bool
) -> tuple[Costs | None, bool]:
    """The costs of a sub-network that is as near to a window as there is, on one side of its limits of a kind, and
    within all others, and whether it is known that none is nearer. None where none was found.

    Of so many uniform draws the nearest leaves only a small share nearer ones, which is searched next.
    """
    low, high = window[kind]
    if not isfinite(low if below else high):
        return None, True
    interval: Interval = (-inf, ceil(low) - 1) if below else (floor(high) + 1, inf)
    best: Costs | None = None
    several = sum(interval != ANY for interval in window) > 1
    for _ in range(FEW_NARROWINGS if several else NARROWINGS):
        if interval[0] > interval[1]:
            return best, True
        costs = found_in(elimination, (*window[:kind], interval, *window[kind + 1 :]), MANY)
        if not costs:
            return best, costs is None
        best = max(costs, key=lambda one: one[kind] if below else -one[kind])
        interval = (best[kind] + 1, interval[1]) if below else (interval[0], best[kind] - 1)
    return best, False


def shown(kind: str, cost: int) -> str:
    """A cost for people: 69,129,728, or 1.25 ms."""
    if kind == "nanoseconds":
        return f"{cost / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms"
    return f"{cost:,}"
