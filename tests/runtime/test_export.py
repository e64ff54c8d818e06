"""export.py of a project: which sub-networks it takes, and what it writes of them."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.runtime.deploy.checked import compare
from specc.runtime.deploy.choosing import (
    calibration,
    chosen,
    clash,
    export_flags,
    read_points,
    several,
    spread,
    sub_networks,
    wanted,
)
from specc.runtime.deploy.exporting import export_flags as export_flags_of_one
from specc.runtime.deploy.several import announce
from specc.runtime.files.whole import writing
from specc.runtime.search.front import Point, to_json
from tests.helpers.digits import BEGUN, DIGITS
from tests.helpers.documents import check_file
from tests.helpers.projects import from_text, project
from tests.helpers.scripts import run
from tests.helpers.tiny import TinySpace


def test_sub_networks_are_spread_over_the_costs() -> None:
    points = [Point({"k": k}, macs, 10, value=k / 10) for k, macs in enumerate((100, 110, 120, 300, 480, 500))]
    assert spread(points, 2) == [0, 5]
    assert spread(points, 3) == [0, 3, 5]
    assert spread(points, 4) == [0, 2, 3, 5] or spread(points, 4) == [0, 3, 4, 5]
    assert spread(points, 9) == [*range(6)]
    assert several("all", points, {}) == [*range(6)]
    assert several("all", points, {"macs": 300, "params": None}) == [0, 1, 2, 3]
    assert several("2", points[::-1], {"macs": 300}) == [5, 2]
    with pytest.raises(SystemExit, match="no sub-network satisfies the constraints"):
        several("2", points, {"macs": 99})
    with pytest.raises(SystemExit, match="expected a number of sub-networks, or all"):
        several("many", points, {})
    with pytest.raises(SystemExit, match="--max-latency: the latency of these sub-networks is not known"):
        several("2", points, {"latency": 1.0})


def test_what_is_no_front_of_this_network_is_told(tmp_path: Path) -> None:
    """Of constraints.json, in which several rows may name one sub-network, too."""
    space, file = TinySpace(), tmp_path / "constraints.json"
    small, large = {"width": 2, "keep": False}, {"width": 8, "keep": True}
    row = {"kind": "macs", "target": 1, "cost": 1, "macs": 5, "params": 2, "score": -1.0, "accuracy": 0.5}
    rows = [row | {"at": small}, row | {"at": small}, row | {"at": large}]
    file.write_text(json.dumps({"subnets": rows}))
    assert [p.at for p in read_points(file, space)] == [small, large]
    assert chosen(space, "2", file, {}) == large
    with pytest.raises(SystemExit, match=r"there is no .*pareto\.json"):
        read_points(tmp_path / "pareto.json", space)
    file.write_text('{"points": []}')
    with pytest.raises(SystemExit, match="names no sub-networks"):
        read_points(file, space)
    halves: list[Any] = [{"at": small}, {"macs": 1, "params": 2}, row | {"at": {"width": 3}}, row | {"at": {"k": 2}}]
    for text in ("", '{"points": [', "[1]", *(json.dumps({"points": [half]}) for half in halves), "\xff"):
        file.write_text(text, encoding="latin-1")
        with pytest.raises(SystemExit, match="is corrupt or belongs to a different network"):
            read_points(file, space)
    with pytest.raises(SystemExit, match=r"--at : max, min, a \.json file"):
        chosen(space, "", file, {})
    with pytest.raises(SystemExit, match=r"it cannot be written, and is as it was: .*not a"), writing(Path("it")):
        raise OSError(20, "not a directory")


def test_flags_that_contradict_each_other_are_told() -> None:
    usual = {
        "at": None,
        "pareto": None,
        "bundle": False,
        "onnx": False,
        "int8": False,
        "calibrate": None,
        "max_macs": None,
    }
    for changes, reason in (
        ({"at": "min", "pareto": "2"}, "only one of both"),
        ({"at": "3", "max_macs": 10.0}, "--max-macs would choose another"),
        ({"bundle": True, "int8": True}, "a bundle shares its weights"),
        ({"onnx": True}, "--onnx is of a bundle"),
    ):
        assert reason in clash(Namespace(**{**usual, **changes}))
    for changes in ({}, {"pareto": "2", "bundle": True, "max_macs": 1.0}, {"at": "2", "bundle": True}):
        assert clash(Namespace(**{**usual, **changes})) == ""


def front_of(folder: Path) -> list[Point]:
    """Three sub-networks in the folder's pareto.json, by rising MACs."""
    ats = ({"width": 2, "keep": False}, {"width": 4, "keep": True}, {"width": 8, "keep": True})
    points = [Point(at, 10 * n, n, value=n / 4, latency=n / 1000) for n, at in enumerate(ats, 1)]
    (folder / "pareto.json").write_text(to_json(points, {}))
    return points


def test_flags_say_which_sub_networks_are_wanted(tmp_path: Path) -> None:
    space, (small, middle, large) = TinySpace(), front_of(tmp_path)

    def asked(*words: str) -> dict[int, Point]:
        return wanted(space, export_flags([*words, "--output-dir", str(tmp_path)]), {})

    assert asked("--pareto", "all") == {1: small, 2: middle, 3: large}
    assert asked("--pareto", "2") == {1: small, 3: large}
    assert asked("--bundle", "--max-macs", "20") == {1: small, 2: middle}
    assert asked("--bundle", "--max-latency", "2") == {1: small, 2: middle}
    one = asked("--at", "2")
    assert [point.at for point in one.values()] == [middle.at]
    assert one[1].macs == space.macs(middle.at)
    assert [point.at for point in asked("--max-macs", "25").values()] == [middle.at]
    assert [point.at for point in asked("--bundle", "--at", "min").values()] == [space.smallest()]
    listed = wanted(space, export_flags(["--pareto", "all", "--output-dir", str(tmp_path)]), {}, [middle.at, "max"])
    assert [point.trained for point in listed.values()] == [False, True, True]


