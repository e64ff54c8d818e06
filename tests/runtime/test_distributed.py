"""Two processes under torchrun train exactly as one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.folders import ROOT


@pytest.mark.slow
def test_two_processes_make_the_steps_of_one(tmp_path: Path) -> None:
    """Gradients are exchanged once a step, and also those of weights that the last sub-network leaves out."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    weights = []
    for name, launcher in (("one", ["-m"]), ("two", torchrun)):
        path = tmp_path / f"{name}.pt"
        subprocess.run(
            [sys.executable, *launcher, "tests.runtime.two_processes", str(path)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            capture_output=True,
            timeout=120,
        )
        weights.append(torch.load(path, weights_only=True))
    for name, value in weights[0].items():
        torch.testing.assert_close(weights[1][name], value, rtol=1e-5, atol=1e-6)
