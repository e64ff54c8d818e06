"""Group normalisation: over the pixels and channels of each of some groups, with one bank of scales or several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

from specc.ir.expr import Expr, Number, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.runs import grouped_runs
from specc.ops.shapes import GROUPS_DIVIDE, product, refuse_tokens


@dataclass(frozen=True, slots=True)
class GroupNormParams:
    """`channels` and `groups` are active, `full_*` those of the largest sub-network. The size of a group is fixed."""

    channels: Expr
    groups: Expr
    eps: Number
    full_channels: int
    full_groups: int
    affine: bool = True
    bias: bool = True


class GroupNorm(Operator):
    """`norm`, under the setting `norm group(..)`."""

    kind = "group_norm"
    written = False
    normalises = True
    branched = Branched(refused="its groups would not be those of the branches")
    drawn = Drawn(word="norm")
    reads_runs = True
    folds = True
    signature = Signature(
        "group",
        (
            Parameter("groups", "integer", 32, "groups of channels; widths become multiples of a group"),
            Parameter("eps", "number", Fraction(1, 100_000), "added to the variance", above=0, below=1),
            Parameter("affine", "flag", True, "whether it has a learned scale and offset"),
            Parameter("bias", "flag", True, "whether it has a learned offset beside its scale"),
            Parameter("bank", "bank", "shared", "which sub-networks share scales and offsets"),
        ),
        "Normalisation over the pixels and channels of each group, with a learned scale and offset per channel.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = refuse_tokens(call, "a group norm")
        full_channels, full_groups = call.maximum(tensor.features), cast(int, call.args["groups"])
        if full_channels % full_groups:
            call.report(GROUPS_DIVIDE, f"{full_groups} groups do not divide {full_channels} channels")
            full_groups = 1
        per_group = full_channels // full_groups
        if len(tensor.channels) == 1:
            groups = call.whole_groups(tensor.features, per_group)
        else:
            grouped_runs(call, tensor, per_group, per_group)
            groups = apply("div", tensor.features, per_group)
        params = GroupNormParams(
            channels=tensor.features,
            groups=groups,
            eps=cast(Number, call.args["eps"]),
            affine=cast(bool, call.args["affine"]),
            bias=cast(bool, call.args["affine"]) and cast(bool, call.args["bias"]),
            full_channels=full_channels,
            full_groups=full_groups,
        )
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(GroupNormParams, op.params)
        names = ("weight", "bias")[: p.affine + p.bias]
        return tuple(Weight(name, (p.full_channels,), (p.channels,), copies=op.bank.count) for name in names)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        return product(outputs[0].features, *outputs[0].space)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True, more=product(2, cast(GroupNormParams, op.params).groups))


OPERATORS = (GroupNorm(),)
