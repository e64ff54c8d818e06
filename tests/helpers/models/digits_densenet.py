"""specs/digits_densenet.specc: channels in runs, each layer with a width of its own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.segmented.torch import SegmentedBatchNorm2d, SegmentedConv2d, SegmentedLinear
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size, cat
from tests.helpers.models import Outputs, asked


class Stem(Elastic):
    def __init__(self, out: Size) -> None:
        super().__init__()
        self.conv = Conv2d(1, out, 3, padding=1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.conv(x, p.conv)


class DenseLayer(Elastic):
    def __init__(self, in_: Size, hidden: Size, out: Size) -> None:
        super().__init__()
        self.norm1 = SegmentedBatchNorm2d(in_)
        self.conv1 = SegmentedConv2d(in_, hidden, 1, bias=False)
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, out, 3, padding=1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = self.conv1(F.relu(self.norm1(x, p.norm1), inplace=True), p.conv1)
        return self.conv2(F.relu(self.norm2(x, p.norm2), inplace=True), p.conv2)


class Transition(Elastic):
    def __init__(self, in_: Size, out: Size) -> None:
        super().__init__()
        self.norm = SegmentedBatchNorm2d(in_)
        self.conv = SegmentedConv2d(in_, out, 1, bias=False)
        self.pool = nn.AvgPool2d(2, 2)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.pool(self.conv(F.relu(self.norm(x, p.norm), inplace=True), p.conv))


class Dense(Elastic):
    """Four layers, each on what all before it have given."""

    def __init__(self, in_: Size, out: Size | None) -> None:
        super().__init__()
        for number in range(1, 5):
            grown = OneOf(8, 12)
            self.add_module(f"b{number}", DenseLayer(in_, OneOf(*range(24, 52, 4)), grown))
            in_ = cat(in_, grown)
        self.b5 = None if out is None else Transition(in_, out)
        self.channels = in_

    def forward(self, x: Tensor, p: Part) -> Any:
        for name in ("b1", "b2", "b3", "b4"):
            x = torch.cat((x, getattr(self, name)(x, getattr(p, name))), 1)
        return x if self.b5 is None else self.b5(x, p.b5)


class Head(Elastic):
    def __init__(self, in_: Size) -> None:
        super().__init__()
        self.norm = SegmentedBatchNorm2d(in_)
        self.linear = SegmentedLinear(in_, 10)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.linear(F.relu(self.norm(x, p.norm), inplace=True).mean((2, 3)), p.linear)


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        first, middle = OneOf(8, 12, 16), OneOf(16, 20, 24, 28, 32)
        self.stem = Stem(first)
        self.s1 = Dense(first, middle)
        self.s2 = Dense(middle, None)
        self.head = Head(self.s2.channels)
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
