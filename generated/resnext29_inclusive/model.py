"""Resnext29Inclusive, an elastic network, written by specc from resnext29_inclusive.specc:7.

    net = Model()
    plan = net.plan({"k": 1})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 32, 32]

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
from elastic.layers.conv import ConvCut, ElasticConv2d
from elastic.layers.sizes import position
from elastic.net.network import ElasticNet
from elastic.net.plan import Option, Plan, complete, resolve, wanted_outputs


class Stem(nn.Module):
    """stem, resnext29_inclusive.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


@dataclass(frozen=True, slots=True, eq=False)
class InclusivePlan:
    norm1: NormCut
    conv1: ConvCut | None
    norm2: NormCut
    conv2: ConvCut | None
    norm3: NormCut
    conv3: ConvCut | None


class Inclusive(nn.Module):
    """inclusive, std/resnext.specc:6."""

    def __init__(self, channels: int, hidden: int, branches: int) -> None:
        super().__init__()
        self.norm1 = BankedBatchNorm2d(channels, banks=8)
        self.conv1 = ElasticConv2d(channels, hidden, 1, bias=False)
        self.norm2 = BankedBatchNorm2d(hidden, banks=8)
        self.conv2 = ElasticConv2d(hidden, hidden, 3, padding=1, groups=branches, bias=False)
        self.norm3 = BankedBatchNorm2d(hidden, banks=8)
        self.conv3 = ElasticConv2d(hidden, channels, 1, bias=False)

    def plan(self, channels: int, hidden: int, bank: int) -> InclusivePlan:
        return InclusivePlan(
            norm1=self.norm1.cut(channels, bank),
            conv1=self.conv1.cut(channels, hidden),
            norm2=self.norm2.cut(hidden, bank),
            conv2=self.conv2.cut(hidden, hidden),
            norm3=self.norm3.cut(hidden, bank),
            conv3=self.conv3.cut(hidden, channels),
        )

    def forward(self, x: Tensor, p: InclusivePlan) -> Tensor:
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, hidden, H, W]
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    b1: InclusivePlan
    b2: InclusivePlan
    b3: InclusivePlan


class S1(nn.Module):
    """stage s1, resnext29_inclusive.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Inclusive(64, 32, 8)
        self.b2 = Inclusive(64, 32, 8)
        self.b3 = Inclusive(64, 32, 8)

    def plan(self, b1_hidden: int, b1_bank: int) -> S1Plan:
        return S1Plan(
            b1=self.b1.plan(64, b1_hidden, bank=b1_bank),
            b2=self.b2.plan(64, b1_hidden, bank=b1_bank),
            b3=self.b3.plan(64, b1_hidden, bank=b1_bank),
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.b1(x, p.b1)
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


class InclusiveStride2(nn.Module):
    """inclusive, std/resnext.specc:6."""

    def __init__(self, in_: int, out: int, hidden: int, branches: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2, 2)
        self.pad_channels = in_
        self.norm1 = BankedBatchNorm2d(out, banks=8)
        self.conv1 = ElasticConv2d(out, hidden, 1, bias=False)
        self.norm2 = BankedBatchNorm2d(hidden, banks=8)
        self.conv2 = ElasticConv2d(hidden, hidden, 3, padding=1, groups=branches, bias=False)
        self.norm3 = BankedBatchNorm2d(hidden, banks=8)
        self.conv3 = ElasticConv2d(hidden, out, 1, bias=False)

    def plan(self, out: int, hidden: int, bank: int) -> InclusivePlan:
        return InclusivePlan(
            norm1=self.norm1.cut(out, bank),
            conv1=self.conv1.cut(out, hidden),
            norm2=self.norm2.cut(hidden, bank),
            conv2=self.conv2.cut(hidden, hidden),
            norm3=self.norm3.cut(hidden, bank),
            conv3=self.conv3.cut(hidden, out),
        )

    def forward(self, x: Tensor, p: InclusivePlan) -> Tensor:
        x = self.pool(x)  # [N, in_, H/2, W/2]
        x = F.pad(x, (0, 0, 0, 0, 0, self.pad_channels))  # [N, out, H/2, W/2]
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, hidden, H/2, W/2]
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


@dataclass(frozen=True, slots=True, eq=False)
class S2Plan:
    b1: InclusivePlan
    b2: InclusivePlan
    b3: InclusivePlan


class S2(nn.Module):
    """stage s2, resnext29_inclusive.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InclusiveStride2(64, 128, 64, 8)
        self.b2 = Inclusive(128, 64, 8)
        self.b3 = Inclusive(128, 64, 8)

    def plan(self, b1_hidden: int, b1_bank: int) -> S2Plan:
        return S2Plan(
            b1=self.b1.plan(128, b1_hidden, bank=b1_bank),
            b2=self.b2.plan(128, b1_hidden, bank=b1_bank),
            b3=self.b3.plan(128, b1_hidden, bank=b1_bank),
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 128, 16, 16]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class S3Plan:
    b1: InclusivePlan
    b2: InclusivePlan
    b3: InclusivePlan


