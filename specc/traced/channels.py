"""Parameters with a number for each channel in a trace."""

from __future__ import annotations

from specc.traced.found import Read, Seen
from specc.traced.graph import State
from specc.traced.views import Digit


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
