"""Windows: kernels, strides, paddings and dilations, one number for height and width or a pair of both.

    conv(32, kernel=3)                       # 3
    conv(32, kernel=[3, 9], stride=[2, 1])   # (3, 9) and (2, 1)

A pair of equal numbers is that number, so that each window has one form.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from specc.ir.expr import Expr, free, show

Pair: TypeAlias = tuple[Expr, Expr]
"""Height and width."""
Window: TypeAlias = Expr | Pair

SIDES: Final = ("height", "width")


def window_of(height: Expr, width: Expr) -> Window:
    """The window of a height and a width."""
    return height if height == width and type(height) is type(width) else (height, width)


def sides(window: Window) -> Pair:
    """The height and the width of a window."""
    return window if isinstance(window, tuple) else (window, window)


def choices_of(window: Window) -> frozenset[str]:
    """The names of the choices that a window reads."""
    if isinstance(window, tuple):
        return free(window[0]) | free(window[1])
    return free(window)


def show_window(window: Window) -> str:
    """A window as a spec writes it: `3`, or `[3, 9]`."""
    return f"[{', '.join(map(show, window))}]" if isinstance(window, tuple) else show(window)
