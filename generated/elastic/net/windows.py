"""Parallel linear branches, and the window of the one convolution that they are together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear way from a tensor to another: a convolution, a sum of such ways, or the identity; then a norm.

    `conv` and `norm` are the paths of layers, "" where there is none.
    """

    conv: str = ""
    parts: tuple[Linear, ...] = ()
    norm: str = ""

    def convs(self) -> list[str]:
        """The paths of all convolutions in it."""
        inner = [path for part in self.parts for path in part.convs()]
        return [self.conv, *inner] if self.conv else inner

    def norms(self) -> list[str]:
        """The paths of all norms in it."""
        inner = [path for part in self.parts for path in part.norms()]
        return [self.norm, *inner] if self.norm else inner

    def __str__(self) -> str:
        """`s1.conv1 + s1.norm1, s1.conv2 + s1.norm2, s1.norm3`: the branches of a sum."""
        if self.parts:
            inner = ", ".join(map(str, self.parts))
            return f"({inner}) + {self.norm}" if self.norm else inner
        return " + ".join(name for name in (self.conv, self.norm) if name) or "identity"


@dataclass(frozen=True, slots=True)
class Window:
    """What a convolution reads: which kernel, how it moves, how many channels see one another."""

    kernel: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    channels: Pair
    """That enter, and that leave."""


def window_from(numbers: Sequence[int]) -> Window | None:
    """The window of `Memory.window`: eight sides, groups, channels that enter and that leave; None of ()."""
    if not numbers:
        return None
    kernel, stride, padding, dilation = (two(numbers[at : at + 2]) for at in (0, 2, 4, 6))
    return Window(kernel, stride, padding, dilation, numbers[8], two(numbers[9:]))


def two(sides: Sequence[int]) -> Pair:
    height, width = sides
    return height, width


def joint(windows: Sequence[Window], identity: bool) -> Window | None:
    """The window of the convolution that parallel ones are together, perhaps with an identity; None where they are no
    such convolution, or would need a kernel that none of them has.

    Their centres must be the same pixel, and each kernel lie in the largest.
    """
    main = max(windows, key=lambda w: w.kernel[0] * w.kernel[1])
    for other in windows:
        if (other.stride, other.groups, other.channels) != (
            main.stride,
            main.groups,
            main.channels,
        ):
            return None
        for side in (0, 1):
            if other.kernel[side] > main.kernel[side] or centre(other, side) != centre(main, side):
                return None
            if other.kernel[side] > 1 and other.dilation[side] != main.dilation[side]:
                return None
    if not identity:
        return main
    centred = centre(main, 0) == centre(main, 1) == 0 and main.stride == (1, 1)
    odd = main.kernel[0] % 2 == main.kernel[1] % 2 == 1
    return main if centred and odd and main.channels[0] == main.channels[1] else None


def centre(w: Window, side: int) -> int:
    """Twice the place of a window's centre, from the first pixel that is read at stride 1 without a border."""
    return w.dilation[side] * (w.kernel[side] - 1) - 2 * w.padding[side]


def window_of(way: Linear, of_conv: Callable[[str], Window | None]) -> Window | None:
    """The window of a way with convolutions in it; None where they are no one convolution."""
    if way.conv:
        return of_conv(way.conv)
    inner = [window_of(part, of_conv) for part in way.parts if part.convs()]
    known = [w for w in inner if w is not None]
    if not known or len(known) < len(inner):
        return None
    return joint(known, identity=len(inner) < len(way.parts))
