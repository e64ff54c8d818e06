"""Attention in windows and grids of a map, as torchvision has it and as nobody has it, from its module to a spec."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import maxvit, swin_transformer

from specc.imported import Imported, import_network
from specc.importing.network import Network
from specc.importing.recognise import Unread, recognise
from specc.importing.sources import Loaded
from specc.importing.trace import multiplications, trace
from specc.traced.graph import Traced

torch.set_num_threads(1)


def swin(depths: list[int], window: int, version: int = 1) -> nn.Module:
    more: dict[str, Any] = {}
    if version == 2:
        more = {"block": swin_transformer.SwinTransformerBlockV2, "downsample_layer": swin_transformer.PatchMergingV2}
    heads = [3 * 2**i for i in range(len(depths))]
    made: nn.Module = swin_transformer.SwinTransformer(
        [4, 4], 12, depths, heads, [window, window], stochastic_depth_prob=0.1, num_classes=5, **more
    )
    return made


def found_in(module: nn.Module, *shape: int) -> Network | Unread:
    return recognise(trace(Loaded("net", module.eval()), (shape,)).traced)


def attentions(module: nn.Module, *shape: int) -> list[dict[str, object]]:
    found = found_in(module, *shape)
    assert not isinstance(found, Unread), (found.node.target, found.node.place)
    return [dict(op.parameters) for op in found.operations if op.operator == "attention"]


def test_windows_of_swin() -> None:
    first, second, third = {"heads": 3}, {"heads": 3, "shift": 3}, {"heads": 6}
    whole: dict[str, object] = {"window": 7, "position": "relative"}
    assert attentions(swin([2, 2], 7), 3, 56, 56) == [each | whole for each in (first, second, third, third)]


def test_windows_of_swin_v2() -> None:
    whole = {"heads": 3, "window": 4, "position": "continuous", "scores": "cosine", "key_bias": "zero"}
    assert attentions(swin([2], 4, 2), 3, 32, 32) == [whole, whole | {"shift": 2}]


def test_windows_that_zeros_fill() -> None:
    """A map of 10 x 9 pixels, of which windows of 4 make one of 12 x 12."""
    whole = {"heads": 3, "window": 4, "position": "relative"}
    assert attentions(swin([2], 4), 3, 40, 36) == [whole, whole | {"shift": 2}]


def test_windows_and_grids_of_maxvit() -> None:
    net = maxvit.MaxVit((64, 64), 8, 4, [8], [1], 4, 0.2, num_classes=5)
    whole = {"heads": 2, "position": "relative", "scale": 8**-0.5}
    assert attentions(net, 3, 64, 64) == [whole | {"window": 4}, whole | {"grid": 4}]


def test_a_window_that_is_a_grid_is_told_as_its_module_is_elsewhere() -> None:
    """The last map has 4 x 4 pixels, where a window of 4 and a grid of 4 are the same."""
    net = maxvit.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 4, 0.2, num_classes=5)
    assert [[*found][1] for found in attentions(net, 3, 32, 32)] == ["window", "grid"] * 2


class Windows(nn.Module):
    """Attention in windows of 4 x 4 pixels of a map of 8 x 8, moved by 1, with everything written in another way."""

    def __init__(self, index: Tensor, mask: Tensor) -> None:
        super().__init__()
        self.stem, self.head = nn.Conv2d(3, 8, 1), nn.Linear(8, 5)
        self.qkv, self.proj = nn.Conv2d(8, 24, 1), nn.Conv2d(8, 8, 1)
        self.table = nn.Parameter(torch.randn(49, 2))
        self.index = index
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = torch.roll(x, (-1, -1), (2, 3)).reshape(-1, 8, 2, 4, 2, 4).permute(0, 2, 4, 3, 5, 1).reshape(-1, 4, 16, 8)
        q, k, v = nn.functional.linear(y, self.qkv.weight.flatten(1), self.qkv.bias).view(-1, 4, 16, 3, 2, 4).unbind(3)
        scores = torch.einsum("bpihd,bpjhd->bphij", q * 0.5, k)
        scores = scores + self.table[self.index].permute(2, 0, 1) + self.mask[:, None]
        y = torch.einsum("bphij,bpjhd->bpihd", scores.softmax(-1), v).reshape(-1, 4, 16, 8)
        y = nn.functional.linear(y, self.proj.weight.flatten(1), self.proj.bias).reshape(-1, 2, 2, 4, 4, 8)
        y = torch.roll(y.permute(0, 1, 3, 2, 4, 5).reshape(-1, 8, 8, 8), (1, 1), (1, 2)).permute(0, 3, 1, 2)
        return self.head((x + y).mean((2, 3)))  # type: ignore[no-any-return]


class Apart(Windows):
    """The same with layers of torch, so that its weights are parameters as they are."""

    def __init__(self, index: Tensor, mask: Tensor) -> None:
        super().__init__(index, mask)
        self.qkv, self.proj = nn.Linear(8, 24), nn.Linear(8, 8)  # type: ignore[assignment]


def index_of(window: int) -> Tensor:
    """Which distance is that of two places, worked out place by place."""
    places = [(i, j) for i in range(window) for j in range(window)]
    wide = 2 * window - 1
    rows = [[(a - c + window - 1) * wide + b - d + window - 1 for c, d in places] for a, b in places]
    return torch.tensor(rows)


def mask_of(size: int, window: int, shift: int) -> Tensor:
    """-100 for two pixels of a window that were not neighbours before all were moved."""
    regions = torch.zeros(size, size)
    cuts = (slice(0, size - window), slice(size - window, size - shift), slice(size - shift, size))
    for number, (rows, columns) in enumerate((rows, columns) for rows in cuts for columns in cuts):
        regions[rows, columns] = number
    parts = regions.view(size // window, window, size // window, window).transpose(1, 2).reshape(-1, window**2)
    return (parts[:, None] != parts[:, :, None]) * -100.0


def test_windows_that_are_written_otherwise() -> None:
    wanted = {"heads": 2, "window": 4, "shift": 1, "position": "relative"}
    assert attentions(Apart(index_of(4), mask_of(8, 4, 1)), 3, 8, 8) == [wanted]


OTHERS: dict[str, Callable[[], nn.Module]] = {
    "a mask of another shift": lambda: Apart(index_of(4), mask_of(8, 4, 2)),
    "distances the other way round": lambda: Apart(48 - index_of(4), mask_of(8, 4, 1)),
    "some tokens less far apart": lambda: Apart(index_of(4).clamp(max=40), mask_of(8, 4, 1)),
    "no mask": lambda: Apart(index_of(4), torch.zeros(4, 16, 16)),
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_no_attention_in_windows_is_not_taken_for_one(other: str) -> None:
    assert isinstance(found_in(OTHERS[other](), 3, 8, 8), Unread)


class Merging(nn.Module):
    """Four pixels to one, in several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.way = way
        self.stem, self.reduce, self.head = nn.Conv2d(3, 4, 1), nn.Linear(16, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).permute(0, 2, 3, 1)
        if self.way == "columns, by cuts":
            x = torch.cat([x[:, i::2, j::2] for j in (0, 1) for i in (0, 1)], -1)
        elif self.way == "rows, by cuts":
            x = torch.cat([x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)], -1)
        elif self.way == "columns":
            x = x.reshape(-1, 4, 2, 4, 2, 4).permute(0, 1, 3, 4, 2, 5).flatten(3)
        else:
            x = x.reshape(-1, 4, 2, 4, 2, 4).permute(0, 1, 3, 5, 2, 4).flatten(3)
        return self.head(self.reduce(x).mean((1, 2)))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("way", "order"),
    [("columns, by cuts", "columns"), ("rows, by cuts", "channels"), ("columns", "columns"), ("pixels", "pixels")],
)
def test_four_pixels_are_merged_to_one(way: str, order: str) -> None:
    found = found_in(Merging(way), 3, 8, 8)
    assert not isinstance(found, Unread)
    assert found.operations[1].operator == "space_to_depth"
    assert found.operations[1].parameters.get("order", "pixels") == order


