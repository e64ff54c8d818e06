"""Text and lines as SVG: escaped, cut to the room there is, numbers short."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def safe(text: str) -> str:
    """Text that can be nothing but text in XML and HTML, attributes included; what does not print is replaced."""
    return escape("".join(c if c.isprintable() else "\ufffd" for c in text), quote=True)


def cut(text: str, room: float, size: float = 10.5) -> str:
    """The text, shortened in its middle where it needs more than `room` pixels."""
    most = max(3, int(room / (0.56 * size)))
    if len(text) <= most:
        return text
    tail = (most - 1) // 2
    return f"{text[: most - 1 - tail]}…{text[len(text) - tail :]}"


def n(value: float) -> str:
    """A coordinate with at most one decimal."""
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def text(x: float, y: float, words: str, name: str, extra: str = "") -> str:
    return f'<text x="{n(x)}" y="{n(y)}" class="{name}"{extra}>{safe(words)}</text>'


def rect(x: float, y: float, w: float, h: float, name: str, r: float = 0) -> str:
    corner = f' rx="{n(r)}"' if r else ""
    return f'<rect x="{n(x)}" y="{n(y)}" width="{n(w)}" height="{n(h)}"{corner} class="{name}"/>'


def title(lines: Sequence[str]) -> str:
    """What hovering shows."""
    return f"<title>{chr(10).join(map(safe, lines))}</title>"


def path(points: Sequence[tuple[float, float]], name: str, radius: float = 5, head: bool = False) -> str:
    """A line with rounded corners, with an arrow's head at its end if asked for."""
    parts = [f"M{n(points[0][0])} {n(points[0][1])}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        a, b = towards(here, before, radius), towards(here, after, radius)
        parts.append(f"L{n(a[0])} {n(a[1])}Q{n(here[0])} {n(here[1])} {n(b[0])} {n(b[1])}")
    parts.append(f"L{n(points[-1][0])} {n(points[-1][1])}")
    marker = ' marker-end="url(#arrow)"' if head else ""
    return f'<path d="{"".join(parts)}" class="{name}"{marker}/>'


def towards(start: tuple[float, float], end: tuple[float, float], most: float) -> tuple[float, float]:
    """The point `most` from `start` on the way to `end`, at most half of it."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    length = (dx * dx + dy * dy) ** 0.5
    share = 0.0 if length == 0 else min(most, length / 2) / length
    return start[0] + dx * share, start[1] + dy * share
