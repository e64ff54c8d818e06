"""Generated networks beside torchvision's and their own bound twins: one torch thread, eval mode, no gradients."""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.passes.bind import bind
from tests.benchmarks.rows import Row, seconds, side_by_side
from tests.codegen.projects import compiled, project

SHAPES: tuple[tuple[str, tuple[int, ...], int], ...] = (("1", (1, 3, 96, 96), 41), ("16", (16, 3, 96, 96), 21))
"""Batch size, images, and rounds."""


@torch.no_grad()
def run() -> list[Row]:
    from torchvision.models import mobilenet_v2, resnet50

    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_memory()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        static = {
            "mobilenet_v2": (network("mobilenet_v2", folder), mobilenet_v2().eval()),
            "resnet50": (network("resnet50", folder), resnet50().eval()),
        }
        for name, (own, theirs) in static.items():
            copy_weights(theirs, own)
            rows += [row(f"static {name} / torchvision's", own, theirs, shape, 1.02) for shape in SHAPES]
        net = network("mobilenet_v2_us", folder)
        copy_weights(static["mobilenet_v2"][1], net)
        rows += elastic_rows(net, static["mobilenet_v2"][1], folder)
        net = network("resnet50_adn", folder)
        whole, theirs = with_plan(net, net.plan()), static["resnet50"][1]
        rows += [row("elastic resnet50 at its maximum / torchvision's", whole, theirs, shape, 1.03) for shape in SHAPES]
    return rows


def keep_memory() -> None:
    """Has the C library keep freed memory. Else it gives large blocks back to the system and fetches them anew, by
    chance for one of two networks and not for the other: 4,000 page faults a pass, a third of its time."""
    trim_threshold, mmap_threshold = -1, -3
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


def elastic_rows(net: Any, theirs: nn.Module, folder: str) -> list[Row]:
    whole, narrow = net.plan(), net.plan({"width": 0.35})
    plain, folded = net.bind(narrow, fold=False), net.bind(narrow)
    code = static_code(folder)
    code.load_state_dict(plain.state_dict())
    largest, sliced = with_plan(net, whole), with_plan(net, narrow)
    rows: list[Row] = []
    for shape in SHAPES:
        rows.append(row("elastic mobilenet_v2 at its maximum / torchvision's", largest, theirs, shape, 1.03))
        rows.append(row("width 0.35 sliced / bound", sliced, plain, shape, 1.10))
        rows.append(row("width 0.35 sliced / static code", sliced, code, shape, 1.10))
        rows.append(row("width 0.35 sliced / bound and folded", sliced, folded, shape, None))
        rows.append(row("whole, bound and folded / torchvision's", net.bind(whole), theirs, shape, None))
    rows.append(Row("net.use(plan)", 1e6 * per_call(lambda: net.use(narrow), 100_000), 3, "us"))
    rows.append(Row("net.plan(assignment)", 1e6 * per_call(lambda: net.plan({"width": 0.35}), 200), None, "us"))
    return rows


def network(name: str, folder: str) -> Any:
    return project(compiled(name), Path(folder) / name).model.Model().eval()


def static_code(folder: str) -> nn.Module:
    """What the compiler writes for the network of width 0.35 alone."""
    spec = compiled("mobilenet_v2_us")
    graph = bind(spec.graph, {"width": Fraction(35, 100)})
    static: nn.Module = project(spec, Path(folder) / "narrow", graph).model.Model().eval()
    return static


def copy_weights(source: nn.Module, target: nn.Module) -> None:
    """By position among tensors of one shape, since names differ."""
    left: dict[torch.Size, list[Tensor]] = {}
    for tensor in source.state_dict().values():
        left.setdefault(tensor.shape, []).append(tensor)
    target.load_state_dict({name: left[tensor.shape].pop(0) for name, tensor in target.state_dict().items()})


def with_plan(net: Any, plan: Any) -> Callable[[Tensor], Tensor]:
    return lambda x: net(x, plan)


def row(
    name: str,
    first: Callable[[Tensor], Tensor],
    second: Callable[[Tensor], Tensor],
    shape: tuple[str, Sequence[int], int],
    bar: float | None,
) -> Row:
    batch, size, rounds = shape
    x = torch.randn(*size)
    _, _, ratio = side_by_side(lambda: first(x), lambda: second(x), rounds=rounds)
    return Row(f"{name}, batch {batch}", ratio, bar, "x")


def per_call(what: Callable[[], object], times: int) -> float:
    return seconds(lambda: [what() for _ in range(times)]) / times
