"""specs/digits.specc: one width for all, depths."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.linear.torch import Linear
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size, divisible
from specc.runtime.net.stage import Repeat, Stage
from tests.helpers.models import Outputs, asked, choice


class Stem(Elastic):
    def __init__(self, out: Size) -> None:
        super().__init__()
        self.conv = Conv2d(1, out, 3, padding=1, bias=False)
        self.norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)
        return F.relu6(self.norm(x, p.norm), inplace=True)


class InvertedResidual(Elastic):
    def __init__(self, in_: Size, out: Size, expand: int = 3, stride: int = 1) -> None:
        super().__init__()
        hidden = expand * in_
        self.residual = stride == 1 and in_ == out
        self.conv1 = Conv2d(in_, hidden, 1, bias=False)
        self.norm1 = BatchNorm2d(hidden)
        self.depthwise = Conv2d(hidden, hidden, 3, stride=stride, padding=1, groups=hidden, bias=False)
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.conv1(x, p.conv1)
        y = F.relu6(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)
        y = F.relu6(self.norm2(y, p.norm2), inplace=True)
        y = self.norm3(self.conv2(y, p.conv2), p.norm3)
        return x + y if self.residual else y  # type: ignore[no-any-return]


class Head(Elastic):
    def __init__(self, in_: Size, hidden: Size) -> None:
        super().__init__()
        self.conv = Conv2d(in_, hidden, 1, bias=False)
        self.norm = BatchNorm2d(hidden)
        self.linear = Linear(hidden, 10)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = F.relu6(self.norm(self.conv(x, p.conv), p.norm), inplace=True)
        y: Tensor = self.linear(x.mean((2, 3)), p.linear)
        return y


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        width = choice(space, "width")
        c32, c64, c128 = (divisible(channels * width, 2) for channels in (32, 64, 128))
        self.stem = Stem(c32)
        self.s1 = Stage(
            InvertedResidual(c32, c32),
            Repeat(OneOf(0, 1, 2), (InvertedResidual(c32, c32) for _ in range(2))),
        )
        self.s2 = Stage(
            InvertedResidual(c32, c64, stride=2),
            Repeat(OneOf(0, 1, 2), (InvertedResidual(c64, c64) for _ in range(2))),
        )
        self.head = Head(c64, c128)
        self.outputs = ("head", "s1", "s2")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)
        outputs["head"] = self.head(x, p.head)
        return asked(p, outputs)  # type: ignore[no-any-return]
