"""Generated networks beside torchvision's, their own static code and their own extracted twins.

One torch thread, eval mode, no gradients; processor time, so that what else runs on the machine hardly counts.
"""

from __future__ import annotations

import ctypes
import tempfile
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.passes.specialise import specialise
from tests.benchmarks.rows import Row, processor_seconds, side_by_side
from tests.helpers.projects import compiled, project

SHAPES: tuple[tuple[str, tuple[int, ...], int], ...] = (("1", (1, 3, 96, 96), 41), ("16", (16, 3, 96, 96), 21))
WHOLE: tuple[tuple[str, tuple[int, ...], int], ...] = (("1", (1, 3, 224, 224), 11), ("16", (16, 3, 224, 224), 3))
"""Batch size, images, and rounds."""
NETWORKS = {"mobilenet_v2": "mobilenet_v2_us", "resnet50": "resnet50_adn", "vit_b_32": "vit_b_32_adn"}
"""Torchvision's networks, specs of the same names, and specs of elastic networks that are them at the largest."""


@torch.no_grad()
def run() -> Iterator[Row]:
    set_up()
    with tempfile.TemporaryDirectory() as folder:
        for name in NETWORKS:
            yield from whole_rows(name, folder)
        yield from narrow_rows(network("mobilenet_v2_us", folder), folder)


def set_up() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    keep_memory()


def keep_memory() -> None:
    """Has the C library keep freed memory. Else it gives large blocks back to the system and fetches them anew, by
    chance for one of two networks and not for the other: 4,000 page faults a pass, a third of its time."""
    trim_threshold, mmap_threshold = -1, -3
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(trim_threshold, 2**31 - 1)
        mallopt(mmap_threshold, 2**30)


def whole_rows(name: str, folder: str) -> Iterator[Row]:
    """The largest sub-network, the static code of the same network, and torchvision's."""
    from torchvision import models

    theirs: nn.Module = getattr(models, name)().eval()
    static, net = network(name, folder), network(NETWORKS[name], folder)
    if name != "vit_b_32":  # whose weights are named and laid out in another way; speed does not depend on them
        copy_weights(theirs, static)
    largest = with_plan(net, net.plan())
    for shape in WHOLE if name == "vit_b_32" else SHAPES:
        yield row(f"static {name} / torchvision's", static, theirs, shape, None)
        yield row(f"elastic {name} at its maximum / torchvision's", largest, theirs, shape, 1.00)
        yield row(f"elastic {name} at its maximum / static code", largest, static, shape, 1.03)


def narrow_rows(net: Any, folder: str) -> Iterator[Row]:
    """MobileNetV2 at width 0.35, sliced from the supernet's weights, and in weights of its own."""
    plan = net.plan({"width": 0.35})
    plain, folded = net.extract(plan, fold=False), net.extract(plan)
    code = static_code(folder)
    code.load_state_dict(plain.state_dict())
    sliced, shared = with_plan(net, plan), net.fused(plan, share=True)
    for shape in (*SHAPES, WHOLE[0]):
        yield row("width 0.35, net(x, plan) / static code", sliced, code, shape, 1.10)
        yield row("width 0.35, net(x, plan) / extracted, norms kept", sliced, plain, shape, 1.10)
        yield row("width 0.35, net(x, plan) / extracted, norms folded", sliced, folded, shape, 1.10)
        yield row("width 0.35, shared, fused / extracted, norms folded", shared, folded, shape, 1.10)


def network(name: str, folder: str) -> Any:
    return project(compiled(name), Path(folder) / name).model.Model().eval()


def static_code(folder: str) -> nn.Module:
    """What the compiler writes for the network of width 0.35 alone."""
    spec = compiled("mobilenet_v2_us")
    graph = specialise(spec.graph, {"width": Fraction(35, 100)})
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
    _, _, ratio = side_by_side(lambda: first(x), lambda: second(x), rounds, processor_seconds)
    return Row(f"{name}, batch {batch}, {size[-1]} pixels", ratio, bar, "x")


def per_call(what: Callable[[], object], times: int) -> float:
    """Processor time of one call. What a call makes is dropped before the next, whose memory it may become."""

    def calls() -> None:
        for _ in range(times):
            what()

    what()
    return processor_seconds(calls) / times
