"""Maps that are read as tokens in a trace, and tokens that are read as maps."""

from __future__ import annotations

from typing import Final

from specc.traced.found import Found, Kind, Reads, Seen
from specc.traced.views import Digit, View, arranged


def to_tokens(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """A map with one axis for all pixels, in their order, where tokens are wanted."""
    if wanted != "tokens" or view.picks or len(view.axes) != 3:
        return None
    read = seen.read(view)
    if read is None or read.kind != "map" or not read.channels_last:
        return None
    wanted_axes = tuple(Digit(axis, 1, size) for axis, size in zip("hw", read.space, strict=True) if size != 1)
    if view.axes[1] != wanted_axes:
        return None
    tokens = read.space[0] * read.space[1]
    return Found("to_tokens", (read,), kind="tokens", axes=arranged("ntc", (view.shape[0], tokens, read.channels)))


def to_map(view: View, wanted: Kind | None, seen: Seen) -> Found | None:
    """Tokens with an axis for rows and one for the pixels of a row, channels in front, where a map is wanted."""
    if wanted not in (None, "map") or len(view.axes) != 4:
        return None
    batch, channels, rows, columns = view.axes
    height, width = (View("", (axis,)).shape[0] for axis in (rows, columns))
    if rows != arranged_digit(width, height) or columns != arranged_digit(1, width):
        return None
    read = seen.read(View(view.base, (batch, (Digit("t", 1, height * width),), channels), view.picks))
    if read is None or read.kind != "tokens" or not read.channels_last:
        return None
    given = {} if height == width else {"height": height}
    return Found("to_map", (read,), given, kind="map", axes=arranged("nchw", view.shape))


def arranged_digit(low: int, size: int) -> tuple[Digit, ...]:
    return (Digit("t", low, size),) if size != 1 else ()


VIEWS: Final[tuple[Reads, ...]] = (to_tokens, to_map)
