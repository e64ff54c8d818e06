"""Resnext47Hierarchical, an elastic network, written by specc from resnext47_hierarchical.specc:9.

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
from elastic.layers.batch_norm import ElasticBatchNorm2d, NormCut
from elastic.layers.conv import ConvCut, ElasticConv2d
from elastic.layers.pad_channels import PadSlices
from elastic.layers.triangular import BlockConv2d, BlockConvCut
from elastic.net.plan import Option, Plan, complete, resolve, wanted_outputs
from elastic.net.slices import SlicedNet


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    conv: ConvCut | None


class Stem(nn.Module):
    """stem, resnext47_hierarchical.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = ElasticConv2d(3, 96, 3, padding=1, bias=False)

    def plan(self, out: int) -> StemPlan:
        return StemPlan(
            conv=self.conv.cut(3, out),
        )

    def forward(self, x: Tensor, p: StemPlan) -> Tensor:
        return self.conv(x, p.conv)


@dataclass(frozen=True, slots=True, eq=False)
class InclusiveSparsePlan:
    norm1: NormCut
    conv1: BlockConvCut | None
    norm2: NormCut
    conv2: ConvCut | None
    norm3: NormCut
    conv3: ConvCut | None


class InclusiveSparse(nn.Module):
    """inclusive_sparse, std/resnext.specc:32."""

    def __init__(self, channels: int, hidden: int, branches: int) -> None:
        super().__init__()
        self.norm1 = ElasticBatchNorm2d(channels)
        self.conv1 = BlockConv2d(channels, hidden, 1, bias=False, blocks=6)
        self.norm2 = ElasticBatchNorm2d(hidden)
        self.conv2 = ElasticConv2d(hidden, hidden, 3, padding=1, groups=branches, bias=False)
        self.norm3 = ElasticBatchNorm2d(hidden)
        self.conv3 = ElasticConv2d(hidden, channels, 1, groups=branches, bias=False)

    def plan(self, channels: int, hidden: int) -> InclusiveSparsePlan:
        return InclusiveSparsePlan(
            norm1=self.norm1.cut(channels),
            conv1=self.conv1.cut(channels, hidden),
            norm2=self.norm2.cut(hidden),
            conv2=self.conv2.cut(hidden, hidden),
            norm3=self.norm3.cut(hidden),
            conv3=self.conv3.cut(hidden, channels),
        )

    def forward(self, x: Tensor, p: InclusiveSparsePlan) -> Tensor:
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, hidden, H, W]
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


@dataclass(frozen=True, slots=True, eq=False)
class S1Plan:
    b1: InclusiveSparsePlan
    b2: InclusiveSparsePlan
    b3: InclusiveSparsePlan
    b4: InclusiveSparsePlan
    b5: InclusiveSparsePlan


class S1(nn.Module):
    """stage s1, resnext47_hierarchical.specc:15."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InclusiveSparse(96, 48, 6)
        self.b2 = InclusiveSparse(96, 48, 6)
        self.b3 = InclusiveSparse(96, 48, 6)
        self.b4 = InclusiveSparse(96, 48, 6)
        self.b5 = InclusiveSparse(96, 48, 6)

    def plan(self, channels: int, b1_hidden: int) -> S1Plan:
        return S1Plan(
            b1=self.b1.plan(channels, b1_hidden),
            b2=self.b2.plan(channels, b1_hidden),
            b3=self.b3.plan(channels, b1_hidden),
            b4=self.b4.plan(channels, b1_hidden),
            b5=self.b5.plan(channels, b1_hidden),
        )

    def forward(self, x: Tensor, p: S1Plan) -> Tensor:
        x = self.b1(x, p.b1)
        x = self.b2(x, p.b2)
        x = self.b3(x, p.b3)
        x = self.b4(x, p.b4)
        return self.b5(x, p.b5)


class InclusiveSparseStride2(nn.Module):
    """inclusive_sparse, std/resnext.specc:32."""

    def __init__(self, in_: int, out: int, branches: int) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(2, 2)
        self.pad_channels = PadSlices(in_, out, slices=6)
        self.norm1 = ElasticBatchNorm2d(out)
        self.conv1 = BlockConv2d(out, in_, 1, bias=False, blocks=6)
        self.norm2 = ElasticBatchNorm2d(in_)
        self.conv2 = ElasticConv2d(in_, in_, 3, padding=1, groups=branches, bias=False)
        self.norm3 = ElasticBatchNorm2d(in_)
        self.conv3 = ElasticConv2d(in_, out, 1, groups=branches, bias=False)

    def plan(self, out: int, in_: int) -> InclusiveSparsePlan:
        return InclusiveSparsePlan(
            norm1=self.norm1.cut(out),
            conv1=self.conv1.cut(out, in_),
            norm2=self.norm2.cut(in_),
            conv2=self.conv2.cut(in_, in_),
            norm3=self.norm3.cut(in_),
            conv3=self.conv3.cut(in_, out),
        )

    def forward(self, x: Tensor, p: InclusiveSparsePlan) -> Tensor:
        x = self.pool(x)  # [N, in_, H/2, W/2]
        x = self.pad_channels(x)  # [N, out, H/2, W/2]
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, in_, H/2, W/2]
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


@dataclass(frozen=True, slots=True, eq=False)
class S2Plan:
    b1: InclusiveSparsePlan
    b2: InclusiveSparsePlan
    b3: InclusiveSparsePlan
    b4: InclusiveSparsePlan
    b5: InclusiveSparsePlan


class S2(nn.Module):
    """stage s2, resnext47_hierarchical.specc:16."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InclusiveSparseStride2(96, 192, 6)
        self.b2 = InclusiveSparse(192, 96, 6)
        self.b3 = InclusiveSparse(192, 96, 6)
        self.b4 = InclusiveSparse(192, 96, 6)
        self.b5 = InclusiveSparse(192, 96, 6)

    def plan(self, out: int, in_: int) -> S2Plan:
        return S2Plan(
            b1=self.b1.plan(out, in_),
            b2=self.b2.plan(out, in_),
            b3=self.b3.plan(out, in_),
            b4=self.b4.plan(out, in_),
            b5=self.b5.plan(out, in_),
        )

    def forward(self, x: Tensor, p: S2Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 192, 16, 16]
        x = self.b2(x, p.b2)
        x = self.b3(x, p.b3)
        x = self.b4(x, p.b4)
        return self.b5(x, p.b5)


