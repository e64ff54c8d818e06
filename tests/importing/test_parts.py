"""Channels in parts: equal ones, a first part of its own, parts of any sizes. And the only token there is."""

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
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.stem, self.head = function, nn.Conv2d(3, 12, 1), nn.LazyLinear(5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.stem(x)).mean((2, 3)))  # type: ignore[no-any-return]


def in_turn(x: Tensor, *sizes: int) -> Tensor:
    """Parts of these sizes, in the other order."""
    return torch.cat(torch.split(x, [*sizes], 1)[::-1], 1)


CASES: dict[str, tuple[Callable[[Tensor], Tensor], list[dict[str, int]]]] = {
    "halves": (lambda x: in_turn(x, 6, 6), [{"parts": 2}]),
    "thirds": (lambda x: in_turn(x, 4, 4, 4), [{"parts": 3}]),
    "a small first part": (lambda x: in_turn(x, 3, 9), [{"parts": 2, "first": 3}]),
    "a large first part": (lambda x: in_turn(x, 6, 2, 2, 2), [{"parts": 4, "first": 6}]),
    "three sizes": (lambda x: in_turn(x, 3, 4, 5), [{"parts": 2, "first": 3}, {"parts": 2, "first": 4}]),
    "four sizes": (
        lambda x: in_turn(x, 2, 3, 1, 6),
        [{"parts": 2, "first": 2}, {"parts": 2, "first": 3}, {"parts": 2, "first": 1}],
    ),
    "the first read before the second is cut": (
        lambda x: torch.cat([x[:, :4].relu(), x[:, 4:]], 1),
        [{"parts": 2, "first": 4}],
    ),
    "the last alone": (lambda x: x[:, -3:], [{"parts": 2, "first": 9}]),
    "of the channels last": (
        lambda x: torch.cat(torch.split(x.permute(0, 2, 3, 1), [2, 10], -1)[::-1], -1).permute(0, 3, 1, 2),
        [{"parts": 2, "first": 2}],
    ),
}


def net(function: Callable[[Tensor], Tensor]) -> Net:
    made = Net(function).eval()
    made(torch.zeros(1, 3, 4, 4))
    return made


@pytest.mark.parametrize("case", CASES)
def test_parts_of_any_sizes(case: str) -> None:
    function, splits = CASES[case]
    found = recognise(trace(Loaded("net", net(function)), ((3, 4, 4),)).traced)
    assert not isinstance(found, Unread), found.node.target
    assert [dict(each.parameters) for each in found.operations if each.operator == "split"] == splits


def test_parts_that_overlap_have_no_words() -> None:
    module = net(lambda x: torch.cat([x[:, :8], x[:, 4:]], 1))
    assert isinstance(recognise(trace(Loaded("net", module), ((3, 4, 4),)).traced), Unread)


MINE = """
    import torch
    from torch import nn

    class Partial(nn.Module):
        def __init__(self, channels, first):
            super().__init__()
            self.first, self.rest = first, channels - first
            self.conv, self.last = nn.Conv2d(first, first, 3, padding=1), nn.Conv2d(channels, channels, 1)

        def forward(self, x):
            a, b = x.split([self.first, self.rest], 1)
            return x + self.last(torch.cat([self.conv(a), b], 1)).relu()

    def build():
        torch.manual_seed(0)
        parts = [Partial(12, 3), Partial(12, 3), nn.Conv2d(12, 20, 2, 2), Partial(20, 5)]
        return nn.Sequential(nn.Conv2d(3, 12, 1), *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(20, 5))
"""


def test_an_import_with_parts_computes_the_same(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(dedent(MINE))
    done = specc("import", f"{tmp_path}/mine.py:build", "--input", "1,3,8,8", "-o", tmp_path / "net.specc", "--json")
    assert done.code == 0, done.err
    text = (tmp_path / "net.specc").read_text()
    assert "(left, right) = split(2, first=out / 4)" in text
    assert "module(" not in text


ONE = """
    import torch
    from torch import nn

    class Odd(nn.Module):
        def forward(self, x):
            return x.cumsum(1)[:, -1:]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem, self.norm, self.odd, self.head = nn.Conv2d(3, 8, 4, 4), nn.LayerNorm(8), Odd(), nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            return self.head(self.norm(self.odd(x))[:, 0])

    def build():
        torch.manual_seed(0)
        return Net()
"""


def test_the_only_token_is_a_vector(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(dedent(ONE))
    done = specc("import", f"{tmp_path}/mine.py:build", "--input", "1,3,8,8", "-o", tmp_path / "net.specc", "--json")
    assert done.code == 0, done.err
    assert "take(mean); linear(classes)" in (tmp_path / "net.specc").read_text()
