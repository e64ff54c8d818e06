"""Sub-networks ready to serve: how fast they are made, switched and run beside torchvision's hand-written ones.

A training step of US-Nets stands beside the steps of four separate networks of the same sizes. One torch thread;
processor time.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.cost.report import cost
from specc.passes.specialise import specialise
from specc.runtime.deploy.serving import Runtime, Subnet
from tests.benchmarks.bench_model import WHOLE, copy_weights, network, per_call, row, set_up
from tests.benchmarks.rows import Row, processor_seconds, side_by_side
from tests.helpers.projects import compiled, project

SIDES = (96, 224)
WIDTHS = (0.35, 0.5, 0.75)
KEPT = 20
"""Lines that are made to be kept: each in memory of its own, that nothing was in before."""


def run() -> Iterator[Row]:
    set_up()
    with tempfile.TemporaryDirectory() as folder:
        net = network("mobilenet_v2_us", folder)
        yield from fused_rows(net)
        yield from making_rows(net)
        yield from switch_rows(net)
        yield from skipping_rows(folder)
        yield from compile_rows(net)
        yield from training_rows(net, folder)


@torch.no_grad()
def fused_rows(net: Any) -> Iterator[Row]:
    """Beside torchvision's networks as they come, and as somebody would set them up who wants them fast."""
    from torchvision.models import mobilenet_v2

    for width, bar in ((1.0, 0.85), (0.35, 0.80)):
        theirs = mobilenet_v2(width_mult=width).eval()
        plan = net.plan({"width": width})
        line = net.fused(plan)
        for side in SIDES:
            shape = "1", (1, 3, side, side), 31
            yield row(f"width {width:g}, fused / torchvision's", line, theirs, shape, bar if side == 224 else None)
        theirs = theirs.to(memory_format=torch.channels_last)
        yield row(f"width {width:g}, fused / torchvision's channels last", line, last(theirs), WHOLE[0], None)
        yield row(f"width {width:g}, fused / extracted, norms folded", line, net.extract(plan), WHOLE[0], None)
        yield row(f"width {width:g}, shared / fused", net.fused(plan, share=True), line, WHOLE[0], None)


def last(net: nn.Module) -> Callable[[Tensor], Tensor]:
    return lambda x: net(x.contiguous(memory_format=torch.channels_last))


@torch.no_grad()
def making_rows(net: Any) -> Iterator[Row]:
    """A line in place of another one; and one more, for which the system finds as many pages as it has."""
    from torchvision.models import mobilenet_v2

    for width in (0.35, 1.0):
        plan = net.plan({"width": width})
        make = partial(net.fused, plan)
        layers = [m for m in mobilenet_v2(width_mult=width).modules() if isinstance(m, nn.Conv2d)]
        weights = [layer.weight for layer in layers]
        multiply = partial(torch._foreach_mul, weights, [torch.rand(len(w), 1, 1, 1) for w in weights])
        yield Row(f"extraction: a fused one of width {width:g}", 1e3 * per_call(make, 100), 1.5, "ms")
        kept: list[object] = []
        yield Row("  the same in memory never used before", 1e3 * keeping(make, kept), None, "ms")
        yield Row("  its floor: its weights times its scales", 1e3 * per_call(multiply, 100), None, "ms")
        yield Row("  its floor in memory never used before", 1e3 * keeping(multiply, kept), None, "ms")
    plan = net.plan({"width": 0.35})
    yield Row("extraction: a module of width 0.35", 1e3 * per_call(lambda: net.extract(plan), 5), None, "ms")
    yield Row("net.plan(assignment)", 1e6 * per_call(lambda: net.plan({"width": 0.35}), 200), None, "us")


def keeping(what: Callable[[], object], kept: list[object]) -> float:
    """Processor time of one call, where everything that is made is kept."""

    def calls() -> None:
        kept.extend(what() for _ in range(KEPT))

    return processor_seconds(calls) / KEPT


@torch.no_grad()
def switch_rows(net: Any) -> Iterator[Row]:
    graph = compiled("mobilenet_v2_us").graph
    widths = [Fraction(width).limit_denominator(100) for width in (*WIDTHS, 1.0)]
    plans = [net.plan({"width": float(width)}) for width in widths]
    costs = [cost(graph, {"width": width}) for width in widths]
    subnets = [Subnet(p.assignment, c.macs, c.params, None) for p, c in zip(plans, costs, strict=True)]
    runtime = Runtime(net, plans, subnets, fused=True)
    for name, switch in (("Runtime.switch", runtime.switch), ("net.use", lambda number: net.use(plans[number]))):
        took = per_call(partial(round_trip, switch, len(plans)), 25_000) / len(plans)
        yield Row(f"switch: {name}", 1e6 * took, 3, "us")


def round_trip(switch: Callable[[int], None], count: int) -> None:
    for number in range(count):
        switch(number)


@torch.no_grad()
def skipping_rows(folder: str) -> Iterator[Row]:
    net = network("resnet50_adn", folder)
    whole, base = net.fused(net.plan("max")), net.fused(net.plan("min"))
    yield row("resnet50_adn, TTTT / FFFF (its share of MACs is 0.63)", base, whole, WHOLE[0], 0.66)


@torch.no_grad()
def compile_rows(net: Any) -> Iterator[Row]:
    """torch.compile with its own backend, which needs a C++ compiler."""
    extracted, x = net.extract(net.plan({"width": 0.35})), torch.randn(1, 3, 224, 224)
    explained = torch._dynamo.explain(extracted)(x)
    yield Row("torch.compile of an extracted sub-network: graph breaks", explained.graph_break_count, 0, "")
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        return
    fast: Callable[[Tensor], Tensor] = torch.compile(extracted, fullgraph=True)
    yield row("width 0.35, extracted and compiled / extracted", fast, extracted, WHOLE[0], None)


def training_rows(net: Any, folder: str) -> Iterator[Row]:
    """One step of four sub-networks against one step of each of four static networks, forward, backward and update."""
    net.train()
    spec = compiled("mobilenet_v2_us")
    statics = []
    for width in (*WIDTHS, 1.0):
        graph = specialise(spec.graph, {"width": Fraction(width).limit_denominator(100)})
        statics.append(project(spec, Path(folder) / f"static{width}", graph).model.Model().train())
    copy_weights(statics[-1], net)
    plans = [net.plan({"width": width}) for width in (1.0, *WIDTHS)]
    x, labels = torch.randn(8, 3, 96, 96), torch.randint(0, 1000, (8,))

    together = step_of([lambda x, plan=plan: net(x, plan) for plan in plans], [net])
    apart = step_of(statics, statics)
    ratio = side_by_side(lambda: together(x, labels), lambda: apart(x, labels), 7, processor_seconds)[2]
    yield Row("training step of 4 sub-networks / steps of 4 static networks", ratio, 1.05, "x")


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
