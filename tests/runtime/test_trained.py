"""A trained network and its data, as search.py and export.py take them up."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from specc.outputs.classes.task import Classes
from specc.runtime.train import checkpoint
from specc.runtime.train.trained import load_trained


class Net(nn.Module):
    """A linear classifier of digits."""

    fingerprint = "0123456789abcdef"

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.head = nn.Linear(64, outputs)


def saved(folder: Path, data: dict[str, object] | None) -> tuple[Path, Net]:
    net = Net()
    file = folder / "checkpoint.pt"
    parts = {} if data is None else {"data": data}
    checkpoint.save(file, {**parts, "net": net.state_dict(), "average": None})  # one of the first version
    return file, net


DIGITS = {"name": "digits", "path": "", "seed": 0, "validation": 0.1}


def test_weights_and_data_are_those_of_the_checkpoint(tmp_path: Path) -> None:
    file, net = saved(tmp_path, DIGITS)
    found = load_trained(Net().train(), file, (1, 8, 8), Classes(10))
    assert not found.net.training
    assert torch.equal(found.net.head.weight, net.head.weight)
    assert found.loading.data.name == "digits"
    weights = checkpoint.digest({"head.weight": net.head.weight, "head.bias": net.head.bias})
    assert found.origin() == {"fingerprint": Net.fingerprint, "weights": weights}


def test_other_data_may_be_named(tmp_path: Path) -> None:
    file, _ = saved(tmp_path, None)
    assert load_trained(Net(), file, (1, 8, 8), Classes(10), data=DIGITS).loading.data.name == "digits"
    with pytest.raises(SystemExit, match="data"):
        load_trained(Net(), file, (1, 8, 8), Classes(10))


def test_what_does_not_go_together_is_told(tmp_path: Path) -> None:
    file, _ = saved(tmp_path, DIGITS)
    with pytest.raises(SystemExit, match="there is no checkpoint"):
        load_trained(Net(), tmp_path / "none.pt", (1, 8, 8), Classes(10))
    with pytest.raises(SystemExit, match="digits is not read from there"):
        load_trained(Net(), file, (1, 8, 8), Classes(10), data_path="elsewhere")
    with pytest.raises(SystemExit, match="classes"):
        load_trained(Net(), file, (1, 8, 8), Classes(5))
