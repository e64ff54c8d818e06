"""specs/msdnet_cifar.specc: exits along the way, and layers that a sub-network computes for later ones alone."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.runtime.net.elastic import Elastic, Value, when
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan, Space
from specc.runtime.net.sizes import OneOf, wanted
from tests.helpers.models import Outputs, choice


class Unit(Elastic):
    def __init__(self, in_: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_, out, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        return F.relu(self.norm(self.conv(x), p.norm), inplace=True)


class Grown(Elastic):
    def __init__(self, in_: int, out: int, wide: int, stride: int = 1) -> None:
        super().__init__()
        self.unit1 = Unit(in_, min(in_, wide * out), kernel=1)
        self.unit2 = Unit(min(in_, wide * out), out, stride=stride)

    def forward(self, x: Tensor, p: Part) -> Any:
        return self.unit2(self.unit1(x, p.unit1), p.unit2)


class Classifier(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, 100)

    def forward(self, x: Tensor) -> Any:
        return self.linear(x.mean((2, 3)))


class Head(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.b1 = Classifier(channels)

    def forward(self, x: Tensor) -> Any:
        return self.b1(x)


class Exits(Elastic):
    """A stage with exits: `self.e4` answers where the plan wants it, and ends the stage where it is the last."""

    def __init__(self, exit: OneOf) -> None:
        super().__init__()
        self.exit = Value(exit)

    def add_exit(self, name: str, channels: int) -> None:
        self.add_module(name, Head(channels))
        setattr(self, f"with_{name}", Value(wanted(name)))

    def leaves(self, name: str, x: Tensor, p: Part, outputs: dict[str, Tensor]) -> bool:
        if getattr(p, f"with_{name}"):
            outputs[name] = getattr(self, name)(x)
        return bool(p.exit == name)

    def grown(self, number: int, p: Part, *inputs: Tensor) -> list[Tensor]:
        """What the blocks from a number on make of their inputs, one each; nothing where they are absent."""
        names = [f"b{number + i}" for i in range(len(inputs))]
        present = [(name, x) for name, x in zip(names, inputs, strict=True) if getattr(p, name) is not None]
        return [getattr(self, name)(x, getattr(p, name)) for name, x in present]


class ThreeScales(Exits):
    LAST: ClassVar = {3: "e4", 5: "e6", 7: "e8"}

    def __init__(self, exit: OneOf) -> None:
        super().__init__(exit)
        needed: list[Any] = [1] * 4 + [exit.after("e4")] * 2 + [exit.after("e6")] * 2 + [exit.after("e8")] * 2
        for i in range(8):
            fine, middle, coarse = 16 + 6 * i, 32 + 12 * i, 64 + 24 * i
            blocks = (
                when(needed[i], Grown(middle, 12, 2, stride=2)),
                when(needed[i], Grown(coarse, 12, 4)),
                when(needed[i + 1], Grown(fine, 6, 1, stride=2)),
                when(needed[i + 1], Grown(middle, 6, 2)),
                when(needed[i + 2], Grown(fine, 6, 1)),
            )
            for number, block in enumerate(blocks, 5 * i + 1):
                self.add_module(f"b{number}", block)
            if i in self.LAST:
                self.add_exit(self.LAST[i], coarse + 24)

    def forward(self, x: Tensor, y: Tensor, z: Tensor, p: Part, outputs: dict[str, Tensor]) -> Any:
        """Fine, middle and coarse maps."""
        for i in range(8):
            own = 5 * i + 1
            new = self.grown(own, p, y, z), self.grown(own + 2, p, x, y), self.grown(own + 4, p, x)
            z, y, x = (torch.cat((m, *more), 1) if more else m for m, more in zip((z, y, x), new, strict=True))
            if i in self.LAST and self.leaves(self.LAST[i], z, p, outputs):
                break
        return x, y, z


class TwoScales(Exits):
    LAST: ClassVar = {0: "e10", 2: "e12", 4: "e14", 6: "e16"}

    def __init__(self, exit: OneOf) -> None:
        super().__init__(exit)
        self.b1 = Grown(128, 12, 2, stride=2)
        self.b2 = Grown(256, 12, 4)
        self.b3 = Grown(64, 6, 1, stride=2)
        self.b4 = Grown(128, 6, 2)
        self.coarse2 = Unit(280, 140, kernel=1)
        self.middle2 = Unit(140, 70, kernel=1)
        after = [exit.after(name) for name in self.LAST.values()]
        needed: list[Any] = [1, *[after[0]] * 2, *[after[1]] * 2, *[after[2]] * 2, after[3]]
        for i in range(7):
            middle, coarse = 70 + 12 * i, 140 + 24 * i
            blocks = (
                when(needed[i], Grown(middle, 12, 2, stride=2)),
                when(needed[i], Grown(coarse, 12, 4)),
                when(needed[i + 1], Grown(middle, 12, 2)),
            )
            for number, block in enumerate(blocks, 3 * i + 5):
                self.add_module(f"b{number}", block)
            if i in self.LAST:
                self.add_exit(self.LAST[i], coarse + 24)

    def forward(self, x: Tensor, y: Tensor, z: Tensor, p: Part, outputs: dict[str, Tensor]) -> Any:
        """Middle and coarse maps, of all three."""
        z = torch.cat((z, *self.grown(1, p, y, z)), 1)
        y = torch.cat((y, *self.grown(3, p, x, y)), 1)
        z, y = self.coarse2(z, p.coarse2), self.middle2(y, p.middle2)
        for i in range(7):
            new = self.grown(3 * i + 5, p, y, z), self.grown(3 * i + 7, p, y)
            z, y = (torch.cat((m, *more), 1) if more else m for m, more in zip((z, y), new, strict=True))
            if i in self.LAST and self.leaves(self.LAST[i], z, p, outputs):
                break
        return y, z


class OneScale(Exits):
    LAST: ClassVar = {0: "e18", 2: "e20", 4: "e22"}

    def __init__(self, exit: OneOf) -> None:
        super().__init__(exit)
        self.b1 = Grown(154, 12, 2, stride=2)
        self.b2 = Grown(308, 12, 4)
        self.b3 = Unit(332, 166, kernel=1)
        needed: list[Any] = [1, *(exit.after(name) for name in self.LAST.values() for _ in range(2))]
        for i in range(7):
            self.add_module(f"b{i + 4}", when(needed[i], Grown(166 + 24 * i, 24, 4)))
            if i in self.LAST:
                self.add_exit(self.LAST[i], 190 + 24 * i)

    def forward(self, y: Tensor, z: Tensor, p: Part, outputs: dict[str, Tensor]) -> Any:
        z = self.b3(torch.cat((z, *self.grown(1, p, y, z)), 1), p.b3)
        for i in range(7):
            z = torch.cat((z, *self.grown(i + 4, p, z)), 1)
            if i in self.LAST and self.leaves(self.LAST[i], z, p, outputs):
                break
        return z


class Stem(Elastic):
    def __init__(self) -> None:
        super().__init__()
        self.fine = Unit(3, 16)
        self.middle = Unit(16, 32, stride=2)
        self.coarse = Unit(32, 64, stride=2)

    def forward(self, x: Tensor, p: Part) -> Any:
        x = self.fine(x, p.fine)
        y = self.middle(x, p.middle)
        return x, y, self.coarse(y, p.coarse)


class Model(ElasticNet):
    def __init__(self, space: Space) -> None:
        super().__init__(space)
        exit = choice(space, "exit")
        self.exit = Value(exit)
        self.stem = Stem()
        self.three_scales = ThreeScales(exit)
        self.two_scales = when(exit.after("e8"), TwoScales(exit))
        self.one_scale = when(exit.after("e16"), OneScale(exit))
        self.head = Head(334)
        exits = [str(option) for option in exit.options[:-1]]
        reached: list[Any] = [1, *(exit.after(name) for name in exits)]
        self.predictions = {"head": exit.is_("head"), **dict(zip(exits, reached[:-1], strict=True))}
        self.features = {
            "three_scales": exit.after("e8"),
            "two_scales": exit.after("e16"),
            "one_scale": exit.is_("head"),
        }
        self.prediction = exit
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Outputs:
        p: Plan = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x, y, z = self.stem(x, p.stem)
        x, y, z = self.three_scales(x, y, z, p.three_scales, outputs)
        outputs["three_scales"] = x
        if p.two_scales is not None:
            y, z = self.two_scales(x, y, z, p.two_scales, outputs)
            outputs["two_scales"] = y
        if p.one_scale is not None:
            outputs["one_scale"] = z = self.one_scale(y, z, p.one_scale, outputs)
        if p.exit == "head":
            outputs["head"] = self.head(z)
        return p.result(outputs)
