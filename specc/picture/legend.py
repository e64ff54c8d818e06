"""What the signs of a picture mean, in one line below it."""

from __future__ import annotations

from collections.abc import Iterator

from specc.ir.operator import Family
from specc.picture.draw import path, rect, text
from specc.picture.place import MARGIN
from specc.picture.style import LEVELS
from specc.picture.view import Picture

NAMES: tuple[tuple[Family, str], ...] = (
    ("conv", "convolution"),
    ("depthwise", "depthwise"),
    ("linear", "linear"),
    ("attention", "attention"),
    ("other", "other"),
)


def legend_height(picture: Picture) -> float:
    return 34 if picture.scale is None else 54


def legend_width(picture: Picture) -> float:
    """Pixels that the longest line of the legend takes."""
    return max(x for x, _ in entries(picture, MARGIN, 0))


def legend(picture: Picture, y: float) -> Iterator[str]:
    """The lines of the legend from `y` down."""
    x = float(MARGIN)
    y += 16
    for x_end, parts in entries(picture, x, y):
        yield from parts
        x = x_end
    if picture.scale is not None:
        yield from scale(picture, y + 22)


def entries(picture: Picture, x: float, y: float) -> Iterator[tuple[float, list[str]]]:
    """Every sign with its words, and the x behind them."""
    chips = [chip for lane in picture.lanes for unit in lane.units for cell in unit.cells for chip in cell.chips]
    if picture.scale is None:
        families = {chip.family for chip in chips if chip.shape == "box"}
        for family, words in NAMES:
            if family in families:
                yield (
                    x + 24 + width(words),
                    [
                        rect(x, y - 9, 18, 12, f"chip {family}", 6 if family == "depthwise" else 2),
                        text(x + 24, y + 1, words, "t"),
                    ],
                )
                x += 24 + width(words)
    words = "share of MACs; a full bar is " + f"{100 * picture.most:.1f} %"
    yield (
        x + 32 + width(words),
        [
            rect(x, y - 5, 26, 4, "track", 2),
            rect(x, y - 5, 14, 4, "bar", 2),
            text(x + 32, y + 1, words, "t"),
        ],
    )
    x += 32 + width(words)
    if any(chip.elastic or chip.elastic_label for chip in chips):
        ink = "c e" if picture.scale is None else "c b"
        yield x + 36 + width("elastic"), [text(x, y + 1, "16–32", ink), text(x + 36, y + 1, "elastic", "t")]
        x += 36 + width("elastic")
    if picture.has_detours:
        words = "left out unless its condition holds; MACs saved"
        yield x + 36 + width(words), [path([(x, y - 3), (x + 30, y - 3)], "detour"), text(x + 36, y + 1, words, "t")]
        x += 36 + width(words)
    if picture.best:
        yield (
            x + 36 + width(picture.best),
            [
                path([(x, y - 3), (x + 30, y - 3)], "best"),
                text(x + 36, y + 1, picture.best, "t"),
            ],
        )


def scale(picture: Picture, y: float) -> Iterator[str]:
    """The colours of TAS, with the numbers at their ends."""
    assert picture.scale is not None
    low, high = picture.scale
    yield text(MARGIN, y + 1, f"TAS {low:.3g}", "t")
    x = MARGIN + 8 + width(f"TAS {low:.3g}") - 14
    for at, name in enumerate(LEVELS):
        yield rect(x + 22 * at, y - 9, 22, 12, f"chip {name}")
    x += 22 * len(LEVELS) + 8
    yield text(x, y + 1, f"{high:.3g}", "t")
    words = "a dot or a circle is a feature map; a box has the mean of its two ends"
    yield text(x + width(f"{high:.3g}"), y + 1, words, "t")


def width(words: str) -> float:
    """Pixels that a text of the legend takes, with room behind it."""
    return 5.45 * len(words) + 20
