"""Generated projects, run as their users run them: training, resuming, searching, exporting, measuring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from specc.pipeline import compile_project, load
from specc.source import Source
from tests.helpers.scripts import RESUMED, SPEC, run, write_files, write_project

STATIC = SPEC.replace("width uniform {0.5, 1.0} round 8", "").replace("skippable keep {", "repeat 1 {")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a short training run behind it, interrupted after two of four epochs, then resumed."""
    folder = write_project(tmp_path_factory.mktemp("us_net"), SPEC, "method us_net(subnets=3)")
    run(folder, RESUMED)
    return folder


def test_a_resumed_run_is_the_run_that_was_never_interrupted(project: Path) -> None:
    """Weights, moving average, momentum, schedule and metrics, bit for bit."""
    parts = [torch.load(project / name / "checkpoint.pt", weights_only=True) for name in ("runs", "whole")]
    resumed, whole = parts
    assert resumed["epoch"] == whole["epoch"] == 4
    for name, value in whole["net"].items():
        assert torch.equal(resumed["net"][name], value), name
    for name, value in whole["average"]["net"].items():
        assert torch.equal(resumed["average"]["net"][name], value), name
    for key, state in whole["optimizer"]["state"].items():
        assert torch.equal(resumed["optimizer"]["state"][key]["momentum_buffer"], state["momentum_buffer"])
    assert resumed["schedule"] == whole["schedule"]
    texts = [(project / name / "metrics.jsonl").read_text() for name in ("runs", "whole")]
    assert texts[0] == texts[1]
    rows = [json.loads(line) for line in texts[0].splitlines()]
    assert [row["epoch"] for row in rows] == [0, 1, 2, 3]
    assert set(rows[0]) == {"epoch", "loss", "lr"}
    assert set(rows[1]) == {"epoch", "loss", "lr", "accuracy/largest", "accuracy/smallest"}
    assert rows[3]["loss"] < rows[0]["loss"]


SEARCHED = """
import search, space

sys.argv = ["search.py", "--device", "cpu"]
search.main()
search.main()
print("again")
limit = str(space.macs(space.smallest()))
few = ["--objectives", "accuracy", "params", "--output-dir", "few", "--checkpoint", "runs/checkpoint.pt"]
sys.argv = ["search.py", "--device", "cpu", "--max-macs", limit, *few]
search.main()
sys.argv = ["search.py", "--device", "cpu", "--max-macs", "10", "--output-dir", "none", *few[-2:]]
try:
    search.main()
except SystemExit as end:
    print("ended:", end, "the smallest:", f"{int(limit):,}")
"""


def test_the_search_finds_the_front_of_all_four_sub_networks(project: Path) -> None:
    out, _, limited = run(project, SEARCHED).partition("again")
    assert "evaluated 4 sub-networks in" in out
    # Asked again, it evaluates nothing and finds the same.
    out, _, repeated = out.partition("evaluated 4 sub-networks, 4 of them in earlier runs,")
    assert repeated.splitlines()[1:-1] == out.splitlines()[1:-1]
    lines = [json.loads(line) for line in (project / "runs" / "search.jsonl").read_text().splitlines()]
    assert sum("accuracy" in line for line in lines) == 4
    found = json.loads((project / "runs" / "pareto.json").read_text())
    points = found["points"]
    assert 1 <= len(points) <= 4
    macs, accuracy = [p["macs"] for p in points], [p["accuracy"] for p in points]
    assert macs == sorted(macs)
    assert accuracy == sorted(accuracy)
    assert all(p["latency"] > 0 and 0 <= p["test_accuracy"] <= 1 for p in points)
    assert all(p["memory"] > 0 for p in points)
    assert {"pareto.html", "pareto.png", "pareto.svg"} <= {path.name for path in (project / "runs").iterdir()}
    header, _, *rows = [line for line in out.splitlines() if line and not line.startswith(("evaluated", "wrote"))]
    assert header.split() == ["sub-network", "MACs", "params", "bytes", "validation", "test", "latency"]
    assert len(rows) == len(points)

    assert "evaluated 1 sub-network" in limited
    said, _, smallest = limited.splitlines()[-1].partition(" the smallest: ")
    assert said == f"ended: no sub-network is within the budget: the nearest MACs are {smallest}, the least there are"
    assert json.loads((project / "few" / "pareto.json").read_text())["cost"] == "params"


def test_what_is_exported_gives_the_same_answers_everywhere(project: Path, tmp_path: Path) -> None:
    """Also its weights do, in the network that is compiled for the sub-network."""
    out = run(project, "export.py", "--at", "keep=no", "--calibrate", "256")
    assert "width=1,keep=no" in out
    for name in ("static module", "model.py and its weights", "torch.export", "onnxruntime"):
        assert f"{name}: same outputs" in out
    folder = project / "runs" / "export"
    wanted = ["model.py", "subnet.json", "subnet.onnx", "subnet.pt2", "weights.safetensors"]
    assert sorted(p.name for p in folder.iterdir()) == wanted
    assert json.loads((folder / "subnet.json").read_text())["at"] == {"width": 1, "keep": False}

    compiled = load(Source("tiny.specc", SPEC.replace("METHOD", "method us_net(subnets=3)")))
    write_files(tmp_path, compile_project(compiled, {"width": 1, "keep": 0}))
    run(tmp_path, LOADED.replace("FOLDER", str(folder)))


