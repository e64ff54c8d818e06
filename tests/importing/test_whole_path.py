"""From a network of one's own to sub-networks of it and back: `specc import FILE --method M`, train, search, export,
and the weights in the class that they came from."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from specc.pipeline import load
from tests.helpers.commands import specc
from tests.helpers.parts import part
from tests.helpers.projects import project

MINE = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, ins, outs, stride=1):
        super().__init__()
        self.a = nn.Conv2d(ins, outs, 3, stride, 1, bias=False)
        self.norm_a = nn.BatchNorm2d(outs)
        self.b = nn.Conv2d(outs, outs, 3, 1, 1, bias=False)
        self.norm_b = nn.BatchNorm2d(outs)
        self.short = nn.Identity()
        if stride > 1 or ins != outs:
            self.short = nn.Sequential(nn.Conv2d(ins, outs, 1, stride, bias=False), nn.BatchNorm2d(outs))

    def forward(self, x):
        y = torch.relu(self.norm_a(self.a(x)))
        return torch.relu(self.norm_b(self.b(y)) + self.short(x))


class Mine(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.low = nn.Sequential(Block(8, 16), Block(16, 16), Block(16, 16))
        self.high = nn.Sequential(Block(16, 32, 2), Block(32, 32), Block(32, 32))
        self.out = nn.Linear(32, 10)

    def forward(self, x):
        x = self.high(self.low(self.first(x)))
        return self.out(x.mean((2, 3)))


def build():
    torch.manual_seed(0)
    net = Mine()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net
"""
METHODS = ("adn", "us_net", "ofa", "tips", "pss", "mutualnet")


def imported(method: str, folder: Path) -> Path:
    """The spec of the network above, elastic as the method needs it."""
    (folder / "mine.py").write_text(MINE)
    spec = folder / "net.specc"
    words = (f"{folder / 'mine.py'}:build", "--input", "1,1,8,8", "--method", method, "-o", spec)
    done = specc("import", *words)
    assert done.code == 0, done.err
    spec.write_text(spec.read_text() + "data digits\n")
    return spec


def mine(folder: Path) -> Any:
    found = spec_from_file_location("mine", folder / "mine.py")
    assert found is not None
    assert found.loader is not None
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module.build().eval()


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_sub_network_answers_as_the_network_does(method: str, tmp_path: Path) -> None:
    spec = load(imported(method, tmp_path))
    assert spec.model.method.name == method
    made = project(spec, tmp_path / "project")
    net = made.model.Model().eval()
    with made.known():
        world = part(made, "run.distributed").World(0, 1, torch.device("cpu"))
        part(made, "train.start").start(net, tmp_path / "net.safetensors", 10, world)
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(net(x, net.plan("max")), mine(tmp_path)(x), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_it_trains_searches_and_goes_back_to_its_class(method: str, tmp_path: Path) -> None:
    spec, folder = imported(method, tmp_path), tmp_path / "project"
    assert specc("compile", spec, "-o", folder).code == 0
    for words in (
        ("search.py", "--start", str(tmp_path / "net.safetensors"), "--evaluations", "4"),
        ("train.py", "--epochs", "1"),
        ("search.py", "--evaluations", "4"),
        ("export.py", "--at", "1", "--formats", "source"),
        ("finetune.py", "--at", "1", "--epochs", "1"),
        ("export.py", "--at", "max", "--formats", "source", "--to-original", str(tmp_path / "net.safetensors")),
    ):
        done = subprocess.run(
            [sys.executable, *words],
            cwd=folder,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout[-500:], done.stderr[-2000:])
    export = folder / "runs" / "export"
    net = mine(tmp_path)
    net.load_state_dict(load_file(export / "original.safetensors"))
    made: dict[str, Any] = {"__name__": "exported"}
    exec(compile((export / "model.py").read_text(), "model.py", "exec"), made)
    ours = made["Model"]().eval()
    ours.load_state_dict(made["load_weights"](export / "weights.safetensors"))
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(ours(x), net(x), rtol=1e-5, atol=1e-5)
