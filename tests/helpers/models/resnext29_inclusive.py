"""specs/resnext29_inclusive.specc: nested branches, norms in banks, a head for each number of branches."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.runtime.net.elastic import Elastic, when
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, named, position, wanted
from specc.runtime.net.stage import Stage
from tests.helpers.models import Outputs, choice


class Stem(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Any:
        return self.conv(x)


class Inclusive(Elastic):
    def __init__(self, in_: int, out: int, width: int, k: OneOf, stride: int = 1) -> None:
        super().__init__()
        hidden, bank = width * k, position(k, *k.options)
        self.more = out - in_
        self.pool = nn.AvgPool2d(2, 2) if stride == 2 else None
        self.norm1 = BatchNorm2d(out, banks=8, bank=bank)
        self.conv1 = Conv2d(out, hidden, 1, bias=False)
        self.norm2 = BatchNorm2d(hidden, banks=8, bank=bank)
        self.conv2 = Conv2d(hidden, hidden, 3, padding=1, groups=k, bias=False)
        self.norm3 = BatchNorm2d(hidden, banks=8, bank=bank)
        self.conv3 = Conv2d(hidden, out, 1, bias=False)

    def forward(self, x: Tensor, p: Part) -> Any:
        if self.pool is not None:
            x = F.pad(self.pool(x), (0, 0, 0, 0, 0, self.more))
        y = F.relu(self.norm1(x, p.norm1), inplace=True)
        y = F.relu(self.norm2(self.conv1(y, p.conv1), p.norm2), inplace=True)
        y = F.relu(self.norm3(self.conv2(y, p.conv2), p.norm3), inplace=True)
        return x + self.conv3(y, p.conv3)


class Head(Elastic):
    def __init__(self) -> None:
        super().__init__()
        self.norm = BatchNorm2d(256)
        self.linear = nn.Linear(256, 10)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.linear(F.relu(self.norm(x, p.norm), inplace=True).mean((2, 3)))


def stage(in_: int, out: int, width: int, k: OneOf, stride: int) -> Stage:
    return Stage(Inclusive(in_, out, width, k, stride), *(Inclusive(out, out, width, k) for _ in range(2)))


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        k = choice(space, "k")
        self.stem = Stem()
        self.s1 = stage(64, 64, 4, k, 1)
        self.s2 = stage(64, 128, 8, k, 2)
        self.s3 = stage(128, 256, 16, k, 2)
        heads = {option: f"head{option}" for option in k.options}
        for name in heads.values():
            self.add_module(name, when(wanted(name), Head()))
        self.predictions = {name: k.is_(option) for option, name in heads.items()}
        self.features = {"s1": 1, "s2": 1, "s3": 1}
        self.prediction = named(k, heads)
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p: Plan = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x)
        outputs["s1"] = x = self.s1(x, p.s1)
        outputs["s2"] = x = self.s2(x, p.s2)
        outputs["s3"] = x = self.s3(x, p.s3)
        for name in self.predictions:
            if name in p.wanted:
                outputs[name] = getattr(self, name)(x, getattr(p, name))
        return p.result(outputs)
