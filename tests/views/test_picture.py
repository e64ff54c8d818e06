"""What a picture shows: every operation once, costs, detours, importance, sub-networks; equal neighbours once."""

from __future__ import annotations

from itertools import pairwise

import pytest

from specc.cost import cost
from specc.picture import Picture, build, picture
from specc.picture.collapse import collapse
from specc.picture.place import PlacedCell, place
from specc.picture.view import Cell, Chip, Detour
from specc.subnets.space import complete
from tests.helpers.folders import spec_names
from tests.helpers.pictures import chain, graph, marks

ALL = (*spec_names(), "knotty")
SOME = ("digits", "knotty", "mobilenet_v2_tips", "resnet50_adn")


def cells(shown: Picture) -> list[Cell]:
    return [cell for lane in shown.lanes for unit in lane.units for cell in unit.cells]


def detours(shown: Picture) -> list[Detour]:
    return [detour for lane in shown.lanes for unit in lane.units for detour in unit.detours]


def chips(shown: Picture) -> list[Chip]:
    return [chip for cell in cells(shown) for chip in cell.chips]


@pytest.mark.parametrize("name", ALL)
def test_every_operation_is_shown_once(name: str) -> None:
    lines = [line for chip in chips(build(graph(name))) for line in chip.hover if " · " in line]
    named = [line.split(" · ")[0].removeprefix("with ") for line in lines]
    ops = [op.name for op in graph(name).ops if op.kind != "select" or op.name in named]
    assert sorted(named) == sorted(ops)
    assert {op.name for op in graph(name).ops if op.kind != "select"} <= set(named)


@pytest.mark.parametrize("name", ALL)
def test_lanes_add_up_to_the_network(name: str) -> None:
    shown = build(graph(name))
    largest = cost(graph(name), complete(graph(name), {}, "max"))
    assert sum(lane.macs for lane in shown.lanes) == largest.macs
    assert sum(lane.params for lane in shown.lanes) == largest.params
    assert sum(lane.share for lane in shown.lanes) == pytest.approx(1)


def test_what_can_be_left_out_has_a_detour() -> None:
    found = {name: [detour.label for detour in detours(build(graph(name)))] for name in SOME}
    assert found["resnet50_adn"] == ["keep"] * 4
    assert found["digits"] == ["depth ≥ 1", "depth ≥ 2"] * 2
    assert len(found["mobilenet_v2_tips"]) == 10
    assert found["knotty"] == ["inner", "outer", "op = conv3", "not op = conv3 and op = conv5"]
    saved = build(graph("resnet50_adn")).lanes[1].units[-1].detours[0]
    assert (saved.saves, saved.hover[0]) == ("−218 M (5.3 %)", "left out unless s1.keep")


def test_elastic_dimensions_are_named() -> None:
    shown = build(graph("knotty"))
    assert shown.choices[:3] == ("op conv3, conv5, none", "resolution 24–32 step 4", "width 0.5–1 step 0.25")
    first = shown.lanes[1].units[0].cells[0]
    assert [chip.label for chip in first.chips[:3]] == ["1×1", "dw 3–7", "1×1"]
    assert [chip.size for chip in first.chips[:3]] == ["24–48", "24–48", "8–16"]
    assert [(chip.elastic_label, chip.elastic) for chip in first.chips[:2]] == [(False, True), (True, True)]
    assert shown.lanes[1].shape == "8–16 × 24–32 × 24–32"
    assert "kernel 3, 5, 7" in shown.lanes[1].notes
    assert build(graph("mobilenet_v2_tips")).lanes[4].notes == ("3 skippable", "5 widths")
    assert build(graph("digits")).lanes[1].notes == ("depth 0–2",)


def test_norms_before_a_convolution_belong_to_it() -> None:
    last = build(graph("knotty")).lanes[2].units[-1].cells[0]
    optional = [chip for chip in last.chips if chip.optional]
    assert [chip.label for chip in optional] == ["3×3"]
    assert [chip.shape for chip in last.chips].count("sum") == 3
    assert last.chips[-1].shape == "switch"


def test_alternatives_cost_what_they_would() -> None:
    """The largest network has `none` of them, yet each is shown with its own share."""
    alternatives = [unit.cells[0].chips[0] for unit in build(graph("knotty")).lanes[2].units[1:3]]
    assert [chip.macs > 0 for chip in alternatives] == [True, True]
    assert all("not in the largest sub-network" in chip.hover for chip in alternatives)


@pytest.mark.parametrize("name", SOME)
def test_importance_is_shown(name: str) -> None:
    found = marks(name)
    shown = build(graph(name), marks=found)
    assert shown.scale == (min(found.tas.values()), max(found.tas.values()))
    boxes = {chip.name: chip for chip in chips(shown) if chip.shape == "box"}
    convolutions = {edge.name: edge for edge in found.ops if edge.name in boxes}
    assert {name for name, chip in boxes.items() if chip.on_path} == set(found.best_ops) & set(boxes)
    assert all(boxes[name].important == edge.important for name, edge in convolutions.items())
    rows = {f"{cell.chips[k.target].name}#" for cell in cells(shown) for k in cell.links if k.on_path}
    assert {op.partition("#")[0] + "#" for op in found.best_ops if ".add#" in op} <= rows
    best = max(convolutions.values(), key=lambda edge: edge.score)
    assert boxes[best.name].level == max(chip.level for chip in boxes.values() if chip.level is not None)


