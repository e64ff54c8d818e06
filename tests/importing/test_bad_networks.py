"""Networks that can't be imported: each is told in one sentence, with what helps, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.imported import import_network
from specc.importing.prove import check_memory
from specc.importing.sources import CannotImport

HEAD = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 5)
    def forward(self, x):
        return self.head(self.conv(x).mean((2, 3)))

class Mine(Net):
"""
BAD = {
    "    def forward(self, x): return super().forward(x) + torch.unique(self.conv(x)).sum()": "depends on the values",
    "    def forward(self, x): return super().forward(x) + self.conv(x).nonzero().sum()": "depends on the values",
    "    def forward(self, x): super().forward(x)": "returns no tensor",
    "    def forward(self, x): return x": "returns its input as it is",
    "    def forward(self, *, x): return super().forward(x)": "takes no tensor by its place",
    "    def parameters(self, recurse=True): return iter(())": "no parameters",
    "    def __init__(self):\n        super().__init__()\n"
    "        self.head.weight.data[0, 0] = float('nan')": "`head.weight`",
    "    def __init__(self):\n        super().__init__()\n"
    "        self.w = nn.Parameter(torch.eye(8).to_sparse())": "`w` is a sparse tensor",
}


@pytest.mark.parametrize("code", BAD)
def test_it_is_told(code: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(f"{HEAD}{code}\n\ndef build():\n    return Mine()\n")
    with pytest.raises(CannotImport) as told:
        import_network(f"{file}:build", [(3, 8, 8)])
    assert BAD[code] in told.value.message


def test_the_first_of_several_results_is_part_of_a_module(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    code = (
        "    def forward(self, x):\n        x = self.conv(x).mean((2, 3))\n        values, places = x.topk(4, 1)\n"
        "        return self.head(torch.zeros_like(x).scatter(1, places, values))"
    )
    file.write_text(f"{HEAD}{code}\n\ndef build():\n    return Mine()\n")
    (kept,) = import_network(f"{file}:build", [(3, 8, 8)]).foreign
    assert kept.operator == "aten.topk"


def test_a_network_that_memory_cannot_hold_in_double_precision_is_told() -> None:
    check_memory(600_000_000, None)
    check_memory(600_000_000, 24 * 2**30)
    check_memory(1_000_000, 1)  # what takes megabytes is tried
    with pytest.raises(CannotImport, match="takes 17 GB of memory, and 4 are free") as told:
        check_memory(600_000_000, 4 * 2**30)
    assert "more memory" in told.value.help