def test_what_depends_on_no_image_is_counted_once() -> None:
    """The network of continuous positions: 49 distances, 2 and 3 features of 512 each, twice."""
    traced = trace(Loaded("net", swin([2], 4, 2).eval()), ((3, 32, 32),))
    counted = multiplications(traced.traced, traced.program)
    assert sorted(n for name, n in counted.items() if "cpb" in stack_of(traced.traced, name)) == 2 * [
        49 * 2 * 512
    ] + 2 * [49 * 512 * 3]


def stack_of(traced: Traced, name: str) -> str:
    return next(node.stack[-1].path for node in traced.nodes if node.name == name)


FILE = """
    import torch
    from torchvision.models import maxvit, swin_transformer as st

    def swin():
        torch.manual_seed(0)
        return st.SwinTransformer([4, 4], 12, [2, 2], [3, 6], [4, 4], stochastic_depth_prob=0.1, num_classes=5)

    def filled():
        torch.manual_seed(0)
        return st.SwinTransformer([4, 4], 12, [2], [3], [5, 5], stochastic_depth_prob=0.1, num_classes=5)

    def swin_v2():
        torch.manual_seed(0)
        return st.SwinTransformer([4, 4], 12, [2], [3], [4, 4], stochastic_depth_prob=0.1, num_classes=5,
                                  block=st.SwinTransformerBlockV2)

    def maxvit_():
        torch.manual_seed(0)
        return maxvit.MaxVit((32, 32), 8, 4, [8, 16], [1, 1], 2, 0.2, num_classes=5)
"""
IMPORTED: dict[str, tuple[tuple[int, ...], list[str]]] = {
    "swin": ((3, 32, 32), ["import std.swin", "swin(3, window=4)", "shift=2"]),
    "filled": ((3, 32, 32), ["swin(3, window=5)", "shift=2"]),
    "swin_v2": ((3, 32, 32), ["swin_v2(3, window=4)", "shift=2"]),
    "maxvit_": ((3, 32, 32), ["window=4", "grid=4", "position=relative"]),
}


