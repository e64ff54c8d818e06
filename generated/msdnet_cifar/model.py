"""MsdnetCifar, an elastic network, written by specc from msdnet_cifar.specc:14.

    net = Model()
    plan = net.plan({"exit": "e4"})  # what is left out stays at its largest
    logits = net(images, plan)  # images are [N, 3, 32, 32]

A plan says which channels, layers and norm banks a sub-network uses. Shapes in comments are those
of the largest one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import space
from elastic.layers.batch_norm import ElasticBatchNorm2d, NormCut
from elastic.net.network import ElasticNet
from elastic.net.plan import Option, Plan, complete, resolve, wanted_outputs


@dataclass(frozen=True, slots=True, eq=False)
class UnitPlan:
    norm: NormCut


class Unit(nn.Module):
    """unit, msdnet_cifar.specc:7."""

    def __init__(self, in_: int, out: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_, out, kernel, stride=stride, padding=padding, bias=False)
        self.norm = ElasticBatchNorm2d(out)

    def plan(self, out: int) -> UnitPlan:
        return UnitPlan(
            norm=self.norm.cut(out),
        )

    def forward(self, x: Tensor, p: UnitPlan) -> Tensor:
        x = self.conv(x)
        return F.relu(self.norm(x, p.norm), inplace=True)


@dataclass(frozen=True, slots=True, eq=False)
class StemPlan:
    fine: UnitPlan
    middle: UnitPlan
    coarse: UnitPlan


class Stem(nn.Module):
    """stem, msdnet_cifar.specc:17."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = Unit(3, 16, kernel=3, stride=1, padding=1)
        self.middle = Unit(16, 32, kernel=3, stride=2, padding=1)
        self.coarse = Unit(32, 64, kernel=3, stride=2, padding=1)

    def plan(self) -> StemPlan:
        return StemPlan(
            fine=self.fine.plan(16),
            middle=self.middle.plan(32),
            coarse=self.coarse.plan(64),
        )

    def forward(self, x: Tensor, p: StemPlan) -> tuple[Tensor, Tensor, Tensor]:
        x = self.fine(x, p.fine)  # [N, 16, 32, 32]
        y = self.middle(x, p.middle)  # [N, 32, 16, 16]
        z = self.coarse(y, p.coarse)  # [N, 64, 8, 8]
        return x, y, z


@dataclass(frozen=True, slots=True, eq=False)
class GrownPlan:
    unit1: UnitPlan
    unit2: UnitPlan


class Grown(nn.Module):
    """grown, msdnet_cifar.specc:10."""

    def __init__(self, in_: int, unit1_out: int, out: int, stride: int) -> None:
        super().__init__()
        self.unit1 = Unit(in_, unit1_out, kernel=1, stride=1, padding=0)
        self.unit2 = Unit(unit1_out, out, kernel=3, stride=stride, padding=1)

    def plan(self, unit1_out: int, out: int) -> GrownPlan:
        return GrownPlan(
            unit1=self.unit1.plan(unit1_out),
            unit2=self.unit2.plan(out),
        )

    def forward(self, x: Tensor, p: GrownPlan) -> Tensor:
        x = self.unit1(x, p.unit1)  # [N, unit1_out, H, W]
        return self.unit2(x, p.unit2)


