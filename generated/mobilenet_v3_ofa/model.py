"""MobilenetV3Ofa, an elastic network, written by specc from mobilenet_v3_ofa.specc:6.

    net = Model()
    plan = net.plan({"resolution": 128})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 224, 224]

A plan says which channels, layers and norm banks a sub-network uses. Shapes in comments are those
of the largest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import ElasticBatchNorm2d, NormCut
from elastic.layers.conv import ConvCut, ElasticConv2d
from elastic.layers.linear import ElasticLinear, LinearCut
from elastic.layers.sizes import divisible
from elastic.layers.transformed import TransformedConv2d, TransformedConvCut
from elastic.net.network import ElasticNet, resize
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class MbV3Out16Plan:
    norm1: NormCut
    norm2: NormCut


class MbV3Out16(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.norm1 = ElasticBatchNorm2d(16)
        self.conv = nn.Conv2d(16, 16, 1, bias=False)
        self.norm2 = ElasticBatchNorm2d(16)

    def plan(self) -> MbV3Out16Plan:
        return MbV3Out16Plan(
            norm1=self.norm1.cut(16),
            norm2=self.norm2.cut(16),
        )

    def forward(self, x: Tensor, p: MbV3Out16Plan) -> Tensor:
        y = self.depthwise(x)
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.conv(y)
        return x + self.norm2(y, p.norm2)


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    norm: NormCut
    b1: MbV3Out16Plan


class Stem(nn.Module):
    """stem, mobilenet_v3_ofa.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = ElasticBatchNorm2d(16)
        self.b1 = MbV3Out16()

    def plan(self) -> StemPlan:
        return StemPlan(
            norm=self.norm.cut(16),
            b1=self.b1.plan(),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        x = self.conv(x)  # [N, 16, 112, 112]
        x = F.hardswish(self.norm(x, p.norm))
        return self.b1(x, p.b1)


@dataclass(frozen=True, slots=True, eq=False)
class MbV3Plan:
    conv1: ConvCut | None
    norm1: NormCut
    depthwise: TransformedConvCut | None
    norm2: NormCut
    conv2: ConvCut | None
    norm3: NormCut


class MbV3Plain(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(16, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, stride=2, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, 24, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(24)

    def plan(self, hidden: int, kernel: int) -> MbV3Plan:
        return MbV3Plan(
            conv1=self.conv1.cut(16, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, 24),
            norm3=self.norm3.cut(24),
        )

    def forward(self, x: Tensor, p: MbV3Plan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        x = F.relu(self.norm1(x, p.norm1), inplace=True)
        x = self.depthwise(x, p.depthwise)  # [N, hidden, H/2, W/2]
        x = F.relu(self.norm2(x, p.norm2), inplace=True)
        x = self.conv2(x, p.conv2)
        return self.norm3(x, p.norm3)


class MbV3(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(24, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, 24, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(24)

    def plan(self, hidden: int, kernel: int) -> MbV3Plan:
        return MbV3Plan(
            conv1=self.conv1.cut(24, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, 24),
            norm3=self.norm3.cut(24),
        )

    def forward(self, x: Tensor, p: MbV3Plan) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        return x + self.norm3(y, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    depth: int
    b1: MbV3Plan
    b2: MbV3Plan
    b3: MbV3Plan | None
    b4: MbV3Plan | None


class S1(nn.Module):
    """stage s1, mobilenet_v3_ofa.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = MbV3Plain(96)
        self.b2 = MbV3(144)
        self.b3 = MbV3(144)
        self.b4 = MbV3(144)

    def plan(
        self,
        b1_hidden: int,
        b2_hidden: int,
        b3_hidden: int,
        b4_hidden: int,
        depth: int,
        b1_kernel: int,
        b2_kernel: int,
        b3_kernel: int,
        b4_kernel: int,
    ) -> S1Plan:
        return S1Plan(
            depth=depth,
            b1=self.b1.plan(b1_hidden, kernel=b1_kernel),
            b2=self.b2.plan(b2_hidden, kernel=b2_kernel),
            b3=self.b3.plan(b3_hidden, kernel=b3_kernel) if depth >= 2 else None,
            b4=self.b4.plan(b4_hidden, kernel=b4_kernel) if depth >= 3 else None,
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 24, 56, 56]
        x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        if p.depth >= 3:
            x = self.b4(x, p.b4)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class ExcitationPlan:
    linear1: LinearCut | None
    linear2: LinearCut | None


class Excitation(nn.Module):
    """excitation, std/squeeze_excite.specc:9."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.linear1 = ElasticLinear(channels, hidden)
        self.linear2 = ElasticLinear(hidden, channels)

    def plan(self, channels: int, hidden: int) -> ExcitationPlan:
        return ExcitationPlan(
            linear1=self.linear1.cut(channels, hidden),
            linear2=self.linear2.cut(hidden, channels),
        )

    def forward(self, x: Tensor, p: ExcitationPlan) -> Tensor:
        x = x.mean((2, 3))  # [N, channels]
        x = F.relu(self.linear1(x, p.linear1), inplace=True)  # [N, hidden]
        return F.hardsigmoid(self.linear2(x, p.linear2))


@dataclass(frozen=True, slots=True, eq=False)
class SqueezeExcitePlan:
    excitation: ExcitationPlan


class SqueezeExcite(nn.Module):
    """squeeze_excite, std/squeeze_excite.specc:4."""

    def __init__(self, channels: int, excitation_hidden: int) -> None:
        super().__init__()
        self.excitation = Excitation(channels, excitation_hidden)

    def plan(self, channels: int, excitation_hidden: int) -> SqueezeExcitePlan:
        return SqueezeExcitePlan(
            excitation=self.excitation.plan(channels, excitation_hidden),
        )

    def forward(self, x: Tensor, p: SqueezeExcitePlan) -> Tensor:
        y = self.excitation(x, p.excitation)  # [N, channels]
        return x * y[:, :, None, None]


@dataclass(frozen=True, slots=True, eq=False)
class MbV3_2Plan:
    conv1: ConvCut | None
    norm1: NormCut
    depthwise: TransformedConvCut | None
    norm2: NormCut
    squeeze_excite: SqueezeExcitePlan
    conv2: ConvCut | None
    norm3: NormCut


class MbV3Plain2(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int, out: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(24, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, stride=2, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.squeeze_excite = SqueezeExcite(hidden, out)
        self.conv2 = ElasticConv2d(hidden, 40, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(40)

    def plan(self, hidden: int, out: int, kernel: int) -> MbV3_2Plan:
        return MbV3_2Plan(
            conv1=self.conv1.cut(24, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            squeeze_excite=self.squeeze_excite.plan(hidden, out),
            conv2=self.conv2.cut(hidden, 40),
            norm3=self.norm3.cut(40),
        )

    def forward(self, x: Tensor, p: MbV3_2Plan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        x = F.relu(self.norm1(x, p.norm1), inplace=True)
        x = self.depthwise(x, p.depthwise)  # [N, hidden, H/2, W/2]
        x = F.relu(self.norm2(x, p.norm2), inplace=True)
        x = self.squeeze_excite(x, p.squeeze_excite)
        x = self.conv2(x, p.conv2)
        return self.norm3(x, p.norm3)


class MbV3_2(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int, squeeze_excite_excitation_hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(40, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.squeeze_excite = SqueezeExcite(hidden, squeeze_excite_excitation_hidden)
        self.conv2 = ElasticConv2d(hidden, 40, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(40)

    def plan(self, hidden: int, squeeze_excite_excitation_hidden: int, kernel: int) -> MbV3_2Plan:
        return MbV3_2Plan(
            conv1=self.conv1.cut(40, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            squeeze_excite=self.squeeze_excite.plan(hidden, squeeze_excite_excitation_hidden),
            conv2=self.conv2.cut(hidden, 40),
            norm3=self.norm3.cut(40),
        )

    def forward(self, x: Tensor, p: MbV3_2Plan) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.squeeze_excite(y, p.squeeze_excite)
        y = self.conv2(y, p.conv2)
        return x + self.norm3(y, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S2Plan:
    depth: int
    b1: MbV3_2Plan
    b2: MbV3_2Plan
    b3: MbV3_2Plan | None
    b4: MbV3_2Plan | None


class S2(nn.Module):
    """stage s2, mobilenet_v3_ofa.specc:22."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = MbV3Plain2(144, 40)
        self.b2 = MbV3_2(240, 64)
        self.b3 = MbV3_2(240, 64)
        self.b4 = MbV3_2(240, 64)

    def plan(
        self,
        b1_hidden: int,
        b1_out: int,
        b2_hidden: int,
        b2_squeeze_excite_excitation_hidden: int,
        b3_hidden: int,
        b3_squeeze_excite_excitation_hidden: int,
        b4_hidden: int,
        b4_squeeze_excite_excitation_hidden: int,
        depth: int,
        b1_kernel: int,
        b2_kernel: int,
        b3_kernel: int,
        b4_kernel: int,
    ) -> S2Plan:
        return S2Plan(
            depth=depth,
            b1=self.b1.plan(b1_hidden, b1_out, kernel=b1_kernel),
            b2=self.b2.plan(b2_hidden, b2_squeeze_excite_excitation_hidden, kernel=b2_kernel),
            b3=self.b3.plan(b3_hidden, b3_squeeze_excite_excitation_hidden, kernel=b3_kernel)
            if depth >= 2
            else None,
            b4=self.b4.plan(b4_hidden, b4_squeeze_excite_excitation_hidden, kernel=b4_kernel)
            if depth >= 3
            else None,
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 40, 28, 28]
        x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        if p.depth >= 3:
            x = self.b4(x, p.b4)
        return x


class MbV3Plain3(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(40, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, stride=2, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, 80, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(80)

    def plan(self, hidden: int, kernel: int) -> MbV3Plan:
        return MbV3Plan(
            conv1=self.conv1.cut(40, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, 80),
            norm3=self.norm3.cut(80),
        )

    def forward(self, x: Tensor, p: MbV3Plan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        x = F.hardswish(self.norm1(x, p.norm1))
        x = self.depthwise(x, p.depthwise)  # [N, hidden, H/2, W/2]
        x = F.hardswish(self.norm2(x, p.norm2))
        x = self.conv2(x, p.conv2)
        return self.norm3(x, p.norm3)


class MbV3_3(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(80, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, 80, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(80)

    def plan(self, hidden: int, kernel: int) -> MbV3Plan:
        return MbV3Plan(
            conv1=self.conv1.cut(80, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, 80),
            norm3=self.norm3.cut(80),
        )

    def forward(self, x: Tensor, p: MbV3Plan) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.hardswish(self.norm1(y, p.norm1))
        y = self.depthwise(y, p.depthwise)
        y = F.hardswish(self.norm2(y, p.norm2))
        y = self.conv2(y, p.conv2)
        return x + self.norm3(y, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S3Plan:
    depth: int
    b1: MbV3Plan
    b2: MbV3Plan
    b3: MbV3Plan | None
    b4: MbV3Plan | None


class S3(nn.Module):
    """stage s3, mobilenet_v3_ofa.specc:26."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = MbV3Plain3(240)
        self.b2 = MbV3_3(480)
        self.b3 = MbV3_3(480)
        self.b4 = MbV3_3(480)

    def plan(
        self,
        b1_hidden: int,
        b2_hidden: int,
        b3_hidden: int,
        b4_hidden: int,
        depth: int,
        b1_kernel: int,
        b2_kernel: int,
        b3_kernel: int,
        b4_kernel: int,
    ) -> S3Plan:
        return S3Plan(
            depth=depth,
            b1=self.b1.plan(b1_hidden, kernel=b1_kernel),
            b2=self.b2.plan(b2_hidden, kernel=b2_kernel),
            b3=self.b3.plan(b3_hidden, kernel=b3_kernel) if depth >= 2 else None,
            b4=self.b4.plan(b4_hidden, kernel=b4_kernel) if depth >= 3 else None,
        )

    def forward(self, x: Tensor, p: S3Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 80, 14, 14]
        x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        if p.depth >= 3:
            x = self.b4(x, p.b4)
        return x


class MbV3Plain4(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(
        self, in_: int, hidden: int, squeeze_excite_excitation_hidden: int, out: int, stride: int
    ) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(in_, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden,
            hidden,
            7,
            stride=stride,
            padding=3,
            groups=hidden,
            bias=False,
            transforms=(3, 5),
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.squeeze_excite = SqueezeExcite(hidden, squeeze_excite_excitation_hidden)
        self.conv2 = ElasticConv2d(hidden, out, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(out)

    def plan(
        self, in_: int, hidden: int, squeeze_excite_excitation_hidden: int, out: int, kernel: int
    ) -> MbV3_2Plan:
        return MbV3_2Plan(
            conv1=self.conv1.cut(in_, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            squeeze_excite=self.squeeze_excite.plan(hidden, squeeze_excite_excitation_hidden),
            conv2=self.conv2.cut(hidden, out),
            norm3=self.norm3.cut(out),
        )

    def forward(self, x: Tensor, p: MbV3_2Plan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        x = F.hardswish(self.norm1(x, p.norm1))
        x = self.depthwise(x, p.depthwise)
        x = F.hardswish(self.norm2(x, p.norm2))
        x = self.squeeze_excite(x, p.squeeze_excite)
        x = self.conv2(x, p.conv2)
        return self.norm3(x, p.norm3)


class MbV3_4(nn.Module):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(self, channels: int, hidden: int, squeeze_excite_excitation_hidden: int) -> None:
        super().__init__()
        self.conv1 = ElasticConv2d(channels, hidden, 1, bias=False)
        self.norm1 = ElasticBatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, 7, padding=3, groups=hidden, bias=False, transforms=(3, 5)
        )
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.squeeze_excite = SqueezeExcite(hidden, squeeze_excite_excitation_hidden)
        self.conv2 = ElasticConv2d(hidden, channels, 1, bias=False)
        self.norm3 = ElasticBatchNorm2d(channels)

    def plan(
        self, channels: int, hidden: int, squeeze_excite_excitation_hidden: int, kernel: int
    ) -> MbV3_2Plan:
        return MbV3_2Plan(
            conv1=self.conv1.cut(channels, hidden),
            norm1=self.norm1.cut(hidden),
            depthwise=self.depthwise.cut(hidden, hidden, kernel),
            norm2=self.norm2.cut(hidden),
            squeeze_excite=self.squeeze_excite.plan(hidden, squeeze_excite_excitation_hidden),
            conv2=self.conv2.cut(hidden, channels),
            norm3=self.norm3.cut(channels),
        )

    def forward(self, x: Tensor, p: MbV3_2Plan) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.hardswish(self.norm1(y, p.norm1))
        y = self.depthwise(y, p.depthwise)
        y = F.hardswish(self.norm2(y, p.norm2))
        y = self.squeeze_excite(y, p.squeeze_excite)
        y = self.conv2(y, p.conv2)  # [N, channels, H, W]
        return x + self.norm3(y, p.norm3)


@dataclass(frozen=True, slots=True, eq=False)
class S4Plan:
    depth: int
    b1: MbV3_2Plan
    b2: MbV3_2Plan
    b3: MbV3_2Plan | None
    b4: MbV3_2Plan | None


class S4(nn.Module):
    """stage s4, mobilenet_v3_ofa.specc:30."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = MbV3Plain4(80, 480, 120, 112, stride=1)
        self.b2 = MbV3_4(112, 672, 168)
        self.b3 = MbV3_4(112, 672, 168)
        self.b4 = MbV3_4(112, 672, 168)

    def plan(
        self,
        b1_hidden: int,
        b1_squeeze_excite_excitation_hidden: int,
        b2_hidden: int,
        b2_squeeze_excite_excitation_hidden: int,
        b3_hidden: int,
        b3_squeeze_excite_excitation_hidden: int,
        b4_hidden: int,
        b4_squeeze_excite_excitation_hidden: int,
        depth: int,
        b1_kernel: int,
        b2_kernel: int,
        b3_kernel: int,
        b4_kernel: int,
    ) -> S4Plan:
        return S4Plan(
            depth=depth,
            b1=self.b1.plan(
                80, b1_hidden, b1_squeeze_excite_excitation_hidden, 112, kernel=b1_kernel
            ),
            b2=self.b2.plan(112, b2_hidden, b2_squeeze_excite_excitation_hidden, kernel=b2_kernel),
            b3=self.b3.plan(112, b3_hidden, b3_squeeze_excite_excitation_hidden, kernel=b3_kernel)
            if depth >= 2
            else None,
            b4=self.b4.plan(112, b4_hidden, b4_squeeze_excite_excitation_hidden, kernel=b4_kernel)
            if depth >= 3
            else None,
        )

    def forward(self, x: Tensor, p: S4Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 112, 14, 14]
        x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        if p.depth >= 3:
            x = self.b4(x, p.b4)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class S5Plan:
    depth: int
    b1: MbV3_2Plan
    b2: MbV3_2Plan
    b3: MbV3_2Plan | None
    b4: MbV3_2Plan | None


class S5(nn.Module):
    """stage s5, mobilenet_v3_ofa.specc:34."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = MbV3Plain4(112, 672, 168, 160, stride=2)
        self.b2 = MbV3_4(160, 960, 240)
        self.b3 = MbV3_4(160, 960, 240)
        self.b4 = MbV3_4(160, 960, 240)

    def plan(
        self,
        b1_hidden: int,
        b1_squeeze_excite_excitation_hidden: int,
        b2_hidden: int,
        b2_squeeze_excite_excitation_hidden: int,
        b3_hidden: int,
        b3_squeeze_excite_excitation_hidden: int,
        b4_hidden: int,
        b4_squeeze_excite_excitation_hidden: int,
        depth: int,
        b1_kernel: int,
        b2_kernel: int,
        b3_kernel: int,
        b4_kernel: int,
    ) -> S5Plan:
        return S5Plan(
            depth=depth,
            b1=self.b1.plan(
                112, b1_hidden, b1_squeeze_excite_excitation_hidden, 160, kernel=b1_kernel
            ),
            b2=self.b2.plan(160, b2_hidden, b2_squeeze_excite_excitation_hidden, kernel=b2_kernel),
            b3=self.b3.plan(160, b3_hidden, b3_squeeze_excite_excitation_hidden, kernel=b3_kernel)
            if depth >= 2
            else None,
            b4=self.b4.plan(160, b4_hidden, b4_squeeze_excite_excitation_hidden, kernel=b4_kernel)
            if depth >= 3
            else None,
        )

    def forward(self, x: Tensor, p: S5Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 160, 7, 7]
        x = self.b2(x, p.b2)
        if p.depth >= 2:
            x = self.b3(x, p.b3)
        if p.depth >= 3:
            x = self.b4(x, p.b4)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    norm: NormCut


class Head(nn.Module):
    """head, mobilenet_v3_ofa.specc:38."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(160, 960, 1, bias=False)
        self.norm = ElasticBatchNorm2d(960)
        self.linear1 = nn.Linear(960, 1280, bias=False)
        self.dropout = nn.Dropout(0.1)
        self.linear2 = nn.Linear(1280, 1000)

    def plan(self) -> HeadPlan:
        return HeadPlan(
            norm=self.norm.cut(960),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = self.conv(x)  # [N, 960, 7, 7]
        x = F.hardswish(self.norm(x, p.norm))
        x = x.mean((2, 3))  # [N, 960]
        x = F.hardswish(self.linear1(x))  # [N, 1280]
        x = self.dropout(x)
        return self.linear2(x)


@dataclass(frozen=True, slots=True, eq=False)
class MobilenetV3OfaPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    s4: S4Plan
    s5: S5Plan
    head: HeadPlan


class MobilenetV3Ofa(ElasticNet):
    """The network, mobilenet_v3_ofa.specc:6."""

    _plan: MobilenetV3OfaPlan

    fingerprint = "2d27845899433d23"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.s3 = S3()
        self.s4 = S4()
        self.s5 = S5()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> MobilenetV3OfaPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        c40 = divisible(Fraction(24 * a["s2.b1.expand"]) / 4, 8)
        c64 = divisible(Fraction(40 * a["s2.b2.expand"]) / 4, 8)
        c642 = divisible(Fraction(40 * a["s2.b3.expand"]) / 4, 8)
        c643 = divisible(Fraction(40 * a["s2.b4.expand"]) / 4, 8)
        c120 = divisible(Fraction(80 * a["s4.b1.expand"]) / 4, 8)
        c168 = divisible(Fraction(112 * a["s4.b2.expand"]) / 4, 8)
        c1682 = divisible(Fraction(112 * a["s4.b3.expand"]) / 4, 8)
        c1683 = divisible(Fraction(112 * a["s4.b4.expand"]) / 4, 8)
        c1684 = divisible(Fraction(112 * a["s5.b1.expand"]) / 4, 8)
        c240 = divisible(Fraction(160 * a["s5.b2.expand"]) / 4, 8)
        c2402 = divisible(Fraction(160 * a["s5.b3.expand"]) / 4, 8)
        c2403 = divisible(Fraction(160 * a["s5.b4.expand"]) / 4, 8)
        return MobilenetV3OfaPlan(
            chosen=tuple(chosen.items()),
            resolution=a["resolution"],
            outputs=known_outputs(outputs, ("head", "s1", "s2", "s3", "s4", "s5")),
            stem=self.stem.plan(),
            s1=self.s1.plan(
                16 * a["s1.b1.expand"],
                24 * a["s1.b2.expand"],
                24 * a["s1.b3.expand"],
                24 * a["s1.b4.expand"],
                depth=a["s1.depth"],
                b1_kernel=a["s1.b1.kernel"],
                b2_kernel=a["s1.b2.kernel"],
                b3_kernel=a["s1.b3.kernel"],
                b4_kernel=a["s1.b4.kernel"],
            ),
            s2=self.s2.plan(
                24 * a["s2.b1.expand"],
                c40,
                40 * a["s2.b2.expand"],
                c64,
                40 * a["s2.b3.expand"],
                c642,
                40 * a["s2.b4.expand"],
                c643,
                depth=a["s2.depth"],
                b1_kernel=a["s2.b1.kernel"],
                b2_kernel=a["s2.b2.kernel"],
                b3_kernel=a["s2.b3.kernel"],
                b4_kernel=a["s2.b4.kernel"],
            ),
            s3=self.s3.plan(
                40 * a["s3.b1.expand"],
                80 * a["s3.b2.expand"],
                80 * a["s3.b3.expand"],
                80 * a["s3.b4.expand"],
                depth=a["s3.depth"],
                b1_kernel=a["s3.b1.kernel"],
                b2_kernel=a["s3.b2.kernel"],
                b3_kernel=a["s3.b3.kernel"],
                b4_kernel=a["s3.b4.kernel"],
            ),
            s4=self.s4.plan(
                80 * a["s4.b1.expand"],
                c120,
                112 * a["s4.b2.expand"],
                c168,
                112 * a["s4.b3.expand"],
                c1682,
                112 * a["s4.b4.expand"],
                c1683,
                depth=a["s4.depth"],
                b1_kernel=a["s4.b1.kernel"],
                b2_kernel=a["s4.b2.kernel"],
                b3_kernel=a["s4.b3.kernel"],
                b4_kernel=a["s4.b4.kernel"],
            ),
            s5=self.s5.plan(
                112 * a["s5.b1.expand"],
                c1684,
                160 * a["s5.b2.expand"],
                c240,
                160 * a["s5.b3.expand"],
                c2402,
                160 * a["s5.b4.expand"],
                c2403,
                depth=a["s5.depth"],
                b1_kernel=a["s5.b1.kernel"],
                b2_kernel=a["s5.b2.kernel"],
                b3_kernel=a["s5.b3.kernel"],
                b4_kernel=a["s5.b4.kernel"],
            ),
            head=self.head.plan(),
        )

    def forward(
        self, x: Tensor, plan: MobilenetV3OfaPlan | None = None
    ) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        if p.resolution is not None:
            x = resize(x, p.resolution)
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 16, 112, 112]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 24, 56, 56]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 40, 28, 28]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 80, 14, 14]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 112, 14, 14]
        outputs["s5"] = x = self.s5(x, p.s5)  # [N, 160, 7, 7]
        outputs["head"] = x = self.head(x, p.head)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = MobilenetV3Ofa
