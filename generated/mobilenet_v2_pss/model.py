"""MobilenetV2Pss, an elastic network, written by specc from mobilenet_v2_pss.specc:7.

    net = Model()
    plan = net.plan({"resolution": 128})  # what is left out stays at its largest
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
from elastic.net.network import ElasticNet, resize
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    conv: ConvCut | None
    norm: NormCut


class Stem(nn.Module):
    """stem, mobilenet_v2_pss.specc:12."""

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
    """stage s1, mobilenet_v2_pss.specc:13."""

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

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(channels, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = ElasticConv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, channels, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(channels)

    def plan(self, channels: int, hidden: int) -> InvertedResidualPlan:
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
    """stage s2, mobilenet_v2_pss.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(16, 96, 24, stride=2)
        self.b2 = InvertedResidual(24, 144)

    def plan(self) -> S2Plan:
        return S2Plan(
            b1=self.b1.plan(16, 96, 24),
            b2=self.b2.plan(24, 144),
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
    """stage s3, mobilenet_v2_pss.specc:15."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(24, 144, 32, stride=2)
        self.b2 = InvertedResidual(32, 192)
        self.b3 = InvertedResidual(32, 192)

    def plan(self, out: int) -> S3Plan:
        b2_hidden = 6 * out
        return S3Plan(
            b1=self.b1.plan(24, 144, out),
            b2=self.b2.plan(out, b2_hidden),
            b3=self.b3.plan(out, b2_hidden),
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
    """stage s4, mobilenet_v2_pss.specc:16."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(32, 192, 64, stride=2)
        self.b2 = InvertedResidual(64, 384)
        self.b3 = InvertedResidual(64, 384)
        self.b4 = InvertedResidual(64, 384)

    def plan(self, in_: int, out: int) -> S4Plan:
        b2_hidden = 6 * out
        return S4Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out, b2_hidden),
            b3=self.b3.plan(out, b2_hidden),
            b4=self.b4.plan(out, b2_hidden),
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
    """stage s5, mobilenet_v2_pss.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(64, 384, 96, stride=1)
        self.b2 = InvertedResidual(96, 576)
        self.b3 = InvertedResidual(96, 576)

    def plan(self, in_: int, out: int) -> S5Plan:
        b2_hidden = 6 * out
        return S5Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out, b2_hidden),
            b3=self.b3.plan(out, b2_hidden),
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
    """stage s6, mobilenet_v2_pss.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InvertedResidualPlain(96, 576, 160, stride=2)
        self.b2 = InvertedResidual(160, 960)
        self.b3 = InvertedResidual(160, 960)

    def plan(self, in_: int, out: int) -> S6Plan:
        b2_hidden = 6 * out
        return S6Plan(
            b1=self.b1.plan(in_, 6 * in_, out),
            b2=self.b2.plan(out, b2_hidden),
            b3=self.b3.plan(out, b2_hidden),
        )

    def forward(self, x: Tensor, p: S6Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 160, 7, 7]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class S7Plan:
    b1: InvertedResidualPlan


class S7(nn.Module):
    """stage s7, mobilenet_v2_pss.specc:19."""

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
    """head, mobilenet_v2_pss.specc:20."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(320, 1280, 1, bias=False)
        self.norm = ElasticBatchNorm2d(1280)
        self.dropout = nn.Dropout(0.2)
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
        x = self.dropout(x)
        return self.linear(x)


@dataclass(frozen=True, slots=True, eq=False)
class MobilenetV2PssPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    s4: S4Plan
    s5: S5Plan
    s6: S6Plan
    s7: S7Plan
    head: HeadPlan


class MobilenetV2Pss(ElasticNet):
    """The network, mobilenet_v2_pss.specc:7."""

    _plan: MobilenetV2PssPlan

    fingerprint = "c4a98a20d469b50a"  # of the network: checkpoints carry it

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
    ) -> MobilenetV2PssPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        return MobilenetV2PssPlan(
            chosen=tuple(chosen.items()),
            resolution=a["resolution"],
            outputs=known_outputs(outputs, ("head", "s1", "s2", "s3", "s4", "s5", "s6", "s7")),
            stem=self.stem.plan(a["stem.conv.width"]),
            s1=self.s1.plan(a["stem.conv.width"]),
            s2=self.s2.plan(),
            s3=self.s3.plan(a["s3.b1.conv2.width"]),
            s4=self.s4.plan(a["s3.b1.conv2.width"], a["s4.b1.conv2.width"]),
            s5=self.s5.plan(a["s4.b1.conv2.width"], a["s5.b1.conv2.width"]),
            s6=self.s6.plan(a["s5.b1.conv2.width"], a["s6.b1.conv2.width"]),
            s7=self.s7.plan(a["s6.b1.conv2.width"], a["s7.b1.conv2.width"]),
            head=self.head.plan(a["s7.b1.conv2.width"]),
        )

    def forward(
        self, x: Tensor, plan: MobilenetV2PssPlan | None = None
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


Model = MobilenetV2Pss
