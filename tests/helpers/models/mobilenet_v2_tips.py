"""specs/mobilenet_v2_tips.specc: a width for each group of layers, and blocks to skip one by one."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size, divisible
from specc.runtime.net.stage import Skippable, Stage
from tests.helpers.models import Outputs, asked


class Stem(Elastic):
    def __init__(self, out: Size) -> None:
        super().__init__()
        self.conv = Conv2d(3, out, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        return F.relu6(self.norm(self.conv(x, p.conv), p.norm), inplace=True)


class First(Elastic):
    def __init__(self, in_: Size, out: Size) -> None:
        super().__init__()
        self.depthwise = Conv2d(in_, in_, 3, padding=1, groups=in_, bias=False)
        self.norm2 = BatchNorm2d(in_)
        self.conv2 = Conv2d(in_, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = F.relu6(self.norm2(self.depthwise(x, p.depthwise), p.norm2), inplace=True)
        return self.norm3(self.conv2(x, p.conv2), p.norm3)


class InvertedResidual(Elastic):
    def __init__(self, in_: Size, hidden: Size, out: Size, stride: int = 1) -> None:
        super().__init__()
        self.residual = stride == 1 and in_ == out
        self.conv1 = Conv2d(in_, hidden, 1, bias=False)
        self.norm1 = BatchNorm2d(hidden)
        self.depthwise = Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False)
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Any:
        y = F.relu6(self.norm1(self.conv1(x, p.conv1), p.norm1), inplace=True)
        y = F.relu6(self.norm2(self.depthwise(y, p.depthwise), p.norm2), inplace=True)
        y = self.norm3(self.conv2(y, p.conv2), p.norm3)
        return x + y if self.residual else y


class Head(Elastic):
    def __init__(self, in_: Size) -> None:
        super().__init__()
        self.conv = Conv2d(in_, 1280, 1, bias=False)
        self.norm = BatchNorm2d(1280)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(1280, 1000)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = F.relu6(self.norm(self.conv(x, p.conv), p.norm), inplace=True)
        return self.linear(self.dropout(x.mean((2, 3))))


def width(most: int) -> OneOf:
    """A width of its own, from two fifths of the largest."""
    return OneOf(*range(divisible(0.4 * most, 8), most + 1, 8))


def stage(in_: Size, first: int, out: Size, hidden: int, skippable: int, stride: int = 2) -> Stage:
    return Stage(
        InvertedResidual(in_, width(first), out, stride),
        *(Skippable(OneOf(False, True), InvertedResidual(out, width(hidden), out)) for _ in range(skippable)),
    )


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        c32, c16, *others = (width(most) for most in (32, 16, 24, 32, 64, 96, 160, 320))
        self.stem = Stem(c32)
        self.s1 = Stage(First(c32, c16))
        self.s2 = stage(c16, 96, others[0], 144, 1)
        self.s3 = stage(others[0], 144, others[1], 192, 2)
        self.s4 = stage(others[1], 192, others[2], 384, 3)
        self.s5 = stage(others[2], 384, others[3], 576, 2, stride=1)
        self.s6 = stage(others[3], 576, others[4], 960, 2)
        self.s7 = stage(others[4], 960, others[5], 960, 0, stride=1)
        self.head = Head(others[5])
        self.outputs = ("head", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        for name in ("s1", "s2", "s3", "s4", "s5", "s6", "s7"):
            outputs[name] = x = getattr(self, name)(x, getattr(p, name))
        outputs["head"] = self.head(x, p.head)
        return asked(p, outputs)  # type: ignore[no-any-return]
