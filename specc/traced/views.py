"""How a tensor lies in memory that another operation wrote: reshaped, permuted, cut and expanded, but not computed.

A view names what it looks at and says of each of its axes which *digits* of that tensor's axes it counts. A map of 96
channels has the axis `c` of 96; reshaped to 3 groups of 32 it is the digit of size 3 above the digit of size 32, and
after a permutation these stand in another order. Digits that stand in their order are put together again, so that
views which lie alike are equal, whatever was done to them on the way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Digit:
    """`floor(index / low) % size` of an index along an axis: `c` (channels), `h`, `w`, `t` (tokens), `n` (the batch).

    The axes of parameters, and of what nobody knows, are called `0`, `1`, ...; `*` is an axis that was expanded.
    """

    axis: str
    low: int
    size: int


Axis: TypeAlias = tuple[Digit, ...]
"""The digits that one axis of a view counts, the slowest first; () for an axis of size 1."""


@dataclass(frozen=True, slots=True)
class Pick:
    """Of a digit only `length` values from `start` on are seen."""

    axis: str
    low: int
    size: int
    start: int
    length: int


@dataclass(frozen=True, slots=True)
class View:
    """A look at the result of node `base`."""

    base: str
    axes: tuple[Axis, ...]
    picks: tuple[Pick, ...] = ()

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(prod(digit.size for digit in axis) for axis in self.axes)


def arranged(roles: str, shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """Axes of these sizes, a letter or number each: `nchw`. What has size 1 counts nothing."""
    return tuple((Digit(role, 1, size),) if size != 1 else () for role, size in zip(roles, shape, strict=True))


def unknown(shape: tuple[int, ...]) -> tuple[Axis, ...]:
    """Axes that are called by their numbers."""
    return tuple((Digit(str(i), 1, size),) if size != 1 else () for i, size in enumerate(shape))


def joined(digits: Iterable[Digit]) -> Axis:
    """The digits with neighbours put together that count on from one another."""
    done: list[Digit] = []
    for digit in digits:
        if digit.size == 1:
            continue
        last = done[-1] if done else None
        if last is not None and last.axis == digit.axis != "*" and last.low == digit.low * digit.size:
            done[-1] = Digit(digit.axis, digit.low, last.size * digit.size)
        else:
            done.append(digit)
    return tuple(done)


def reshaped(view: View, shape: tuple[int, ...]) -> View | None:
    """The view in another shape, which may hold one -1; None where an axis would be cut across its digits."""
    total = prod(view.shape)
    if -1 in shape:
        rest = prod(size for size in shape if size != -1)
        shape = tuple(total // rest if size == -1 else size for size in shape)
    if prod(shape) != total:
        return None
    digits = [digit for axis in view.axes for digit in axis]
    axes: list[Axis] = []
    for size in shape:
        taken: list[Digit] = []
        while size > 1:
            if not digits:
                return None
            first = digits.pop(0)
            if size % first.size == 0:
                taken.append(first)
                size //= first.size
            elif first.size % size == 0 and first.axis != "*":
                below = first.size // size
                taken.append(Digit(first.axis, first.low * below, size))
                digits.insert(0, Digit(first.axis, first.low, below))
                size = 1
            else:
                return None
        axes.append(joined(taken))
    return replace(view, axes=tuple(axes))


def permuted(view: View, order: tuple[int, ...]) -> View:
    return replace(view, axes=tuple(view.axes[i] for i in order))


def picked(view: View, axis: int, start: int, length: int, keep: bool) -> View | None:
    """`length` entries of an axis from `start` on; without `keep` (and one entry) the axis is gone."""
    digits = view.axes[axis]
    rest = (view.axes[:axis], view.axes[axis + 1 :])
    size = prod(digit.size for digit in digits)
    if start == 0 and length == size:
        return view if keep else replace(view, axes=(*rest[0], *rest[1]))
    if not digits:
        return None
    lowest = prod(digit.size for digit in digits[1:])
    first = digits[0]
    if first.axis == "*":
        return None
    if len(digits) > 1 and (start % lowest or length % lowest):
        return None
    start, length = start // lowest, length // lowest
    left = joined((Digit(first.axis, first.low, length), *digits[1:]))
    pick = Pick(first.axis, first.low, first.size, start, length)
    axes = (*rest[0], left, *rest[1]) if keep else (*rest[0], *rest[1])
    return replace(view, axes=axes, picks=(*view.picks, pick))


def strided(view: View, axis: int, start: int, step: int) -> View | None:
    """Every `step`-th entry of an axis from `start` on; None where an entry is left over."""
    digits = view.axes[axis]
    if not 0 <= start < step or len(digits) != 1 or digits[0].size % step or digits[0].axis == "*":
        return None
    digit = digits[0]
    rest = joined((Digit(digit.axis, digit.low * step, digit.size // step),))
    pick = Pick(digit.axis, digit.low, step, start, 1)
    return replace(view, axes=(*view.axes[:axis], rest, *view.axes[axis + 1 :]), picks=(*view.picks, pick))


def expanded(view: View, shape: tuple[int, ...]) -> View:
    """Axes of size 1 repeated, and new ones put in front; -1 stands for what is there."""
    missing = len(shape) - len(view.axes)
    old = (*((),) * missing, *view.axes)
    sizes = (*(1,) * missing, *view.shape)
    axes = tuple(
        axis if wanted in (-1, size) else (Digit("*", 1, wanted),)
        for axis, size, wanted in zip(old, sizes, shape, strict=True)
    )
    return replace(view, axes=axes)


def tokens_of(axis: Axis) -> int | None:
    """How many tokens an axis counts, be they a map's pixels; None for one that counts something else, or a part."""
    named = [digit.axis for digit in axis]
    if named == ["t"] and axis[0].low == 1:
        return axis[0].size
    if named == ["h", "w"] and axis[0].low == axis[1].low == 1:
        return axis[0].size * axis[1].size
    return None


def channels_at(axes: tuple[Axis, ...]) -> int | None:
    """Which axis counts all channels and nothing else; None where they are cut up or counted with something else."""
    for i, axis in enumerate(axes):
        if len(axis) == 1 and axis[0].axis == "c" and axis[0].low == 1:
            return i
    return None
