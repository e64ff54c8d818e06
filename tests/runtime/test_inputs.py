"""Networks of several inputs: each has a shape and a resolution of its own, wherever it is computed with."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers.parts import part
from tests.helpers.projects import Project, from_text, project

ELASTIC = """
supernet two_resolutions {
  input left image(1, resolution=8..16 step 8); input right image(2, resolution=8..24 step 8); classes 2
  stem {
    a = conv(3, kernel=3, from=left); a = pool(avg)
    b = conv(4, kernel=3, from=right); b = pool(avg)
    concat(a, b)
  }
  head { linear(classes) }
}
"""
FIXED = ELASTIC.replace("left image(1, resolution=8..16 step 8)", "left image(1, 16, 16)")
SHARED = ELASTIC.replace(
    "input left image(1, resolution=8..16 step 8); input right image(2, resolution=8..24 step 8)",
    "choice size in {8, 16}\n  input left image(1, resolution=size); input right image(2, resolution=size)",
)
VECTOR = ELASTIC.replace("left image(1, resolution=8..16 step 8)", "left vector(6)").replace(
    "a = conv(3, kernel=3, from=left); a = pool(avg)", "a = linear(3, from=left)"
)
SPECS = {"elastic": ELASTIC, "fixed": FIXED, "shared": SHARED, "vector": VECTOR}
SIZES = {"elastic": (16, 24), "fixed": (16, 24), "shared": (16, 16), "vector": (None, 24)}


def made(name: str, folder: Path) -> tuple[Project, tuple[Tensor, ...]]:
    found = project(from_text(SPECS[name]), folder)
    left, right = SIZES[name]
    first = torch.randn(2, 6) if left is None else torch.randn(2, 1, left, left)
    return found, (first, torch.randn(2, 2, right, right))


def sizes_of(name: str, at: dict[str, Any]) -> list[int | None]:
    if name == "shared":
        return [at["size"]] * 2
    return [None if name == "vector" else at.get("left.resolution", 16), at["right.resolution"]]


def resized(x: Tensor, size: int | None) -> Tensor:
    """By torch alone: the oracle."""
    if size is None or x.shape[-1] == size:
        return x
    return F.interpolate(x, (size, size), mode="bilinear", align_corners=False, antialias=True)


@pytest.mark.parametrize("name", SPECS)
@torch.no_grad()
def test_each_input_is_brought_to_its_own_resolution(name: str, tmp_path: Path) -> None:
    """In every sub-network: sliced, extracted, fused and served; and the multiply-accumulates are those of torch."""
    torch.manual_seed(0)
    found, inputs = made(name, tmp_path)
    net, space = found.model.Model().eval(), found.modules["space"]
    plans = [net.plan(at) for at in space.every()]
    assert len(plans) == {"elastic": 6, "fixed": 3, "shared": 2, "vector": 3}[name]
    part(found, "deploy.bundle").save(tmp_path / "bundle", net, plans)
    load = part(found, "deploy.serving").Runtime.load
    runtimes = [load(tmp_path / "bundle", lambda: net, fused=fused) for fused in (True, False)]
    stem, head = net.stem, net.head.linear
    for number, (at, plan) in enumerate(zip(space.every(), plans, strict=True)):
        sized = [resized(x, size) for x, size in zip(inputs, sizes_of(name, at), strict=True)]
        first, second = sized
        a = stem.a(first) if name == "vector" else stem.a1(first).mean((2, 3))
        wanted = head(torch.cat((a, stem.b1(second).mean((2, 3))), 1))
        torch.testing.assert_close(net(*inputs, plan), wanted)
        for static in (net.extract(plan), net.fused(plan), net.fused(plan, share=True)):
            torch.testing.assert_close(static(*sized), wanted)
        for runtime in runtimes:
            runtime.switch(number)
            torch.testing.assert_close(runtime.run(*inputs), wanted)
        with FlopCounterMode(display=False) as counter:
            net(*(x[:1] for x in inputs), plan)
        assert counter.get_total_flops() == 2 * space.macs(at)


def test_every_pair_of_resolutions_is_a_sub_network(tmp_path: Path) -> None:
    found, _ = made("elastic", tmp_path)
    net = found.model.Model()
    pairs = {net.plan(at).resolution for at in found.modules["space"].every()}
    assert pairs == {*itertools.product((8, 16), (8, 16, 24))}
