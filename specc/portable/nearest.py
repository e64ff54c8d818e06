"""What to say of a window that nothing lies in: the nearest costs that can be reached."""

from __future__ import annotations

from math import ceil, floor, inf, isfinite

from specc.portable.catch import found_in
from specc.portable.line import ANY, Limits, Window
from specc.portable.sweep import Sweep

NARROWINGS = 40
"""The most times that what lies between a window and the nearest cost found is searched."""
MANY = 256
"""So many draws leave about so small a share of it."""


def nearest(swept: Sweep, window: Window, certain: bool) -> tuple[str, tuple[tuple[int, ...], ...]]:
    """A message, and the costs that it names, of sub-networks next to the window. `certain`: that it is empty."""
    limited = [kind for kind, limits in enumerate(window) if limits != ANY]
    alone = [
        kind
        for kind in limited
        if len(limited) == 1 or not found_in(swept, only(window, kind), number=1)
    ]
    words, found = [], []
    for kind in alone or limited:
        around = only(window, kind) if alone else window
        ends = [end for below in (True, False) if (end := beside(swept, around, kind, below))]
        if ends:
            found += ends
            costs = " and ".join(shown(swept.space.kinds[kind], end[kind]) for end in ends)
            words.append(f"the nearest {named(swept.space.kinds[kind])} are {costs}")
    reason = "; ".join(words)
    if not alone:
        both = "both" if len(limited) == 2 else "all"
        reason = f"each limit alone can be met, but not {both} together" + (
            f"; with the other{'s' * (len(limited) > 2)} kept, {reason}" if reason else ""
        )
    start = (
        "no sub-network lies in the window" if certain else "no sub-network was found in the window"
    )
    return f"{start}: {reason}" if reason else start, tuple(found)


def only(window: Window, kind: int) -> Window:
    """A window without all limits but one."""
    return tuple(limits if at == kind else ANY for at, limits in enumerate(window))


def beside(swept: Sweep, window: Window, kind: int, below: bool) -> tuple[int, ...] | None:
    """The costs of a sub-network that is as near to a window as there is, on one side of its limits of a kind, and
    within all others; None where there is none.

    Of so many uniform draws the nearest leaves only a small share nearer ones, which is searched next.
    """
    low, high = window[kind]
    if not isfinite(low if below else high):
        return None
    limits: Limits = (-inf, ceil(low) - 1) if below else (floor(high) + 1, inf)
    best: tuple[int, ...] | None = None
    for _ in range(NARROWINGS):
        around = (*window[:kind], limits, *window[kind + 1 :])
        costs = found_in(swept, around, MANY)
        if not costs:
            break
        best = max(costs, key=lambda one: one[kind] if below else -one[kind])
        limits = (best[kind] + 1, limits[1]) if below else (limits[0], best[kind] - 1)
        if limits[0] > limits[1]:
            break
    return best


def named(kind: str) -> str:
    return "latencies" if kind == "nanoseconds" else kind


def shown(kind: str, cost: int) -> str:
    """A cost for people: 69,129,728, or 1.25 ms."""
    if kind == "nanoseconds":
        return f"{cost / 1e6:,.6f}".rstrip("0").rstrip(".") + " ms"
    return f"{cost:,}"
