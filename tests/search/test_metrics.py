"""Searches by other metrics than accuracy: by errors, of which a smaller one is better, and by numbers with a unit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.runtime.deploy.choosing import figures
from specc.runtime.deploy.serving import Runtime, Subnet
from specc.runtime.run.distributed import World
from specc.runtime.run.journal import open_journal
from specc.runtime.search.evaluator import Evaluator
from specc.runtime.search.front import Point, best, dominates, from_json, thrifty, to_json
from specc.runtime.search.options import search_options
from specc.runtime.search.page import page
from specc.runtime.search.picture import Dot, Series, Text, layout
from specc.runtime.search.proposals import covered
from specc.runtime.train.scores import Metric
from tests.helpers.documents import check_file
from tests.helpers.toy import EVOLUTION, blocks, good, searched

WORLD = World(0, 1, torch.device("cpu"))
ERROR = Metric("mae", "mean absolute error", share=False, rising=False)
RATIO = Metric("psnr", "PSNR", share=False, unit="dB")
POINTS = [Point({"n": n}, 10 * n, n, 4.0 / n, metric=ERROR) for n in (1, 2, 3, 4)]


def error(at: Any) -> float:
    """The better a sub-network is, the smaller."""
    return 50 * (1 - good(at))


@pytest.mark.parametrize("name", ["exhaustive", "evolution"])
def test_a_front_of_errors_is_found_whole(tmp_path: Path, name: str) -> None:
    """By brute force: no other has both a smaller error and fewer multiply-accumulates."""
    space = blocks()
    asked: list[str] = []

    def measure(at: Any, what: str) -> dict[str, float]:
        asked.append(what)
        return {what: error(at)}

    evaluator = Evaluator(
        lambda at: {"macs": space.macs(at), "params": 0},
        measure,
        open_journal(tmp_path / "j", "f", WORLD),
        (),
        False,
        WORLD,
        ERROR,
    )
    everything = [(space.macs(at), error(at)) for at in space.every()]
    wanted = {
        (macs, lost)
        for macs, lost in everything
        if not any(m <= macs and e <= lost and (m, e) != (macs, lost) for m, e in everything)
    }
    _, front = searched(space, evaluator, {**EVOLUTION, "name": name, "evaluations": 110}, seed=3)
    assert {(point.macs, point.value) for point in front} == wanted
    assert {*asked} == {"mae"}
    assert covered(front, evaluator.point(space.largest()), ["macs"]) is None  # errors have no worst value


def test_the_smallest_error_is_the_best() -> None:
    assert best(POINTS) is POINTS[3]
    assert best([point.with_(metric=RATIO) for point in POINTS]).value == 4.0
    assert dominates(POINTS[1].with_(macs=10), POINTS[0], ["macs"])
    assert not dominates(POINTS[0].with_(macs=20), POINTS[1], ["macs"])
    # Half as much again is allowed: 4 / 3 is within 1 * 1.5, 4 / 2 is not.
    assert thrifty(POINTS, 0.5) is POINTS[2]


def test_a_front_says_what_its_values_are(tmp_path: Path) -> None:
    (tmp_path / "pareto.json").write_text(to_json(POINTS, {"network": "net"}))
    check_file(tmp_path / "pareto.json")
    content = json.loads((tmp_path / "pareto.json").read_text())
    assert content["metric"] == {
        "key": "mae",
        "name": "mean absolute error",
        "share": False,
        "rising": False,
        "unit": "",
    }
    assert content["points"][0]["value"] == 4.0
    assert "accuracy" not in content["points"][0]
    assert from_json(json.dumps(content)) == POINTS
    assert figures(POINTS[1]) == {"macs": 20, "params": 2, "value": 2.0}


def test_the_page_and_the_picture_show_the_best_on_top() -> None:
    text = page("errors", POINTS, POINTS, ["macs"])
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    content = json.loads(data)
    assert content["metric"]["name"] == "mean absolute error"
    assert [point["value"] for point in content["points"]] == [4.0, 2.0, 4.0 / 3, 1.0]
    series = Series("errors", "macs", [], [(point.macs, point.value) for point in POINTS], ERROR)
    shapes = layout(series)
    dots = sorted((shape.x, shape.y) for shape in shapes if isinstance(shape, Dot))[-4:]
    assert [y for _, y in dots] == sorted((y for _, y in dots), reverse=True)  # dearer, and further up
    texts = {shape.text for shape in shapes if isinstance(shape, Text)}
    assert "mean absolute error" in texts
    assert not any(text.startswith("-") or "%" in text for text in texts)
    others = layout(Series("ratios", "macs", [], [(1, 30.0), (2, 31.0)], RATIO))
    assert "PSNR (dB)" in {shape.text for shape in others if isinstance(shape, Text)}


def test_a_runtime_takes_the_smallest_error_that_the_constraints_allow() -> None:
    runtime = Runtime.__new__(Runtime)
    runtime.subnets = tuple(Subnet(point.at, point.macs, point.params, point.value, ERROR) for point in POINTS)
    runtime.calls = (print,) * 4
    assert runtime.choose(macs=1000) == 3
    assert runtime.choose(macs=25) == 1


def test_flags_name_the_metric_that_a_search_goes_by(capsys: pytest.CaptureFixture[str]) -> None:
    strategy = {"name": "random", "evaluations": 4}
    settings = {
        "data": {"name": "digits", "path": ""},
        "search": {"objectives": ["r2", "macs"], "strategy": strategy, "budgets": [], "calibrate": 0, "seed": 0},
    }
    metrics = (Metric("r2", "R2", share=False), ERROR)
    assert search_options(settings, [], metrics).objectives == ["r2", "macs"]
    assert search_options(settings, ["--objectives", "mae", "params"], metrics).objectives == ["mae", "params"]
    with pytest.raises(SystemExit):
        search_options(settings, ["--objectives", "accuracy", "macs"], metrics)
    with pytest.raises(SystemExit):
        search_options(settings, ["--objectives", "r2", "mae"], metrics)
    assert "one of r2, mae, and costs, are expected" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="a list is expected, of accuracy, macs"):
        search_options(settings, [])
