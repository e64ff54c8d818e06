"""Channel shuffle (ShuffleNet): the channels of several groups in turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from specc.diagnostics import Rule
from specc.ir.graph import Segment, Tensor
from specc.ir.operator import Branched, Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.runs import is_elastic
from specc.ops.shapes import one, product
from specc.ops.split.rules import CUTS_ELASTIC

SHUFFLE_DIVIDES = Rule(
    "E416",
    "shuffle-does-not-divide",
    "a shuffle does not divide the channels",
    "`shuffle(groups)` takes the first channel of every group, then the second, and so on; all have one size.\n"
    "Wrong:  conv(64, kernel=3); shuffle(3)\n"
    "Right:  conv(64, kernel=3); shuffle(2)",
)


@dataclass(frozen=True, slots=True)
class ShuffleParams:
    """`groups`: how many runs of one size the channels are taken from in turn."""

    groups: int


class Shuffle(Operator):
    """`shuffle(2)`."""

    kind = "shuffle"
    example = "conv(64, kernel=1, groups=4); shuffle(4)"
    branched = Branched(refused="it would mix the channels of different branches")
    folds = True
    signature = Signature(
        "shuffle",
        (Parameter("groups", "integer", doc="groups of channels, all of one size"),),
        "Mixes groups of channels: the first of every group, then the second, and so on.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        groups = cast(int, call.args["groups"])
        total = call.maximum(tensor.features)
        built = Built(ShuffleParams(groups), ((tensor.channels, tensor.space),))
        if total % groups:
            message = f"{groups} groups do not divide {total} channels"
            call.report(SHUFFLE_DIVIDES, message, at="groups", help=f"make the channels a multiple of {groups}")
            return built
        if groups == 1:
            return built
        if not any(is_elastic(segment.features) for segment in tensor.channels):
            return Built(ShuffleParams(groups), ((one(total), tensor.space),))
        size = total // groups
        if len(tensor.channels) == 1 and tensor.channels[0].spread == 1:
            pieces = call.cut_apart(tensor.channels[0].size, (size,) * groups)
            tensor = tensor if pieces is None else replace(tensor, channels=tuple(map(Segment, pieces)))
        first, *others = tensor.channels
        if len(tensor.channels) != groups or any(call.maximum(s.features) != size for s in tensor.channels):
            runs = " and ".join(str(call.maximum(segment.features)) for segment in tensor.channels)
            arrive = f"runs of {runs} arrive, not all fixed" if others else f"{runs} that are elastic as one arrive"
            call.report(
                CUTS_ELASTIC,
                f"{groups} groups of {size} channels are mixed, and {arrive}",
                help="join tensors of one size, one a group, or fix the channels with `width=fixed`",
            )
            return built
        for other in others:  # a channel has its place only if every group has as many
            call.tie(alone(tensor, first), alone(tensor, other), "the groups mixed here")
        return Built(ShuffleParams(groups), ((one(product(first.features, groups)), tensor.space),))


def alone(tensor: Tensor, segment: Segment) -> Tensor:
    """One segment of a tensor as if it were a tensor, which has no name."""
    return Tensor("", (segment,), tensor.space, tensor.origin)


OPERATORS = (Shuffle(),)