LOADED = """
import torch
from model import Model
from safetensors.torch import load_file

net = Model().eval()
net.load_state_dict(load_file("FOLDER/weights.safetensors"))
program = torch.export.load("FOLDER/subnet.pt2").module()
images = torch.randn(8, 1, 8, 8)
torch.testing.assert_close(net(images), program(images), rtol=1e-4, atol=1e-4)
"""


def test_latencies_of_sliced_and_bound_sub_networks(project: Path) -> None:
    out = run(project, "bench.py", "--at", "max", "min", "--rounds", "5")
    rows = [line.split() for line in out.splitlines()[2:4]]
    assert [row[0] for row in rows] == ["width=1,keep=yes", "width=0.5,keep=no"]
    assert out.split("\n", 1)[0].split() == ["sub-network", "MACs", "sliced", "extracted", "fused"]


def test_a_latency_table_is_made_and_searched_by(project: Path) -> None:
    said = run(project, "bench.py", "--table", "--batch-size", "2")
    assert said.startswith("wrote latency.cpu.batch2.json: cpu (")
    assert ", 1 thread, 2 images at a time, fused\non 4 whole sub-networks, RMSE " in said
    table = json.loads((project / "latency.cpu.batch2.json").read_text())
    assert not list(project.glob("latency*.jsonl"))
    out = run(project, "search.py", "--objectives", "accuracy", "latency", "--latency-table", "latency.cpu.batch2.json")
    assert "latencies by latency.cpu.batch2.json: cpu (" in out
    points = json.loads((project / "runs" / "pareto.json").read_text())["points"]
    assert points
    for point in points:
        total = 0.0
        for block in table["blocks"]:
            place = 0
            for name in block["choices"]:
                place = place * 2 + table["choices"][name].index(point["at"][name])
            total += block["seconds"][place]
        # A table is kept in whole nanoseconds.
        assert point["latency"] == pytest.approx(total, abs=1e-9 * len(table["blocks"]))


def test_listed_sub_networks_train_together(tmp_path: Path) -> None:
    method = "method independent(subnets=[max, at(width=0.5), at(width=0.5, keep=no)])"
    folder = write_project(tmp_path, SPEC, method)
    assert 'SUBNETS = ["max", {"width": 0.5}, {"width": 0.5, "keep": False}]' in (folder / "train.py").read_text()
    out = run(folder, "train.py", "--epochs", "1", "--device", "cpu", "--lr-scheduler", "multistep")
    assert "test accuracy, smallest" in out


def test_a_network_without_choices_is_trained_and_exported(tmp_path: Path) -> None:
    folder = write_project(tmp_path, STATIC, "")
    assert not (folder / "search.py").exists()
    assert not (folder / "elastic" / "search").exists()
    code = """
sys.modules["onnx"] = None
import train, export, bench
for module, flags in ((train, ["--epochs", "1", "--device", "cpu"]), (export, []), (bench, ["--rounds", "5"])):
    sys.argv = [f"{module.__name__}.py", *flags]
    module.main()
"""
    out = run(folder, code)
    assert "test accuracy, network: " in out
    assert "torch.export: same outputs" in out
    assert "no ONNX file: pip install onnx" in out
    assert "norms folded" in out


def test_one_sub_network_is_a_project_without_choices() -> None:
    compiled = load(Source("tiny.specc", SPEC.replace("METHOD", "method us_net(subnets=3)")))
    files = compile_project(compiled, {"width": Fraction(1, 2), "keep": 0})
    assert "us_net" not in files["train.py"]
    assert "trainer.passes([None])" in files["train.py"]
    assert "import space" not in files["export.py"]


@pytest.mark.slow
def test_two_processes_search_as_one_does(project: Path) -> None:
    """All four sub-networks, journals of their own; latencies are measured and so differ."""
    more = "--device cpu --strategy exhaustive --checkpoint runs/checkpoint.pt"
    run(project, "search.py", *more.split(), "--output-dir", "alone")
    command = f"--standalone --nproc-per-node 2 search.py {more} --output-dir shared"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *command.split()],
        cwd=project,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("evaluated 4 sub-networks") == 1
    found = [json.loads((project / name / "pareto.json").read_text()) for name in ("alone", "shared")]
    assert found[0]["hypervolume"] == found[1]["hypervolume"] > 0
    for alone, shared in zip(found[0]["points"], found[1]["points"], strict=True):
        measured = {"latency", "latency_p90"}
        assert {k: v for k, v in alone.items() if k not in measured} == {
            k: v for k, v in shared.items() if k not in measured
        }


@pytest.mark.slow
def test_two_processes_train_a_project(tmp_path: Path) -> None:
    folder = write_project(tmp_path, SPEC, "method us_net(subnets=3)")
    flags = "--standalone --nproc-per-node 2 train.py --device cpu --epochs 2"
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", *flags.split()],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("test accuracy, largest") == 1
    assert torch.load(folder / "runs" / "checkpoint.pt", weights_only=True)["epoch"] == 2
