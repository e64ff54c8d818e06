"""Convolution with weight standardisation (Qiao et al., 2019, "Micro-batch training with batch-channel normalization
and weight standardization"), and with a learned gain (Brock et al., 2021, "Characterizing signal propagation")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number
from specc.ir.graph import DENSE, Connection, Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, OpCall, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ir.window import Window
from specc.ops.conv.rules import Convolution, ConvParams


@dataclass(frozen=True, slots=True)
class StandardizedParams:
    """All of a convolution's, and how its filters are standardised: `eps` is added to the variance; with a `gain` each
    filter is multiplied by a learned number and by `gamma / sqrt(the weights of a filter)`.

    None of its kernels is a transform of another.
    """

    inputs: Expr
    out: Expr
    kernel: Window
    stride: Window
    padding: Window
    dilation: Window
    groups: Expr
    bias: bool
    full_inputs: int
    full_out: int
    full_kernel: Window
    full_groups: int
    eps: Number
    gain: bool
    gamma: Number
    transforms: tuple[int, ...] = ()


class StandardizedConvolution(Convolution):
    """`standardized_conv(out, kernel=k)`."""

    kind = "standardized_conv"
    example = "standardized_conv(64, kernel=3); relu"
    branched = Branched(refused="the filters of all branches would be standardised as one")
    drawn = Drawn(family="conv")
    signature = Signature(
        "standardized_conv",
        (
            *Convolution.signature.parameters,
            Parameter("eps", "number", Fraction(1, 1_000_000), "added to the variance of a filter", above=0, below=1),
            Parameter("gain", "flag", False, "multiply each filter by a learned number and gamma / sqrt(its weights)"),
            Parameter("gamma", "number", 1, "a fixed factor beside the gain"),
        ),
        "A convolution whose filters have mean 0 and variance 1, before a gain if there is one.",
    )

    def build(self, call: OpCall) -> Built:
        built = super().build(DenseCall(call))  # type: ignore[arg-type]
        p = cast(ConvParams, built.params)
        params = StandardizedParams(
            **{field.name: getattr(p, field.name) for field in fields(p)},
            eps=cast(Number, call.args["eps"]),
            gain=cast(bool, call.args["gain"]),
            gamma=cast(Number, call.args["gamma"]),
        )
        return Built(params, built.outputs, built.connection)

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(StandardizedParams, op.params)
        gain = (Weight("gain", (p.full_out,), (p.out,)),) if p.gain else ()
        return (*super().weights(op, inputs, outputs), *gain)


class DenseCall:
    """A call under no `connect`: what a filter reads decides how it is standardised, so that none of it is left out."""

    connection: Connection = DENSE

    def __init__(self, call: OpCall) -> None:
        self.call = call

    def __getattr__(self, name: str) -> object:
        return getattr(self.call, name)


OPERATORS = (StandardizedConvolution(),)
