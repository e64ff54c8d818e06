"""What no step of a method runs is marked as not trained: in pareto.json, on the page, in what is exported."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from specc.methods import find_method
from specc.pipeline import load
from specc.runtime.deploy.choosing import figures
from specc.runtime.search.front import Point, from_json, to_json
from specc.runtime.search.page import page
from specc.runtime.train.subnets import resolved
from specc.source import Source
from tests.helpers.scripts import run, write_project
from tests.helpers.space_modules import space_of_graph

SPEC = """
supernet net {
  input image(1, 8, 8); classes 10
  norm batch
  INPUTS
  stem { conv(8, kernel=3); norm; relu }
  stage s1 { conv(8, kernel=3, stride=2); norm; relu; MORE }
  head { pool(avg); linear(classes) }
}
method METHOD
data digits
train { epochs=1; batch_size=512; optimizer=sgd(lr=0.05, momentum=0.9); calibrate=128 }
search { strategy=exhaustive; calibrate=128 }
"""
UNIFORM = "width uniform {0.25, 0.5, 0.75, 1.0}"
SKIPS = "skippable a { residual { conv(8, kernel=3); norm } }; skippable b { residual { conv(8, kernel=3); norm } }"


def spec(method: str, inputs: str = UNIFORM, more: str = "") -> str:
    return SPEC.replace("METHOD", method).replace("INPUTS", inputs).replace("MORE", more)


def listed(text: str) -> tuple[ModuleType, list[dict[str, object]] | None]:
    """The space of a spec, and what its method says that it trains: all of the space that is on its list."""
    compiled = load(Source("net.specc", text))
    method, call = find_method(compiled.model.method.name), compiled.model.method
    assert method is not None
    space, found = space_of_graph(compiled.graph), method.listed(compiled.graph, call)
    if found is None:
        return space, None
    from specc.codegen.training import subnets

    names: list[Any] = subnets(found, compiled.graph)  # type: ignore[assignment]
    trained = [resolved(space, one) for one in names]
    return space, [at for at in space.every() if at in trained]


def test_methods_that_list_their_sub_networks_say_which() -> None:
    _, found = listed(spec("independent(subnets=[max, at(width=0.5)])"))
    assert found == [{"width": 0.5}, {"width": 1}]
    _, found = listed(spec("us_net(subnets=2)"))
    assert found == [{"width": 0.25}, {"width": 1}]
    _, found = listed(spec("adn", "", SKIPS))
    assert found == [{"a": False, "b": False}, {"a": True, "b": True}]
    sizes = "width uniform {0.5, 0.75, 1.0}"
    text = spec("mutualnet(subnets=2)", sizes).replace("image(1, 8, 8)", "image(1, resolution={6, 8})")
    _, found = listed(text)
    assert found is not None
    assert sorted((at["width"], at["resolution"]) for at in found) == [(0.5, 6), (0.5, 8), (1, 8)]
    exits = "exit e1 { pool(avg); linear(classes) }"
    _, found = listed(spec("early_exit(weights=[0, 1])", "", exits))
    assert found == [{"exit": "head"}]


@pytest.mark.parametrize(
    ("widths", "wanted"), [("[1.0, 0.5]", [8, 16]), ("[1.0]", [16]), ("2", [4, 16]), ("3", None), ("4", None)]
)
def test_any_width_training_of_a_list_trains_that_list(widths: str, wanted: list[int] | None) -> None:
    text = (
        spec(f"awn(widths={widths})", "width any 0.25..1.0; connect triangular")
        .replace("conv(8, kernel=3);", "conv(16, kernel=3);", 1)
        .replace("linear(classes)", "linear(classes, connect=dense)")
    )
    _, found = listed(text)
    assert (None if found is None else [at["width"] for at in found]) == wanted


@pytest.mark.parametrize(
    "method", ["us_net(subnets=3)", "tips(boost=1)", "pss(budgets=[macs(step=1k)])", "ofa(phases=[full, width])"]
)
def test_methods_that_draw_list_nothing(method: str) -> None:
    assert listed(spec(method, "width per_group 0.5..1.0 round 2"))[1] is None


def test_points_say_whether_they_are_trained() -> None:
    points = [Point({"width": 1}, 10, 5, 0.9), Point({"width": 0.75}, 8, 4, 0.1, trained=False)]
    text = to_json(points, {})
    assert [row["trained"] for row in json.loads(text)["points"]] == [False, True]
    assert from_json(text) == [points[1], points[0]]
    assert from_json('{"points": [{"at": {}, "macs": 1, "params": 1}]}')[0].trained
    assert [figures(point).get("trained") for point in points] == [None, False]
    shown = page("title", points, points, ["macs"])
    assert "1 of these is not trained" in shown
    assert "not trained" not in page("title", points[:1], points[:1], ["macs"]).partition("<script")[0]


PROGRAM = """
import train, search, export
sys.argv = ["train.py", "--device", "cpu"]
train.main()
sys.argv = ["search.py", "--device", "cpu"]
search.main()
for at in ("width=0.75", "width=0.5"):
    sys.argv = ["export.py", "--at", at]
    export.main()
    print(open("runs/export/subnet.json").read())
sys.argv = ["export.py", "--bundle"]
export.main()
"""


def test_a_search_marks_what_lies_between_the_listed_sub_networks(tmp_path: Path) -> None:
    project = write_project(tmp_path, spec("independent(subnets=[max, at(width=0.5)])"), "")
    out = run(project, PROGRAM)
    points = json.loads((project / "runs" / "pareto.json").read_text())["points"]
    assert all(point["trained"] == (point["at"]["width"] in (0.5, 1)) for point in points)
    page_text = (project / "runs" / "pareto.html").read_text()
    rows = json.loads(page_text.partition('id="data">')[2].partition("</script>")[0])["points"]
    assert {row["at"]["width"]: row["trained"] for row in rows} == {0.25: False, 0.5: True, 0.75: False, 1: True}
    between, listed_one = out.partition("width=0.75: ")[2].split("width=0.5: ")[:2]
    assert "it is not trained: no step of train.py runs it" in between
    assert '"trained": false' in between
    assert "not trained" not in listed_one.partition("wrote")[0]
    index = json.loads((project / "runs" / "anytime" / "index.json").read_text())
    assert ("trained" in index["columns"]) == any(not point["trained"] for point in points)
    # what train.py judges is what it trains
    assert "test accuracy, smallest" in out
    assert "def validate(" in (project / "train.py").read_text()
