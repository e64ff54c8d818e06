"""Digits, an elastic network, written by specc from digits.specc:4.

    net = Model()
    plan = net.plan({"width": 0.2})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 1, 8, 8]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.layers.conv import Conv2d
from elastic.layers.linear import Linear
from elastic.net.elastic import Elastic
from elastic.net.network import ElasticNet
from elastic.net.plan import Part, Plan
from elastic.net.sizes import OneOf, Size, divisible
from elastic.net.stage import Repeat, Stage
from space import choice


class Stem(Elastic):
    """stem, digits.specc:9."""

    def __init__(self) -> None:
        super().__init__()
        c32 = divisible(32 * choice("width"), 2)
        self.conv = Conv2d(1, c32, 3, padding=1, bias=False)
        self.norm = BatchNorm2d(c32)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 8, 8]
        return F.relu6(self.norm(x, p.norm), inplace=True)


class InvertedResidual(Elastic):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(
        self, in_: Size, out: Size, expand: int = 6, stride: int = 1, kernel: int = 3
    ) -> None:
        super().__init__()
        hidden = in_ * expand
        self.conv1 = Conv2d(in_, hidden, 1, bias=False)
        self.norm1 = BatchNorm2d(hidden)
        self.depthwise = Conv2d(
            hidden, hidden, kernel, stride=stride, padding=kernel // 2, groups=hidden, bias=False
        )
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)
        self.residual = stride == 1 and in_ == out

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
        y = F.relu6(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)  # [N, hidden, H', W']
        y = F.relu6(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)  # [N, out, H', W']
        y = self.norm3(y, p.norm3)
        return x + y if self.residual else y


class Head(Elastic):
    """head, digits.specc:14."""

    def __init__(self) -> None:
        super().__init__()
        width = choice("width")
        c128 = divisible(128 * width, 2)
        self.conv = Conv2d(divisible(64 * width, 2), c128, 1, bias=False)
        self.norm = BatchNorm2d(c128)
        self.linear = Linear(c128, 10)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 128, 4, 4]
        x = F.relu6(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, 128]
        return self.linear(x, p.linear)


class Digits(ElasticNet):
    """The network, digits.specc:4."""

    fingerprint = "b9d906d29a57f7a7"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__(space)
        width = choice("width")
        c32 = divisible(32 * width, 2)
        c64 = divisible(64 * width, 2)
        self.stem = Stem()
        self.s1 = Stage(
            InvertedResidual(c32, c32, expand=3),
            Repeat(OneOf(0, 1, 2), (InvertedResidual(c32, c32, expand=3) for _ in range(2))),
        )
        self.s2 = Stage(
            InvertedResidual(c32, c64, expand=3, stride=2),
            Repeat(OneOf(0, 1, 2), (InvertedResidual(c64, c64, expand=3) for _ in range(2))),
        )
        self.head = Head()
        self.outputs = ("head", "s1", "s2")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 32, 8, 8]
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 64, 4, 4]
        outputs["head"] = x = self.head(x, p.head)  # [N, 10]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Digits
