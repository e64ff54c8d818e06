"""Paper-size networks of which no exact figures are printed, against counts that go through their layers by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import floor, prod

import pytest

from specc.cost import cost
from specc.ir.graph import Graph
from specc.pipeline import load
from specc.subnets.space import complete, size
from tests.helpers.folders import SPECS


def graph_of(name: str) -> Graph:
    return load(SPECS / f"{name}.specc").graph


def found(name: str, end: str = "max") -> tuple[int, int]:
    """Parameters and MACs at one end of the space."""
    graph = graph_of(name)
    report = cost(graph, complete(graph, {}, end))  # type: ignore[arg-type]
    return report.params, report.macs


@dataclass
class Total:
    """Parameters and multiply-accumulates so far, and the height and width of the map."""

    side: int
    params: int = 0
    macs: int = 0

    def conv(self, inputs: int, out: int, kernel: int = 1, share: Fraction = Fraction(1), bias: bool = False) -> None:
        """`share` of the connections are there."""
        weights = inputs * out * kernel**2 * share
        assert weights.denominator == 1
        self.params += int(weights) + bias * out
        self.macs += int(weights) * self.side**2

    def norm(self, channels: int) -> None:
        self.params += 2 * channels

    def linear(self, inputs: int, out: int, bias: bool = True) -> None:
        self.params += inputs * out + bias * out
        self.macs += inputs * out

    @property
    def figures(self) -> tuple[int, int]:
        return self.params, self.macs


# --- Slicing: pre-activation bottlenecks -------------------------------------------------------------


def resnext(
    side: int, stem: int, widths: list[int], blocks: int, branch: int, branches: int, slices: int, classes: int
) -> Total:
    """`slices` 1: dense 1x1 convolutions; else those in are block-triangular and those out block-diagonal. A stage's
    bottlenecks are as many times wider as its features."""
    inward = Fraction(slices + 1, 2 * slices)
    total = Total(side // (2 if stem == 7 else 1))
    total.conv(3, widths[0], stem)
    total.side //= 2 if stem == 7 else 1
    before = widths[0]
    for stage, width in enumerate(widths):
        inner = branches * branch * width // widths[0]
        total.side //= 2 if stage else 1
        for _ in range(blocks):
            total.norm(width)
            total.conv(width, inner, share=inward)
            total.norm(inner)
            total.conv(inner, inner, 3, Fraction(1, branches))
            total.norm(inner)
            total.conv(inner, width, share=Fraction(1, slices))
        before = width
    total.norm(before)
    total.linear(before, classes)
    return total


CIFAR = (3, [64, 128, 256])
RESNEXTS: dict[str, Callable[[], Total]] = {
    "resnext65_inclusive": lambda: resnext(32, *CIFAR, 7, 4, 8, 1, 100),
    "resnext29_inclusive": lambda: resnext(32, *CIFAR, 3, 4, 8, 1, 10),
    "resnext29_shallow": lambda: resnext(32, *CIFAR, 3, 4, 8, 1, 10),
    "resnext47_inclusive_sparse": lambda: resnext(32, 3, [96, 192, 384], 5, 8, 6, 6, 100),
    "resnext47_hierarchical": lambda: resnext(32, 3, [96, 192, 384], 5, 8, 6, 6, 100),
    "resnext62_inclusive_sparse": lambda: resnext(224, 7, [160, 320, 640, 640], 5, 16, 5, 5, 1000),
    "resnext50_hierarchical_cub": lambda: resnext(224, 7, [192, 384, 768, 768], 4, 16, 6, 6, 200),
}


@pytest.mark.parametrize("name", RESNEXTS)
def test_resnexts_of_slices(name: str) -> None:
    assert found(name) == RESNEXTS[name]().figures


def test_i_resnext_is_as_large_as_the_paper_says() -> None:
    assert found("resnext65_inclusive")[1] == pytest.approx(1.2e8, rel=0.05)
    assert f"{found('resnext47_inclusive_sparse')[1]:.2e}" == "1.09e+08"


# --- Any width: triangular connections ---------------------------------------------------------------


def support(out: int, inputs: int, least: Fraction) -> int:
    """The non-zeros of a triangular connection, row by row (FACTS); `least` is the smallest share of the widths."""
    fewest = floor(out * least + Fraction(1, 2)), floor(inputs * least + Fraction(1, 2))
    rows = (fewest[1] if o < fewest[0] else max(1, floor(inputs * (o + 0.5) / out + 0.5)) for o in range(out))
    return sum(rows)


def test_mobilenet_of_any_width() -> None:
    widest = floor(1280 * 1.4142 + 0.5)
    least = Fraction(floor(0.35 * widest + 0.5), widest)
    total = Total(32)

    def mixed(inputs: int, out: int) -> None:
        total.conv(support(out, inputs, least), 1)
        total.norm(out)

    before = floor(32 * 1.4142 + 0.5)
    total.conv(3, before, 3)
    total.norm(before)
    for expand, width, blocks, stride in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        out = floor(width * 1.4142 + 0.5)
        for number in range(blocks):
            hidden = expand * before
            if expand > 1:
                mixed(before, hidden)
            total.side //= 1 if number else stride
            total.conv(1, hidden, 3)
            total.norm(hidden)
            mixed(hidden, out)
            before = out
    mixed(before, widest)
    total.linear(widest, 10)
    assert found("mobilenet_v2_awn") == total.figures


def test_lenet_of_any_width_and_slimmable() -> None:
    triangle = support(45, 45, Fraction(1, 4))
    for name, colours, sides, width, inner in (
        ("lenet3c1l_awn", 1, (26, 24, 8, 4), 45, triangle),
        ("lenet3c1l_slimmable", 1, (26, 24, 8, 4), 32, 32 * 32),
        ("lenet3c1l_us", 1, (26, 24, 8, 4), 32, 32 * 32),
        ("lenet3c1l_cifar_awn", 3, (30, 28, 10, 5), 45, triangle),
        ("lenet3c1l_cifar_slimmable", 3, (30, 28, 10, 5), 32, 32 * 32),
        ("lenet3c1l_cifar_us", 3, (30, 28, 10, 5), 32, 32 * 32),
    ):
        total = Total(sides[0])
        total.conv(colours, width, 3, bias=True)
        for side, kernel in zip(sides[1:], (3, 5)):
            total.side = side
            total.conv(inner, 1, kernel)
            total.params += width
        total.params += 3 * 2 * width
        total.linear(sides[3] ** 2 * width, 10)
        assert found(name) == total.figures


def mobilenet_v2(share: Fraction) -> tuple[int, int]:
    """MobileNetV2 on images of 32x32 with a stem that keeps their size, every width the nearest to its share."""
    total = Total(32)

    def scaled(width: int) -> int:
        return floor(width * share + Fraction(1, 2))

    before = 32
    total.conv(3, scaled(before), 3)
    total.norm(scaled(before))
    for expand, width, blocks, stride in (
        *((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2)),
        *((6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)),
    ):
        for number in range(blocks):
            hidden = scaled(expand * before)
            if expand > 1:
                total.conv(scaled(before), hidden)
                total.norm(hidden)
            total.side //= 1 if number else stride
            total.conv(1, hidden, 3)
            total.norm(hidden)
            total.conv(hidden, scaled(width))
            total.norm(scaled(width))
            before = width
    total.conv(scaled(320), scaled(1280))
    total.norm(scaled(1280))
    total.linear(scaled(1280), 10)
    return total.figures


def test_mobilenets_that_any_width_networks_are_compared_with() -> None:
    for name in ("mobilenet_v2_cifar_slimmable", "mobilenet_v2_cifar_us"):
        assert found(name) == mobilenet_v2(Fraction(1))
    assert found("mobilenet_v2_cifar_slimmable", "min") == mobilenet_v2(Fraction(35, 100))
    # `width any` is a number of channels of the widest group, here of 1280
    assert found("mobilenet_v2_cifar_us", "min") == mobilenet_v2(Fraction(448, 1280))


def test_resnet_34_of_tips_on_cifar_100() -> None:
    """ResNet-34 on images of 32x32 whose stem halves them once: under the 260 M MACs of Table 2's largest budget
    lie all its smaller sub-networks."""
    total = Total(16)
    total.conv(3, 64, 7)
    total.norm(64)
    before = 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for number in range(blocks):
            if number == 0 and width != before:
                total.side //= 2
                total.conv(before, width)
                total.norm(width)
            total.conv(before, width, 3)
            total.conv(width, width, 3)
            total.norm(width)
            total.norm(width)
            before = width
    total.linear(512, 100)
    assert found("resnet34_cifar100_tips") == total.figures
    assert 260e6 < total.macs < 300e6


# --- Once-for-all: kernels, expansions, depths -------------------------------------------------------


def mobilenet_v3(side: int, kernel: int, expand: int, depth: int) -> tuple[int, int]:
    """The uniform sub-networks of once-for-all's MobileNetV3."""
    total = Total(side // 2)

    def block(inputs: int, out: int, kernel: int, expand: int, stride: int, excite: bool) -> None:
        hidden = inputs * expand
        if expand != 1:
            total.conv(inputs, hidden)
            total.norm(hidden)
        total.side //= stride
        total.conv(1, hidden, kernel)
        total.norm(hidden)
        if excite:
            squeeze = max(8, (hidden // 4 + 4) // 8 * 8)
            squeeze += 8 if squeeze < 0.9 * (hidden // 4) else 0
            total.linear(hidden, squeeze)
            total.linear(squeeze, hidden)
        total.conv(hidden, out)
        total.norm(out)

    total.conv(3, 16, 3)
    total.norm(16)
    block(16, 16, 3, 1, 1, False)
    before = 16
    for out, stride, excite in ((24, 2, False), (40, 2, True), (80, 2, False), (112, 1, True), (160, 2, True)):
        for round_ in range(depth):
            block(before if round_ == 0 else out, out, kernel, expand, stride if round_ == 0 else 1, excite)
        before = out
    total.conv(160, 960)
    total.norm(960)
    total.linear(960, 1280, bias=False)
    total.linear(1280, 1000)
    return total.figures


def test_mobilenet_v3_ofa_is_once_for_alls_space() -> None:
    assert found("mobilenet_v3_ofa", "max") == mobilenet_v3(224, kernel=7, expand=6, depth=4)
    assert found("mobilenet_v3_ofa", "min") == mobilenet_v3(128, kernel=3, expand=3, depth=2)
    architectures = (9**2 + 9**3 + 9**4) ** 5
    assert f"{architectures:.1e}" == "2.2e+19"
    assert size(graph_of("mobilenet_v3_ofa")) == architectures * 25


def test_mobilenet_v2_ofa_trains_every_depth_and_expansion() -> None:
    """Every stage has from one block up to MobileNetV2's, each with one of three expansions; s7 has one block."""
    per_stage = [sum(3**depth for depth in range(1, blocks + 1)) for blocks in (2, 3, 4, 3, 3, 1)]
    assert size(graph_of("mobilenet_v2_ofa")) == prod(per_stage)
    assert found("mobilenet_v2_ofa", "min")[1] < 260e6  # the smallest budget that TIPS compares at
