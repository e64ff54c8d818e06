"""MsdnetCifar, an elastic network, written by specc from msdnet_cifar.specc:14.

    net = Model()
    plan = net.plan({"exit": "e4"})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 32, 32]

Sizes are expressions over choices, and shapes in comments those of the largest sub-network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import BatchNorm2d
from elastic.net.elastic import Elastic, Value, when
from elastic.net.network import ElasticNet
from elastic.net.parts import Part, Plan
from elastic.net.sizes import exit_predictions, smallest, wanted
from elastic.net.stage import Stage
from space import choice


class Unit(Elastic):
    """unit, msdnet_cifar.specc:7."""

    def __init__(self, in_: int, out: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_, out, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.norm = BatchNorm2d(out)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.conv(x)  # [N, out, H', W']
        return F.relu(self.norm(x, p.norm), inplace=True)


class Stem(Elastic):
    """stem, msdnet_cifar.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = Unit(3, 16)
        self.middle = Unit(16, 32, stride=2)
        self.coarse = Unit(32, 64, stride=2)

    def forward(self, x: Tensor, p: Part) -> tuple[Tensor, Tensor, Tensor]:
        x = self.fine(x, p.fine)  # [N, 16, 32, 32]
        y = self.middle(x, p.middle)  # [N, 32, 16, 16]
        z = self.coarse(y, p.coarse)  # [N, 64, 8, 8]
        return x, y, z


class Grown(Elastic):
    """grown, msdnet_cifar.specc:10."""

    def __init__(self, in_: int, out: int, wide: int, stride: int = 1) -> None:
        super().__init__()
        unit1_out = smallest(in_, wide * out)
        self.unit1 = Unit(in_, unit1_out, kernel=1)
        self.unit2 = Unit(unit1_out, out, stride=stride)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        x = self.unit1(x, p.unit1)  # [N, unit1_out, H, W]
        return self.unit2(x, p.unit2)


class Answer(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self, in_: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))  # [N, in_]
        return self.linear(x)