class Answer(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(160, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class ThreeScalesE4(nn.Module):
    """exit three_scales.e4, msdnet_cifar.specc:24."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer2(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(208, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class ThreeScalesE6(nn.Module):
    """exit three_scales.e6, msdnet_cifar.specc:30."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer2()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer3(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(256, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class ThreeScalesE8(nn.Module):
    """exit three_scales.e8, msdnet_cifar.specc:36."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer3()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


@dataclass(frozen=True, slots=True, eq=False)
class ThreeScalesPlan:
    exit: str
    with_e4: bool
    with_e6: bool
    with_e8: bool
    b1: GrownPlan
    b2: GrownPlan
    b3: GrownPlan
    b4: GrownPlan
    b5: GrownPlan
    b6: GrownPlan
    b7: GrownPlan
    b8: GrownPlan
    b9: GrownPlan
    b10: GrownPlan
    b11: GrownPlan
    b12: GrownPlan
    b13: GrownPlan
    b14: GrownPlan
    b15: GrownPlan | None
    b16: GrownPlan
    b17: GrownPlan
    b18: GrownPlan | None
    b19: GrownPlan | None
    b20: GrownPlan | None
    b21: GrownPlan | None
    b22: GrownPlan | None
    b23: GrownPlan | None
    b24: GrownPlan | None
    b25: GrownPlan | None
    b26: GrownPlan | None
    b27: GrownPlan | None
    b28: GrownPlan | None
    b29: GrownPlan | None
    b30: GrownPlan | None
    b31: GrownPlan | None
    b32: GrownPlan | None
    b33: GrownPlan | None
    b34: GrownPlan | None
    b35: GrownPlan | None
    b36: GrownPlan | None
    b37: GrownPlan | None
    b38: GrownPlan | None
    b39: GrownPlan | None
    b40: GrownPlan | None


class ThreeScales(nn.Module):
    """stage three_scales, msdnet_cifar.specc:18."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Grown(32, 24, 12, stride=2)
        self.b2 = Grown(64, 48, 12, stride=1)
        self.b3 = Grown(16, 6, 6, stride=2)
        self.b4 = Grown(32, 12, 6, stride=1)
        self.b5 = Grown(16, 6, 6, stride=1)
        self.b6 = Grown(44, 24, 12, stride=2)
        self.b7 = Grown(88, 48, 12, stride=1)
        self.b8 = Grown(22, 6, 6, stride=2)
        self.b9 = Grown(44, 12, 6, stride=1)
        self.b10 = Grown(22, 6, 6, stride=1)
        self.b11 = Grown(56, 24, 12, stride=2)
        self.b12 = Grown(112, 48, 12, stride=1)
        self.b13 = Grown(28, 6, 6, stride=2)
        self.b14 = Grown(56, 12, 6, stride=1)
        self.b15 = Grown(28, 6, 6, stride=1)
        self.b16 = Grown(68, 24, 12, stride=2)
        self.b17 = Grown(136, 48, 12, stride=1)
        self.b18 = Grown(34, 6, 6, stride=2)
        self.b19 = Grown(68, 12, 6, stride=1)
        self.b20 = Grown(34, 6, 6, stride=1)
        self.e4 = ThreeScalesE4()
        self.b21 = Grown(80, 24, 12, stride=2)
        self.b22 = Grown(160, 48, 12, stride=1)
        self.b23 = Grown(40, 6, 6, stride=2)
        self.b24 = Grown(80, 12, 6, stride=1)
        self.b25 = Grown(40, 6, 6, stride=1)
        self.b26 = Grown(92, 24, 12, stride=2)
        self.b27 = Grown(184, 48, 12, stride=1)
        self.b28 = Grown(46, 6, 6, stride=2)
        self.b29 = Grown(92, 12, 6, stride=1)
        self.b30 = Grown(46, 6, 6, stride=1)
        self.e6 = ThreeScalesE6()
        self.b31 = Grown(104, 24, 12, stride=2)
        self.b32 = Grown(208, 48, 12, stride=1)
        self.b33 = Grown(52, 6, 6, stride=2)
        self.b34 = Grown(104, 12, 6, stride=1)
        self.b35 = Grown(52, 6, 6, stride=1)
        self.b36 = Grown(116, 24, 12, stride=2)
        self.b37 = Grown(232, 48, 12, stride=1)
        self.b38 = Grown(58, 6, 6, stride=2)
        self.b39 = Grown(116, 12, 6, stride=1)
        self.b40 = Grown(58, 6, 6, stride=1)
        self.e8 = ThreeScalesE8()

    def plan(self, exit: str, with_e4: bool, with_e6: bool, with_e8: bool) -> ThreeScalesPlan:
        return ThreeScalesPlan(
            exit=exit,
            with_e4=with_e4,
            with_e6=with_e6,
            with_e8=with_e8,
            b1=self.b1.plan(24, 12),
            b2=self.b2.plan(48, 12),
            b3=self.b3.plan(6, 6),
            b4=self.b4.plan(12, 6),
            b5=self.b5.plan(6, 6),
            b6=self.b6.plan(24, 12),
            b7=self.b7.plan(48, 12),
            b8=self.b8.plan(6, 6),
            b9=self.b9.plan(12, 6),
            b10=self.b10.plan(6, 6),
            b11=self.b11.plan(24, 12),
            b12=self.b12.plan(48, 12),
            b13=self.b13.plan(6, 6),
            b14=self.b14.plan(12, 6),
            b15=self.b15.plan(6, 6) if exit != "e4" else None,
            b16=self.b16.plan(24, 12),
            b17=self.b17.plan(48, 12),
            b18=self.b18.plan(6, 6) if exit != "e4" else None,
            b19=self.b19.plan(12, 6) if exit != "e4" else None,
            b20=self.b20.plan(6, 6) if exit != "e4" else None,
            b21=self.b21.plan(24, 12) if exit != "e4" else None,
            b22=self.b22.plan(48, 12) if exit != "e4" else None,
            b23=self.b23.plan(6, 6) if exit != "e4" else None,
            b24=self.b24.plan(12, 6) if exit != "e4" else None,
            b25=self.b25.plan(6, 6) if exit not in ("e4", "e6") else None,
            b26=self.b26.plan(24, 12) if exit != "e4" else None,
            b27=self.b27.plan(48, 12) if exit != "e4" else None,
            b28=self.b28.plan(6, 6) if exit not in ("e4", "e6") else None,
            b29=self.b29.plan(12, 6) if exit not in ("e4", "e6") else None,
            b30=self.b30.plan(6, 6) if exit not in ("e4", "e6") else None,
            b31=self.b31.plan(24, 12) if exit not in ("e4", "e6") else None,
            b32=self.b32.plan(48, 12) if exit not in ("e4", "e6") else None,
            b33=self.b33.plan(6, 6) if exit not in ("e4", "e6") else None,
            b34=self.b34.plan(12, 6) if exit not in ("e4", "e6") else None,
            b35=self.b35.plan(6, 6) if exit not in ("e4", "e6", "e8") else None,
            b36=self.b36.plan(24, 12) if exit not in ("e4", "e6") else None,
            b37=self.b37.plan(48, 12) if exit not in ("e4", "e6") else None,
            b38=self.b38.plan(6, 6) if exit not in ("e4", "e6", "e8") else None,
            b39=self.b39.plan(12, 6) if exit not in ("e4", "e6", "e8") else None,
            b40=self.b40.plan(6, 6) if exit not in ("e4", "e6", "e8") else None,
        )

    def forward(
        self, x: Tensor, y: Tensor, z: Tensor, p: ThreeScalesPlan, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor]:
        u = self.b1(x, p.b1)  # [N, 12, 8, 8]
        v = self.b2(y, p.b2)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        u = self.b3(z, p.b3)  # [N, 6, 16, 16]
        v = self.b4(x, p.b4)  # [N, 6, 16, 16]
        x = torch.cat((x, u, v), 1)
        u = self.b5(z, p.b5)  # [N, 6, 32, 32]
        z = torch.cat((z, u), 1)
        u = self.b6(x, p.b6)  # [N, 12, 8, 8]
        v = self.b7(y, p.b7)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        u = self.b8(z, p.b8)  # [N, 6, 16, 16]
        v = self.b9(x, p.b9)  # [N, 6, 16, 16]
        x = torch.cat((x, u, v), 1)
        u = self.b10(z, p.b10)  # [N, 6, 32, 32]
        z = torch.cat((z, u), 1)
        u = self.b11(x, p.b11)  # [N, 12, 8, 8]
        v = self.b12(y, p.b12)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        u = self.b13(z, p.b13)  # [N, 6, 16, 16]
        v = self.b14(x, p.b14)  # [N, 6, 16, 16]
        x = torch.cat((x, u, v), 1)
        if p.exit != "e4":
            u = self.b15(z, p.b15)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        u = self.b16(x, p.b16)  # [N, 12, 8, 8]
        v = self.b17(y, p.b17)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        if p.exit != "e4":
            u = self.b18(z, p.b18)  # [N, 6, 16, 16]
            v = self.b19(x, p.b19)  # [N, 6, 16, 16]
            x = torch.cat((x, u, v), 1)
            u = self.b20(z, p.b20)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        if p.with_e4:
            outputs["e4"] = self.e4(y)  # [N, 100]
        if p.exit == "e4":
            return x, x, x
        u = self.b21(x, p.b21)  # [N, 12, 8, 8]
        v = self.b22(y, p.b22)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        u = self.b23(z, p.b23)  # [N, 6, 16, 16]
        v = self.b24(x, p.b24)  # [N, 6, 16, 16]
        x = torch.cat((x, u, v), 1)
        if p.exit != "e6":
            u = self.b25(z, p.b25)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        u = self.b26(x, p.b26)  # [N, 12, 8, 8]
        v = self.b27(y, p.b27)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        if p.exit != "e6":
            u = self.b28(z, p.b28)  # [N, 6, 16, 16]
            v = self.b29(x, p.b29)  # [N, 6, 16, 16]
            x = torch.cat((x, u, v), 1)
            u = self.b30(z, p.b30)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        if p.with_e6:
            outputs["e6"] = self.e6(y)  # [N, 100]
        if p.exit == "e6":
            return x, x, x
        u = self.b31(x, p.b31)  # [N, 12, 8, 8]
        v = self.b32(y, p.b32)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        u = self.b33(z, p.b33)  # [N, 6, 16, 16]
        v = self.b34(x, p.b34)  # [N, 6, 16, 16]
        x = torch.cat((x, u, v), 1)
        if p.exit != "e8":
            u = self.b35(z, p.b35)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        u = self.b36(x, p.b36)  # [N, 12, 8, 8]
        v = self.b37(y, p.b37)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        if p.exit != "e8":
            u = self.b38(z, p.b38)  # [N, 6, 16, 16]
            v = self.b39(x, p.b39)  # [N, 6, 16, 16]
            x = torch.cat((x, u, v), 1)
            u = self.b40(z, p.b40)  # [N, 6, 32, 32]
            z = torch.cat((z, u), 1)
        if p.with_e8:
            outputs["e8"] = self.e8(y)  # [N, 100]
        return y, x, z


class Answer4(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(164, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class TwoScalesE10(nn.Module):
    """exit two_scales.e10, msdnet_cifar.specc:45."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer4()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer5(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(212, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class TwoScalesE12(nn.Module):
    """exit two_scales.e12, msdnet_cifar.specc:50."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer5()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer6(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(260, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class TwoScalesE14(nn.Module):
    """exit two_scales.e14, msdnet_cifar.specc:55."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer6()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer7(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(308, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class TwoScalesE16(nn.Module):
    """exit two_scales.e16, msdnet_cifar.specc:60."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer7()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


@dataclass(frozen=True, slots=True, eq=False)
class TwoScalesPlan:
    exit: str
    with_e10: bool
    with_e12: bool
    with_e14: bool
    with_e16: bool
    b1: GrownPlan
    b2: GrownPlan
    b3: GrownPlan
    b4: GrownPlan
    coarse2: UnitPlan
    middle2: UnitPlan
    b5: GrownPlan
    b6: GrownPlan
    b7: GrownPlan | None
    b8: GrownPlan | None
    b9: GrownPlan | None
    b10: GrownPlan | None
    b11: GrownPlan | None
    b12: GrownPlan | None
    b13: GrownPlan | None
    b14: GrownPlan | None
    b15: GrownPlan | None
    b16: GrownPlan | None
    b17: GrownPlan | None
    b18: GrownPlan | None
    b19: GrownPlan | None
    b20: GrownPlan | None
    b21: GrownPlan | None
    b22: GrownPlan | None
    b23: GrownPlan | None
    b24: GrownPlan | None
    b25: GrownPlan | None


class TwoScales(nn.Module):
    """stage two_scales, msdnet_cifar.specc:38."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Grown(128, 24, 12, stride=2)
        self.b2 = Grown(256, 48, 12, stride=1)
        self.b3 = Grown(64, 6, 6, stride=2)
        self.b4 = Grown(128, 12, 6, stride=1)
        self.coarse2 = Unit(280, 140, kernel=1, stride=1, padding=0)
        self.middle2 = Unit(140, 70, kernel=1, stride=1, padding=0)
        self.b5 = Grown(70, 24, 12, stride=2)
        self.b6 = Grown(140, 48, 12, stride=1)
        self.b7 = Grown(70, 24, 12, stride=1)
        self.e10 = TwoScalesE10()
        self.b8 = Grown(82, 24, 12, stride=2)
        self.b9 = Grown(164, 48, 12, stride=1)
        self.b10 = Grown(82, 24, 12, stride=1)
        self.b11 = Grown(94, 24, 12, stride=2)
        self.b12 = Grown(188, 48, 12, stride=1)
        self.b13 = Grown(94, 24, 12, stride=1)
        self.e12 = TwoScalesE12()
        self.b14 = Grown(106, 24, 12, stride=2)
        self.b15 = Grown(212, 48, 12, stride=1)
        self.b16 = Grown(106, 24, 12, stride=1)
        self.b17 = Grown(118, 24, 12, stride=2)
        self.b18 = Grown(236, 48, 12, stride=1)
        self.b19 = Grown(118, 24, 12, stride=1)
        self.e14 = TwoScalesE14()
        self.b20 = Grown(130, 24, 12, stride=2)
        self.b21 = Grown(260, 48, 12, stride=1)
        self.b22 = Grown(130, 24, 12, stride=1)
        self.b23 = Grown(142, 24, 12, stride=2)
        self.b24 = Grown(284, 48, 12, stride=1)
        self.b25 = Grown(142, 24, 12, stride=1)
        self.e16 = TwoScalesE16()

    def plan(
        self, exit: str, with_e10: bool, with_e12: bool, with_e14: bool, with_e16: bool
    ) -> TwoScalesPlan:
        return TwoScalesPlan(
            exit=exit,
            with_e10=with_e10,
            with_e12=with_e12,
            with_e14=with_e14,
            with_e16=with_e16,
            b1=self.b1.plan(24, 12),
            b2=self.b2.plan(48, 12),
            b3=self.b3.plan(6, 6),
            b4=self.b4.plan(12, 6),
            coarse2=self.coarse2.plan(140),
            middle2=self.middle2.plan(70),
            b5=self.b5.plan(24, 12),
            b6=self.b6.plan(48, 12),
            b7=self.b7.plan(24, 12) if exit != "e10" else None,
            b8=self.b8.plan(24, 12) if exit != "e10" else None,
            b9=self.b9.plan(48, 12) if exit != "e10" else None,
            b10=self.b10.plan(24, 12) if exit != "e10" else None,
            b11=self.b11.plan(24, 12) if exit != "e10" else None,
            b12=self.b12.plan(48, 12) if exit != "e10" else None,
            b13=self.b13.plan(24, 12) if exit not in ("e10", "e12") else None,
            b14=self.b14.plan(24, 12) if exit not in ("e10", "e12") else None,
            b15=self.b15.plan(48, 12) if exit not in ("e10", "e12") else None,
            b16=self.b16.plan(24, 12) if exit not in ("e10", "e12") else None,
            b17=self.b17.plan(24, 12) if exit not in ("e10", "e12") else None,
            b18=self.b18.plan(48, 12) if exit not in ("e10", "e12") else None,
            b19=self.b19.plan(24, 12) if exit not in ("e10", "e12", "e14") else None,
            b20=self.b20.plan(24, 12) if exit not in ("e10", "e12", "e14") else None,
            b21=self.b21.plan(48, 12) if exit not in ("e10", "e12", "e14") else None,
            b22=self.b22.plan(24, 12) if exit not in ("e10", "e12", "e14") else None,
            b23=self.b23.plan(24, 12) if exit not in ("e10", "e12", "e14") else None,
            b24=self.b24.plan(48, 12) if exit not in ("e10", "e12", "e14") else None,
            b25=self.b25.plan(24, 12) if exit not in ("e10", "e12", "e14", "e16") else None,
        )

    def forward(
        self, x: Tensor, y: Tensor, z: Tensor, p: TwoScalesPlan, outputs: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        u = self.b1(x, p.b1)  # [N, 12, 8, 8]
        v = self.b2(y, p.b2)  # [N, 12, 8, 8]
        y = torch.cat((y, u, v), 1)
        z = self.b3(z, p.b3)  # [N, 6, 16, 16]
        u = self.b4(x, p.b4)  # [N, 6, 16, 16]
        x = torch.cat((x, z, u), 1)
        y = self.coarse2(y, p.coarse2)  # [N, 140, 8, 8]
        x = self.middle2(x, p.middle2)  # [N, 70, 16, 16]
        z = self.b5(x, p.b5)  # [N, 12, 8, 8]
        u = self.b6(y, p.b6)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        if p.exit != "e10":
            z = self.b7(x, p.b7)  # [N, 12, 16, 16]
            x = torch.cat((x, z), 1)
        if p.with_e10:
            outputs["e10"] = self.e10(y)  # [N, 100]
        if p.exit == "e10":
            return x, x
        z = self.b8(x, p.b8)  # [N, 12, 8, 8]
        u = self.b9(y, p.b9)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        z = self.b10(x, p.b10)  # [N, 12, 16, 16]
        x = torch.cat((x, z), 1)
        z = self.b11(x, p.b11)  # [N, 12, 8, 8]
        u = self.b12(y, p.b12)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        if p.exit != "e12":
            z = self.b13(x, p.b13)  # [N, 12, 16, 16]
            x = torch.cat((x, z), 1)
        if p.with_e12:
            outputs["e12"] = self.e12(y)  # [N, 100]
        if p.exit == "e12":
            return x, x
        z = self.b14(x, p.b14)  # [N, 12, 8, 8]
        u = self.b15(y, p.b15)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        z = self.b16(x, p.b16)  # [N, 12, 16, 16]
        x = torch.cat((x, z), 1)
        z = self.b17(x, p.b17)  # [N, 12, 8, 8]
        u = self.b18(y, p.b18)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        if p.exit != "e14":
            z = self.b19(x, p.b19)  # [N, 12, 16, 16]
            x = torch.cat((x, z), 1)
        if p.with_e14:
            outputs["e14"] = self.e14(y)  # [N, 100]
        if p.exit == "e14":
            return x, x
        z = self.b20(x, p.b20)  # [N, 12, 8, 8]
        u = self.b21(y, p.b21)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        z = self.b22(x, p.b22)  # [N, 12, 16, 16]
        x = torch.cat((x, z), 1)
        z = self.b23(x, p.b23)  # [N, 12, 8, 8]
        u = self.b24(y, p.b24)  # [N, 12, 8, 8]
        y = torch.cat((y, z, u), 1)
        if p.exit != "e16":
            z = self.b25(x, p.b25)  # [N, 12, 16, 16]
            x = torch.cat((x, z), 1)
        if p.with_e16:
            outputs["e16"] = self.e16(y)  # [N, 100]
        return y, x


class Answer8(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(190, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class OneScaleE18(nn.Module):
    """exit one_scale.e18, msdnet_cifar.specc:65."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer8()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer9(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(238, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class OneScaleE20(nn.Module):
    """exit one_scale.e20, msdnet_cifar.specc:66."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer9()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


class Answer10(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(286, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class OneScaleE22(nn.Module):
    """exit one_scale.e22, msdnet_cifar.specc:67."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer10()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


@dataclass(frozen=True, slots=True, eq=False)
class OneScalePlan:
    with_e18: bool
    exit: str
    with_e20: bool
    with_e22: bool
    b1: GrownPlan
    b2: GrownPlan
    b3: UnitPlan
    b4: GrownPlan
    b5: GrownPlan | None
    b6: GrownPlan | None
    b7: GrownPlan | None
    b8: GrownPlan | None
    b9: GrownPlan | None
    b10: GrownPlan | None


class OneScale(nn.Module):
    """stage one_scale, msdnet_cifar.specc:62."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Grown(154, 24, 12, stride=2)
        self.b2 = Grown(308, 48, 12, stride=1)
        self.b3 = Unit(332, 166, kernel=1, stride=1, padding=0)
        self.b4 = Grown(166, 96, 24, stride=1)
        self.e18 = OneScaleE18()
        self.b5 = Grown(190, 96, 24, stride=1)
        self.b6 = Grown(214, 96, 24, stride=1)
        self.e20 = OneScaleE20()
        self.b7 = Grown(238, 96, 24, stride=1)
        self.b8 = Grown(262, 96, 24, stride=1)
        self.e22 = OneScaleE22()
        self.b9 = Grown(286, 96, 24, stride=1)
        self.b10 = Grown(310, 96, 24, stride=1)

    def plan(self, with_e18: bool, exit: str, with_e20: bool, with_e22: bool) -> OneScalePlan:
        return OneScalePlan(
            with_e18=with_e18,
            exit=exit,
            with_e20=with_e20,
            with_e22=with_e22,
            b1=self.b1.plan(24, 12),
            b2=self.b2.plan(48, 12),
            b3=self.b3.plan(166),
            b4=self.b4.plan(96, 24),
            b5=self.b5.plan(96, 24) if exit != "e18" else None,
            b6=self.b6.plan(96, 24) if exit != "e18" else None,
            b7=self.b7.plan(96, 24) if exit not in ("e18", "e20") else None,
            b8=self.b8.plan(96, 24) if exit not in ("e18", "e20") else None,
            b9=self.b9.plan(96, 24) if exit not in ("e18", "e20", "e22") else None,
            b10=self.b10.plan(96, 24) if exit not in ("e18", "e20", "e22") else None,
        )

    def forward(self, x: Tensor, y: Tensor, p: OneScalePlan, outputs: dict[str, Tensor]) -> Tensor:
        x = self.b1(x, p.b1)  # [N, 12, 8, 8]
        z = self.b2(y, p.b2)  # [N, 12, 8, 8]
        x = torch.cat((y, x, z), 1)
        x = self.b3(x, p.b3)  # [N, 166, 8, 8]
        y = self.b4(x, p.b4)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        if p.with_e18:
            outputs["e18"] = self.e18(x)  # [N, 100]
        if p.exit == "e18":
            return x
        y = self.b5(x, p.b5)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        y = self.b6(x, p.b6)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        if p.with_e20:
            outputs["e20"] = self.e20(x)  # [N, 100]
        if p.exit == "e20":
            return x
        y = self.b7(x, p.b7)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        y = self.b8(x, p.b8)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        if p.with_e22:
            outputs["e22"] = self.e22(x)  # [N, 100]
        if p.exit == "e22":
            return x
        y = self.b9(x, p.b9)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        y = self.b10(x, p.b10)  # [N, 24, 8, 8]
        x = torch.cat((x, y), 1)
        return x


class Answer11(nn.Module):
    """answer, msdnet_cifar.specc:12."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(334, 100)

    def forward(self, x: Tensor) -> Tensor:
        x = x.mean((2, 3))
        return self.linear(x)


class Head(nn.Module):
    """head, msdnet_cifar.specc:70."""

    def __init__(self) -> None:
        super().__init__()
        self.b1 = Answer11()

    def forward(self, x: Tensor) -> Tensor:
        return self.b1(x)


@dataclass(frozen=True, slots=True, eq=False)
class MsdnetCifarPlan(Plan):
    exit: str
    stem: StemPlan
    three_scales: ThreeScalesPlan
    two_scales: TwoScalesPlan | None
    one_scale: OneScalePlan | None


class MsdnetCifar(ElasticNet):
    """The network, msdnet_cifar.specc:14."""

    _plan: MsdnetCifarPlan

    fingerprint = "b4c730faf4c9b774"  # of the network: checkpoints carry it

    def __init__(self) -> None:
        super().__init__()
        self.stem = Stem()
        self.three_scales = ThreeScales()
        self.two_scales = TwoScales()
        self.one_scale = OneScale()
        self.head = Head()
        self.use(self.plan())

    def plan(
        self,
        assignment: Mapping[str, Option] | str = "max",
        outputs: Sequence[str] | None = None,
    ) -> MsdnetCifarPlan:
        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""
        chosen = resolve(space, assignment)
        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too
        exit = a["exit"]
        answer = exit
        answers = {
            "head": exit == "head",
            "e4": True,
            "e6": exit != "e4",
            "e8": exit not in ("e4", "e6"),
            "e10": exit not in ("e4", "e6", "e8"),
            "e12": exit not in ("e4", "e6", "e8", "e10"),
            "e14": exit not in ("e4", "e6", "e8", "e10", "e12"),
            "e16": exit in ("e16", "e18", "e20", "e22", "head"),
            "e18": exit in ("e18", "e20", "e22", "head"),
            "e20": exit in ("e20", "e22", "head"),
            "e22": exit in ("e22", "head"),
        }
        features = {
            "three_scales": exit not in ("e4", "e6", "e8"),
            "two_scales": exit in ("e18", "e20", "e22", "head"),
            "one_scale": exit == "head",
        }
        wanted = wanted_outputs(outputs, answer, answers, features)
        return MsdnetCifarPlan(
            chosen=tuple(chosen.items()),
            resolution=None,
            outputs=None if outputs is None else wanted,
            answer=answer,
            wanted=wanted,
            exit=exit,
            stem=self.stem.plan(),
            three_scales=self.three_scales.plan(
                exit=exit,
                with_e4="e4" in wanted,
                with_e6="e6" in wanted,
                with_e8="e8" in wanted,
            ),
            two_scales=self.two_scales.plan(
                exit=exit,
                with_e10="e10" in wanted,
                with_e12="e12" in wanted,
                with_e14="e14" in wanted,
                with_e16="e16" in wanted,
            )
            if exit not in ("e4", "e6", "e8")
            else None,
            one_scale=self.one_scale.plan(
                with_e18="e18" in wanted,
                exit=exit,
                with_e20="e20" in wanted,
                with_e22="e22" in wanted,
            )
            if exit in ("e18", "e20", "e22", "head")
            else None,
        )

    def forward(self, x: Tensor, plan: MsdnetCifarPlan | None = None) -> Tensor | dict[str, Tensor]:
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
        outputs["head"] = self.head(x)  # [N, 100]
        return p.result(outputs)


Model = MsdnetCifar