def test_without_importance_nothing_has_a_level() -> None:
    shown = build(graph("mobilenet_v2_tips"))
    assert shown.scale is None
    assert {(chip.level, chip.dot, chip.on_path) for chip in chips(shown)} == {(None, None, False)}


def test_one_sub_network() -> None:
    net = graph("resnet50_adn")
    at = complete(net, {"s1.keep": 0, "s3.keep": 0}, "max")
    shown = build(net, at)
    absent = [cell.hover[0].split(" ")[0] for cell in cells(shown) if not cell.present]
    assert absent == ["s1.b3", "s3.b4", "s3.b5", "s3.b6"]
    assert [detour.taken for detour in detours(shown)] == [True, False, True, False]
    assert sum(lane.macs for lane in shown.lanes) == cost(net, at).macs
    assert not any(chip.elastic for chip in chips(shown))
    digits = build(graph("digits"), complete(graph("digits"), {}, "min"))
    assert digits.lanes[1].shape == "6 × 8 × 8"


def test_equal_neighbours_are_drawn_once() -> None:
    lane = place(build(graph("mlp80_tips")))[1]
    assert [(unit.count, unit.cells[0].name, unit.cells[0].last) for unit in lane.units] == [(40, "b1", "b40")]
    assert [detour.label for detour in lane.units[0].detours] == ["keep1 … keep40"]
    whole = place(build(graph("mobilenet_v2_tips")))
    assert {unit.count for lane in whole for unit in lane.units} == {1}


def test_collapsing_needs_neighbours_that_are_equal() -> None:
    units = build(graph("resnet50_adn")).lanes[3].units
    assert [cell.count for unit in collapse(units, 2) for cell in unit.cells] == [1, 1, 3]
    assert [unit.count for unit in collapse(units, 2)] == [1, 2, 1]
    assert [unit.count for unit in collapse(units, 3)] == [1, 1, 1, 1]
    assert collapse(collapse(units, 2), 2)[1].count == 2


def test_colours_of_a_run_are_its_mean() -> None:
    found = marks("mlp80_tips")
    shown = build(graph("mlp80_tips"), marks=found)
    one = collapse(shown.lanes[1].units, 2)[0].cells[0].chips[0].level
    levels = [unit.cells[0].chips[0].level for unit in shown.lanes[1].units]
    assert one == pytest.approx(sum(level for level in levels if level is not None) / len(levels))


def test_long_networks_stay_small() -> None:
    sizes = [len(picture(build(chain(rounds)), "svg")) for rounds in (60, 240)]
    assert abs(sizes[1] - sizes[0]) < 100
    body = "linear(80 + i); skippable { linear(80 + i) }"
    different = [len(picture(build(chain(rounds, body)), "svg")) for rounds in (40, 80)]
    assert different[1] < 2.2 * different[0]


# --- where things stand ---


def overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("name", ALL)
def test_nothing_covers_anything(name: str) -> None:
    for lane in place(build(graph(name))):
        for row in lane.rows:
            assert row.end <= 1600
            for (x, _, cell), (after, _, _) in pairwise(row.cells):
                assert x + cell.width + 10 <= after
            for _, _, cell in row.cells:
                inside(cell)


def inside(cell: PlacedCell) -> None:
    """The chips of a cell stand in it and apart."""
    boxes = [(b.x, b.y, b.x + b.w, b.y + b.h) for b in cell.boxes]
    for at, box in enumerate(boxes):
        assert box[0] >= 0
        assert box[2] <= cell.width
        assert -cell.up <= box[1]
        assert box[3] <= cell.down
        assert not any(overlap(box, other) for other in boxes[:at])
    for line in cell.lines:
        assert all(0 <= x <= cell.width and -cell.up <= y <= cell.down for x, y in line)


def test_lines_do_not_run_through_chips() -> None:
    for lane in place(build(graph("knotty"))):
        for row in lane.rows:
            for _, _, cell in row.cells:
                boxes = [(b.x, b.y, b.x + b.w, b.y + b.h) for b in cell.boxes if b.w > 20]
                for (x0, y0), (x1, y1) in (pair for line in cell.lines for pair in pairwise(line)):
                    part = (min(x0, x1) - 0.1, min(y0, y1) - 0.1, max(x0, x1) + 0.1, max(y0, y1) + 0.1)
                    shrunk = [(b[0] + 0.2, b[1] + 0.2, b[2] - 0.2, b[3] - 0.2) for b in boxes]
                    assert not any(overlap(part, box) for box in shrunk)