class ThreeScales(Elastic):
    """stage three_scales, msdnet_cifar.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        exit = choice("exit")
        self.exit = Value(exit)
        self.b1 = Grown(32, 12, 2, stride=2)
        self.b2 = Grown(64, 12, 4)
        self.b3 = Grown(16, 6, 1, stride=2)
        self.b4 = Grown(32, 6, 2)
        self.b5 = Grown(16, 6, 1)
        self.b6 = Grown(44, 12, 2, stride=2)
        self.b7 = Grown(88, 12, 4)
        self.b8 = Grown(22, 6, 1, stride=2)
        self.b9 = Grown(44, 6, 2)
        self.b10 = Grown(22, 6, 1)
        self.b11 = Grown(56, 12, 2, stride=2)
        self.b12 = Grown(112, 12, 4)
        self.b13 = Grown(28, 6, 1, stride=2)
        self.b14 = Grown(56, 6, 2)
        self.b15 = when(exit.after("e4"), Grown(28, 6, 1))
        self.b16 = Grown(68, 12, 2, stride=2)
        self.b17 = Grown(136, 12, 4)
        self.b18 = when(exit.after("e4"), Grown(34, 6, 1, stride=2))
        self.b19 = when(exit.after("e4"), Grown(68, 6, 2))
        self.b20 = when(exit.after("e4"), Grown(34, 6, 1))
        self.e4 = when(wanted("e4"), Stage(Answer(160, 100)))
        self.b21 = when(exit.after("e4"), Grown(80, 12, 2, stride=2))
        self.b22 = when(exit.after("e4"), Grown(160, 12, 4))
        self.b23 = when(exit.after("e4"), Grown(40, 6, 1, stride=2))
        self.b24 = when(exit.after("e4"), Grown(80, 6, 2))
        self.b25 = when(exit.after("e6"), Grown(40, 6, 1))
        self.b26 = when(exit.after("e4"), Grown(92, 12, 2, stride=2))
        self.b27 = when(exit.after("e4"), Grown(184, 12, 4))
        self.b28 = when(exit.after("e6"), Grown(46, 6, 1, stride=2))
        self.b29 = when(exit.after("e6"), Grown(92, 6, 2))
        self.b30 = when(exit.after("e6"), Grown(46, 6, 1))
        self.e6 = when(wanted("e6"), Stage(Answer(208, 100)))
        self.b31 = when(exit.after("e6"), Grown(104, 12, 2, stride=2))
        self.b32 = when(exit.after("e6"), Grown(208, 12, 4))
        self.b33 = when(exit.after("e6"), Grown(52, 6, 1, stride=2))
        self.b34 = when(exit.after("e6"), Grown(104, 6, 2))
        self.b35 = when(exit.after("e8"), Grown(52, 6, 1))
        self.b36 = when(exit.after("e6"), Grown(116, 12, 2, stride=2))
        self.b37 = when(exit.after("e6"), Grown(232, 12, 4))
        self.b38 = when(exit.after("e8"), Grown(58, 6, 1, stride=2))
        self.b39 = when(exit.after("e8"), Grown(116, 6, 2))
        self.b40 = when(exit.after("e8"), Grown(58, 6, 1))
        self.e8 = when(wanted("e8"), Stage(Answer(256, 100)))

    def forward(
        self, x: Tensor, y: Tensor, z: Tensor, p: Part, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        y = torch.cat((y, self.b1(x, p.b1), self.b2(y, p.b2)), 1)  # [N, 88, 8, 8]
        x = torch.cat((x, self.b3(z, p.b3), self.b4(x, p.b4)), 1)  # [N, 44, 16, 16]
        z = torch.cat((z, self.b5(z, p.b5)), 1)  # [N, 22, 32, 32]
        y = torch.cat((y, self.b6(x, p.b6), self.b7(y, p.b7)), 1)  # [N, 112, 8, 8]
        x = torch.cat((x, self.b8(z, p.b8), self.b9(x, p.b9)), 1)  # [N, 56, 16, 16]
        z = torch.cat((z, self.b10(z, p.b10)), 1)  # [N, 28, 32, 32]
        y = torch.cat((y, self.b11(x, p.b11), self.b12(y, p.b12)), 1)  # [N, 136, 8, 8]
        x = torch.cat((x, self.b13(z, p.b13), self.b14(x, p.b14)), 1)  # [N, 68, 16, 16]
        if p.exit != "e4":
            z = torch.cat((z, self.b15(z, p.b15)), 1)  # [N, 34, 32, 32]
        y = torch.cat((y, self.b16(x, p.b16), self.b17(y, p.b17)), 1)  # [N, 160, 8, 8]
        if p.exit != "e4":
            x = torch.cat((x, self.b18(z, p.b18), self.b19(x, p.b19)), 1)  # [N, 80, 16, 16]
            z = torch.cat((z, self.b20(z, p.b20)), 1)  # [N, 40, 32, 32]
        if p.e4 is not None:
            outputs["e4"] = self.e4(y, p.e4)  # [N, 100]
        if p.exit == "e4":
            return y, y, y
        y = torch.cat((y, self.b21(x, p.b21), self.b22(y, p.b22)), 1)  # [N, 184, 8, 8]
        x = torch.cat((x, self.b23(z, p.b23), self.b24(x, p.b24)), 1)  # [N, 92, 16, 16]
        if p.exit != "e6":
            z = torch.cat((z, self.b25(z, p.b25)), 1)  # [N, 46, 32, 32]
        y = torch.cat((y, self.b26(x, p.b26), self.b27(y, p.b27)), 1)  # [N, 208, 8, 8]
        if p.exit != "e6":
            x = torch.cat((x, self.b28(z, p.b28), self.b29(x, p.b29)), 1)  # [N, 104, 16, 16]
            z = torch.cat((z, self.b30(z, p.b30)), 1)  # [N, 52, 32, 32]
        if p.e6 is not None:
            outputs["e6"] = self.e6(y, p.e6)  # [N, 100]
        if p.exit == "e6":
            return y, y, y
        y = torch.cat((y, self.b31(x, p.b31), self.b32(y, p.b32)), 1)  # [N, 232, 8, 8]
        x = torch.cat((x, self.b33(z, p.b33), self.b34(x, p.b34)), 1)  # [N, 116, 16, 16]
        if p.exit != "e8":
            z = torch.cat((z, self.b35(z, p.b35)), 1)  # [N, 58, 32, 32]
        y = torch.cat((y, self.b36(x, p.b36), self.b37(y, p.b37)), 1)  # [N, 256, 8, 8]
        if p.exit != "e8":
            x = torch.cat((x, self.b38(z, p.b38), self.b39(x, p.b39)), 1)  # [N, 128, 16, 16]
            z = torch.cat((z, self.b40(z, p.b40)), 1)  # [N, 64, 32, 32]
        if p.e8 is not None:
            outputs["e8"] = self.e8(y, p.e8)  # [N, 100]
        return y, x, z


class TwoScales(Elastic):
    """stage two_scales, msdnet_cifar.specc:38."""

    def __init__(self) -> None:
        super().__init__()
        exit = choice("exit")
        self.exit = Value(exit)
        self.b1 = Grown(128, 12, 2, stride=2)
        self.b2 = Grown(256, 12, 4)
        self.b3 = Grown(64, 6, 1, stride=2)
        self.b4 = Grown(128, 6, 2)
        self.coarse2 = Unit(280, 140, kernel=1)
        self.middle2 = Unit(140, 70, kernel=1)
        self.b5 = Grown(70, 12, 2, stride=2)
        self.b6 = Grown(140, 12, 4)
        self.b7 = when(exit.after("e10"), Grown(70, 12, 2))
        self.e10 = when(wanted("e10"), Stage(Answer(164, 100)))
        self.b8 = when(exit.after("e10"), Grown(82, 12, 2, stride=2))
        self.b9 = when(exit.after("e10"), Grown(164, 12, 4))
        self.b10 = when(exit.after("e10"), Grown(82, 12, 2))
        self.b11 = when(exit.after("e10"), Grown(94, 12, 2, stride=2))
        self.b12 = when(exit.after("e10"), Grown(188, 12, 4))
        self.b13 = when(exit.after("e12"), Grown(94, 12, 2))
        self.e12 = when(wanted("e12"), Stage(Answer(212, 100)))
        self.b14 = when(exit.after("e12"), Grown(106, 12, 2, stride=2))
        self.b15 = when(exit.after("e12"), Grown(212, 12, 4))
        self.b16 = when(exit.after("e12"), Grown(106, 12, 2))
        self.b17 = when(exit.after("e12"), Grown(118, 12, 2, stride=2))
        self.b18 = when(exit.after("e12"), Grown(236, 12, 4))
        self.b19 = when(exit.after("e14"), Grown(118, 12, 2))
        self.e14 = when(wanted("e14"), Stage(Answer(260, 100)))
        self.b20 = when(exit.after("e14"), Grown(130, 12, 2, stride=2))
        self.b21 = when(exit.after("e14"), Grown(260, 12, 4))
        self.b22 = when(exit.after("e14"), Grown(130, 12, 2))
        self.b23 = when(exit.after("e14"), Grown(142, 12, 2, stride=2))
        self.b24 = when(exit.after("e14"), Grown(284, 12, 4))
        self.b25 = when(exit.after("e16"), Grown(142, 12, 2))
        self.e16 = when(wanted("e16"), Stage(Answer(308, 100)))

    def forward(
        self, x: Tensor, y: Tensor, z: Tensor, p: Part, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        y = torch.cat((y, self.b1(x, p.b1), self.b2(y, p.b2)), 1)  # [N, 280, 8, 8]
        x = torch.cat((x, self.b3(z, p.b3), self.b4(x, p.b4)), 1)  # [N, 140, 16, 16]
        y = self.coarse2(y, p.coarse2)  # [N, 140, 8, 8]
        x = self.middle2(x, p.middle2)  # [N, 70, 16, 16]
        y = torch.cat((y, self.b5(x, p.b5), self.b6(y, p.b6)), 1)  # [N, 164, 8, 8]
        if p.exit != "e10":
            x = torch.cat((x, self.b7(x, p.b7)), 1)  # [N, 82, 16, 16]
        if p.e10 is not None:
            outputs["e10"] = self.e10(y, p.e10)  # [N, 100]
        if p.exit == "e10":
            return y, y
        y = torch.cat((y, self.b8(x, p.b8), self.b9(y, p.b9)), 1)  # [N, 188, 8, 8]
        x = torch.cat((x, self.b10(x, p.b10)), 1)  # [N, 94, 16, 16]
        y = torch.cat((y, self.b11(x, p.b11), self.b12(y, p.b12)), 1)  # [N, 212, 8, 8]
        if p.exit != "e12":
            x = torch.cat((x, self.b13(x, p.b13)), 1)  # [N, 106, 16, 16]
        if p.e12 is not None:
            outputs["e12"] = self.e12(y, p.e12)  # [N, 100]
        if p.exit == "e12":
            return y, y
        y = torch.cat((y, self.b14(x, p.b14), self.b15(y, p.b15)), 1)  # [N, 236, 8, 8]
        x = torch.cat((x, self.b16(x, p.b16)), 1)  # [N, 118, 16, 16]
        y = torch.cat((y, self.b17(x, p.b17), self.b18(y, p.b18)), 1)  # [N, 260, 8, 8]
        if p.exit != "e14":
            x = torch.cat((x, self.b19(x, p.b19)), 1)  # [N, 130, 16, 16]
        if p.e14 is not None:
            outputs["e14"] = self.e14(y, p.e14)  # [N, 100]
        if p.exit == "e14":
            return y, y
        y = torch.cat((y, self.b20(x, p.b20), self.b21(y, p.b21)), 1)  # [N, 284, 8, 8]
        x = torch.cat((x, self.b22(x, p.b22)), 1)  # [N, 142, 16, 16]
        y = torch.cat((y, self.b23(x, p.b23), self.b24(y, p.b24)), 1)  # [N, 308, 8, 8]
        if p.exit != "e16":
            x = torch.cat((x, self.b25(x, p.b25)), 1)  # [N, 154, 16, 16]
        if p.e16 is not None:
            outputs["e16"] = self.e16(y, p.e16)  # [N, 100]
        return y, x


class OneScale(Elastic):
    """stage one_scale, msdnet_cifar.specc:62."""

    def __init__(self) -> None:
        super().__init__()
        exit = choice("exit")
        self.exit = Value(exit)
        self.b1 = Grown(154, 12, 2, stride=2)
        self.b2 = Grown(308, 12, 4)
        self.b3 = Unit(332, 166, kernel=1)
        self.b4 = Grown(166, 24, 4)
        self.e18 = when(wanted("e18"), Stage(Answer(190, 100)))
        self.b5 = when(exit.after("e18"), Grown(190, 24, 4))
        self.b6 = when(exit.after("e18"), Grown(214, 24, 4))
        self.e20 = when(wanted("e20"), Stage(Answer(238, 100)))
        self.b7 = when(exit.after("e20"), Grown(238, 24, 4))
        self.b8 = when(exit.after("e20"), Grown(262, 24, 4))
        self.e22 = when(wanted("e22"), Stage(Answer(286, 100)))
        self.b9 = when(exit.after("e22"), Grown(286, 24, 4))
        self.b10 = when(exit.after("e22"), Grown(310, 24, 4))

    def forward(self, x: Tensor, y: Tensor, p: Part, outputs: dict[str, Tensor]) -> Tensor:
        x = torch.cat((y, self.b1(x, p.b1), self.b2(y, p.b2)), 1)  # [N, 332, 8, 8]
        x = self.b3(x, p.b3)  # [N, 166, 8, 8]
        x = torch.cat((x, self.b4(x, p.b4)), 1)  # [N, 190, 8, 8]
        if p.e18 is not None:
            outputs["e18"] = self.e18(x, p.e18)  # [N, 100]
        if p.exit == "e18":
            return x
        x = torch.cat((x, self.b5(x, p.b5)), 1)  # [N, 214, 8, 8]
        x = torch.cat((x, self.b6(x, p.b6)), 1)  # [N, 238, 8, 8]
        if p.e20 is not None:
            outputs["e20"] = self.e20(x, p.e20)  # [N, 100]
        if p.exit == "e20":
            return x
        x = torch.cat((x, self.b7(x, p.b7)), 1)  # [N, 262, 8, 8]
        x = torch.cat((x, self.b8(x, p.b8)), 1)  # [N, 286, 8, 8]
        if p.e22 is not None:
            outputs["e22"] = self.e22(x, p.e22)  # [N, 100]
        if p.exit == "e22":
            return x
        x = torch.cat((x, self.b9(x, p.b9)), 1)  # [N, 310, 8, 8]
        x = torch.cat((x, self.b10(x, p.b10)), 1)  # [N, 334, 8, 8]
        return x


class MsdnetCifar(ElasticNet):
    """The network, msdnet_cifar.specc:14."""

    fingerprint = "b4c730faf4c9b774"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__(space)
        exit = choice("exit")
        self.exit = Value(exit)
        self.stem = Stem()
        self.three_scales = ThreeScales()
        self.two_scales = when(exit.after("e8"), TwoScales())
        self.one_scale = when(exit.after("e16"), OneScale())
        self.head = when(exit.after("e22"), Stage(Answer(334, 100)))
        self.predictions = exit_predictions(exit)
        self.features = {
            "three_scales": exit.after("e8"),
            "two_scales": exit.after("e16"),
            "one_scale": exit.after("e22"),
        }
        self.prediction = exit
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor | dict[str, Tensor]:
        p = self._plan if plan is None else plan
        outputs: dict[str, Tensor] = {}
        x, y, z = self.stem(x, p.stem)
        x, y, z = self.three_scales(y, z, x, p.three_scales, outputs)
        outputs["three_scales"] = z
        if p.exit in ("e4", "e6", "e8"):
            return p.result(outputs)
        x, y = self.two_scales(y, x, z, p.two_scales, outputs)
        outputs["two_scales"] = y
        if p.exit in ("e10", "e12", "e14", "e16"):
            return p.result(outputs)
        outputs["one_scale"] = x = self.one_scale(y, x, p.one_scale, outputs)
        if p.exit in ("e18", "e20", "e22"):
            return p.result(outputs)
        outputs["head"] = self.head(x, p.head)  # [N, 100]
        return p.result(outputs)


Model = MsdnetCifar
