"""MobilenetV2Mutualnet, an elastic network, written by specc from mobilenet_v2_mutualnet.specc:6.

    net = Model()
    plan = net.plan({"width": 0.7})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 224, 224]

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
from elastic.layers.sizes import divisible
from elastic.net.network import ElasticNet, resize
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    conv: ConvCut | None
    norm: NormCut


class Stem(nn.Module):
    """stem, mobilenet_v2_mutualnet.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(3, 32, 3, stride=2, padding=1, bias=False)
        self.norm = ElasticBatchNorm2d(32)

    def plan(self, out: int) -> StemPlan:
        return StemPlan(
            conv=self.conv.cut(3, out),
            norm=self.norm.cut(out),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 112, 112]
        return F.relu6(self.norm(x, p.norm), inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class InvertedResidualExpand1Plan:
    depthwise: ConvCut | None
    norm1: NormCut
    conv: ConvCut | None
    norm2: NormCut


class InvertedResidualExpand1(nn.Module):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(self, in_: int) -> None:
        super().__init__()
        self.depthwise = ElasticConv2d(in_, in_, 3, padding=1, groups=in_, bias=False)
        self.norm1 = ElasticBatchNorm2d(in_)
        self.conv = ElasticConv2d(in_, 16, 1, bias=False)
        self.norm2 = ElasticBatchNorm2d(16)

    def plan(self, in_: int) -> InvertedResidualExpand1Plan:
        return InvertedResidualExpand1Plan(
            depthwise=self.depthwise.cut(in_, in_),
            norm1=self.norm1.cut(in_),
            conv=self.conv.cut(in_, 16),
            norm2=self.norm2.cut(16),
        )

    def forward(self, x: Tensor, p: InvertedResidualExpand1Plan) -> Tensor:
        x = self.depthwise(x, p.depthwise)
        x = F.relu6(self.norm1(x, p.norm1), inplace=True)
        x = self.conv(x, p.conv)
        return self.norm2(x, p.norm2)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    b1: InvertedResidualExpand1Plan


class S1(nn.Module):
    """stage s1, mobilenet_v2_mutualnet.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualExpand1(32)

    def plan(self, in_: int) -> S1Plan:
        return S1Plan(
            b1=self.b1.plan(in_),
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        return self.b1(x, p.b1)


@dataclass(frozen=True, slots=True, eq=False)
class InvertedResidualPlan:
    conv1: ConvCut | None
    norm1: NormCut
    depthwise: ConvCut | None
    norm2: NormCut
    conv2: ConvCut | None
    norm3: NormCut


class InvertedResidualPlain(nn.Module):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(self, in_: int, hidden: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(in_, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = ElasticConv2d(
            hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, out, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(out)

    def plan(self, in_: int, hidden: int, out: int) -> InvertedResidualPlan:
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
        x = self.depthwise(x, p.depthwise)
        x = F.relu6(self.norm2(x, p.norm2), inplace=True)
        x = self.conv2(x, p.conv2)
        return self.norm3(x, p.norm3)


class InvertedResidual(nn.Module):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = 6 * channels
        self.conv1 = ElasticConv2d(channels, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = ElasticConv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, channels, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(channels)

    def plan(self, channels: int) -> InvertedResidualPlan:
        hidden = 6 * channels
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
class S2Plan:
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan


class S2(nn.Module):
    """stage s2, mobilenet_v2_mutualnet.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(16, 96, 24, stride=2)
        self.b2 = InvertedResidual(24)

    def plan(self, out: int) -> S2Plan:
        return S2Plan(
            b1=self.b1.plan(16, 96, out),
            b2=self.b2.plan(out),
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 24, 56, 56]
        return self.b2(x, p.b2)


@dataclass(frozen=True, slots=True, eq=False)
class S3Plan:
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan
    b3: InvertedResidualPlan


class S3(nn.Module):
    """stage s3, mobilenet_v2_mutualnet.specc:13."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(24, 144, 32, stride=2)
        self.b2 = InvertedResidual(32)
        self.b3 = InvertedResidual(32)

    def plan(self, in_: int, out: int) -> S3Plan:
        return S3Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out),
            b3=self.b3.plan(out),
        )

    def forward(self, x: Tensor, p: S3Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 32, 28, 28]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class S4Plan:
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan
    b3: InvertedResidualPlan
    b4: InvertedResidualPlan


class S4(nn.Module):
    """stage s4, mobilenet_v2_mutualnet.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(32, 192, 64, stride=2)
        self.b2 = InvertedResidual(64)
        self.b3 = InvertedResidual(64)
        self.b4 = InvertedResidual(64)

    def plan(self, in_: int, out: int) -> S4Plan:
        return S4Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out),
            b3=self.b3.plan(out),
            b4=self.b4.plan(out),
        )

    def forward(self, x: Tensor, p: S4Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 64, 14, 14]
        x = self.b2(x, p.b2)
        x = self.b3(x, p.b3)
        return self.b4(x, p.b4)


