"""Two processes under torchrun train exactly as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.helpers.folders import ROOT


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    """Gradients are exchanged once a step, and also those of weights that the last sub-network leaves out."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    weights = []
    for name, launcher in (("one", ["-m"]), ("two", torchrun)):
        path = tmp_path / f"{name}.pt"
        subprocess.run(
            [sys.executable, *launcher, "tests.helpers.two_processes", str(path)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            timeout=120,
        )
        weights.append(torch.load(path, weights_only=True))
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_two_processes_keep_the_pools_of_one(tmp_path: Path) -> None:
    """Constraints and draws come from a common generator, scores are means over the processes: one state for all."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    for name, launcher in (("one", ["-m"]), ("two", torchrun)):
        subprocess.run(
            [sys.executable, *launcher, "tests.helpers.pss_processes", str(tmp_path / name)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            timeout=120,
        )
    alone, first, second = (json.loads((tmp_path / name).read_text()) for name in ("one.0", "two.0", "two.1"))
    assert first == second
    assert first["capacities"] == alone["capacities"]
    for mine, theirs in zip(first["entries"], alone["entries"], strict=True):
        assert [at for at, _ in mine] == [at for at, _ in theirs]
        assert [score for _, score in mine] == pytest.approx([score for _, score in theirs], abs=1e-5)


@pytest.mark.slow
def test_two_processes_have_one_teacher(tmp_path: Path) -> None:
    """In progressive shrinking: norm statistics are each process's own in training, the first one's in the teacher."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    subprocess.run(
        [sys.executable, *torchrun, "tests.helpers.ofa_processes", str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        timeout=240,
    )
    first, second = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    assert any(not torch.equal(value, second["net"][name]) for name, value in first["net"].items())
    assert all(torch.equal(value, second["teacher"][name]) for name, value in first["teacher"].items())
