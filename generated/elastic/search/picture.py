"""A picture of the Pareto front, as SVG and as PNG, drawn from one list of shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final, Literal, TypeAlias

from elastic.files.whole import whole_file, write_text
from elastic.train.scores import ACCURACY, Metric

WIDTH, HEIGHT = 880, 540
FONTS = "Helvetica, Arial, sans-serif"
LEFT, RIGHT, TOP, BOTTOM = 92, 36, 76, 72
INK, GREY, GRID, PALE, ACCENT = "#1f2937", "#6b7280", "#e5e7eb", "#c3cad5", "#2563eb"

COSTS: Final[Mapping[str, str]] = {
    "macs": "multiply-accumulates (MACs)",
    "params": "parameters",
    "latency": "latency",
    "memory": "peak activation memory (bytes)",
}
"""What the axes of costs are called."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, in pixels."""

    points: Sequence[tuple[float, float]]
    colour: str
    width: float = 1.0


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle; with `hollow`, white inside a ring."""

    x: float
    y: float
    radius: float
    colour: str
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `anchor` says which part of it stands at x, `y` is its middle."""

    x: float
    y: float
    text: str
    size: int
    colour: str = INK
    anchor: Literal["start", "middle", "end"] = "start"


Shape: TypeAlias = Line | Dot | Text


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn: points (cost, value of the metric) of all that was evaluated, and of the front."""

    title: str
    cost_name: str
    evaluated: Sequence[tuple[float, float]]
    front: Sequence[tuple[float, float]]
    metric: Metric = ACCURACY


def draw(series: Series, folder: Path, name: str = "pareto") -> tuple[Path, Path]:
    """Writes `<name>.svg` and `<name>.png` into the folder."""
    shapes = layout(series)
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    write_text(svg, to_svg(shapes))
    to_png(shapes, png)
    return svg, png


def layout(series: Series) -> list[Shape]:
    """Axes, grid, all evaluated points, the front as a staircase. Better is higher up, whatever the metric."""
    metric = series.metric
    factor = (100 if metric.share else 1) * (1 if metric.rising else -1)
    evaluated = [(cost, factor * value) for cost, value in series.evaluated]
    best = [(cost, factor * value) for cost, value in series.front]
    points = [*evaluated, *best]
    costs, heights = [p[0] for p in points], [p[1] for p in points]
    # The best nine tenths decide the scale: a few failures would flatten everything else.
    floor = min([p[1] for p in best] + [sorted(heights)[len(heights) // 10]])
    y_ticks = [tick for tick in ticks(floor, max(heights), 6) if not metric.share or tick <= 100]
    logarithmic = max(costs) > 20 * min(costs) > 0
    x_ticks = log_ticks(min(costs), max(costs)) if logarithmic else ticks(min(costs), max(costs), 7)
    scale = math.log10 if logarithmic else float
    x0, x1 = scale(x_ticks[0]), scale(x_ticks[-1])
    y0, y1 = y_ticks[0], y_ticks[-1]

    def x(cost: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (scale(cost) - x0) / ((x1 - x0) or 1)

    def y(height: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (height - y0) / ((y1 - y0) or 1)

    # A long title is set smaller: a character is about as wide as half its size.
    size = max(12, min(20, int((WIDTH - LEFT - RIGHT) / (0.52 * len(series.title)))))
    shapes: list[Shape] = [Text(LEFT, 26, series.title, size)]
    are = "is" if len(series.evaluated) == 1 else "are"
    legend = f"{len(series.front):,} of {len(series.evaluated):,} evaluated sub-networks {are} Pareto-optimal"
    shapes.append(Text(LEFT, 50, legend, 13, GREY))
    for tick in y_ticks:
        shapes.append(Line([(LEFT, y(tick)), (WIDTH - RIGHT, y(tick))], GRID))
        label = f"{tick:g} %" if metric.share else f"{tick if metric.rising else -tick:g}"
        shapes.append(Text(LEFT - 10, y(tick), label, 13, GREY, "end"))
    for tick in x_ticks:
        shapes.append(Line([(x(tick), HEIGHT - BOTTOM), (x(tick), HEIGHT - BOTTOM + 6)], GREY))
        shapes.append(
            Text(
                x(tick), HEIGHT - BOTTOM + 20, quantity(tick, series.cost_name), 13, GREY, "middle"
            )
        )
    shapes.append(Line([(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)], GREY, 1.4))
    title = COSTS[series.cost_name]
    shapes.append(Text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 22, title, 14, INK, "middle"))
    shapes.append(Text(LEFT - 10, TOP - 22, named(metric), 13, GREY, "end"))

    shapes += [Dot(x(cost), y(height), 3.6, PALE) for cost, height in evaluated if height >= y0]
    front = sorted(best)
    stairs: list[tuple[float, float]] = []
    for cost, height in front:
        if stairs and y(height) >= stairs[-1][1]:
            continue  # on the front for the sake of another cost
        if stairs:
            stairs.append((x(cost), stairs[-1][1]))
        stairs.append((x(cost), y(height)))
    stairs.append((WIDTH - RIGHT, stairs[-1][1]))
    shapes.append(Line(stairs, ACCENT, 2.2))
    shapes += [Dot(x(cost), y(height), 5.2, ACCENT, hollow=True) for cost, height in front]
    return shapes


def named(metric: Metric) -> str:
    """What the vertical axis is called."""
    return f"{metric.name} ({metric.unit})" if metric.unit else metric.name


def ticks(low: float, high: float, about: int) -> list[float]:
    """Round numbers from below `low` to above `high`; around them where they are the same."""
    if low == high:
        low, high = 0.95 * low, 1.05 * high or 1.0
    raw = (high - low) / about
    power = 10 ** math.floor(math.log10(raw))
    step = min((m * power for m in (1, 2, 2.5, 5, 10)), key=lambda s: abs(s - raw))
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    return [round(i * step, 10) for i in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, ... from below `low` to above `high`."""
    marks = [m * 10.0**e for e in range(-9, 15) for m in (1, 2, 5)]
    first = max(i for i, mark in enumerate(marks) if mark <= low)
    last = min(i for i, mark in enumerate(marks) if mark >= high)
    return marks[first : last + 1]


