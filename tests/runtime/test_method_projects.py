"""Projects of the methods with phases, importance or two sub-networks, trained for a moment as their users would."""

from __future__ import annotations

import json
import random
from pathlib import Path

import torch

from specc.runtime.search.front import Point, admit
from tests.helpers.scripts import RESUMED, run, write_project

RECIPE = """
data digits
train { epochs=EPOCHS; batch_size=512; optimizer=sgd(lr=0.05, momentum=0.9); calibrate=128; ema=0.5 }
search { calibrate=128 }
"""
ADN = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch(bank=skip)
  stage s1 { conv(4, kernel=3, stride=2); norm; relu; skippable { residual { conv(4, kernel=3); norm } } }
  stage s2 { conv(8, kernel=3, stride=2); norm; relu; skippable { residual { conv(8, kernel=3); norm } } }
  head { pool(avg); linear(classes) }
}
method adn
"""
TIPS = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width per_group 0.5..1.0 round 2
  stage s1 {
    conv(4, kernel=3, stride=2); norm; relu
    skippable { residual { conv(8, kernel=3); norm; conv(4, kernel=3) } }
  }
  head { pool(avg); linear(classes) }
}
method tips(subnets=2, groups=apart)
"""
OFA = """
import std.mobilenet
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  stem { conv(4, kernel=3, stride=2); norm; relu }
  stage s1 { repeat 1..2 { inverted_residual(4, kernel={3, 5}, expand={2, 3}) } }
  head { pool(avg); linear(classes) }
}
method ofa(epochs=[1, 1, 1, 1])
"""


def trained(folder: Path, spec: str, epochs: int, code: str) -> str:
    project = write_project(folder, spec + RECIPE.replace("EPOCHS", str(epochs)), "")
    return run(project, "import train\nsys.argv = ['train.py', '--device', 'cpu']\ntrain.main()\n" + code)


def test_adn_trains_two_sub_networks_and_evaluates_all_four(tmp_path: Path) -> None:
    out = trained(tmp_path, ADN, 1, "")
    assert 'OUTPUTS = ["head", "s1", "s2"]' in (tmp_path / "train.py").read_text()
    assert "test accuracy, super-net" in out
    assert "test accuracy, base-net" in out
    settings = [line.split()[0] for line in out.splitlines() if line and set(line.split()[0]) <= set("TF")]
    assert settings[0] == "FF"
    assert sorted(settings) == ["FF", "FT", "TF", "TT"]
    # No calibration unless the spec asks for it: banks are trained.
    assert "calibrate = 128" in (tmp_path / "settings.toml").read_text()


SEARCHED = """
import search
sys.argv = ["search.py", "--device", "cpu"]
search.main()
"""


def test_tips_shows_what_is_important_and_searches_its_front(tmp_path: Path) -> None:
    out = trained(tmp_path, TIPS, 1, SEARCHED)
    assert "together=False" in (tmp_path / "train.py").read_text()
    rows = [line.split() for line in out.splitlines()]
    assert ["s1.conv1.width", "yes"] in [[row[0], row[2]] for row in rows if len(row) > 3]
    important = json.loads((tmp_path / "importance.json").read_text())
    assert {row["choice"]: row["important"] for row in important["groups"]} == {
        "s1.conv1.width": True,
        "s1.conv2.width": False,
    }
    points = json.loads((tmp_path / "runs" / "pareto.json").read_text())["points"]
    for point in points:
        assert not any(
            other is not point and other["macs"] <= point["macs"] and other["accuracy"] >= point["accuracy"]
            for other in points
        )


def test_algorithm_1_drops_what_costs_more_and_is_no_better() -> None:
    """Weak dominance against its definition: for every cost, the most accurate, if nothing cheaper is as accurate."""
    rng = random.Random(4)
    points = [Point({"n": i}, rng.randrange(8), 0, rng.randrange(5) / 4) for i in range(60)]
    front: list[Point] = []
    for point in points:
        front = admit(front, point, ["macs"])
    wanted = set()
    for macs in {point.macs for point in points}:
        best = max(point.value for point in points if point.macs == macs)
        if all(point.value < best for point in points if point.macs < macs):
            wanted.add((macs, best))
    assert {(point.macs, point.value) for point in front} == wanted
    assert len(front) == len(wanted)


def test_once_for_all_goes_through_its_phases_and_resumes_in_their_midst(tmp_path: Path) -> None:
    project = write_project(tmp_path, OFA + RECIPE.replace("EPOCHS", "4"), "")
    out = run(project, RESUMED)
    assert "epoch   1/4  phase full" in out
    for line in ("2/4  phase kernel", "3/4  phase depth", "4/4  phase expand, 2 sets of channels sorted"):
        assert out.count(line) == 2
    resumed, whole = (torch.load(project / name / "checkpoint.pt", weights_only=True) for name in ("runs", "whole"))
    assert whole["memory"]["begun"] == 4
    assert "s1.b1.depthwise.transform3" in whole["net"]
    for keys in (("net",), ("average", "net"), ("memory", "teacher")):
        mine, theirs = resumed, whole
        for key in keys:
            mine, theirs = mine[key], theirs[key]
        assert all(torch.equal(mine[name], value) for name, value in theirs.items()), keys
