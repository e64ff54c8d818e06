"""Extracted sub-networks: trained further they keep what they know, and resize images as the network does."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import Project, from_text, project

TEXT = """
supernet net {
  input image(1, SIZE);  classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu }
  stage s1 { residual { conv(16, kernel=3); norm; relu; drop_path(0.5) } ; conv(16, kernel=3); norm; relu }
  head { pool(avg); dropout(0.1); linear(classes) }
}
method us_net(subnets=3)
"""
SIZED = TEXT.replace("SIZE", "resolution=8..16 step 4")


def textures(count: int) -> tuple[Tensor, Tensor]:
    """Noise with one of four textures: bright, upright stripes, lying stripes, a chessboard."""
    generator = torch.Generator().manual_seed(count)
    x, y = torch.randn(count, 1, 8, 8, generator=generator), torch.randint(4, (count,), generator=generator)
    stripes = torch.tensor([1.0, -1.0]).repeat(4)
    kinds = torch.stack((torch.ones(8, 8), stripes.expand(8, 8), stripes.expand(8, 8).T, stripes * stripes[:, None]))
    return x + kinds[y][:, None], y


def accuracy(net: nn.Module) -> float:
    x, y = textures(401)
    with torch.no_grad():
        return float((net.eval()(x).argmax(1) == y).float().mean())


def train(net: nn.Module, steps: int, lr: float) -> nn.Module:
    x, y = textures(512)
    torch.manual_seed(0)
    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr, momentum=0.9)
    for step in range(steps):
        rows = slice(64 * step % 512, 64 * step % 512 + 64)
        optimizer.zero_grad()
        F.cross_entropy(net(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net


def test_an_extracted_sub_network_that_is_trained_further_keeps_and_learns(tmp_path: Path) -> None:
    """Extracted as it comes, from a network in eval mode. One with folded norms refuses to be trained."""
    torch.manual_seed(0)
    net = project(from_text(TEXT.replace("SIZE", "8, 8")), tmp_path).model.Model()
    net.use(net.plan("min"))
    train(net, 24, 0.1)
    before = accuracy(net)
    extracted = net.eval().extract(net.plan("min"))
    assert accuracy(extracted) == before
    kept = train(extracted, 24, 0.1)
    assert accuracy(kept) >= before
    assert accuracy(kept) > 0.9
    folded = net.extract(net.plan("min"), fold=True)
    with pytest.raises(RuntimeError, match=r"folded .* cannot be trained: net\.extract\(plan\) keeps them"):
        folded.train()
    assert not copy.deepcopy(folded).eval().training


def test_training_finds_the_norms_and_the_noise_of_the_network(tmp_path: Path) -> None:
    net = project(from_text(TEXT.replace("SIZE", "8, 8")), tmp_path).model.Model().eval()
    extracted, folded = net.extract(net.plan("min")), net.extract(net.plan("min"), fold=True)
    kinds = [type(layer).__name__ for layer in extracted.modules()]
    assert [kinds.count(name) for name in ("BatchNorm2d", "Dropout", "DropPath")] == [3, 1, 1]
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in folded.modules())
    assert not any(type(layer).__name__ == "DropPath" for layer in folded.modules())
    x = torch.randn(64, 1, 8, 8)
    extracted.train()
    torch.manual_seed(0)
    mine = extracted(x)
    torch.manual_seed(0)
    theirs = net.train()(x, net.plan("min"))
    torch.testing.assert_close(mine, theirs)


@pytest.fixture(scope="module")
def sized(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Any]:
    made = project(from_text(SIZED), tmp_path_factory.mktemp("sized"))
    net = made.model.Model().eval()
    scramble(net)
    return made, net


@torch.no_grad()
def test_images_are_resized_however_a_sub_network_runs(sized: tuple[Project, Any]) -> None:
    """`net(x, plan)` brings images to the plan's resolution; so do extracted and fused ones, from any size."""
    _, net = sized
    for resolution in (8, 12, 16):
        plan = net.plan({"resolution": resolution, "width": 0.5})
        forms = [net.extract(plan), net.extract(plan, fold=True), net.fused(plan), net.fused(plan, share=True)]
        for size in (8, 12, 16, 20):
            x = torch.randn(2, 1, size, size)
            small = x
            if size != resolution:
                sides = (resolution, resolution)
                small = F.interpolate(x, sides, mode="bilinear", align_corners=False, antialias=True)
            wanted = net(small, plan)
            assert relative(net(x, plan), wanted) < 1e-6
            for form in forms:
                assert relative(form(x), wanted) < 1e-5


@torch.no_grad()
def test_one_line_serves_all_resolutions(sized: tuple[Project, Any]) -> None:
    _, net = sized
    lines = {id(net.fused(net.plan({"resolution": size})).line) for size in (8, 12, 16)}
    assert len(lines) == 1


@torch.no_grad()
def test_what_resizes_is_copied_pickled_and_written(sized: tuple[Project, Any], tmp_path: Path) -> None:
    made, net = sized
    plan, x = net.plan("min"), torch.randn(2, 1, 16, 16)
    wanted = net(x, plan)
    with made.known():
        copies = [form(net.extract(plan)) for form in (copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it)))]  # type: ignore[no-untyped-call]
    writer = part(made, "deploy.static_source")
    with made.known():
        text = writer.static_source(net.extract(plan), "A sub-network.", (x,))
    found: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "model.py", "exec"), found)
    twin = found["Model"]().eval()
    twin.load_state_dict(net.extract(plan).state_dict())
    for module in (*copies, twin):
        assert relative(module(x), wanted) < 1e-6


@torch.no_grad()
def test_an_export_is_of_one_resolution_where_that_is_asked_for(sized: tuple[Project, Any]) -> None:
    """As export.py asks, whose programs take images as they come."""
    made, net = sized
    plan = net.plan({"resolution": 8})
    static = made.extract.extract(net, plan, resized=False)
    x = torch.randn(2, 1, 16, 16)
    assert relative(static(x), net(x, net.plan({"resolution": 16}))) < 1e-6


class Views(nn.Module):
    """Parts of a map that lie in it, read after an activation of the map or of another part."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        part = y.narrow(1, 0, 2)
        z = F.relu(y)
        w = self.conv(x)
        upper, lower = w.swapaxes(1, 2).swapaxes(1, 2).select(1, 0), F.silu(w)
        total: Tensor = part.sum() + z.sum() + upper.sum() + lower.sum() + F.relu(x).sum() + x.sum()
        return total


@torch.no_grad()
def test_an_activation_overwrites_nothing_that_is_read_later(sized: tuple[Project, Any]) -> None:
    """Whatever reads it: a view by a method that nobody listed, too. Inputs are the caller's."""
    made, _ = sized
    net = Views().eval()
    x = torch.randn(2, 1, 6, 6)
    given = x.clone()
    assert torch.allclose(made.extract.extract(net, None, fold=True)(x), net(given))
    assert torch.equal(x, given)
