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
from elastic.net.plan import Part, Plan
from elastic.net.rounds import Round, rounds
from elastic.net.sizes import Condition, exit_predictions, smallest, wanted
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
        fine = self.fine(x, p.fine)  # [N, 16, 32, 32]
        middle = self.middle(fine, p.middle)  # [N, 32, 16, 16]
        coarse = self.coarse(middle, p.coarse)  # [N, 64, 8, 8]
        return fine, middle, coarse


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


class ThreeScalesRound(Round):
    """A round of three_scales, msdnet_cifar.specc:20."""

    def __init__(
        self,
        fine: int,
        middle: int,
        coarse: int,
        with_middle: Condition = True,
        with_fine: Condition = True,
    ) -> None:
        self.b1 = Grown(middle, 12, 2, stride=2)
        self.b2 = Grown(coarse, 12, 4)
        self.b3 = when(with_middle, Grown(fine, 6, 1, stride=2))
        self.b4 = when(with_middle, Grown(middle, 6, 2))
        self.b5 = when(with_fine, Grown(fine, 6, 1))

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, p: Part
    ) -> tuple[Tensor, Tensor, Tensor]:
        coarse = torch.cat((coarse, self.b1(middle, p.b1), self.b2(coarse, p.b2)), 1)
        if p.b3 is not None:
            middle = torch.cat((middle, self.b3(fine, p.b3), self.b4(middle, p.b4)), 1)
        if p.b5 is not None:
            fine = torch.cat((fine, self.b5(fine, p.b5)), 1)
        return fine, middle, coarse


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
        self.rounds1 = rounds(
            self,
            ThreeScalesRound(16, 32, 64),
            ThreeScalesRound(22, 44, 88),
            ThreeScalesRound(28, 56, 112, with_fine=exit.after("e4")),
            ThreeScalesRound(34, 68, 136, with_middle=exit.after("e4"), with_fine=exit.after("e4")),
        )
        self.e4 = when(wanted("e4"), Stage(Answer(160, 100)))
        self.rounds2 = rounds(
            self,
            ThreeScalesRound(40, 80, 160, with_fine=exit.after("e6")),
            ThreeScalesRound(46, 92, 184, with_middle=exit.after("e6"), with_fine=exit.after("e6")),
            present=exit.after("e4"),
        )
        self.e6 = when(wanted("e6"), Stage(Answer(208, 100)))
        self.rounds3 = rounds(
            self,
            ThreeScalesRound(52, 104, 208, with_fine=exit.after("e8")),
            ThreeScalesRound(
                58, 116, 232, with_middle=exit.after("e8"), with_fine=exit.after("e8")
            ),
            present=exit.after("e6"),
        )
        self.e8 = when(wanted("e8"), Stage(Answer(256, 100)))

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, p: Part, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        for layer in self.rounds1:
            fine, middle, coarse = layer(fine, middle, coarse, p)
        if p.e4 is not None:
            outputs["e4"] = self.e4(coarse, p.e4)  # [N, 100]
        if p.exit == "e4":
            return fine, middle, coarse
        for layer in self.rounds2:
            fine, middle, coarse = layer(fine, middle, coarse, p)
        if p.e6 is not None:
            outputs["e6"] = self.e6(coarse, p.e6)  # [N, 100]
        if p.exit == "e6":
            return fine, middle, coarse
        for layer in self.rounds3:
            fine, middle, coarse = layer(fine, middle, coarse, p)
        if p.e8 is not None:
            outputs["e8"] = self.e8(coarse, p.e8)  # [N, 100]
        return fine, middle, coarse


