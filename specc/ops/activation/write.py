"""Activations in generated code: functions. Only those whose derivative the output tells overwrite their input."""

from __future__ import annotations

from fractions import Fraction
from typing import cast

from specc.ir.expr import Number
from specc.ops.activation.rules import CurveParams
from specc.ops.writing import Arg, Site, Sites, Writer, Written, each


def function(kind: str, call: str, inplace: str = "") -> Writer:
    def write(sites: Sites, elastic: bool) -> Written:
        return Written(call=call, inplace=inplace)

    return Writer(kind, write, function=True)


def numbers(site: Site) -> tuple[Number, ...]:
    """The numbers of an activation that has them all."""
    return cast("tuple[Number, ...]", cast(CurveParams, site.op.params).numbers)


def curve(kind: str, call: str, layer: str, **usual: Number) -> Writer:
    """A function with its usual numbers, else a layer that holds them."""

    def write(sites: Sites, elastic: bool) -> Written:
        if all(numbers(site) == tuple(usual.values()) for site in sites):
            return Written(call=call)
        args = tuple(
            Arg(each(sites, lambda site, i=i: numbers(site)[i]), "extra", name, default)  # type: ignore[misc]
            for i, (name, default) in enumerate(usual.items())
        )
        return Written(layer, args=args)

    return Writer(kind, write)


def clamp(sites: Sites, elastic: bool) -> Written:
    """`Clamp(low=0)`."""
    args = tuple(
        Arg(each(sites, lambda site, i=i: numbers(site)[i]), "extra", name)  # type: ignore[misc]
        for i, name in enumerate(("low", "high"))
        if all(cast(CurveParams, site.op.params).numbers[i] is not None for site in sites)
    )
    return Written("Clamp", "activation", args, plain=True)


def quick_gelu(sites: Sites, elastic: bool) -> Written:
    return Written("QuickGELU", "activation", plain=True)


WRITERS = (
    function("relu", "F.relu({0})", "F.relu({0}, inplace=True)"),
    function("relu6", "F.relu6({0})", "F.relu6({0}, inplace=True)"),
    function("hswish", "F.hardswish({0})"),
    function("hsigmoid", "F.hardsigmoid({0})"),
    function("silu", "F.silu({0})"),
    function("gelu", "F.gelu({0})"),
    function("sigmoid", "torch.sigmoid({0})"),
    function("tanh", "torch.tanh({0})"),
    function("gelu_tanh", 'F.gelu({0}, approximate="tanh")'),
    function("mish", "F.mish({0})"),
    function("selu", "F.selu({0})"),
    Writer("quick_gelu", quick_gelu),
    Writer("clamp", clamp),
    curve("leaky_relu", "F.leaky_relu({0})", "nn.LeakyReLU", negative_slope=Fraction(1, 100)),
    curve("elu", "F.elu({0})", "nn.ELU", alpha=1),
    curve("celu", "F.celu({0})", "nn.CELU", alpha=1),
    curve("softplus", "F.softplus({0})", "nn.Softplus", beta=1, threshold=20),
    curve("hardtanh", "F.hardtanh({0})", "nn.Hardtanh", min_val=-1, max_val=1),
)
