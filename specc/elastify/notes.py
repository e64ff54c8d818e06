"""What a step of making a network elastic found: the edits, what became elastic, and what stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from specc.elastify.edits import Edit

What: TypeAlias = Literal["width", "skippable", "kernel", "resolution", "norm"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Something that was asked to be elastic and is not - or, as a warning, something to know of what is.

    place is where, as `net.specc:12:5`; "" for the network as a whole.
    """

    what: What
    place: str
    why: str
    is_warning: bool = False


def grouped(kept: Iterable[Kept]) -> tuple[tuple[Kept, tuple[str, ...]], ...]:
    """The first of each reason, and the places of all with that reason."""
    found: dict[tuple[str, str], tuple[Kept, list[str]]] = {}
    for each in kept:
        places = found.setdefault((each.what, each.why), (each, []))[1]
        if each.place and each.place not in places:
            places.append(each.place)
    return tuple((each, tuple(places)) for each, places in found.values())


@dataclass(frozen=True, slots=True)
class Step:
    edits: tuple[Edit, ...] = ()
    made: tuple[str, ...] = ()
    kept: tuple[Kept, ...] = ()
