"""Sub-networks ready to serve: how fast they are made, and how fast they run beside torchvision's hand-written ones.

A training step of US-Nets stands beside the steps of four separate networks of the same sizes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.passes.bind import bind
from tests.benchmarks.bench_model import copy_weights, keep_memory, network, per_call, with_plan
from tests.benchmarks.rows import Row, side_by_side
from tests.codegen.projects import compiled, project

SIDES = (96, 224)
WIDTHS = (0.35, 0.5, 0.75)


def run() -> list[Row]:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_memory()
    with tempfile.TemporaryDirectory() as folder:
        net = network("mobilenet_v2_us", folder)
        return [*mobilenet_rows(net), *skipping_rows(folder), *transformer_rows(folder), *training_rows(folder)]


@torch.no_grad()
def mobilenet_rows(net: Any) -> list[Row]:
    from torchvision.models import mobilenet_v2

    rows = []
    for width, bar in ((1.0, 0.85), (0.35, 0.80)):
        theirs = mobilenet_v2(width_mult=width).eval()
        plan = net.plan({"width": width})
        line = net.straight(plan)
        for side in SIDES:
            x = torch.randn(1, 3, side, side)
            bars = bar if side == 224 else None
            ratio = side_by_side(lambda: line(x), lambda: theirs(x), rounds=41)[2]  # noqa: B023
            rows.append(Row(f"width {width:g}, straight / torchvision's, {side} pixels", ratio, bars, "x"))
        x = torch.randn(1, 3, 224, 224)
        ratio = side_by_side(lambda: net(x, plan), lambda: line(x), rounds=21)[2]  # noqa: B023
        rows.append(Row(f"width {width:g}, sliced / straight", ratio, None, "x"))
        made = per_call(lambda: net.straight(plan), 200)  # noqa: B023
        rows.append(Row(f"making a straight line of width {width:g}", 1e3 * made, 1.5, "ms"))
    rows.append(Row("binding a module of width 0.35", 1e3 * per_call(lambda: net.bind(plan), 5), None, "ms"))
    return rows


@torch.no_grad()
def skipping_rows(folder: str) -> list[Row]:
    net = network("resnet50_adn", folder)
    whole, base = net.straight(net.plan("max")), net.straight(net.plan("min"))
    x = torch.randn(1, 3, 224, 224)
    ratio = side_by_side(lambda: base(x), lambda: whole(x), rounds=11)[2]
    return [Row("resnet50_adn, TTTT / FFFF (its share of MACs is 0.63)", ratio, 0.66, "x")]


@torch.no_grad()
def transformer_rows(folder: str) -> list[Row]:
    from torchvision.models import vit_b_32

    net = network("vit_b_32_adn", folder)
    theirs = vit_b_32().eval()
    rows = []
    for batch in (1, 16):
        x = torch.randn(batch, 3, 224, 224)
        ratio = side_by_side(lambda: with_plan(net, net.plan())(x), lambda: theirs(x), rounds=9)[2]  # noqa: B023
        rows.append(Row(f"elastic vit_b_32 at its maximum / torchvision's, batch {batch}", ratio, 1.03, "x"))
    return rows


def training_rows(folder: str) -> list[Row]:
    """One step of four sub-networks against one step of each of four static networks, forward, backward and update."""
    net = network("mobilenet_v2_us", folder).train()
    spec = compiled("mobilenet_v2_us")
    statics = []
    for width in (*WIDTHS, 1.0):
        graph = bind(spec.graph, {"width": Fraction(width).limit_denominator(100)})
        statics.append(project(spec, Path(folder) / f"static{width}", graph).model.Model().train())
    copy_weights(statics[-1], net)
    plans = [net.plan({"width": width}) for width in (1.0, *WIDTHS)]
    x, labels = torch.randn(8, 3, 96, 96), torch.randint(0, 1000, (8,))

    together = step_of([lambda x, plan=plan: net(x, plan) for plan in plans], [net])
    apart = step_of(statics, statics)
    ratio = side_by_side(lambda: together(x, labels), lambda: apart(x, labels), rounds=7)[2]
    return [Row("training step of 4 sub-networks / steps of 4 static networks", ratio, 1.05, "x")]


def step_of(passes: Any, nets: list[nn.Module]) -> Callable[[Tensor, Tensor], None]:
    """A step: the losses of all passes, then one update for every network."""
    optimizers = [torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9) for net in nets]

    def step(x: Tensor, labels: Tensor) -> None:
        for one in passes:
            torch.autograd.backward(F.cross_entropy(one(x), labels))
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step
