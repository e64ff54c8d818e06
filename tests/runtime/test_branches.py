"""Parallel linear branches are one convolution in extracted, fused and exported networks, with the same outputs."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.subnets.space import enumerate_space
from tests.helpers.branches import ELASTIC, KEPT, MERGED, branched
from tests.helpers.comparing import counted, relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import compiled, from_text, plain, project


def made(tmp_path: Path, stage: str, settings: str = "", norm: str = "", method: str = "") -> tuple[Any, Any]:
    """A project's modules, and its network with telling weights, in eval mode."""
    spec = from_text(branched(stage, settings, norm, method))
    found = project(spec, tmp_path)
    net = found.model.Model().eval()
    scramble(net)
    return (found, spec), net


def forms(found: Any, net: Any, plan: Any) -> list[nn.Module]:
    """The forms in which branches are merged."""
    extract = found.extract.extract
    both = [extract(net, plan, fold=True), extract(net, plan, merge=True)]
    return [*both, net.fused(plan)] if plan is not None else both


def convolutions(net: nn.Module) -> int:
    return sum(isinstance(layer, nn.Conv2d) for layer in net.modules())


@torch.no_grad()
@pytest.mark.parametrize("name", [*MERGED, *KEPT])
def test_branches_are_merged_where_they_are_linear(name: str, tmp_path: Path) -> None:
    """A static network, each form of it; the stem has a convolution more."""
    stage, count = (MERGED | KEPT)[name]
    (found, _), net = made(tmp_path, stage)
    x = torch.randn(2, 3, 12, 12)
    for form in forms(found, net, None):
        assert relative(form(x), net(x)) < 1e-5
        assert convolutions(form) == count + 1
        assert bool(form.meta["merged"]) == (name in MERGED)  # type: ignore[index]
    assert not found.extract.extract(net).meta["merged"]


def by_hand(block: Any) -> tuple[Tensor, Tensor]:
    """RepVGG's merge in plain torch, from the paper's formulas: weights times gamma / sigma, then one sum."""
    kernels: list[Tensor] = []
    biases: list[Tensor] = []
    rows = [
        (block.conv_norm1.conv.weight, block.conv_norm1.norm),
        (block.conv_norm2.conv.weight, block.conv_norm2.norm),
    ]
    if hasattr(block, "shortcut_norm"):
        rows.append((torch.eye(len(rows[0][0]))[:, :, None, None], block.shortcut_norm))
    for weight, norm in rows:
        sigma = (norm.running_var + norm.eps).sqrt()
        around = (3 - weight.shape[-1]) // 2
        kernels.append(F.pad(weight * (norm.weight / sigma)[:, None, None, None], [around] * 4))
        biases.append(norm.bias - norm.running_mean * norm.weight / sigma)
    return sum(kernels[1:], kernels[0]), sum(biases[1:], biases[0])


@torch.no_grad()
@pytest.mark.parametrize("stage", ["repvgg(16)", "repvgg(24, stride=2)"])
def test_the_merged_weights_are_those_of_the_paper(stage: str, tmp_path: Path) -> None:
    (found, _), net = made(tmp_path, stage)
    weight, bias = by_hand(net.s1.b1 if hasattr(net.s1, "b1") else net.s1[0])
    folded = found.extract.extract(net, fold=True)
    conv = folded.get_submodule("s1.b1.conv_norm1.conv")
    torch.testing.assert_close(conv.weight, weight)
    torch.testing.assert_close(conv.bias, bias)
    (told,) = folded.meta["merged"].values()
    assert told.startswith("s1.b1.conv_norm2.conv + s1.b1.conv_norm2.norm, s1.b1.conv_norm1.conv + ")


@torch.no_grad()
@pytest.mark.parametrize("norm", ["", "(bank=width)"])
def test_every_sub_network_merges_to_its_own_outputs(norm: str, tmp_path: Path) -> None:
    """Elastic widths, kernels, depth; banks of norms; running statistics and calibrated ones, in turn."""
    settings = "width uniform {0.5, 1.0} round 8"
    (found, spec), net = made(tmp_path, ELASTIC, settings, norm, "\nmethod us_net(subnets=3)\n")
    x = torch.randn(2, 3, 12, 12)
    images = [torch.randn(8, 3, 12, 12)]
    counts = set()
    for number, at in enumerate(enumerate_space(spec.graph)):
        plan = net.plan(plain(spec.graph, at))
        if number % 2:
            plan = found.calibrate.calibrate(net, plan, images)
        wanted = net(x, plan)
        one = forms(found, net, plan)
        for form in one:
            assert relative(form(x), wanted) < 1e-5
        assert relative(net.fused(plan, share=True)(x), wanted) < 1e-5
        assert convolutions(one[0]) == convolutions(one[1]) == 1 + len(one[0].meta["merged"])  # type: ignore[index]
        assert sum(step.kind == "conv" for step in one[2].line.steps) == convolutions(one[0])  # type: ignore[union-attr]
        counts.add(convolutions(one[0]))
    assert counts == {3, 4, 5}


