"""specs/resnet50_adn.specc: blocks that can be skipped, and norms with a bank for each way."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size
from specc.runtime.net.stage import Skippable, Stage
from tests.helpers.models import Outputs, asked


class Stem(Elastic):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.norm = BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.maxpool(F.relu(self.norm(self.conv(x), p.norm), inplace=True))


class Bottleneck(Elastic):
    def __init__(self, in_: int, width: int, out: int, stride: int = 1, banks: int = 1, bank: Size = 0) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_, width, 1, bias=False)
        self.norm1 = BatchNorm2d(width, banks=banks, bank=bank)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = BatchNorm2d(width, banks=banks, bank=bank)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out, banks=banks, bank=bank)
        self.projection = stride != 1 or in_ != out
        if self.projection:
            self.shortcut_conv = nn.Conv2d(in_, out, 1, stride=stride, bias=False)
            self.shortcut_norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = F.relu(self.norm1(self.conv1(x), p.norm1), inplace=True)
        y = F.relu(self.norm2(self.conv2(y), p.norm2), inplace=True)
        y = self.norm3(self.conv3(y), p.norm3)
        if self.projection:
            x = self.shortcut_norm(self.shortcut_conv(x), p.shortcut_norm)
        y += x
        return F.relu(y, inplace=True)


class Head(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Any:
        return self.linear(x.mean((2, 3)))


def stage(in_: int, width: int, stride: int, more: int, skipped: int) -> Stage:
    out, keep = 4 * width, OneOf(False, True)
    return Stage(
        Bottleneck(in_, width, out, stride, banks=2, bank=keep),
        *(Bottleneck(out, width, out, banks=2, bank=keep) for _ in range(more)),
        Skippable(keep, *(Bottleneck(out, width, out) for _ in range(skipped))),
    )


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.stem = Stem()
        self.s1 = stage(64, 64, 1, 1, 1)
        self.s2 = stage(256, 128, 2, 1, 2)
        self.s3 = stage(512, 256, 2, 2, 3)
        self.s4 = stage(1024, 512, 2, 1, 1)
        self.head = Head()
        self.outputs = ("head", "s1", "s2", "s3", "s4")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)
        outputs["s3"] = x = self.s3(x, p.s3)
        outputs["s4"] = x = self.s4(x, p.s4)
        outputs["head"] = self.head(x)
        return asked(p, outputs)  # type: ignore[no-any-return]
