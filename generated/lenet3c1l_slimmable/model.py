"""Lenet3c1lSlimmable, an elastic network, written by specc from lenet3c1l_slimmable.specc:6.

    net = Model()
    plan = net.plan({"width": 0.25})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 1, 28, 28]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.layers.conv import Conv2d
from elastic.layers.linear import Linear
from elastic.net.elastic import Elastic
from elastic.net.network import ElasticNet
from elastic.net.plan import Part, Plan
from elastic.net.sizes import divisible, position
from space import choice


class Stem(Elastic):
    """stem, lenet3c1l_slimmable.specc:10."""

    def __init__(self) -> None:
        super().__init__()
        width = choice("width")
        c32 = divisible(32 * width, 1)
        self.conv = Conv2d(1, c32, 3)
        self.norm = BatchNorm2d(c32, banks=4, bank=position(width, 0.25, 0.5, 0.75, 1))

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x, p.conv)  # [N, 32, 26, 26]
        return F.relu(self.norm(x, p.norm), inplace=True)


class S1(Elastic):
    """stage s1, lenet3c1l_slimmable.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        width = choice("width")
        c32 = divisible(32 * width, 1)
        bank = position(width, 0.25, 0.5, 0.75, 1)
        self.conv1 = Conv2d(c32, c32, 3)
        self.norm1 = BatchNorm2d(c32, banks=4, bank=bank)
        self.maxpool1 = nn.MaxPool2d(2)
        self.conv2 = Conv2d(c32, c32, 5)
        self.norm2 = BatchNorm2d(c32, banks=4, bank=bank)
        self.maxpool2 = nn.MaxPool2d(2)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv1(x, p.conv1)  # [N, 32, 24, 24]
        x = F.relu(self.norm1(x, p.norm1), inplace=True)
        x = self.maxpool1(x)  # [N, 32, 12, 12]
        x = self.conv2(x, p.conv2)  # [N, 32, 8, 8]
        x = F.relu(self.norm2(x, p.norm2), inplace=True)
        return self.maxpool2(x)


class Head(Elastic):
    """head, lenet3c1l_slimmable.specc:15."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = Linear(16 * divisible(32 * choice("width"), 1), 10)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = x.flatten(1)  # [N, 512]
        return self.linear(x, p.linear)


class Lenet3c1lSlimmable(ElasticNet):
    """The network, lenet3c1l_slimmable.specc:6."""

    fingerprint = "3a0886dbf7f57453"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__(space)
        self.stem = Stem()
        self.s1 = S1()
        self.head = Head()
        self.outputs = ("head", "s1")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 32, 26, 26]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 32, 4, 4]
        outputs["head"] = x = self.head(x, p.head)  # [N, 10]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Lenet3c1lSlimmable
