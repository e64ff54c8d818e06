"""Runs of generated projects for the claims: a spec is compiled, trained in a process of its own, asked a question."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from specc.codegen.install import install
from specc.pipeline import compile_project, load
from specc.source import Source
from specc.subnets.space import complete

BEFORE = """
import json, sys
sys.path.insert(0, ".")
asked = json.load(sys.stdin)
sys.argv = ["train.py", "--device", "cpu", "--seed", str(asked["seed"])]
import torch
import train
from elastic.train import checkpoint
from elastic.data.datasets import load_data
from elastic.run.distributed import World
from elastic.train.evaluate import evaluate
from train import TASK
from elastic.data.loading import Loading

torch.set_num_threads(1)
train.main()
world = World(0, 1, torch.device("cpu"))
net = train.Model()
saved = checkpoint.load(train.Path("runs/checkpoint.pt"))
checkpoint.trained(net.eval(), saved)
loading = Loading(load_data(saved["data"], TASK), train.IMAGE, world)
TASK = TASK.fitted(loading.data)
validation, testing = (loading.evaluation(images) for images in (loading.data.validation, loading.data.test))
losses = [json.loads(line)["loss"] for line in train.Path("runs/metrics.jsonl").read_text().splitlines()]
"""
OF_SUBNETS = """
from elastic.train.calibrate import calibrated
"""
AFTER = """
with open("found.json", "w") as file:
    json.dump(found, file)
"""


def answer(
    spec: str, seed: int, program: str, at: Literal["max", "min"] | Mapping[str, Any] | None = None, **asked: Any
) -> Mapping[str, Any]:
    """What `program` has put into `found` after training; it sees `asked`, `net`, `loading`, `losses` and more.

    With `at` the project is that of the largest, the smallest or another sub-network alone.
    """
    compiled = load(Source("claim.specc", spec))
    chosen = complete(compiled.graph, {}, at) if isinstance(at, str) else at
    before = BEFORE + (OF_SUBNETS if chosen is None else "")
    with TemporaryDirectory() as folder:
        project = Path(folder) / compiled.name
        install(compile_project(compiled, chosen), project)
        subprocess.run(
            [sys.executable, "-c", before + program + AFTER],
            cwd=project,
            input=json.dumps({"seed": seed, **asked}),
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            check=True,
            stdout=sys.stderr,
        )
        found: Mapping[str, Any] = json.loads((project / "found.json").read_text())
    return found


def spread(shares: NDArray[np.float64] | list[float]) -> str:
    """Mean and standard deviation over seeds, in per cent."""
    values = 100 * np.asarray(shares)
    return f"{values.mean():.1f} ± {values.std(ddof=1) if len(values) > 1 else 0:.1f} %"
