"""Feature maps and tokens that are read as vectors."""

from __future__ import annotations

from specc.traced.found import Found, Kind, Seen
from specc.traced.views import Axis, View, arranged


def flattened(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """A view with one axis for all channels and pixels, in their order."""
    if len(view.axes) != 2 or view.picks or wanted not in (None, "vector"):
        return None
    read = seen.read(spread(view))
    if read is None or read.kind == "vector":
        return None
    roles = ["c", "h", "w"] if read.kind == "map" else ["t", "c"]
    digits = [digit.axis for digit in view.axes[1]]
    sizes = dict(zip(roles, (read.channels, *read.space) if read.kind == "map" else (*read.space, read.channels)))
    if read.kind == "tokens" and digits[:2] == ["h", "w"]:
        digits = ["t", *digits[2:]]
    if digits != [role for role in roles if sizes[role] != 1]:
        return None
    return Found("flatten", (read,), kind="vector", axes=arranged("nc", view.shape))


def spread(view: View) -> View:
    """The same tensor with an axis for each of its digits."""
    axes: tuple[Axis, ...] = tuple((digit,) for axis in view.axes for digit in axis)
    if not any(digit.axis == "c" for axis in axes for digit in axis):
        axes = (*axes, ())
    return View(view.base, axes)


VIEWS = (flattened,)
