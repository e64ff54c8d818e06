"""One tensor's channels in parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr
from specc.ir.graph import Op, Segment, Tensor
from specc.ir.operator import Branched, Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.runs import is_elastic

SPLIT_DIVIDES = Rule(
    "E410",
    "split-does-not-divide",
    "a split does not divide the channels",
    "`split(n)` gives n parts of equal size, so n must divide the channels. With `first` the first part has that\n"
    "many, and the others have equal shares of the rest.\n"
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
        (
            Parameter("parts", "integer", doc="number of parts, each with a name: `(l, r) = split(2)`"),
            Parameter(
                "first",
                "integer",
                None,
                "channels of the first part in the largest network; the others have equal shares of the rest",
                at_largest=True,
            ),
        ),
        "The channels in parts, in their order; equal ones where `first` is not given.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        count, first = cast(int, call.args["parts"]), cast("int | None", call.args["first"])
        total = call.maximum(tensor.features)
        sizes = sizes_of(call, total, count, first)
        if sizes is None:
            whole = (tensor.channels, tensor.space)
            return Built(SplitParams((tensor.features,) * count), (whole,) * count)
        parts = parted(call, tensor, sizes)
        features = tuple(Tensor("", part, (), tensor.origin).features for part in parts)
        return Built(SplitParams(features), tuple((part, tensor.space) for part in parts))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


def sizes_of(call: OpCall, total: int, count: int, first: int | None) -> tuple[int, ...] | None:
    """The features of each part; None, and reported, where they do not come out even."""
    if first is None:
        if total % count:
            message = f"{count} parts do not divide {total} channels"
            call.report(SPLIT_DIVIDES, message, at="parts", help=f"make the channels a multiple of {count}")
            return None
        return (total // count,) * count
    rest, others = total - first, count - 1
    if not others or rest < others or rest % others:
        each = f"{others} parts" if others > 1 else f"{others} part" if others else "no part"
        message = f"{first} of {total} channels leave {max(rest, 0)} for {each}"
        call.report(SPLIT_DIVIDES, message, at="first", help="leave a multiple of the other parts' number")
        return None
    return (first, *(rest // others,) * others)


def parted(call: OpCall, tensor: Tensor, sizes: Sequence[int]) -> list[tuple[Segment, ...]]:
    """The segments of parts of so many features; fixed ones are cut where a part ends."""
    parts: list[list[Segment]] = [[] for _ in sizes]
    at, room = 0, sizes[0]
    for segment in tensor.channels:
        spread = call.maximum(segment.spread)
        left = call.maximum(segment.features)
        shares: list[tuple[int, int]] = []  # a part, and how many features go there
        while left:
            if not room:
                at, room = at + 1, sizes[at + 1]
            taken = min(left, room)
            shares.append((at, taken))
            left, room = left - taken, room - taken
        pieces = cut(call, segment, shares, spread)
        if pieces is None:
            report_cut(call, segment, shares[0][1])
            return [(Segment(size),) for size in sizes]
        for (part, _), piece in zip(shares, pieces, strict=True):
            parts[part].append(Segment(piece, segment.spread))
    return [tuple(part) for part in parts]


def cut(call: OpCall, segment: Segment, shares: Sequence[tuple[int, int]], spread: int) -> Sequence[Expr] | None:
    """The sizes of a segment's pieces, by the features that each part has of it; None where it can't be cut so."""
    if len(shares) == 1:
        return (segment.size,)
    if any(taken % spread for _, taken in shares):
        return None
    places = tuple(taken // spread for _, taken in shares)
    return call.cut_apart(segment.size, places) if is_elastic(segment.size) else places


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
