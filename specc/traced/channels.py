"""Channels in a trace: parameters with a number for each; channels that lie in an axis of parts and one of theirs."""

from __future__ import annotations

from specc.traced.found import Read, Seen
from specc.traced.graph import State
from specc.traced.views import Digit, Pick, View, joined


def per_channel(argument: object, read: Read, seen: Seen) -> State | None:
    """The parameter that an argument is, where it has one number for each channel of a tensor and stands against these:
    [C] beside tokens, [C, 1, 1] or [1, C, 1, 1] beside a map, in whatever shape it is kept."""
    view, node = seen.view(argument), seen.node(argument, "state")
    if view is None or node is None or node.state is None or not node.state.trained or view.picks:
        return None
    if len(view.axes) > len(read.view.axes):
        return None
    counted = [digit for axis in view.axes for digit in axis]
    if len(counted) > 1 or (read.channels > 1 and not counted):
        return None
    behind = read.view.axes[len(read.view.axes) - len(view.axes) :]
    channel = (Digit("c", 1, read.channels),)
    stands = all(not axis or theirs == channel for axis, theirs in zip(view.axes, behind, strict=True))
    whole = all(digit.low == 1 and digit.size == read.channels for digit in counted)
    return node.state if stands and whole else None


def single(argument: object, seen: Seen) -> State | None:
    """The parameter of one number that an argument is, in whatever shape it is kept."""
    node = seen.node(argument, "state")
    if node is None or node.state is None or not node.state.trained:
        return None
    return node.state if all(size == 1 for size in node.shape) else None


def parts_axes(view: View) -> tuple[int, int] | None:
    """The axes of the parts of the channels and of the channels of a part; None where they do not lie in two."""
    digits = {(digit.low, i) for i, axis in enumerate(view.axes) for digit in axis if digit.axis == "c"}
    if len(digits) != 2 or any(len(view.axes[i]) != 1 for _, i in digits):
        return None
    (low, inner), (high, outer) = sorted(digits)
    return (outer, inner) if low == 1 and view.axes[inner][0].size == high else None


def in_one_axis(view: View) -> View | None:
    """A view of channels in parts with all of them in one axis, where those of a part stand; None of any other."""
    found = parts_axes(view)
    if found is None:
        return None
    outer, inner = found
    whole = joined((*view.axes[outer], *view.axes[inner]))
    axes = [whole if i == inner else axis for i, axis in enumerate(view.axes) if i != outer]
    return View(view.base, tuple(axes), view.picks)


def parts_of(view: View) -> tuple[View, ...]:
    """A view of each part of channels that lie in two axes."""
    found = parts_axes(view)
    if found is None:
        return ()
    outer, _ = found
    digit = view.axes[outer][0]
    axes = tuple(axis for i, axis in enumerate(view.axes) if i != outer)
    picks = [Pick("c", digit.low, digit.size, i, 1) for i in range(digit.size)]
    return tuple(View(view.base, axes, (*view.picks, pick)) for pick in picks)
