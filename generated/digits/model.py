"""Digits, an elastic network, written by specc from digits.specc:4.

    net = Model()
    plan = net.plan({"width": 0.2})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 1, 8, 8]

A plan says which channels, layers and norm banks a sub-network uses. Shapes in comments are those
of the largest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import ElasticBatchNorm2d, NormCut
from elastic.layers.conv import ConvCut, ElasticConv2d
from elastic.layers.linear import ElasticLinear, LinearCut
from elastic.layers.sizes import divisible
from elastic.net.network import ElasticNet
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    conv: ConvCut | None
    norm: NormCut


class Stem(nn.Module):
    """stem, digits.specc:9."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(1, 32, 3, padding=1, bias=False)
        self.norm = ElasticBatchNorm2d(32)

    def plan(self, out: int) -> StemPlan:
        return StemPlan(
            conv=self.conv.cut(1, out),
            norm=self.norm.cut(out),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 8, 8]
        return F.relu6(self.norm(x, p.norm), inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class InvertedResidualPlan:
    conv1: ConvCut | None
    norm1: NormCut
    depthwise: ConvCut | None
    norm2: NormCut
    conv2: ConvCut | None
    norm3: NormCut


class InvertedResidual(nn.Module):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = 3 * channels
        self.conv1 = ElasticConv2d(channels, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = ElasticConv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, channels, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(channels)

    def plan(self, channels: int) -> InvertedResidualPlan:
        hidden = 3 * channels
        return InvertedResidualPlan(
            conv1=self.conv1.cut(channels, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, channels),
            norm3=self.norm3.cut(channels),
        )

    def forward(self, x: Tensor, p: InvertedResidualPlan) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.relu6(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)
        y = F.relu6(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)  # [N, channels, H, W]
        return x + self.norm3(y, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    depth: int
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan | None
    b3: InvertedResidualPlan | None


class S1(nn.Module):
    """stage s1, digits.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidual(32)
        self.b2 = InvertedResidual(32)
        self.b3 = InvertedResidual(32)

    def plan(self, channels: int, depth: int) -> S1Plan:
        return S1Plan(
            depth=depth,
            b1=self.b1.plan(channels),
            b2=self.b2.plan(channels) if depth >= 1 else None,
            b3=self.b3.plan(channels) if depth >= 2 else None,
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.b1(x, p.b1)
        if p.depth >= 1:
            x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        return x


class InvertedResidualStride2(nn.Module):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(self, in_: int, out: int) -> None:
        super().__init__()
        hidden = 3 * in_
        self.conv1 = ElasticConv2d(in_, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = ElasticConv2d(
            hidden, hidden, 3, stride=2, padding=1, groups=hidden, bias=False
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, out, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(out)

    def plan(self, in_: int, out: int) -> InvertedResidualPlan:
        hidden = 3 * in_
        return InvertedResidualPlan(
            conv1=self.conv1.cut(in_, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, out),
            norm3=self.norm3.cut(out),
        )

    def forward(self, x: Tensor, p: InvertedResidualPlan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        x = F.relu6(self.norm1(x, p.norm1), inplace=True)
        x = self.depthwise(x, p.depthwise)  # [N, hidden, H/2, W/2]
        x = F.relu6(self.norm2(x, p.norm2), inplace=True)
        x = self.conv2(x, p.conv2)  # [N, out, H/2, W/2]
        return self.norm3(x, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S2Plan:
    depth: int
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan | None
    b3: InvertedResidualPlan | None


class S2(nn.Module):
    """stage s2, digits.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualStride2(32, 64)
        self.b2 = InvertedResidual(64)
        self.b3 = InvertedResidual(64)

    def plan(self, in_: int, out: int, depth: int) -> S2Plan:
        return S2Plan(
            depth=depth,
            b1=self.b1.plan(in_, out),
            b2=self.b2.plan(out) if depth >= 1 else None,
            b3=self.b3.plan(out) if depth >= 2 else None,
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 64, 4, 4]
        if p.depth >= 1:
            x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    conv: ConvCut | None
    norm: NormCut
    linear: LinearCut | None


class Head(nn.Module):
    """head, digits.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(64, 128, 1, bias=False)
        self.norm = ElasticBatchNorm2d(128)
        self.linear = ElasticLinear(128, 10)

    def plan(self, in_: int, hidden: int) -> HeadPlan:
        return HeadPlan(
            conv=self.conv.cut(in_, hidden),
            norm=self.norm.cut(hidden),
            linear=self.linear.cut(hidden, 10),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 128, 4, 4]
        x = F.relu6(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, 128]
        return self.linear(x, p.linear)


@dataclass(frozen=True, slots=True, eq=False)
class DigitsPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    head: HeadPlan


class Digits(ElasticNet):
    """The network, digits.specc:4."""

    _plan: DigitsPlan

    fingerprint = "b9d906d29a57f7a7"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> DigitsPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        width = a["width"]
        c32 = divisible(32 * width, 2)
        c64 = divisible(64 * width, 2)
        c128 = divisible(128 * width, 2)
        return DigitsPlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=known_outputs(outputs, ("head", "s1", "s2")),
            stem=self.stem.plan(c32),
            s1=self.s1.plan(c32, depth=a["s1.depth"]),
            s2=self.s2.plan(c32, c64, depth=a["s2.depth"]),
            head=self.head.plan(c64, c128),
        )

    def forward(self, x: Tensor, plan: DigitsPlan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 32, 8, 8]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 64, 4, 4]
        outputs["head"] = x = self.head(x, p.head)  # [N, 10]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Digits
