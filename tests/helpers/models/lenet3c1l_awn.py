"""specs/lenet3c1l_awn.specc: triangular weights, any width."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.linear.torch import Linear
from specc.ops.triangular.torch import TriangularConv2d
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import Size, greatest, half_up, times
from tests.helpers.models import Outputs, asked, choice


class Stem(Elastic):
    def __init__(self, out: Size) -> None:
        super().__init__()
        self.conv = Conv2d(1, out, 3)
        self.norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        return F.relu(self.norm(self.conv(x, p.conv), p.norm), inplace=True)


class S1(Elastic):
    def __init__(self, channels: Size) -> None:
        super().__init__()
        self.conv1 = TriangularConv2d(channels, channels, 3)
        self.norm1 = BatchNorm2d(channels)
        self.maxpool1 = nn.MaxPool2d(2, 2)
        self.conv2 = TriangularConv2d(channels, channels, 5)
        self.norm2 = BatchNorm2d(channels)
        self.maxpool2 = nn.MaxPool2d(2, 2)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = self.maxpool1(F.relu(self.norm1(self.conv1(x, p.conv1), p.norm1), inplace=True))
        return self.maxpool2(F.relu(self.norm2(self.conv2(x, p.conv2), p.norm2), inplace=True))


class Head(Elastic):
    def __init__(self, hidden: Size) -> None:
        super().__init__()
        self.linear = Linear(hidden, 10)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.linear(x.flatten(1), p.linear)


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        channels = greatest(1, half_up(choice(space, "width")))
        self.stem = Stem(channels)
        self.s1 = S1(channels)
        self.head = Head(times(channels, 16))
        self.outputs = ("head", "s1")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["head"] = self.head(x, p.head)
        return asked(p, outputs)  # type: ignore[no-any-return]
