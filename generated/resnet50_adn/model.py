"""Resnet50Adn, an elastic network, written by specc from resnet50_adn.specc:7.

    net = Model()
    plan = net.plan({"s1.keep": False})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 224, 224]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.net.elastic import Elastic
from elastic.net.network import ElasticNet
from elastic.net.plan import Part, Plan
from elastic.net.sizes import Size
from elastic.net.stage import Skippable, Stage
from space import choice


class Stem(Elastic):
    """stem, resnet50_adn.specc:11."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.norm = BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x)  # [N, 64, 112, 112]
        x = F.relu(self.norm(x, p.norm), inplace=True)
        return self.maxpool(x)


class Bottleneck(Elastic):
    """bottleneck, std/resnet.specc:16."""

    def __init__(
        self, in_: int, width: int, out: int, stride: int = 1, banks: int = 1, bank: Size = 0
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_, width, 1, bias=False)
        self.norm1 = BatchNorm2d(width, banks=banks, bank=bank)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = BatchNorm2d(width, banks=banks, bank=bank)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.norm3 = BatchNorm2d(out, banks=banks, bank=bank)
        self.with_shortcut = stride != 1 or in_ != out
        if self.with_shortcut:
            self.shortcut_conv = nn.Conv2d(in_, out, 1, stride=stride, bias=False)
            self.shortcut_norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y = self.conv1(x)  # [N, width, H, W]
        y = F.relu(self.norm1(y, p.norm1), inplace=True)
        y = self.conv2(y)  # [N, width, H', W']
        y = F.relu(self.norm2(y, p.norm2), inplace=True)
        y = self.conv3(y)  # [N, out, H', W']
        y = self.norm3(y, p.norm3)
        if self.with_shortcut:
            x = self.shortcut_conv(x)  # [N, out, H', W']
            x = self.shortcut_norm(x, p.shortcut_norm)
        y += x
        return F.relu(y, inplace=True)


class Head(nn.Module):
    """head, resnet50_adn.specc:21."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2048, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))  # [N, 2048]
        return self.linear(x)


class Resnet50Adn(ElasticNet):
    """The network, resnet50_adn.specc:7."""

    fingerprint = "6a71ca30142277c3"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__(space)
        s1_keep = choice("s1.keep")
        s2_keep = choice("s2.keep")
        s3_keep = choice("s3.keep")
        s4_keep = choice("s4.keep")
        self.stem = Stem()
        self.s1 = Stage(
            Bottleneck(64, 64, 256, banks=2, bank=s1_keep),
            Bottleneck(256, 64, 256, banks=2, bank=s1_keep),
            Skippable(s1_keep, Bottleneck(256, 64, 256)),
        )
        self.s2 = Stage(
            Bottleneck(256, 128, 512, stride=2, banks=2, bank=s2_keep),
            Bottleneck(512, 128, 512, banks=2, bank=s2_keep),
            Skippable(s2_keep, Bottleneck(512, 128, 512), Bottleneck(512, 128, 512)),
        )
        self.s3 = Stage(
            Bottleneck(512, 256, 1024, stride=2, banks=2, bank=s3_keep),
            *(Bottleneck(1024, 256, 1024, banks=2, bank=s3_keep) for _ in range(2)),
            Skippable(s3_keep, *(Bottleneck(1024, 256, 1024) for _ in range(3))),
        )
        self.s4 = Stage(
            Bottleneck(1024, 512, 2048, stride=2, banks=2, bank=s4_keep),
            Bottleneck(2048, 512, 2048, banks=2, bank=s4_keep),
            Skippable(s4_keep, Bottleneck(2048, 512, 2048)),
        )
        self.head = Head()
        self.outputs = ("head", "s1", "s2", "s3", "s4")
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x = self.stem(x, p.stem)  # [N, 64, 56, 56]
        outputs["s1"] = x = self.s1(x, p.s1)  # [N, 256, 56, 56]
        outputs["s2"] = x = self.s2(x, p.s2)  # [N, 512, 28, 28]
        outputs["s3"] = x = self.s3(x, p.s3)  # [N, 1024, 14, 14]
        outputs["s4"] = x = self.s4(x, p.s4)  # [N, 2048, 7, 7]
        outputs["head"] = x = self.head(x)  # [N, 1000]
        return x if p.outputs is None else {name: outputs[name] for name in p.outputs}


Model = Resnet50Adn