def test_flags_have_defaults_that_follow_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = export_flags(["--output-dir", "out"])
    assert (flags.checkpoint, flags.front) == (Path("out/checkpoint.pt"), Path("out/pareto.json"))
    flags = export_flags(["--front", "constraints.json", "--checkpoint", "old.pt"])
    assert (flags.checkpoint, flags.front) == (Path("old.pt"), Path("constraints.json"))
    assert export_flags_of_one([]).checkpoint == Path("runs/checkpoint.pt")
    settings = tmp_path / "settings.toml"
    settings.write_text("[search]\ncalibrate = 300\n")
    assert calibration(export_flags([]), settings) == 300
    assert calibration(export_flags(["--calibrate", "0"]), settings) == 0
    with pytest.raises(SystemExit) as ended:
        export_flags(["--at", "min", "--pareto", "2"])
    assert ended.value.code == 2
    assert "only one of both can be asked for" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        export_flags_of_one(["--at", "min"])


def test_what_is_measured_is_asked_for_or_the_front_or_the_ends(tmp_path: Path) -> None:
    space, file = TinySpace(), tmp_path / "pareto.json"
    assert sub_networks(space, None, file) == [space.largest(), space.smallest()]
    points = front_of(tmp_path)
    assert sub_networks(space, None, file) == [point.at for point in points]
    assert sub_networks(space, ["width=2", "max"], file) == [{"width": 2, "keep": True}, space.largest()]
    with pytest.raises(SystemExit, match="--at: width cannot be 3"):
        sub_networks(space, ["width=3"], file)


def test_a_point_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    announce(Point({"width": 2}, 200, 100))
    assert capsys.readouterr().out == "width=2: 200 MACs, 100 parameters\n"
    announce(Point({"width": 2}, 200, 100, trained=False))
    assert capsys.readouterr().out.endswith("it is not trained: no step of train.py runs it\n")


def test_answers_are_compared_whatever_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A transformer's fresh classifier answers zero. Of several one that is no number is enough to be refused."""
    zero, one = torch.zeros(2, 3), torch.ones(2, 3)
    compare("it", zero, zero)
    assert capsys.readouterr().out == "it: same outputs, to 0e+00\n"
    for found in ({"a": one, "b": one * float("nan")}, {"a": one, "b": one * 1.001}, {"a": zero, "b": one}):
        with pytest.raises(SystemExit, match="it: outputs differ by"):
            compare("it", found, {"a": one, "b": one})


def test_several_sub_networks_and_a_bundle_are_exported(tmp_path: Path) -> None:
    """A folder for each, and a bundle that a script serves. Without the packages of ONNX there are no eight bits."""
    folder = project(from_text(DIGITS.replace("EXIT", "")), tmp_path).folder
    out = run(folder, BEGUN + EXPORTED)
    one = folder / "runs" / "pareto" / "1"
    wanted = ["model.py", "subnet.json", "subnet.pt2", "weights.safetensors"]
    assert sorted(path.name for path in one.iterdir()) == wanted
    for name in ("model.py and its weights", "torch.export"):
        assert f"{name}: same outputs" in out
    check_file(one / "subnet.json")
    about = json.loads((one / "subnet.json").read_text())
    assert (about["accuracy"], about["outputs"]) == (0.5, ["logits"])
    assert about["inputs"]["images"]["shape"] == [1, 8, 8]
    assert "no int8.onnx: it is made of subnet.onnx, which is not there" in out
    assert [*about["int8"]] == ["float32"]
    assert f"float32: test accuracy {about['int8']['float32']['accuracy']:.2%}" in out
    assert "left over from an earlier export: runs/pareto/7, 12\n" in out
    assert "index.json (" in out
    assert out.endswith("served\n")


EXPORTED = """
sys.modules["onnx"] = None
import export
from elastic.deploy.serving import Runtime

for name in ("7", "12", "mine"):
    Path("runs/pareto", name).mkdir(parents=True)
    Path("runs/pareto", name, "subnet.json").write_text("{}")
for flags in (["--pareto", "1", "--int8"], ["--bundle"]):
    sys.argv = ["export.py", *flags]
    export.main()

runtime = Runtime.load("runs/anytime", Model)
images = torch.randn(1, 1, 8, 8)
small, large = runtime.subnets
assert small.macs < large.macs and small.value == 0.5
assert runtime.run(images, budget_ms=1000).shape == (1, 10)
assert torch.equal(runtime.run(images, macs=small.macs), runtime.calls[0](images))
print("served")
"""


@pytest.mark.slow
def test_exits_are_exported_to_onnx_one_by_one_and_together(tmp_path: Path) -> None:
    text = DIGITS.replace("EXIT", "exit e1 { pool(avg); linear(classes) }")
    folder = project(from_text(text), tmp_path).folder
    run(folder, BEGUN)
    for flags in (["--at", "exit=e1"], ["--at", "width=0.5", "--outputs", "all"], ["--pareto", "2"]):
        out = run(folder, "export.py", *flags)
        for name in ("static module", "model.py and its weights", "torch.export", "onnxruntime"):
            assert out.count(f"{name}: same outputs") == (2 if "--pareto" in flags else 1)
    assert sorted(path.name for path in (folder / "runs" / "pareto").iterdir()) == ["1", "2"]
