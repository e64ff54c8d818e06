"""torch.compile takes what is served: one graph without breaks, compiled once, with the same answers."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn

from tests.helpers.comparing import relative, scramble
from tests.helpers.parts import part
from tests.helpers.projects import Project, compiled, project

SPECS = ("digits", "digits_resnet_tips", "digits_densenet", "digits_vit_adn", "digits_mobilenet_v3_ofa")
"""Depthwise and dense convolutions, strides, joined tensors, attention, squeeze and excitation, transformed kernels."""


@pytest.fixture(scope="module")
def projects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Project]:
    return {name: project(compiled(name), tmp_path_factory.mktemp(name)) for name in SPECS}


def exported(made: Project, net: Any, plan: Any, x: Tensor, folder: Path) -> nn.Module:
    """The plain source file that export.py writes, imported, with its weights."""
    static = net.extract(plan, fold=False)
    exporting = part(made, "deploy.exporting")
    with made.known(), torch.no_grad():
        exporting.write_source(static, "a test", (x,), static(x), folder)
    spec = importlib.util.spec_from_file_location("exported", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    twin: nn.Module = module.Model().eval()
    twin.load_state_dict(static.state_dict())
    return twin


KINDS: dict[str, Callable[..., Any]] = {
    "extracted": lambda made, net, plan, x, folder: net.extract(plan),
    "bound, norms kept": lambda made, net, plan, x, folder: net.extract(plan, fold=False),
    "fused": lambda made, net, plan, x, folder: net.fused(plan),
    "exported": exported,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SPECS)
@torch.no_grad()
def test_one_graph_compiled_once(projects: dict[str, Project], name: str, kind: str, tmp_path: Path) -> None:
    torch.compiler.reset()
    made = projects[name]
    net = made.model.Model().eval()
    scramble(net)
    plan = net.plan("min")
    side = plan.resolution or 8
    images = [torch.randn(2, 1, side, side) for _ in range(3)]
    subnet = KINDS[kind](made, net, plan, images[0], tmp_path)
    graphs: list[fx.GraphModule] = []

    def counted(graph: fx.GraphModule, inputs: list[Any]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    fast: Callable[[Tensor], Tensor] = torch.compile(subnet, fullgraph=True, backend=counted)
    for x in images:
        assert relative(fast(x), net(x, plan)) < 1e-5
    assert len(graphs) == 1
    explained = torch._dynamo.explain(subnet)(images[0])
    assert (explained.graph_count, explained.graph_break_count) == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_inductor_gives_the_same_answers(kind: str, tmp_path: Path) -> None:
    """With the compiler that torch.compile uses by default; it needs one for C++."""
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return
    torch.compiler.reset()
    made = project(compiled("digits"), tmp_path / "project")
    net = made.model.Model().eval()
    scramble(net)
    plan, x = net.plan({"width": 0.5}), torch.randn(4, 1, 8, 8)
    subnet = KINDS[kind](made, net, plan, x, tmp_path)
    fast: Callable[[Tensor], Tensor] = torch.compile(subnet, fullgraph=True)
    assert relative(fast(x), net(x, plan)) < 1e-5
