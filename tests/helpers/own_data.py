"""Data of one's own that tests write: a `load` in a file, with arrays and a Dataset at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data

HEAD = """
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset

rng = np.random.default_rng(0)
images = rng.integers(0, 256, (8, 3, 6, 6)).astype(np.uint8)
masks = rng.integers(0, 4, (8, 6, 6)).astype(np.uint8)

class Pairs(Dataset):
    def __init__(self, inputs, targets):
        self.inputs, self.targets = inputs, targets
    def __len__(self):
        return len(self.inputs)
    def __getitem__(self, i):
        return self.inputs[i], self.targets[i]
"""


def loaded(folder: Path, body: str, task: Any) -> Data:
    (folder / "mine.py").write_text(f"{HEAD}\ndef load(settings):\n    {body}\n")
    return load_data({"name": "own", "path": str(folder / "mine.py"), "validation": 0.25, "seed": 0}, task)


def twice(inputs: str, targets: str) -> str:
    return f"return [({inputs}, {targets})] * 2"