@dataclass(frozen=True, slots=True, eq=False)
class S3Plan:
    b1: InclusiveSparsePlan
    b2: InclusiveSparsePlan
    b3: InclusiveSparsePlan
    b4: InclusiveSparsePlan
    b5: InclusiveSparsePlan


class S3(nn.Module):
    """stage s3, resnext47_hierarchical.specc:19."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = InclusiveSparseStride2(192, 384, 6)
        self.b2 = InclusiveSparse(384, 192, 6)
        self.b3 = InclusiveSparse(384, 192, 6)
        self.b4 = InclusiveSparse(384, 192, 6)
        self.b5 = InclusiveSparse(384, 192, 6)

    def plan(self, out: int, in_: int) -> S3Plan:
        return S3Plan(
            b1=self.b1.plan(out, in_),
            b2=self.b2.plan(out, in_),
            b3=self.b3.plan(out, in_),
            b4=self.b4.plan(out, in_),
            b5=self.b5.plan(out, in_),
        )

    def forward(self, x: Tensor, p: S3Plan) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 384, 8, 8]
        x = self.b2(x, p.b2)
        x = self.b3(x, p.b3)
        x = self.b4(x, p.b4)
        return self.b5(x, p.b5)


@dataclass(frozen=True, slots=True, eq=False)
class HeadPlan:
    norm: NormCut


class Head(nn.Module):
    """heads head1_fine to head6_coarse, resnext47_hierarchical.specc:22."""

    def __init__(self, hidden: int, out: int) -> None:
        super().__init__()
        self.narrow = hidden
        self.norm = ElasticBatchNorm2d(hidden)
        self.linear = nn.Linear(hidden, out)

    def plan(self, hidden: int) -> HeadPlan:
        return HeadPlan(
            norm=self.norm.cut(hidden),
        )

    def forward(self, x: Tensor, p: HeadPlan) -> Tensor:
        x = x[:, : self.narrow]  # [N, hidden, H, W]
        x = F.relu(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, hidden]
        return self.linear(x)


@dataclass(frozen=True, slots=True, eq=False)
class Resnext47HierarchicalPlan(Plan):
    stem: StemPlan
    s1: S1Plan
    s2: S2Plan
    s3: S3Plan
    head1_fine: HeadPlan | None
    head1_coarse: HeadPlan | None
    head2_fine: HeadPlan | None
    head2_coarse: HeadPlan | None
    head3_fine: HeadPlan | None
    head3_coarse: HeadPlan | None
    head4_fine: HeadPlan | None
    head4_coarse: HeadPlan | None
    head5_fine: HeadPlan | None
    head5_coarse: HeadPlan | None
    head6_fine: HeadPlan | None
    head6_coarse: HeadPlan | None


class Resnext47Hierarchical(SlicedNet):
    """The network, resnext47_hierarchical.specc:9."""

    _plan: Resnext47HierarchicalPlan

    fingerprint = "c5d4670635b483a2"  # of the network: checkpoints carry it

    slices = "k"
    counts = (1, 2, 3, 4, 5, 6)

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.s1 = S1()
        self.s2 = S2()
        self.s3 = S3()
        self.head1_fine = Head(64, 100)
        self.head1_coarse = Head(64, 20)
        self.head2_fine = Head(128, 100)
        self.head2_coarse = Head(128, 20)
        self.head3_fine = Head(192, 100)
        self.head3_coarse = Head(192, 20)
        self.head4_fine = Head(256, 100)
        self.head4_coarse = Head(256, 20)
        self.head5_fine = Head(320, 100)
        self.head5_coarse = Head(320, 20)
        self.head6_fine = Head(384, 100)
        self.head6_coarse = Head(384, 20)
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> Resnext47HierarchicalPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        k = a["k"]
        answer = f"head{k}_fine"
        answers = {
            "head1_fine": True,
            "head1_coarse": True,
            "head2_fine": k >= 2,
            "head2_coarse": k >= 2,
            "head3_fine": k >= 3,
            "head3_coarse": k >= 3,
            "head4_fine": k >= 4,
            "head4_coarse": k >= 4,
            "head5_fine": k >= 5,
            "head5_coarse": k >= 5,
            "head6_fine": k == 6,
            "head6_coarse": k == 6,
        }
        features = {"s1": True, "s2": True, "s3": True}
        wanted = wanted_outputs(outputs, answer, answers, features)
        return Resnext47HierarchicalPlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=None if outputs is None else wanted,
            answer=answer,
            wanted=wanted,
            stem=self.stem.plan(16 * k),
            s1=self.s1.plan(16 * k, 8 * k),
            s2=self.s2.plan(32 * k, 16 * k),
            s3=self.s3.plan(64 * k, 32 * k),
            head1_fine=self.head1_fine.plan(64) if "head1_fine" in wanted else None,
            head1_coarse=self.head1_coarse.plan(64) if "head1_coarse" in wanted else None,
            head2_fine=self.head2_fine.plan(128) if "head2_fine" in wanted else None,
            head2_coarse=self.head2_coarse.plan(128) if "head2_coarse" in wanted else None,
            head3_fine=self.head3_fine.plan(192) if "head3_fine" in wanted else None,
            head3_coarse=self.head3_coarse.plan(192) if "head3_coarse" in wanted else None,
            head4_fine=self.head4_fine.plan(256) if "head4_fine" in wanted else None,
            head4_coarse=self.head4_coarse.plan(256) if "head4_coarse" in wanted else None,
            head5_fine=self.head5_fine.plan(320) if "head5_fine" in wanted else None,
            head5_coarse=self.head5_coarse.plan(320) if "head5_coarse" in wanted else None,
            head6_fine=self.head6_fine.plan(384) if "head6_fine" in wanted else None,
            head6_coarse=self.head6_coarse.plan(384) if "head6_coarse" in wanted else None,
        )

    def forward(
        self, x: Tensor, plan: Resnext47HierarchicalPlan | None = None
    ) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 96, 32, 32]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 192, 16, 16]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 384, 8, 8]
        if "head1_fine" in p.wanted:
            outputs["head1_fine"] = self.head1_fine(x, p.head1_fine)  # [N, 100]
        if "head1_coarse" in p.wanted:
            outputs["head1_coarse"] = self.head1_coarse(x, p.head1_coarse)  # [N, 20]
        if "head2_fine" in p.wanted:
            outputs["head2_fine"] = self.head2_fine(x, p.head2_fine)  # [N, 100]
        if "head2_coarse" in p.wanted:
            outputs["head2_coarse"] = self.head2_coarse(x, p.head2_coarse)  # [N, 20]
        if "head3_fine" in p.wanted:
            outputs["head3_fine"] = self.head3_fine(x, p.head3_fine)  # [N, 100]
        if "head3_coarse" in p.wanted:
            outputs["head3_coarse"] = self.head3_coarse(x, p.head3_coarse)  # [N, 20]
        if "head4_fine" in p.wanted:
            outputs["head4_fine"] = self.head4_fine(x, p.head4_fine)  # [N, 100]
        if "head4_coarse" in p.wanted:
            outputs["head4_coarse"] = self.head4_coarse(x, p.head4_coarse)  # [N, 20]
        if "head5_fine" in p.wanted:
            outputs["head5_fine"] = self.head5_fine(x, p.head5_fine)  # [N, 100]
        if "head5_coarse" in p.wanted:
            outputs["head5_coarse"] = self.head5_coarse(x, p.head5_coarse)  # [N, 20]
        if "head6_fine" in p.wanted:
            outputs["head6_fine"] = self.head6_fine(x, p.head6_fine)  # [N, 100]
        if "head6_coarse" in p.wanted:
            outputs["head6_coarse"] = self.head6_coarse(x, p.head6_coarse)  # [N, 20]
        return p.result(outputs)


Model = Resnext47Hierarchical
