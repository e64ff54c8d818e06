"""MobilenetV2Us, an elastic network, written by specc from mobilenet_v2_us.specc:6.

    net = Model()
    plan = net.plan({"width": 0.35})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 224, 224]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.layers.conv import Conv2d
from elastic.net.elastic import Elastic
from elastic.net.network import ElasticNet
from elastic.net.plan import Part, Plan
from elastic.net.sizes import Size, divisible
from elastic.net.stage import Stage
from space import choice


class Stem(Elastic):
    """stem, mobilenet_v2_us.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        c32 = divisible(32 * choice("width"), 8)
        self.conv = Conv2d(3, c32, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm2d(c32)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 112, 112]
        return F.relu6(self.norm(x, p.norm), inplace=True)


class InvertedResidual(Elastic):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(
        self, in_: Size, out: Size, expand: int = 6, stride: int = 1, kernel: int = 3
    ) -> None:
        super().__init__()
        hidden = in_ * expand
        self.with_conv1 = expand != 1
        if self.with_conv1:
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
        y = x
        if self.with_conv1:
            y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
            y = F.relu6(self.norm1(y, p.norm1), inplace=True)
        y = self.depthwise(y, p.depthwise)  # [N, hidden, H', W']
        y = F.relu6(self.norm2(y, p.norm2), inplace=True)
        y = self.conv2(y, p.conv2)  # [N, out, H', W']
        y = self.norm3(y, p.norm3)
        return x + y if self.residual else y


class Head(Elastic):
    """head, mobilenet_v2_us.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv2d(divisible(320 * choice("width"), 8), 1280, 1, bias=False)
        self.norm = BatchNorm2d(1280)
        self.linear = nn.Linear(1280, 1000)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 1280, 7, 7]
        x = F.relu6(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, 1280]
        return self.linear(x)


class MobilenetV2Us(ElasticNet):
    """The network, mobilenet_v2_us.specc:6."""

    fingerprint = "9911728c151c0b2c"  # of the network: checkpoints carry it
    first_fingerprint = "b0cb4b70a5e1fa57"  # in files of specc 0.1
    renamed = {"s1.b1": {"norm1": "norm2", "conv": "conv2", "norm2": "norm3"}}

    def __init__(self) -> None:
        super().__init__(space)
        width = choice("width")
        c32 = divisible(32 * width, 8)
        c16 = divisible(16 * width, 8)
        c24 = divisible(24 * width, 8)
        c64 = divisible(64 * width, 8)
        c96 = divisible(96 * width, 8)
        c160 = divisible(160 * width, 8)
        self.stem = Stem()
        self.s1 = Stage(InvertedResidual(c32, c16, expand=1))
        self.s2 = Stage(InvertedResidual(c16, c24, stride=2), InvertedResidual(c24, c24))
        self.s3 = Stage(
            InvertedResidual(c24, c32, stride=2),
            InvertedResidual(c32, c32),
            InvertedResidual(c32, c32),
        )
        self.s4 = Stage(
            InvertedResidual(c32, c64, stride=2), *(InvertedResidual(c64, c64) for _ in range(3))
        )
        self.s5 = Stage(
            InvertedResidual(c64, c96), InvertedResidual(c96, c96), InvertedResidual(c96, c96)
        )
        self.s6 = Stage(
            InvertedResidual(c96, c160, stride=2),
            InvertedResidual(c160, c160),
            InvertedResidual(c160, c160),
        )
        self.s7 = Stage(InvertedResidual(c160, divisible(320 * width, 8)))
        self.head = Head()
        self.outputs = ("head", "s1", "s2", "s3", "s4", "s5", "s6", "s7")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 32, 112, 112]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 16, 112, 112]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 24, 56, 56]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 32, 28, 28]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 64, 14, 14]
        outputs["s5"] = x = self.s5(x, p.s5)  # [N, 96, 14, 14]
        outputs["s6"] = x = self.s6(x, p.s6)  # [N, 160, 7, 7]
        outputs["s7"] = x = self.s7(x, p.s7)  # [N, 320, 7, 7]
        outputs["head"] = x = self.head(x, p.head)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = MobilenetV2Us
