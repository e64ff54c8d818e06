"""Algorithm 1 against brute force, budgets, pareto.json, the picture."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from specc.runtime.search.front import (
    Point,
    admit,
    best,
    dominates,
    from_json,
    thrifty,
    to_json,
    within,
)
from specc.runtime.search.picture import Series, draw, log_ticks, ticks

POINTS = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6)), max_size=25)


def points(rows: Sequence[tuple[int, int, int]]) -> list[Point]:
    return [Point({"n": i}, macs, params, accuracy / 10) for i, (accuracy, macs, params) in enumerate(rows)]


@settings(max_examples=200, deadline=None)
@given(POINTS, st.sampled_from([("macs",), ("macs", "params")]))
def test_the_front_is_what_no_point_dominates(rows: list[tuple[int, int, int]], costs: tuple[str, ...]) -> None:
    given_points = points(rows)
    front: list[Point] = []
    for point in given_points:
        front = admit(front, point, costs)

    def values(point: Point) -> tuple[float, ...]:
        return (point.value, *(point.cost(name) for name in costs))

    undominated = {values(p) for p in given_points if not any(dominates(q, p, costs) for q in given_points)}
    assert {values(point) for point in front} == undominated
    assert len(front) == len(undominated)


def test_budgets_hold_for_what_is_known_and_the_best_is_the_cheapest_of_the_most_accurate() -> None:
    cheap, dear, slow = Point({}, 10, 5, 0.9, 0.001), Point({}, 20, 9, 0.95, 0.002), Point({}, 25, 9, 0.95, 0.003)
    assert best([slow, dear, cheap]) is dear
    assert thrifty([slow, dear, cheap], loss=0.1) is cheap
    assert thrifty([slow, dear, cheap], loss=0.01) is dear
    assert within([slow, dear, cheap], []) == [slow, dear, cheap]
    assert within([slow, dear, cheap], [{"name": "macs", "most": 15}]) == [cheap]
    assert within([slow, dear, cheap], [{"name": "latency", "most": 0.0025}]) == [dear, cheap]
    with pytest.raises(SystemExit, match="the smallest has 10 MACs, 5 parameters"):
        within([slow, dear, cheap], [{"name": "params", "most": 4}])
    with pytest.raises(SystemExit, match=r"5 parameters; the least latency is 1 ms$"):
        within([slow, dear, cheap], [{"name": "latency", "most": 0.0005}])
    assert within([slow, dear, cheap], [{"name": "macs", "most": 22, "least": 11}]) == [dear]
    assert within([slow, dear, cheap], [{"name": "macs", "least": 22}]) == [slow]
    assert Point({}, 10, 5).within([{"name": "latency", "most": 1e-9}])
    with pytest.raises(ValueError, match="was not measured"):
        Point({}, 10, 5).cost("latency")


def test_pareto_json_gives_the_points_back() -> None:
    written = [Point({"width": 0.5, "keep": True}, 20, 9, 0.95, 0.002, 0.003, 0.94), Point({"width": 0.25}, 10, 5, 0.9)]
    text = to_json(written, {"network": "tiny"})
    assert from_json(text) == sorted(written, key=lambda point: point.macs)
    assert '"network": "tiny"' in text


@pytest.mark.parametrize("cost", ["macs", "params", "latency", "memory"])
def test_the_picture_is_drawn_twice_and_survives_odd_fronts(tmp_path: Path, cost: str) -> None:
    unit = 1e-4 if cost == "latency" else 1e5
    cases = [
        [(unit * i, 0.5 + 0.02 * i) for i in range(1, 20)],
        [(unit, 0.9)],
        [(unit, 1.0), (unit * 900, 1.0)],
    ]
    for front in cases:
        svg, png = draw(Series('a "title" & <more>', cost, front, front), tmp_path)
        root = ElementTree.fromstring(svg.read_text(encoding="utf-8"))
        circles = [element for element in root if element.tag.endswith("circle")]
        assert len(circles) == 2 * len(front)
        for circle in circles:
            assert 0 <= float(circle.attrib["cx"]) <= 880
            assert 0 <= float(circle.attrib["cy"]) <= 540
        with Image.open(png) as image:
            assert image.size == (1760, 1080)


def test_a_long_title_fits_into_the_picture(tmp_path: Path) -> None:
    """No pixel of it comes near the right edge."""
    title = "mobilenet_v2_cifar100_tips_with_a_long_name: accuracy on 10,000 validation images"
    _, png = draw(Series(title, "macs", [(1e6, 0.5)], [(1e6, 0.5)]), tmp_path)
    with Image.open(png) as image:
        assert image.convert("L").crop((1700, 0, 1760, 100)).getextrema() == (255, 255)


def test_ticks_are_round_and_cover_the_range() -> None:
    for low, high in itertools.combinations([0.1, 0.93, 1.0, 94.3, 100.0, 3e6], 2):
        marks = ticks(low, high, 6)
        assert marks[0] <= low
        assert marks[-1] >= high - 1e-9
        assert 2 <= len(marks) <= 14
    for same in (0.0, 4e-4, 88.0, 3e6):
        marks = ticks(same, same, 6)
        assert 5 <= len(marks) <= 14
        assert marks[0] <= same < marks[-1]
    assert log_ticks(3e5, 8e6) == [2e5, 5e5, 1e6, 2e6, 5e6, 1e7]
