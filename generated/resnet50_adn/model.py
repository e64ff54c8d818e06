"""Resnet50Adn, an elastic network, written by specc from resnet50_adn.specc:7.

    net = Model()
    plan = net.plan({"s1.keep": False})  # what is left out stays at its largest
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
from elastic.layers.batch_norm import BankedBatchNorm2d, ElasticBatchNorm2d, NormCut
from elastic.net.network import ElasticNet
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    norm: NormCut


class Stem(nn.Module):
    """stem, resnet50_adn.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.norm = ElasticBatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)

    def plan(self) -> StemPlan:
        return StemPlan(
            norm=self.norm.cut(64),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        x = self.conv(x)  # [N, 64, 112, 112]
        x = F.relu(self.norm(x, p.norm), inplace=True)
        return self.maxpool(x)


@dataclass(frozen=True, slots=True, eq=False)
class BottleneckProjectionPlan:
    norm1: NormCut
    norm2: NormCut
    norm3: NormCut
    shortcut_norm: NormCut


class BottleneckProjection(nn.Module):
    """bottleneck, std/resnet.specc:16."""

    def __init__(self, in_: int, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_, width, 1, bias=False)
        self.norm1 = BankedBatchNorm2d(width, banks=2)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = BankedBatchNorm2d(width, banks=2)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.norm3 = BankedBatchNorm2d(out, banks=2)
        self.shortcut_conv = nn.Conv2d(in_, out, 1, stride=stride, bias=False)
        self.shortcut_norm = ElasticBatchNorm2d(out)

    def plan(self, width: int, out: int, bank: int) -> BottleneckProjectionPlan:
        return BottleneckProjectionPlan(
            norm1=self.norm1.cut(width, bank),
            norm2=self.norm2.cut(width, bank),
            norm3=self.norm3.cut(out, bank),
            shortcut_norm=self.shortcut_norm.cut(out),
        )

    def forward(self, x: Tensor, p: BottleneckProjectionPlan) -> Tensor:
        y = self.conv1(x)  # [N, width, H, W]
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.conv2(y)
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv3(y)
        y = self.norm3(y, p.norm3)
        x = self.shortcut_conv(x)
        x = self.shortcut_norm(x, p.shortcut_norm)
        y += x
        return F.relu(y, inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class BottleneckPlan:
    norm1: NormCut
    norm2: NormCut
    norm3: NormCut


class Bottleneck(nn.Module):
    """bottleneck, std/resnet.specc:16."""

    def __init__(self, channels: int, width: int, banks: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm1 = BankedBatchNorm2d(width, banks=banks)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = BankedBatchNorm2d(width, banks=banks)
        self.conv3 = nn.Conv2d(width, channels, 1, bias=False)
        self.norm3 = BankedBatchNorm2d(channels, banks=banks)

    def plan(self, width: int, channels: int, bank: int) -> BottleneckPlan:
        return BottleneckPlan(
            norm1=self.norm1.cut(width, bank),
            norm2=self.norm2.cut(width, bank),
            norm3=self.norm3.cut(channels, bank),
        )

    def forward(self, x: Tensor, p: BottleneckPlan) -> Tensor:
        y = self.conv1(x)  # [N, width, H, W]
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.conv2(y)
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv3(y)  # [N, channels, H, W]
        y = self.norm3(y, p.norm3)
        y += x
        return F.relu(y, inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    keep: bool
    b1: BottleneckProjectionPlan
    b2: BottleneckPlan
    b3: BottleneckPlan | None


class S1(nn.Module):
    """stage s1, resnet50_adn.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = BottleneckProjection(64, 64, 256, stride=1)
        self.b2 = Bottleneck(256, 64, banks=2)
        self.b3 = Bottleneck(256, 64, banks=1)

    def plan(self, keep: bool) -> S1Plan:
        return S1Plan(
            keep=keep,
            b1=self.b1.plan(64, 256, bank=keep),
            b2=self.b2.plan(64, 256, bank=keep),
            b3=self.b3.plan(64, 256, bank=0) if keep else None,
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 256, 56, 56]
        x = self.b2(x, p.b2)
        if p.keep:
            x = self.b3(x, p.b3)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class S2Plan:
    keep: bool
    b1: BottleneckProjectionPlan
    b2: BottleneckPlan
    b3: BottleneckPlan | None
    b4: BottleneckPlan | None


class S2(nn.Module):
    """stage s2, resnet50_adn.specc:13."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = BottleneckProjection(256, 128, 512, stride=2)
        self.b2 = Bottleneck(512, 128, banks=2)
        self.b3 = Bottleneck(512, 128, banks=1)
        self.b4 = Bottleneck(512, 128, banks=1)

    def plan(self, keep: bool) -> S2Plan:
        return S2Plan(
            keep=keep,
            b1=self.b1.plan(128, 512, bank=keep),
            b2=self.b2.plan(128, 512, bank=keep),
            b3=self.b3.plan(128, 512, bank=0) if keep else None,
            b4=self.b4.plan(128, 512, bank=0) if keep else None,
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 512, 28, 28]
        x = self.b2(x, p.b2)
        if p.keep:
            x = self.b3(x, p.b3)
            x = self.b4(x, p.b4)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class S3Plan:
    keep: bool
    b1: BottleneckProjectionPlan
    b2: BottleneckPlan
    b3: BottleneckPlan
    b4: BottleneckPlan | None
    b5: BottleneckPlan | None
    b6: BottleneckPlan | None


class S3(nn.Module):
    """stage s3, resnet50_adn.specc:16."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = BottleneckProjection(512, 256, 1024, stride=2)
        self.b2 = Bottleneck(1024, 256, banks=2)
        self.b3 = Bottleneck(1024, 256, banks=2)
        self.b4 = Bottleneck(1024, 256, banks=1)
        self.b5 = Bottleneck(1024, 256, banks=1)
        self.b6 = Bottleneck(1024, 256, banks=1)

    def plan(self, keep: bool) -> S3Plan:
        return S3Plan(
            keep=keep,
            b1=self.b1.plan(256, 1024, bank=keep),
            b2=self.b2.plan(256, 1024, bank=keep),
            b3=self.b3.plan(256, 1024, bank=keep),
            b4=self.b4.plan(256, 1024, bank=0) if keep else None,
            b5=self.b5.plan(256, 1024, bank=0) if keep else None,
            b6=self.b6.plan(256, 1024, bank=0) if keep else None,
        )

    def forward(self, x: Tensor, p: S3Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 1024, 14, 14]
        x = self.b2(x, p.b2)
        x = self.b3(x, p.b3)
        if p.keep:
            x = self.b4(x, p.b4)
            x = self.b5(x, p.b5)
            x = self.b6(x, p.b6)
        return x


@dataclass(frozen=True, slots=True, eq=False)
class S4Plan:
    keep: bool
    b1: BottleneckProjectionPlan
    b2: BottleneckPlan
    b3: BottleneckPlan | None


class S4(nn.Module):
    """stage s4, resnet50_adn.specc:20."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = BottleneckProjection(1024, 512, 2048, stride=2)
        self.b2 = Bottleneck(2048, 512, banks=2)
        self.b3 = Bottleneck(2048, 512, banks=1)

    def plan(self, keep: bool) -> S4Plan:
        return S4Plan(
            keep=keep,
            b1=self.b1.plan(512, 2048, bank=keep),
            b2=self.b2.plan(512, 2048, bank=keep),
            b3=self.b3.plan(512, 2048, bank=0) if keep else None,
        )

    def forward(self, x: Tensor, p: S4Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 2048, 7, 7]
        x = self.b2(x, p.b2)
        if p.keep:
            x = self.b3(x, p.b3)
        return x


class Head(nn.Module):
    """head, resnet50_adn.specc:21."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))  # [N, 2048]
        return self.linear(x)


@dataclass(frozen=True, slots=True, eq=False)
class Resnet50AdnPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    s4: S4Plan


class Resnet50Adn(ElasticNet):
    """The network, resnet50_adn.specc:7."""

    _plan: Resnet50AdnPlan

    fingerprint = "6a71ca30142277c3"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.s3 = S3()
        self.s4 = S4()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> Resnet50AdnPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        return Resnet50AdnPlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=known_outputs(outputs, ("head", "s1", "s2", "s3", "s4")),
            stem=self.stem.plan(),
            s1=self.s1.plan(keep=a["s1.keep"]),
            s2=self.s2.plan(keep=a["s2.keep"]),
            s3=self.s3.plan(keep=a["s3.keep"]),
            s4=self.s4.plan(keep=a["s4.keep"]),
        )

    def forward(self, x: Tensor, plan: Resnet50AdnPlan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 64, 56, 56]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 256, 56, 56]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 512, 28, 28]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 1024, 14, 14]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 2048, 7, 7]
        outputs["head"] = x = self.head(x)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Resnet50Adn