class S3(nn.Module):
    """stage s3, resnext29_inclusive.specc:13."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InclusiveStride2(128, 256, 128, 8)
        self.b2 = Inclusive(256, 128, 8)
        self.b3 = Inclusive(256, 128, 8)

    def plan(self, b1_hidden: int, b1_bank: int) -> S3Plan:
        return S3Plan(
            b1=self.b1.plan(256, b1_hidden, bank=b1_bank),
            b2=self.b2.plan(256, b1_hidden, bank=b1_bank),
            b3=self.b3.plan(256, b1_hidden, bank=b1_bank),
        )

    def forward(self, x: Tensor, p: S3Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 256, 8, 8]
        x = self.b2(x, p.b2)
        return self.b3(x, p.b3)


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    norm: NormCut


class Head(nn.Module):
    """heads head1 to head8, resnext29_inclusive.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = ElasticBatchNorm2d(256)
        self.linear = nn.Linear(256, 10)

    def plan(self) -> HeadPlan:
        return HeadPlan(
            norm=self.norm.cut(256),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = F.relu(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))
        return self.linear(x)


@dataclass(frozen=True, slots=True, eq=False)
class Resnext29InclusivePlan(Plan):
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    head1: HeadPlan | None
    head2: HeadPlan | None
    head3: HeadPlan | None
    head4: HeadPlan | None
    head5: HeadPlan | None
    head6: HeadPlan | None
    head7: HeadPlan | None
    head8: HeadPlan | None


class Resnext29Inclusive(ElasticNet):
    """The network, resnext29_inclusive.specc:7."""

    _plan: Resnext29InclusivePlan

    fingerprint = "c52fde93d6169d1c"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.s3 = S3()
        self.head1 = Head()
        self.head2 = Head()
        self.head3 = Head()
        self.head4 = Head()
        self.head5 = Head()
        self.head6 = Head()
        self.head7 = Head()
        self.head8 = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> Resnext29InclusivePlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        k = a["k"]
        bank = position(k, 1, 2, 3, 4, 5, 6, 7, 8)
        answer = f"head{k}"
        answers = {
            "head1": k == 1,
            "head2": k == 2,
            "head3": k == 3,
            "head4": k == 4,
            "head5": k == 5,
            "head6": k == 6,
            "head7": k == 7,
            "head8": k == 8,
        }
        features = {"s1": True, "s2": True, "s3": True}
        wanted = wanted_outputs(outputs, answer, answers, features)
        return Resnext29InclusivePlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=None if outputs is None else wanted,
            answer=answer,
            wanted=wanted,
            s1=self.s1.plan(4 * k, b1_bank=bank),
            s2=self.s2.plan(8 * k, b1_bank=bank),
            s3=self.s3.plan(16 * k, b1_bank=bank),
            head1=self.head1.plan() if "head1" in wanted else None,
            head2=self.head2.plan() if "head2" in wanted else None,
            head3=self.head3.plan() if "head3" in wanted else None,
            head4=self.head4.plan() if "head4" in wanted else None,
            head5=self.head5.plan() if "head5" in wanted else None,
            head6=self.head6.plan() if "head6" in wanted else None,
            head7=self.head7.plan() if "head7" in wanted else None,
            head8=self.head8.plan() if "head8" in wanted else None,
        )

    def forward(
        self, x: Tensor, plan: Resnext29InclusivePlan | None = None
    ) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x)  # [N, 64, 32, 32]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 128, 16, 16]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 256, 8, 8]
        if "head1" in p.wanted:
            outputs["head1"] = self.head1(x, p.head1)  # [N, 10]
        if "head2" in p.wanted:
            outputs["head2"] = self.head2(x, p.head2)  # [N, 10]
        if "head3" in p.wanted:
            outputs["head3"] = self.head3(x, p.head3)  # [N, 10]
        if "head4" in p.wanted:
            outputs["head4"] = self.head4(x, p.head4)  # [N, 10]
        if "head5" in p.wanted:
            outputs["head5"] = self.head5(x, p.head5)  # [N, 10]
        if "head6" in p.wanted:
            outputs["head6"] = self.head6(x, p.head6)  # [N, 10]
        if "head7" in p.wanted:
            outputs["head7"] = self.head7(x, p.head7)  # [N, 10]
        if "head8" in p.wanted:
            outputs["head8"] = self.head8(x, p.head8)  # [N, 10]
        return p.result(outputs)


Model = Resnext29Inclusive
