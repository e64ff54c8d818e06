"""The softmax over equal parts of the channels: how much each branch counts, channel by channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

from specc.ir.graph import Segment, Tensor
from specc.ir.operator import Branched, Built, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.runs import is_elastic
from specc.ops.split.rules import CUTS_ELASTIC, FIX_THEM, SPLIT_DIVIDES


@dataclass(frozen=True, slots=True)
class PartSoftmaxParams:
    """`parts`: how many equal parts of the channels there are."""

    parts: int


class PartSoftmax(Operator):
    """`part_softmax(2)`, as selective kernels and split attention have it."""

    kind = "part_softmax"
    example = "pool(avg); linear(2 * in); part_softmax(2); (a, b) = split(2); add(a, b)"
    branched = Branched(refused="it would be over the channels of different branches")
    folds = True
    signature = Signature(
        "part_softmax",
        (Parameter("parts", "integer", doc="equal parts of the channels"),),
        "exp(x), divided by its sum over all parts of the channels: what a channel has in all of them has the sum 1.",
    )

    def build(self, call: OpCall) -> Built:
        parts = cast(int, call.args["parts"])
        tensor = in_parts(call, call.inputs[0], parts)
        return Built(PartSoftmaxParams(parts), ((tensor.channels, tensor.space),))


def in_parts(call: OpCall, tensor: Tensor, parts: int) -> Tensor:
    """The tensor with a run for each of its equal parts, which have one width, where it is elastic."""
    total = call.maximum(tensor.features)
    if total % parts:
        message = f"{parts} parts do not divide {total} channels"
        call.report(SPLIT_DIVIDES, message, at="parts", help=f"make the channels a multiple of {parts}")
        return tensor
    if parts == 1 or not any(is_elastic(segment.features) for segment in tensor.channels):
        return tensor
    if len(tensor.channels) == 1 and tensor.channels[0].spread == 1:
        pieces = call.cut_apart(tensor.channels[0].size, (total // parts,) * parts)
        tensor = tensor if pieces is None else replace(tensor, channels=tuple(map(Segment, pieces)))
    first, *others = (Tensor("", (segment,), tensor.space, tensor.origin) for segment in tensor.channels)
    if len(tensor.channels) != parts or any(call.maximum(part.features) != total // parts for part in (first, *others)):
        message = f"{total} channels that are elastic do not come in {parts} runs of {total // parts}"
        call.report(CUTS_ELASTIC, message, help=FIX_THEM)
        return tensor
    for other in others:
        call.tie(first, other, "the parts of this softmax")
    return tensor


OPERATORS = (PartSoftmax(),)
