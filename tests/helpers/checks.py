"""What every network must keep, whatever its form: its costs, and one meaning for sliced, extracted and static code."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import nn

from specc.cost.report import cost
from specc.passes.specialise import specialise
from specc.pipeline import Compiled
from tests.helpers.comparing import assert_plain, counted, relative, scramble
from tests.helpers.projects import Project, assignments, from_text, image_shape, plain, project

SETTINGS = "norm batch; width per_group 0.25..1.0 round 2"


def text_of(stages: str, settings: str = SETTINGS, head: str = "pool(avg); linear(classes)", blocks: str = "") -> str:
    """A supernet of some stages after a stem of 8 channels, on images of 3 x 8 x 8."""
    return (
        f"{blocks}\nsupernet net {{\n  input image(3, 8, 8); classes 5\n  {settings}\n"
        f"  stem {{ conv(8, kernel=3); norm; relu }}\n  {stages}\n  head {{ {head} }}\n}}\n"
    )


def check(text: str, folder: Path, count: int = 1) -> tuple[Compiled, Project, nn.Module]:
    """Costs against torch's counter, sliced against bound and static, at the extremes and `count` sub-networks more.

    Returns the spec, its project and its net with scrambled weights, in eval mode.
    """
    spec = from_text(text)
    graph = spec.graph
    made = project(spec, folder / "elastic")
    net = made.model.Model().eval()
    scramble(net)
    largest = {choice.name: choice.largest for choice in graph.choices}
    assert sum(p.numel() for p in net.parameters()) == cost(graph, largest).params_total
    with torch.device("meta"):
        meta = made.model.Model().eval()
    for number, at in enumerate(assignments(graph, count)):
        plan = net.plan(plain(graph, at)) if graph.choices else None
        shape = image_shape(graph, at)
        expected = cost(graph, at)
        assert counted(meta, shape, plan) == expected.macs, at
        x = torch.randn(2, *shape, generator=torch.Generator().manual_seed(1))
        if graph.choices:
            check_bound(spec, net, plan, at, x, folder / str(number), expected.params)
        else:
            with torch.no_grad():
                assert relative(made.extract.extract(net)(x), net(x)) <= 1e-4
    return spec, made, net


def check_bound(spec: Compiled, net: Any, plan: Any, at: Any, x: torch.Tensor, folder: Path, params: int) -> None:
    """The supernet under a plan, extracted by torch.fx, folded, fused, and compiled as a static network."""
    static = project(spec, folder, specialise(spec.graph, at))
    text = (folder / "model.py").read_text()
    assert_plain("\n".join(line for line in text.split("\n") if "drop_path" not in line))
    twin = static.model.Model().eval()
    extracted = net.extract(plan, fold=False)
    # On tensors without memory attention is counted by its products, whichever kernel a CPU has for it.
    assert counted(deepcopy(extracted).to("meta"), (*x.shape[1:],)) == cost(spec.graph, at).macs, at
    assert sum(p.numel() for p in twin.parameters()) == params
    twin.load_state_dict(extracted.state_dict())
    with torch.no_grad():
        sliced = net(x, plan)
        assert relative(net(x, plan), sliced) == 0
        assert relative(twin(x), sliced) <= 1e-5, at
        assert relative(extracted(x), sliced) <= 1e-5, at
        assert relative(net.extract(plan)(x), sliced) <= 1e-4, at
        for share in (False, True):
            assert relative(net.fused(plan, share=share)(x), sliced) <= 1e-4, at
    with torch.enable_grad():
        assert relative(net(x, plan).detach(), sliced) <= 1e-5, at


def check_training(net: Any, plan: Any, x: torch.Tensor, present: set[str]) -> None:
    """A step of a sub-network reaches the weights of what is present, of one bank of each norm, and no others."""
    net.train()
    net.zero_grad(set_to_none=True)
    net(x, plan).square().mean().backward()
    for path, module in net.named_modules():
        op = re.sub(r"\.\d+$", "", path)  # the banks of a norm are numbered
        for parameter in module.parameters(recurse=False):
            assert op in present if parameter.grad is not None else op not in present or op != path, path
    net.eval()
