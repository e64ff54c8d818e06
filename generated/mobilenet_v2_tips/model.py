"""MobilenetV2Tips, an elastic network, written by specc from mobilenet_v2_tips.specc:7.

    net = Model()
    plan = net.plan({"s2.keep": False})  # what is left out stays at its largest
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
from elastic.net.sizes import Size
from elastic.net.stage import Skippable, Stage
from space import choice


class Stem(Elastic):
    """stem, mobilenet_v2_tips.specc:20."""

    def __init__(self) -> None:
        super().__init__()
        stem_width = choice("stem.conv.width")
        self.conv = Conv2d(3, stem_width, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm2d(stem_width)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 112, 112]
        return F.relu6(self.norm(x, p.norm), inplace=True)


class InvertedResidual(Elastic):
    """inverted_residual, std/mobilenet.specc:11."""

    def __init__(
        self, in_: Size, out: Size, hidden: Size, expand: int = 6, stride: int = 1, kernel: int = 3
    ) -> None:
        super().__init__()
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
    """head, mobilenet_v2_tips.specc:41."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = Conv2d(choice("s7.b1.conv2.width"), 1280, 1, bias=False)
        self.norm = BatchNorm2d(1280)
        self.dropout = nn.Dropout(0.2)
        self.linear = nn.Linear(1280, 1000)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 1280, 7, 7]
        x = F.relu6(self.norm(x, p.norm), inplace=True)
        x = x.mean((2, 3))  # [N, 1280]
        x = self.dropout(x)
        return self.linear(x)


class MobilenetV2Tips(ElasticNet):
    """The network, mobilenet_v2_tips.specc:7."""

    fingerprint = "c373118dad8ffe35"  # of the network: checkpoints carry it
    first_fingerprint = "20be79413a03cc9d"  # in files of specc 0.1
    renamed = {"s1.b1": {"norm1": "norm2", "conv": "conv2", "norm2": "norm3"}}

    def __init__(self) -> None:
        super().__init__(space)
        stem_width = choice("stem.conv.width")
        s1_width = choice("s1.b1.conv2.width")
        s2_width = choice("s2.b1.conv2.width")
        s3_width = choice("s3.b1.conv2.width")
        s4_width = choice("s4.b1.conv2.width")
        s5_width = choice("s5.b1.conv2.width")
        s6_width = choice("s6.b1.conv2.width")
        self.stem = Stem()
        self.s1 = Stage(InvertedResidual(stem_width, s1_width, stem_width, expand=1))
        self.s2 = Stage(
            InvertedResidual(s1_width, s2_width, choice("s2.b1.conv1.width"), stride=2),
            Skippable(
                choice("s2.keep"), InvertedResidual(s2_width, s2_width, choice("s2.b2.conv1.width"))
            ),
        )
        self.s3 = Stage(
            InvertedResidual(s2_width, s3_width, choice("s3.b1.conv1.width"), stride=2),
            Skippable(
                choice("s3.keep1"),
                InvertedResidual(s3_width, s3_width, choice("s3.b2.conv1.width")),
            ),
            Skippable(
                choice("s3.keep2"),
                InvertedResidual(s3_width, s3_width, choice("s3.b3.conv1.width")),
            ),
        )
        self.s4 = Stage(
            InvertedResidual(s3_width, s4_width, choice("s4.b1.conv1.width"), stride=2),
            Skippable(
                choice("s4.keep1"),
                InvertedResidual(s4_width, s4_width, choice("s4.b2.conv1.width")),
            ),
            Skippable(
                choice("s4.keep2"),
                InvertedResidual(s4_width, s4_width, choice("s4.b3.conv1.width")),
            ),
            Skippable(
                choice("s4.keep3"),
                InvertedResidual(s4_width, s4_width, choice("s4.b4.conv1.width")),
            ),
        )
        self.s5 = Stage(
            InvertedResidual(s4_width, s5_width, choice("s5.b1.conv1.width")),
            Skippable(
                choice("s5.keep1"),
                InvertedResidual(s5_width, s5_width, choice("s5.b2.conv1.width")),
            ),
            Skippable(
                choice("s5.keep2"),
                InvertedResidual(s5_width, s5_width, choice("s5.b3.conv1.width")),
            ),
        )
        self.s6 = Stage(
            InvertedResidual(s5_width, s6_width, choice("s6.b1.conv1.width"), stride=2),
            Skippable(
                choice("s6.keep1"),
                InvertedResidual(s6_width, s6_width, choice("s6.b2.conv1.width")),
            ),
            Skippable(
                choice("s6.keep2"),
                InvertedResidual(s6_width, s6_width, choice("s6.b3.conv1.width")),
            ),
        )
        self.s7 = Stage(
            InvertedResidual(s6_width, choice("s7.b1.conv2.width"), choice("s7.b1.conv1.width"))
        )
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


Model = MobilenetV2Tips