def quantity(value: float, cost_name: str) -> str:
    """A tick's label: 200 k, 1.5 M; or 3 ms."""
    if cost_name == "latency":
        return f"{value * 1e3:g} ms" if value >= 1e-3 else f"{value * 1e6:g} us"
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:g} {unit}"
    return f"{value:g}"


def to_svg(shapes: Sequence[Shape]) -> str:
    """The shapes as an SVG document."""
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="{FONTS}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for shape in shapes:
        match shape:
            case Line(points, colour, width):
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
                out.append(
                    f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
                    'stroke-linejoin="round"/>'
                )
            case Dot(x, y, radius, colour, hollow):
                fill = (
                    f'fill="white" stroke="{colour}" stroke-width="2.2"'
                    if hollow
                    else f'fill="{colour}"'
                )
                out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" {fill}/>')
            case Text(x, y, text, size, colour, anchor):
                out.append(
                    f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{colour}" text-anchor="{anchor}" '
                    f'dominant-baseline="central">{escape(text)}</text>'
                )
    return "\n".join([*out, "</svg>"]) + "\n"


def to_png(shapes: Sequence[Shape], path: Path, zoom: int = 2) -> None:
    """The shapes as pixels: drawn at twice the zoom and reduced, which smooths the edges."""
    from PIL import Image, ImageDraw, ImageFont

    z = 2 * zoom
    image = Image.new("RGB", (WIDTH * z, HEIGHT * z), "white")
    pen = ImageDraw.Draw(image)
    for shape in shapes:
        match shape:
            case Line(points, colour, width):
                pen.line(
                    [(x * z, y * z) for x, y in points],
                    fill=colour,
                    width=round(width * z),
                    joint="curve",
                )
            case Dot(x, y, radius, colour, hollow):
                box = [(x - radius) * z, (y - radius) * z, (x + radius) * z, (y + radius) * z]
                pen.ellipse(
                    box, fill="white" if hollow else colour, outline=colour, width=round(2.2 * z)
                )
            case Text(x, y, text, size, colour, anchor):
                font = ImageFont.load_default(size * z)
                where = {"start": "lm", "middle": "mm", "end": "rm"}[anchor]
                pen.text((x * z, y * z), text, fill=colour, font=font, anchor=where)
    small = image.resize((WIDTH * zoom, HEIGHT * zoom), Image.Resampling.LANCZOS)
    with whole_file(path) as file:
        small.save(file, format="PNG", optimize=True)
