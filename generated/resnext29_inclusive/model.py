"""Resnext29Inclusive, an elastic network, written by specc from resnext29_inclusive.specc:7.

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
from elastic.net.elastic import Elastic, when
from elastic.net.network import ElasticNet
from elastic.net.plan import Part, Plan
from elastic.net.sizes import Size, named, position, wanted
from elastic.net.stage import Stage
from space import choice


class Stem(nn.Module):
    """stem, resnext29_inclusive.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class Inclusive(Elastic):
    """inclusive, std/resnext.specc:6."""

    def __init__(
        self, in_: int, out: int, width: int, k: Size, stride: int = 1, bank: Size = 0
    ) -> None:
        super().__init__()
        hidden = k * width
        self.with_pool = stride != 1
        if self.with_pool:
            self.pool = nn.AvgPool2d(stride)
            self.pad_channels = out - in_
        self.norm1 = BatchNorm2d(out, banks=8, bank=bank)
        self.conv1 = Conv2d(out, hidden, 1, bias=False)
        self.norm2 = BatchNorm2d(hidden, banks=8, bank=bank)
        self.conv2 = Conv2d(hidden, hidden, 3, padding=1, groups=k, bias=False)
        self.norm3 = BatchNorm2d(hidden, banks=8, bank=bank)
        self.conv3 = Conv2d(hidden, out, 1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        if self.with_pool:
            x = self.pool(x)  # [N, in_, H/2, W/2]
            x = F.pad(x, (0, 0, 0, 0, 0, self.pad_channels))
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = self.conv1(y, p.conv1)  # [N, hidden, H', W']
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)
        y = F.relu(self.norm3(y, p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


class Head(Elastic):
    """heads head1 to head8, resnext29_inclusive.specc:14."""

    def __init__(self, in_: int, out: int) -> None:
        super().__init__()
        self.norm = BatchNorm2d(in_)
        self.linear = nn.Linear(in_, out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = F.relu(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, in_]
        return self.linear(x)


class Resnext29Inclusive(ElasticNet):
    """The network, resnext29_inclusive.specc:7."""

    fingerprint = "c52fde93d6169d1c"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__(space)
        k = choice("k")
        bank = position(k, 1, 2, 3, 4, 5, 6, 7, 8)
        self.stem = Stem()
        self.s1 = Stage(*(Inclusive(64, 64, 4, k, bank=bank) for _ in range(3)))
        self.s2 = Stage(
            Inclusive(64, 128, 8, k, stride=2, bank=bank),
            *(Inclusive(128, 128, 8, k, bank=bank) for _ in range(2)),
        )
        self.s3 = Stage(
            Inclusive(128, 256, 16, k, stride=2, bank=bank),
            *(Inclusive(256, 256, 16, k, bank=bank) for _ in range(2)),
        )
        self.head1 = when(wanted("head1"), Head(256, 10))
        self.head2 = when(wanted("head2"), Head(256, 10))
        self.head3 = when(wanted("head3"), Head(256, 10))
        self.head4 = when(wanted("head4"), Head(256, 10))
        self.head5 = when(wanted("head5"), Head(256, 10))
        self.head6 = when(wanted("head6"), Head(256, 10))
        self.head7 = when(wanted("head7"), Head(256, 10))
        self.head8 = when(wanted("head8"), Head(256, 10))
        self.predictions = {
            "head1": k.is_(1),
            "head2": k.is_(2),
            "head3": k.is_(3),
            "head4": k.is_(4),
            "head5": k.is_(5),
            "head6": k.is_(6),
            "head7": k.is_(7),
            "head8": k.is_(8),
        }
        self.features = {"s1": True, "s2": True, "s3": True}
        self.prediction = named(
            k,
            {
                1: "head1",
                2: "head2",
                3: "head3",
                4: "head4",
                5: "head5",
                6: "head6",
                7: "head7",
                8: "head8",
            },
        )
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x)  # [N, 64, 32, 32]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 128, 16, 16]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 256, 8, 8]
        if p.head1 is not None:
            outputs["head1"] = self.head1(x, p.head1)  # [N, 10]
        if p.head2 is not None:
            outputs["head2"] = self.head2(x, p.head2)  # [N, 10]
        if p.head3 is not None:
            outputs["head3"] = self.head3(x, p.head3)  # [N, 10]
        if p.head4 is not None:
            outputs["head4"] = self.head4(x, p.head4)  # [N, 10]
        if p.head5 is not None:
            outputs["head5"] = self.head5(x, p.head5)  # [N, 10]
        if p.head6 is not None:
            outputs["head6"] = self.head6(x, p.head6)  # [N, 10]
        if p.head7 is not None:
            outputs["head7"] = self.head7(x, p.head7)  # [N, 10]
        if p.head8 is not None:
            outputs["head8"] = self.head8(x, p.head8)  # [N, 10]
        return p.result(outputs)


Model = Resnext29Inclusive
