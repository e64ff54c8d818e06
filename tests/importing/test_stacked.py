"""Branches that are stacked, weighed against each other and summed: selective kernels and split attention."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from torch import Tensor, nn

from specc.importing.recognise import Unread, recognise
from specc.importing.sources import Loaded
from specc.importing.trace import trace
from tests.helpers.commands import specc


class Net(nn.Module):
    """A function between a convolution and a head. `one` and `other` are branches."""

    def __init__(self, function: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.stem, self.head = function, nn.Conv2d(3, 8, 1), nn.LazyLinear(5)
        self.one, self.other, self.gates = nn.Conv2d(8, 8, 3, 1, 1), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self, self.stem(x)).mean((2, 3)))  # type: ignore[no-any-return]


def selective(net: Net, x: Tensor) -> Tensor:
    both = torch.stack([net.one(x), net.other(x)], 1)
    gates = net.gates(both.sum(1).mean((2, 3), keepdim=True)).view(len(x), 2, 8, 1, 1).softmax(1)
    return (both * gates).sum(1)  # type: ignore[no-any-return]


CASES: dict[str, tuple[Callable[..., Tensor], str]] = {
    "a sum of what is stacked": (
        lambda net, x: torch.stack([net.one(x), net.other(x)]).sum(0),
        "conv conv conv add pool linear",
    ),
    "parts of what is joined": (
        lambda net, x: torch.cat([net.one(x), net.other(x)], 1)[:, 8:],
        "conv conv pool linear",
    ),
    "selective kernels": (
        selective,
        "conv conv conv concat add pool linear part_softmax scale split add pool linear",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_recognised(case: str) -> None:
    function, words = CASES[case]
    net = Net(function).eval()
    net(torch.zeros(1, 3, 4, 4))
    found = recognise(trace(Loaded("net", net), ((3, 4, 4),)).traced)
    assert not isinstance(found, Unread), found.node.target
    assert [operation.operator for operation in found.operations] == words.split()


MINE = """
    import torch
    from torch import nn

    class Selective(nn.Module):
        def __init__(self, channels, paths, radix):
            super().__init__()
            self.paths, self.radix = paths, radix
            self.branches = nn.ModuleList(nn.Conv2d(channels, channels, 2 * i + 1, 1, i) for i in range(paths))
            self.wide = nn.Conv2d(channels, radix * channels, 3, 1, 1, groups=radix)
            self.one, self.two = nn.Conv2d(channels, paths * channels, 1), nn.Conv2d(channels, radix * channels, 1)

        def forward(self, x):
            n, c, h, w = x.shape
            paths = torch.stack([branch(x).relu() for branch in self.branches], 1)
            gates = self.one(paths.sum(1).mean((2, 3), keepdim=True)).view(n, self.paths, c, 1, 1).softmax(1)
            x = (paths * gates).sum(1)
            parts = self.wide(x).relu().reshape(n, self.radix, c, h, w)
            gates = self.two(parts.sum(1).mean((2, 3), keepdim=True)).view(n, 1, self.radix, -1).transpose(1, 2)
            gates = gates.softmax(1).reshape(n, -1).view(n, -1, 1, 1)
            return (parts * gates.reshape(n, self.radix, c, 1, 1)).sum(1)

    def build():
        torch.manual_seed(0)
        parts = [Selective(8, 2, 2), Selective(8, 3, 2)]
        return nn.Sequential(nn.Conv2d(3, 8, 1), *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5))
"""


def test_an_import_of_them_computes_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(dedent(MINE))
    done = specc("import", f"{tmp_path}/mine.py:build", "--input", "1,3,8,8", "-o", tmp_path / "net.specc", "--json")
    assert done.code == 0, done.err
    text = (tmp_path / "net.specc").read_text()
    assert "module(" not in text
    assert "part_softmax(" in text
