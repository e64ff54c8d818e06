"""Lenet3c1lAwn, an elastic network, written by specc from lenet3c1l_awn.specc:6.

    net = Model()
    plan = net.plan({"width": 11})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 1, 28, 28]

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
from elastic.layers.sizes import half_up
from elastic.layers.triangular import TriangularConv2d, TriangularConvCut
from elastic.net.network import ElasticNet
from elastic.net.plan import Option, Plan, complete, known_outputs, resolve


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    conv: ConvCut | None
    norm: NormCut


class Stem(nn.Module):
    """stem, lenet3c1l_awn.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(1, 45, 3)
        self.norm = ElasticBatchNorm2d(45)

    def plan(self, out: int) -> StemPlan:
        return StemPlan(
            conv=self.conv.cut(1, out),
            norm=self.norm.cut(out),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 45, 26, 26]
        return F.relu(self.norm(x, p.norm), inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    conv1: TriangularConvCut | None
    norm1: NormCut
    conv2: TriangularConvCut | None
    norm2: NormCut


class S1(nn.Module):
    """stage s1, lenet3c1l_awn.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = TriangularConv2d(45, 45, 3, least_in=11, least_out=11)
        self.norm1 = ElasticBatchNorm2d(45)
        self.maxpool1 = nn.MaxPool2d(2, 2)
        self.conv2 = TriangularConv2d(45, 45, 5, least_in=11, least_out=11)
        self.norm2 = ElasticBatchNorm2d(45)
        self.maxpool2 = nn.MaxPool2d(2, 2)

    def plan(self, channels: int) -> S1Plan:
        return S1Plan(
            conv1=self.conv1.cut(channels, channels),
            norm1=self.norm1.cut(channels),
            conv2=self.conv2.cut(channels, channels),
            norm2=self.norm2.cut(channels),
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, 45, 24, 24]
        x = F.relu(self.norm1(x, p.norm1), inplace=True)
        x = self.maxpool1(x)  # [N, 45, 12, 12]
        x = self.conv2(x, p.conv2)  # [N, 45, 8, 8]
        x = F.relu(self.norm2(x, p.norm2), inplace=True)
        return self.maxpool2(x)


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    linear: LinearCut | None


class Head(nn.Module):
    """head, lenet3c1l_awn.specc:16."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = ElasticLinear(720, 10)

    def plan(self, hidden: int) -> HeadPlan:
        return HeadPlan(
            linear=self.linear.cut(hidden, 10),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = x.flatten(1)  # [N, 720]
        return self.linear(x, p.linear)


@dataclass(frozen=True, slots=True, eq=False)
class Lenet3c1lAwnPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    head: HeadPlan


class Lenet3c1lAwn(ElasticNet):
    """The network, lenet3c1l_awn.specc:6."""

    _plan: Lenet3c1lAwnPlan

    fingerprint = "6a11767ed874c934"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> Lenet3c1lAwnPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        width = a["width"]
        c45 = half_up(width)
        c452 = max(1, c45)
        return Lenet3c1lAwnPlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=known_outputs(outputs, ("head", "s1")),
            stem=self.stem.plan(c452),
            s1=self.s1.plan(c452),
            head=self.head.plan(16 * c452),
        )

    def forward(
        self, x: Tensor, plan: Lenet3c1lAwnPlan | None = None
    ) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 45, 26, 26]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 45, 4, 4]
        outputs["head"] = x = self.head(x, p.head)  # [N, 10]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Lenet3c1lAwn