@torch.no_grad()
def test_merged_networks_are_copied_pickled_and_written_as_source(tmp_path: Path) -> None:
    (found, _), net = made(tmp_path, "repvgg(16); repvgg(24, stride=2)")
    x = torch.randn(2, 3, 12, 12)
    merged = found.extract.extract(net, merge=True)
    with found.known():
        copies = [copy.deepcopy(merged), pickle.loads(pickle.dumps(merged))]
        text = part(found, "deploy.static_source").static_source(merged, "A network.", (x,))
    assert text.count("nn.Conv2d(") == 3
    assert text.count("nn.BatchNorm2d(") == 1
    written: dict[str, Any] = {"__name__": "written"}
    exec(compile(text, "model.py", "exec"), written)
    twin = written["Model"]().eval()
    twin.load_state_dict(merged.state_dict())
    for form in (*copies, twin):
        assert relative(form(x), net(x)) < 1e-5


@torch.no_grad()
def test_repvgg_a0_has_the_published_figures_as_deployed(tmp_path: Path) -> None:
    """8.30 M parameters and 1.4 G multiply-accumulates; the paper's table counts 1000 classes' biases, too."""
    found = project(compiled("repvgg_a0"), tmp_path)
    with torch.device("meta"):
        net = found.model.Model().eval()
    merged = found.extract.extract(net, fold=True)
    assert sum(p.numel() for p in merged.parameters()) == 8_309_384
    assert counted(merged, (3, 224, 224)) == 1_361_451_008
    assert len(merged.meta["merged"]) == convolutions(merged) == 22


@pytest.mark.slow
@torch.no_grad()
def test_repvgg_a0_is_timms_in_both_forms(tmp_path: Path) -> None:
    """The same outputs with the same weights, and as many parameters and multiply-accumulates, branched and merged."""
    timm = pytest.importorskip("timm")
    from timm.utils.model import reparameterize_model

    found = project(compiled("repvgg_a0"), tmp_path)
    ours, theirs = found.model.Model().eval(), timm.create_model("repvgg_a0").eval()
    scramble(theirs)
    hand_over_repvgg(theirs, ours)
    x = torch.randn(1, 3, 64, 64)
    merged, reference = found.extract.extract(ours, fold=True), reparameterize_model(theirs)
    assert relative(ours(x), theirs(x)) < 1e-4
    assert relative(merged(x), reference(x)) < 1e-4
    assert relative(merged(x), ours(x)) < 1e-4
    for one, other in ((ours, theirs), (merged, reference)):
        assert sum(p.numel() for p in one.parameters()) == sum(p.numel() for p in other.parameters())
        assert counted(one.to("meta"), (3, 224, 224)) == counted(other.to("meta"), (3, 224, 224))
    assert len(merged.meta["merged"]) == convolutions(merged) == 22


def hand_over_repvgg(theirs: nn.Module, ours: nn.Module) -> None:
    """timm has the norm of the identity first."""
    names = {"conv_kxk.conv": "conv_norm1.conv", "conv_kxk.bn": "conv_norm1.norm"}
    names |= {"conv_1x1.conv": "conv_norm2.conv", "conv_1x1.bn": "conv_norm2.norm", "identity": "shortcut_norm"}
    state = {}
    for name, value in theirs.state_dict().items():
        place, _, leaf = name.rpartition(".")
        if place == "head.fc":
            state[f"head.linear.{leaf}"] = value
            continue
        first, _, rest = place.partition(".")
        block, inner = ("stem.b1", rest) if first == "stem" else ("", rest)
        if first == "stages":
            stage, number, inner = rest.split(".", 2)
            block = f"s{int(stage) + 1}.b{int(number) + 1}"
        state[f"{block}.{names[inner]}.{leaf}"] = value
    ours.load_state_dict(state)