@pytest.mark.parametrize("name", IMPORTED)
def test_an_import_computes_the_same(name: str, tmp_path: Path) -> None:
    """Parameters, MACs, outputs and a step of training are compared by the import itself."""
    shape, words = IMPORTED[name]
    found = imported(tmp_path, name, shape)
    assert not found.foreign
    assert not found.plain
    assert all(word in found.written.text for word in words), found.written.text


def imported(folder: Path, name: str, shape: tuple[int, ...]) -> Imported:
    (folder / "mine.py").write_text(dedent(FILE), encoding="utf-8")
    return import_network(f"{folder}/mine.py:{name}", (shape,))


class Zeroed(nn.Module):
    """A layer whose offset is used without its first half."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        offset = self.one.bias.clone()
        offset[:4].zero_()
        return self.two(nn.functional.linear(x, self.one.weight, offset))  # type: ignore[no-any-return]


def test_what_works_in_place_on_a_part_changes_the_whole() -> None:
    traced = trace(Loaded("net", Zeroed().eval()), ((3,),)).traced
    layer = next(node for node in traced.nodes if node.target == "aten.linear")
    offset = {node.name: node for node in traced.nodes}[layer["bias"].name]  # type: ignore[attr-defined]
    assert (offset.target, offset["dim"], offset["start"], offset["end"]) == ("aten.slice_scatter", 0, 0, 4)
    assert isinstance(found_in(Zeroed(), 3), Unread)
