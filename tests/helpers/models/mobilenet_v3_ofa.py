"""specs/mobilenet_v3_ofa.specc: kernels with transforms, expansions, depths, resolutions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.linear.torch import Linear
from specc.ops.transformed.torch import TransformedConv2d
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.resizing import resize
from specc.runtime.net.sizes import OneOf, divisible
from specc.runtime.net.stage import Repeat, Stage
from tests.helpers.models import Outputs, asked, choice

Act = Callable[[Tensor], Tensor]
relu: Act = partial(F.relu, inplace=True)


class Excitation(Elastic):
    def __init__(self, channels: Any, hidden: Any) -> None:
        super().__init__()
        self.linear1 = Linear(channels, hidden)
        self.linear2 = Linear(hidden, channels)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = F.relu(self.linear1(x.mean((2, 3)), p.linear1), inplace=True)
        return F.hardsigmoid(self.linear2(x, p.linear2))


class SqueezeExcite(Elastic):
    def __init__(self, channels: Any) -> None:
        super().__init__()
        self.excitation = Excitation(channels, divisible(channels / 4, 8))

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.excitation(x, p.excitation)
        return x * y[:, :, None, None]  # type: ignore[no-any-return]


class MbV3(Elastic):
    def __init__(self, in_: int, out: int, kernel: Any, expand: Any, stride: int, se: bool, act: Act) -> None:
        super().__init__()
        hidden = in_ * expand
        self.kernel, self.expand, self.act = kernel, expand, act
        self.residual = stride == 1 and in_ == out
        self.conv1 = Conv2d(in_, hidden, 1, bias=False)
        self.norm1 = BatchNorm2d(hidden)
        self.depthwise = TransformedConv2d(
            hidden, hidden, kernel, stride=stride, padding=kernel // 2, groups=hidden, bias=False
        )
        self.norm2 = BatchNorm2d(hidden)
        self.squeeze_excite = SqueezeExcite(hidden) if se else None
        self.conv2 = Conv2d(hidden, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.act(self.norm1(self.conv1(x, p.conv1), p.norm1))
        y = self.act(self.norm2(self.depthwise(y, p.depthwise), p.norm2))
        if self.squeeze_excite is not None:
            y = self.squeeze_excite(y, p.squeeze_excite)
        y = self.norm3(self.conv2(y, p.conv2), p.norm3)
        return x + y if self.residual else y  # type: ignore[no-any-return]


class First(Elastic):
    """A block that does not expand: nothing in it is elastic but the statistics of its norms."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm2 = BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm3 = BatchNorm2d(channels)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = relu(self.norm2(self.depthwise(x), p.norm2))
        return x + self.norm3(self.conv2(y), p.norm3)  # type: ignore[no-any-return]


class Stem(Elastic):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm2d(16)
        self.b1 = First(16)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = F.hardswish(self.norm(self.conv(x), p.norm))
        y: Tensor = self.b1(x, p.b1)
        return y


class Head(Elastic):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(160, 960, 1, bias=False)
        self.norm = BatchNorm2d(960)
        self.linear1 = nn.Linear(960, 1280, bias=False)
        self.dropout = nn.Dropout(0.1)
        self.linear2 = nn.Linear(1280, 1000)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = F.hardswish(self.norm(self.conv(x), p.norm))
        x = self.dropout(F.hardswish(self.linear1(x.mean((2, 3)))))
        y: Tensor = self.linear2(x)
        return y


def stage(in_: int, out: int, stride: int, se: bool, act: Act) -> Stage:
    def block(in_: int, stride: int = 1) -> MbV3:
        return MbV3(in_, out, OneOf(3, 5, 7), OneOf(3, 4, 6), stride, se, act)

    return Stage(block(in_, stride), Repeat(OneOf(1, 2, 3), (block(out) for _ in range(3))))


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        self.resolution = choice(space, "resolution")
        self.stem = Stem()
        self.s1 = stage(16, 24, 2, False, relu)
        self.s2 = stage(24, 40, 2, True, relu)
        self.s3 = stage(40, 80, 2, False, F.hardswish)
        self.s4 = stage(80, 112, 1, True, F.hardswish)
        self.s5 = stage(112, 160, 2, True, F.hardswish)
        self.head = Head()
        self.outputs = ("head", "s1", "s2", "s3", "s4", "s5")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        x = resize(x, p.resolution)  # type: ignore[arg-type]
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)
        outputs["s3"] = x = self.s3(x, p.s3)
        outputs["s4"] = x = self.s4(x, p.s4)
        outputs["s5"] = x = self.s5(x, p.s5)
        outputs["head"] = self.head(x, p.head)
        return asked(p, outputs)  # type: ignore[no-any-return]