class TwoScalesRound(Round):
    """A round of two_scales, msdnet_cifar.specc:47."""

    def __init__(self, middle: int, coarse: int, with_middle: Condition = True) -> None:
        self.b1 = Grown(middle, 12, 2, stride=2)
        self.b2 = Grown(coarse, 12, 4)
        self.b3 = when(with_middle, Grown(middle, 12, 2))

    def forward(self, middle: Tensor, coarse: Tensor, p: Part) -> tuple[Tensor, Tensor]:
        coarse = torch.cat((coarse, self.b1(middle, p.b1), self.b2(coarse, p.b2)), 1)
        if p.b3 is not None:
            middle = torch.cat((middle, self.b3(middle, p.b3)), 1)
        return middle, coarse


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
        self.rounds1 = rounds(
            self,
            TwoScalesRound(82, 164),
            TwoScalesRound(94, 188, with_middle=exit.after("e12")),
            present=exit.after("e10"),
        )
        self.e12 = when(wanted("e12"), Stage(Answer(212, 100)))
        self.rounds2 = rounds(
            self,
            TwoScalesRound(106, 212),
            TwoScalesRound(118, 236, with_middle=exit.after("e14")),
            present=exit.after("e12"),
        )
        self.e14 = when(wanted("e14"), Stage(Answer(260, 100)))
        self.rounds3 = rounds(
            self,
            TwoScalesRound(130, 260),
            TwoScalesRound(142, 284, with_middle=exit.after("e16")),
            present=exit.after("e14"),
        )
        self.e16 = when(wanted("e16"), Stage(Answer(308, 100)))

    def forward(
        self, fine: Tensor, middle: Tensor, coarse: Tensor, p: Part, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        coarse = torch.cat((coarse, self.b1(middle, p.b1), self.b2(coarse, p.b2)), 1)
        middle = torch.cat((middle, self.b3(fine, p.b3), self.b4(middle, p.b4)), 1)
        coarse = self.coarse2(coarse, p.coarse2)  # [N, 140, 8, 8]
        middle = self.middle2(middle, p.middle2)  # [N, 70, 16, 16]
        coarse = torch.cat((coarse, self.b5(middle, p.b5), self.b6(coarse, p.b6)), 1)
        if p.exit != "e10":
            middle = torch.cat((middle, self.b7(middle, p.b7)), 1)  # [N, 82, 16, 16]
        if p.e10 is not None:
            outputs["e10"] = self.e10(coarse, p.e10)  # [N, 100]
        if p.exit == "e10":
            return middle, coarse
        for layer in self.rounds1:
            middle, coarse = layer(middle, coarse, p)
        if p.e12 is not None:
            outputs["e12"] = self.e12(coarse, p.e12)  # [N, 100]
        if p.exit == "e12":
            return middle, coarse
        for layer in self.rounds2:
            middle, coarse = layer(middle, coarse, p)
        if p.e14 is not None:
            outputs["e14"] = self.e14(coarse, p.e14)  # [N, 100]
        if p.exit == "e14":
            return middle, coarse
        for layer in self.rounds3:
            middle, coarse = layer(middle, coarse, p)
        if p.e16 is not None:
            outputs["e16"] = self.e16(coarse, p.e16)  # [N, 100]
        return middle, coarse


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

    def forward(
        self, middle: Tensor, coarse: Tensor, p: Part, outputs: dict[str, Tensor]
    ) -> Tensor:
        x = torch.cat((coarse, self.b1(middle, p.b1), self.b2(coarse, p.b2)), 1)  # [N, 332, 8, 8]
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
        fine, middle, coarse = self.stem(x, p.stem)
        fine, middle, coarse = self.three_scales(fine, middle, coarse, p.three_scales, outputs)
        outputs["three_scales"] = fine
        if p.exit in ("e4", "e6", "e8"):
            return p.result(outputs)
        middle, coarse = self.two_scales(fine, middle, coarse, p.two_scales, outputs)
        outputs["two_scales"] = middle
        if p.exit in ("e10", "e12", "e14", "e16"):
            return p.result(outputs)
        outputs["one_scale"] = x = self.one_scale(middle, coarse, p.one_scale, outputs)
        if p.exit in ("e18", "e20", "e22"):
            return p.result(outputs)
        outputs["head"] = self.head(x, p.head)  # [N, 100]
        return p.result(outputs)


Model = MsdnetCifar
