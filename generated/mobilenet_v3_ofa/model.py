"""MobilenetV3Ofa, an elastic network, written by specc from mobilenet_v3_ofa.specc:6.

    net = Model()
    plan = net.plan({"resolution": 128})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 224, 224]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.layers.conv import Conv2d
from elastic.layers.linear import Linear
from elastic.layers.transformed import TransformedConv2d
from elastic.net.elastic import Elastic
from elastic.net.network import ElasticNet, resize
from elastic.net.plan import Part, Plan
from elastic.net.sizes import OneOf, Size, divisible
from elastic.net.stage import Repeat, Stage
from space import choice


def hswish(x: Tensor) -> Tensor:
    return F.hardswish(x)


def relu(x: Tensor) -> Tensor:
    return F.relu(x, inplace=True)


class Excitation(Elastic):
    """excitation, std/squeeze_excite.specc:9."""

    def __init__(self, in_: Size, out: Size, squeeze: Size) -> None:
        super().__init__()
        self.linear1 = Linear(in_, squeeze)
        self.linear2 = Linear(squeeze, out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = x.mean((2, 3))  # [N, in_]
        x = F.relu(self.linear1(x, p.linear1), inplace=True)  # [N, squeeze]
        return F.hardsigmoid(self.linear2(x, p.linear2))


class SqueezeExcite(Elastic):
    """squeeze_excite, std/squeeze_excite.specc:4."""

    def __init__(self, in_: Size, squeeze: Size) -> None:
        super().__init__()
        self.excitation = Excitation(in_, in_, squeeze)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.excitation(x, p.excitation)  # [N, in_]
        return x * y[:, :, None, None]


class MbV3(Elastic):
    """mb_v3, std/mobilenet_v3.specc:6."""

    def __init__(
        self,
        in_: int,
        out: int,
        kernel: Size = 3,
        expand: Size = 6,
        stride: int = 1,
        se: bool = True,
        act: Callable[[Tensor], Tensor] = hswish,
    ) -> None:
        super().__init__()
        hidden = in_ * expand
        self.kernel, self.expand = kernel, expand  # choices are called after these
        self.act = act
        self.with_conv1 = expand != 1
        if self.with_conv1:
            self.conv1 = Conv2d(in_, hidden, 1, bias=False)
            self.norm1 = BatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, kernel, stride=stride, padding=kernel // 2, groups=hidden, bias=False
        )
        self.norm2 = BatchNorm2d(hidden)
        self.se = se
        if self.se:
            self.squeeze_excite = SqueezeExcite(hidden, divisible(hidden / 4, 8))
        self.conv2 = Conv2d(hidden, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)
        self.residual = stride == 1 and in_ == out

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = x
        if self.with_conv1:
            y = self.conv1(x, p.conv1)  # [N, hidden, H, W]
            y = self.act(self.norm1(y, p.norm1))
        y = self.depthwise(y, p.depthwise)  # [N, hidden, H', W']
        y = self.act(self.norm2(y, p.norm2))
        if self.se:
            y = self.squeeze_excite(y, p.squeeze_excite)
        y = self.conv2(y, p.conv2)  # [N, out, H', W']
        y = self.norm3(y, p.norm3)
        return x + y if self.residual else y


class Stem(Elastic):
    """stem, mobilenet_v3_ofa.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm2d(16)
        self.b1 = MbV3(16, 16, expand=1, se=False, act=relu)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x)  # [N, 16, 112, 112]
        x = F.hardswish(self.norm(x, p.norm))
        return self.b1(x, p.b1)


class Head(Elastic):
    """head, mobilenet_v3_ofa.specc:38."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(160, 960, 1, bias=False)
        self.norm = BatchNorm2d(960)
        self.linear1 = nn.Linear(960, 1280, bias=False)
        self.dropout = nn.Dropout(0.1)
        self.linear2 = nn.Linear(1280, 1000)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x)  # [N, 960, 7, 7]
        x = F.hardswish(self.norm(x, p.norm))
        x = x.mean((2, 3))  # [N, 960]
        x = F.hardswish(self.linear1(x))  # [N, 1280]
        x = self.dropout(x)
        return self.linear2(x)


class MobilenetV3Ofa(ElasticNet):
    """The network, mobilenet_v3_ofa.specc:6."""

    fingerprint = "c49715ebb41db77c"  # of the network: checkpoints carry it
    first_fingerprint = "2d27845899433d23"  # in files of specc 0.1
    renamed = {"stem.b1": {"norm1": "norm2", "conv": "conv2", "norm2": "norm3"}}

    def __init__(self) -> None:
        super().__init__(space)
        self.stem = Stem()
        self.s1 = Stage(
            MbV3(
                16, 24, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), stride=2, se=False, act=relu
            ),
            Repeat(
                OneOf(1, 2, 3),
                (
                    MbV3(24, 24, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), se=False, act=relu)
                    for _ in range(3)
                ),
            ),
        )
        self.s2 = Stage(
            MbV3(24, 40, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), stride=2, act=relu),
            Repeat(
                OneOf(1, 2, 3),
                (
                    MbV3(40, 40, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), act=relu)
                    for _ in range(3)
                ),
            ),
        )
        self.s3 = Stage(
            MbV3(40, 80, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), stride=2, se=False),
            Repeat(
                OneOf(1, 2, 3),
                (
                    MbV3(80, 80, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), se=False)
                    for _ in range(3)
                ),
            ),
        )
        self.s4 = Stage(
            MbV3(80, 112, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6)),
            Repeat(
                OneOf(1, 2, 3),
                (MbV3(112, 112, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6)) for _ in range(3)),
            ),
        )
        self.s5 = Stage(
            MbV3(112, 160, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6), stride=2),
            Repeat(
                OneOf(1, 2, 3),
                (MbV3(160, 160, kernel=OneOf(3, 5, 7), expand=OneOf(3, 4, 6)) for _ in range(3)),
            ),
        )
        self.head = Head()
        self.resolution = choice("resolution")
        self.outputs = ("head", "s1", "s2", "s3", "s4", "s5")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        if p.resolution is not None:
            x = resize(x, p.resolution)
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 16, 112, 112]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 24, 56, 56]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 40, 28, 28]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 80, 14, 14]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 112, 14, 14]
        outputs["s5"] = x = self.s5(x, p.s5)  # [N, 160, 7, 7]
        outputs["head"] = x = self.head(x, p.head)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = MobilenetV3Ofa
