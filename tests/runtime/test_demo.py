"""The main job: what `make demo` does, and the figures it must reach."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specc.cost import cost
from specc.pipeline import compile_project, load
from tests.helpers.folders import SPECS


@pytest.mark.slow
def test_the_demo_trains_searches_and_exports_a_digits_network(tmp_path: Path) -> None:
    """97 % of the test images at the largest, 94 % at the smallest sub-network, at a fifth of the MACs at most."""
    compiled = load(SPECS / "digits.specc")
    largest = cost(compiled.graph, {choice.name: choice.largest for choice in compiled.graph.choices}).macs
    smallest = cost(compiled.graph, {choice.name: choice.smallest for choice in compiled.graph.choices}).macs
    assert smallest <= largest / 5
    for path, text in compile_project(compiled).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    def run(script: str) -> str:
        return subprocess.run(
            [sys.executable, script],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            text=True,
            timeout=600,
        ).stdout

    trained = [line for line in run("train.py").splitlines() if line.startswith("test accuracy")]
    accuracy = {line.split()[2].strip(":"): float(line.split()[3].strip("%")) for line in trained}
    assert accuracy["largest"] >= 97
    assert accuracy["smallest"] >= 94

    run("search.py")
    points = json.loads((tmp_path / "runs" / "pareto.json").read_text(encoding="utf-8"))["points"]
    assert points[0]["macs"] == smallest
    assert (tmp_path / "runs" / "pareto.png").stat().st_size > 10_000
    assert "onnxruntime: same outputs" in run("export.py")
