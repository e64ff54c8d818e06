"""Resnext47Hierarchical, an elastic network, written by specc from resnext47_hierarchical.specc:9.

    net = Model()
    plan = net.plan({"k": 1})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 32, 32]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.layers.conv import Conv2d
from elastic.layers.pad_channels import PadSlices
from elastic.layers.triangular import BlockConv2d
from elastic.net.elastic import Elastic, when
from elastic.net.plan import Part, Plan
from elastic.net.sizes import Size, named, wanted
from elastic.net.slices import SlicedNet
from elastic.net.stage import Stage
from space import choice


class Stem(Elastic):
    """stem, resnext47_hierarchical.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv2d(3, 16 * choice("k"), 3, padding=1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        return self.conv(x, p.conv)


class InclusiveSparse(Elastic):
    """inclusive_sparse, std/resnext.specc:32."""

    def __init__(
        self, in_: Size, out: Size, branches: Size, width: int, slices: int, stride: int = 1
    ) -> None:
        super().__init__()
        hidden = branches * width
        self.with_pool = stride != 1
        if self.with_pool:
            self.pool = nn.AvgPool2d(stride)
            self.pad_channels = PadSlices(in_, out, slices=slices)
        self.norm1 = BatchNorm2d(out)
        self.conv1 = BlockConv2d(out, hidden, 1, bias=False, blocks=slices)
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, hidden, 3, padding=1, groups=branches, bias=False)
        self.norm3 = BatchNorm2d(hidden)
        self.conv3 = Conv2d(hidden, out, 1, groups=branches, bias=False)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        if self.with_pool:
            x = self.pool(x)  # [N, in_, H/2, W/2]
            x = self.pad_channels(x)  # [N, out, H/2, W/2]
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, hidden, H', W']
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


class Head(Elastic):
    """heads head1_fine to head6_coarse, resnext47_hierarchical.specc:22."""

    def __init__(self, hidden: int, out: int) -> None:
        super().__init__()
        self.narrow = hidden
        self.norm = BatchNorm2d(hidden)
        self.linear = nn.Linear(hidden, out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = x[:, : self.narrow]  # [N, hidden, H, W]
        x = F.relu(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, hidden]
        return self.linear(x)


class Resnext47Hierarchical(SlicedNet):
    """The network, resnext47_hierarchical.specc:9."""

    fingerprint = "c5d4670635b483a2"  # of the network: checkpoints carry it

    slices = "k"
    counts = (1, 2, 3, 4, 5, 6)

    def __init__(self) -> None:
        super().__init__(space)
        k = choice("k")
        self.stem = Stem()
        self.s1 = Stage(*(InclusiveSparse(16 * k, 16 * k, k, 8, slices=6) for _ in range(5)))
        self.s2 = Stage(
            InclusiveSparse(16 * k, 32 * k, k, 16, slices=6, stride=2),
            *(InclusiveSparse(32 * k, 32 * k, k, 16, slices=6) for _ in range(4)),
        )
        self.s3 = Stage(
            InclusiveSparse(32 * k, 64 * k, k, 32, slices=6, stride=2),
            *(InclusiveSparse(64 * k, 64 * k, k, 32, slices=6) for _ in range(4)),
        )
        self.head1_fine = when(wanted("head1_fine"), Head(64, 100))
        self.head1_coarse = when(wanted("head1_coarse"), Head(64, 20))
        self.head2_fine = when(wanted("head2_fine"), Head(128, 100))
        self.head2_coarse = when(wanted("head2_coarse"), Head(128, 20))
        self.head3_fine = when(wanted("head3_fine"), Head(192, 100))
        self.head3_coarse = when(wanted("head3_coarse"), Head(192, 20))
        self.head4_fine = when(wanted("head4_fine"), Head(256, 100))
        self.head4_coarse = when(wanted("head4_coarse"), Head(256, 20))
        self.head5_fine = when(wanted("head5_fine"), Head(320, 100))
        self.head5_coarse = when(wanted("head5_coarse"), Head(320, 20))
        self.head6_fine = when(wanted("head6_fine"), Head(384, 100))
        self.head6_coarse = when(wanted("head6_coarse"), Head(384, 20))
        self.predictions = {
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
            "head6_fine": k.is_(6),
            "head6_coarse": k.is_(6),
        }
        self.features = {"s1": True, "s2": True, "s3": True}
        self.prediction = named(
            k,
            {
                1: "head1_fine",
                2: "head2_fine",
                3: "head3_fine",
                4: "head4_fine",
                5: "head5_fine",
                6: "head6_fine",
            },
        )
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 96, 32, 32]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 192, 16, 16]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 384, 8, 8]
        if p.head1_fine is not None:
            outputs["head1_fine"] = self.head1_fine(x, p.head1_fine)  # [N, 100]
        if p.head1_coarse is not None:
            outputs["head1_coarse"] = self.head1_coarse(x, p.head1_coarse)  # [N, 20]
        if p.head2_fine is not None:
            outputs["head2_fine"] = self.head2_fine(x, p.head2_fine)  # [N, 100]
        if p.head2_coarse is not None:
            outputs["head2_coarse"] = self.head2_coarse(x, p.head2_coarse)  # [N, 20]
        if p.head3_fine is not None:
            outputs["head3_fine"] = self.head3_fine(x, p.head3_fine)  # [N, 100]
        if p.head3_coarse is not None:
            outputs["head3_coarse"] = self.head3_coarse(x, p.head3_coarse)  # [N, 20]
        if p.head4_fine is not None:
            outputs["head4_fine"] = self.head4_fine(x, p.head4_fine)  # [N, 100]
        if p.head4_coarse is not None:
            outputs["head4_coarse"] = self.head4_coarse(x, p.head4_coarse)  # [N, 20]
        if p.head5_fine is not None:
            outputs["head5_fine"] = self.head5_fine(x, p.head5_fine)  # [N, 100]
        if p.head5_coarse is not None:
            outputs["head5_coarse"] = self.head5_coarse(x, p.head5_coarse)  # [N, 20]
        if p.head6_fine is not None:
            outputs["head6_fine"] = self.head6_fine(x, p.head6_fine)  # [N, 100]
        if p.head6_coarse is not None:
            outputs["head6_coarse"] = self.head6_coarse(x, p.head6_coarse)  # [N, 20]
        return p.result(outputs)


Model = Resnext47Hierarchical
