"""One tensor's channels in equal parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Branched, Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.runs import is_elastic

SPLIT_DIVIDES = Rule(
    "E410",
    "split-does-not-divide",
    "a split does not divide the channels",
    "`split(n)` gives n parts of equal size, so n must divide the channels.\n"
    "Wrong:  conv(64, kernel=3); (a, b, c) = split(3)\n"
    "Right:  conv(66, kernel=3); (a, b, c) = split(3)",
)
CUTS_ELASTIC = Rule(
    "E415",
    "elastic-run-cut-apart",
    "an elastic run of channels is split or mixed",
    "A sub-network keeps the first channels of an elastic run. If its parts went different ways, a narrow sub-network\n"
    "would send channels one way that the largest sends another. Where convolutions and linear layers write such\n"
    "channels, they write each part as a run of its own; channels that are shuffled, or written in groups, can't be\n"
    "told apart.\n"
    "Wrong:  width per_group 0.5..1.0 round 8; conv(64, kernel=3, groups=2); (l, r) = split(2)\n"
    "Right:  width per_group 0.5..1.0 round 8; conv(64, kernel=3); (l, r) = split(2)",
)

FIX_THEM: Final = "fix them where they are made, with `width=fixed`"


@dataclass(frozen=True, slots=True)
class SplitParams:
    """The active channels of every part, in order."""

    parts: tuple[Expr, ...]


class Split(Operator):
    """`(l, r) = split(2)`."""

    kind = "split"
    example = "(l, r) = split(2); concat(l, conv(8, kernel=3, from=r))"
    branched = Branched(refused="it would part the branches from one another, not the channels of each")
    passes_runs = True
    signature = Signature(
        "split",
        (Parameter("parts", "integer", doc="number of parts, each with a name: `(l, r) = split(2)`"),),
        "The channels in equal parts, in their order.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        count = cast(int, call.args["parts"])
        total = call.maximum(tensor.features)
        if total % count:
            message = f"{count} parts do not divide {total} channels"
            call.report(SPLIT_DIVIDES, message, at="parts", help=f"make the channels a multiple of {count}")
            whole = (tensor.channels, tensor.space)
            return Built(SplitParams((tensor.features,) * count), (whole,) * count)
        parts = parted(call, tensor, count, total // count)
        sizes = tuple(Tensor("", part, (), tensor.origin).features for part in parts)
        return Built(SplitParams(sizes), tuple((part, tensor.space) for part in parts))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


def parted(call: OpCall, tensor: Tensor, count: int, size: int) -> list[tuple[Segment, ...]]:
    """The segments of each of `count` parts of `size` features; fixed ones are cut where a part ends."""
    parts: list[list[Segment]] = [[] for _ in range(count)]
    place = 0
    for segment in tensor.channels:
        spread = call.maximum(segment.spread)
        left = call.maximum(segment.features)
        room = size - place % size
        if left > room and (room % spread or size % spread):
            report_cut(call, segment, room)
            return [[Segment(size)] for _ in range(count)]  # type: ignore[misc]
        if left > room and is_elastic(segment.size):
            places = tuple(taken // spread for taken in shares(left, room, size))
            pieces = call.cut_apart(segment.size, places)
            if pieces is None:
                report_cut(call, segment, room)
                return [[Segment(size)] for _ in range(count)]  # type: ignore[misc]
            for piece, channels in zip(pieces, places, strict=True):
                parts[place // size].append(Segment(piece, segment.spread))
                place += channels * spread
            continue
        if left <= room:
            parts[place // size].append(segment)
            place += left
            continue
        while left:
            taken = min(left, size - place % size)
            parts[place // size].append(Segment(apply("div", taken, spread), segment.spread))
            place += taken
            left -= taken
    return [tuple(part) for part in parts]


def shares(left: int, room: int, size: int) -> list[int]:
    """How many of `left` features go to each part: what has room in the first, then as many as a part takes."""
    found = [room]
    while sum(found) < left:
        found.append(min(size, left - sum(found)))
    return found


def report_cut(call: OpCall, segment: Segment, room: int) -> None:
    """Says which run would be cut apart, and where."""
    whole = call.maximum(segment.features)
    if is_elastic(segment.size):
        message = f"{whole} channels that are elastic as one would be cut after {room} of them"
        call.report(CUTS_ELASTIC, message, help=FIX_THEM)
    else:
        message = f"{whole} flattened features would be cut inside a channel"
        call.report(SPLIT_DIVIDES, message, help="split before `flatten`")


OPERATORS = (Split(),)
