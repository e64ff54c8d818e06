"""specs/resnext47_hierarchical.specc: slices, and two heads for each number of them."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.pad_channels.torch import PadSlices
from specc.ops.triangular.torch import BlockConv2d
from specc.runtime.net.elastic import Elastic, when
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, Size, largest, named, wanted
from specc.runtime.net.slices import SlicedNet
from specc.runtime.net.stage import Stage
from tests.helpers.models import Outputs, choice


class Stem(Elastic):
    def __init__(self, out: Size) -> None:
        super().__init__()
        self.conv = Conv2d(3, out, 3, padding=1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.conv(x, p.conv)


class InclusiveSparse(Elastic):
    def __init__(self, in_: Size, out: Size, hidden: Size, k: OneOf, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        if stride == 2:
            self.pool = nn.AvgPool2d(2, 2)
            self.pad_channels = PadSlices(largest(in_), largest(out), slices=6)
        self.norm1 = BatchNorm2d(out)
        self.conv1 = BlockConv2d(out, hidden, 1, bias=False, blocks=6)
        self.norm2 = BatchNorm2d(hidden)
        self.conv2 = Conv2d(hidden, hidden, 3, padding=1, groups=k, bias=False)
        self.norm3 = BatchNorm2d(hidden)
        self.conv3 = Conv2d(hidden, out, 1, groups=k, bias=False)

    def forward(self, x: Tensor, p: Part) -> Any:
        if self.stride == 2:
            x = self.pad_channels(self.pool(x))
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = F.relu(self.norm2(self.conv1(y, p.conv1), p.norm2), inplace=True)
        y = F.relu(self.norm3(self.conv2(y, p.conv2), p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


class Head(Elastic):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.narrow = channels
        self.norm = BatchNorm2d(channels)
        self.linear = nn.Linear(channels, out)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = F.relu(self.norm(x[:, : self.narrow], p.norm), inplace=True)
        return self.linear(x.mean((2, 3)))


def stage(in_: int, out: int, k: OneOf, stride: int = 1) -> Stage:
    def block(in_: int, stride: int = 1) -> InclusiveSparse:
        return InclusiveSparse(in_ * k, out * k, out // 2 * k, k, stride)

    return Stage(block(in_, stride), *(block(out) for _ in range(4)))


class Model(SlicedNet):
    slices = "k"
    counts = (1, 2, 3, 4, 5, 6)

    def __init__(self, space: Space) -> None:
        super().__init__(space)
        k = choice(space, "k")
        self.stem = Stem(16 * k)
        self.s1 = stage(16, 16, k)
        self.s2 = stage(16, 32, k, 2)
        self.s3 = stage(32, 64, k, 2)
        predictions: dict[str, Any] = {}
        for count in self.counts:
            for level, classes in (("fine", 100), ("coarse", 20)):
                name = f"head{count}_{level}"
                self.add_module(name, when(wanted(name), Head(64 * count, classes)))
                predictions[name] = k >= count
        self.predictions = predictions
        self.features = {"s1": 1, "s2": 1, "s3": 1}
        self.prediction = named(k, {count: f"head{count}_fine" for count in self.counts})
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p: Plan = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)
        outputs["s3"] = x = self.s3(x, p.s3)
        for name in self.predictions:
            if name in p.wanted:
                outputs[name] = getattr(self, name)(x, getattr(p, name))
        return p.result(outputs)