@dataclass(frozen=True, slots=True, eq=False)
class S5Plan:
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan
    b3: InvertedResidualPlan


class S5(nn.Module):
    """stage s5, mobilenet_v2_mutualnet.specc:15."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(64, 384, 96, stride=1)
        self.b2 = InvertedResidual(96)
        self.b3 = InvertedResidual(96)

    def plan(self, in_: int, out: int) -> S5Plan:
        return S5Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out),
            b3=self.b3.plan(out),
        )

    def forward(self, x: Tensor, p: S5Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 96, 14, 14]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class S6Plan:
    b1: InvertedResidualPlan
    b2: InvertedResidualPlan
    b3: InvertedResidualPlan


class S6(nn.Module):
    """stage s6, mobilenet_v2_mutualnet.specc:16."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(96, 576, 160, stride=2)
        self.b2 = InvertedResidual(160)
        self.b3 = InvertedResidual(160)

    def plan(self, in_: int, out: int) -> S6Plan:
        return S6Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out),
            b3=self.b3.plan(out),
        )

    def forward(self, x: Tensor, p: S6Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 160, 7, 7]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class S7Plan:
    b1: InvertedResidualPlan


class S7(nn.Module):
    """stage s7, mobilenet_v2_mutualnet.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(160, 960, 320, stride=1)

    def plan(self, in_: int, out: int) -> S7Plan:
        return S7Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
        )

    def forward(self, x: Tensor, p: S7Plan) -> Tensor:
        return self.b1(x, p.b1)


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    conv: ConvCut | None
    norm: NormCut


class Head(nn.Module):
    """head, mobilenet_v2_mutualnet.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(320, 1280, 1, bias=False)
        self.norm = ElasticBatchNorm2d(1280)
        self.linear = nn.Linear(1280, 1000)

    def plan(self, in_: int) -> HeadPlan:
        return HeadPlan(
            conv=self.conv.cut(in_, 1280),
            norm=self.norm.cut(1280),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 1280, 7, 7]
        x = F.relu6(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, 1280]
        return self.linear(x)


@dataclass(frozen=True, slots=True, eq=False)
class MobilenetV2MutualnetPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    s4: S4Plan
    s5: S5Plan
    s6: S6Plan
    s7: S7Plan
    head: HeadPlan


class MobilenetV2Mutualnet(ElasticNet):
    """The network, mobilenet_v2_mutualnet.specc:6."""

    _plan: MobilenetV2MutualnetPlan

    fingerprint = "9cff80af7623ff38"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.s3 = S3()
        self.s4 = S4()
        self.s5 = S5()
        self.s6 = S6()
        self.s7 = S7()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> MobilenetV2MutualnetPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        width = a["width"]
        c32 = divisible(32 * width, 8)
        c24 = divisible(24 * width, 8)
        c64 = divisible(64 * width, 8)
        c96 = divisible(96 * width, 8)
        c160 = divisible(160 * width, 8)
        c320 = divisible(320 * width, 8)
        return MobilenetV2MutualnetPlan(
            chosen=tuple(chosen.items()),
            resolution=a["resolution"],
            outputs=known_outputs(outputs, ("head", "s1", "s2", "s3", "s4", "s5", "s6", "s7")),
            stem=self.stem.plan(c32),
            s1=self.s1.plan(c32),
            s2=self.s2.plan(c24),
            s3=self.s3.plan(c24, c32),
            s4=self.s4.plan(c32, c64),
            s5=self.s5.plan(c64, c96),
            s6=self.s6.plan(c96, c160),
            s7=self.s7.plan(c160, c320),
            head=self.head.plan(c320),
        )

    def forward(
        self, x: Tensor, plan: MobilenetV2MutualnetPlan | None = None
    ) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        if p.resolution is not None:
            x = resize(x, p.resolution)
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 32, 112, 112]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 16, 112, 112]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 24, 56, 56]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 32, 28, 28]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 64, 14, 14]
        outputs["s5"] = x = self.s5(x, p.s5)  # [N, 96, 14, 14]
        outputs["s6"] = x = self.s6(x, p.s6)  # [N, 160, 7, 7]
        outputs["s7"] = x = self.s7(x, p.s7)  # [N, 320, 7, 7]
        outputs["head"] = x = self.head(x, p.head)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = MobilenetV2Mutualnet
