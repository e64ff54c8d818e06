"""Channels that meet those of a concatenation are cut where its parts begin.

    residual { y = conv(32, kernel=1); concat(y, depthwise(kernel=3, from=y)) }       # 64 channels arrive

What arrives has one run of 64 channels, the concatenation two of 32: a narrow sub-network would keep other channels of
each. But the layer that wrote the 64 has weights of its own for all of them, and nothing tells which come first. So its
channels become two runs as well, in every feature map that has them: two width groups, or, where their number is an
expression of others (`conv(in, kernel=1)` after a concatenation), the runs that it counts.

That can be done where all that writes such channels can write runs, and all that reads them can read runs. Where it
can't, they stay one run, and `check_runs` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any, TypeAlias, cast

from specc.diagnostics import Findings
from specc.frozen import frozen
from specc.ir.expr import Apply, Expr, Option, Var, evaluate
from specc.ir.graph import DENSE, Graph, Op, Segment, Tensor, Tie, WidthGroup
from specc.ir.rewrite import rewrite_graph, substitution, values_of
from specc.ops.runs import is_elastic, runs, total
from specc.ops.split.rules import CUTS_ELASTIC, FIX_THEM
from specc.source import Span

Cuts: TypeAlias = Mapping[Expr, tuple[Expr, ...]]
"""What becomes of a size: the sizes of its runs."""


def cut_runs(graph: Graph, findings: Findings) -> Graph:
    """Cuts channels where they meet others that come in more runs, and ties the runs one by one."""
    for apart in graph.cuts:
        if not may_be_cut(graph, apart.size, is_group(graph, apart.size), apart.origin):
            first = Sizes(graph)
            message = f"{first.of(apart.size)} channels that are elastic as one would be cut after "
            message += f"{first.of(apart.pieces[0])} of them"
            findings.report(CUTS_ELASTIC, apart.origin, message, help=FIX_THEM)
            return graph
        graph = with_cut(graph, apart.size, apart.pieces)
    while (cut := next(wanted_cuts(graph), None)) is not None:  # each makes another run, and channels are few
        graph = with_cut(graph, cut.size, cut.pieces)
        whole = total(tuple(map(Segment, cut.pieces)))
        sums = () if cut.groups else (replace(cut.tie, left=cut.size, right=whole, meeting=()),)
        graph = graph.with_(ties=(*graph.ties, *sums), widths=(*graph.widths, *cut.groups))
    sizes, tensors = Sizes(graph), graph.tensor_table()
    ties = tuple(piece for tie in graph.ties for piece in settled(tie, tensors, sizes))
    return graph.with_(ties=ties, cuts=())


@frozen
class Cut:
    """`size` becomes these runs, as `tie` asks. New width groups stand for them where it is a group itself."""

    tie: Tie
    size: Expr
    pieces: tuple[Expr, ...]
    groups: tuple[WidthGroup, ...] = ()


class Sizes:
    """Sizes in the largest network."""

    def __init__(self, graph: Graph) -> None:
        self.values: dict[str, Option] = {choice.name: choice.largest for choice in graph.choices}
        self.values |= {group.variable: group.maximum for group in graph.widths}

    def of(self, size: Expr) -> int:
        return cast(int, evaluate(size, self.values))

    def runs(self, tensor: Tensor) -> list[int]:
        return [self.of(run) for run in runs(tensor.channels)]

    def ends(self, channels: Sequence[Segment]) -> list[int]:
        """Where each segment begins, and where the last one ends."""
        return [0, *accumulate(self.of(segment.features) for segment in channels)]


def wanted_cuts(graph: Graph) -> Iterator[Cut]:
    """The cuts that some meeting asks for and the network allows."""
    sizes, tensors = Sizes(graph), graph.tensor_table()
    for tie in graph.ties:
        if tie.meeting:
            left, right = (tensors[name] for name in tie.meeting)
            alike = len(left.channels) == len(right.channels) == 1
            if not alike and sizes.runs(left) != sizes.runs(right):
                for one, other in ((left, right), (right, left)):
                    for size, parts, places in crossed(one, other, sizes):
                        cut = made(graph, tie, size, parts, places)
                        if cut is not None:
                            yield cut


def crossed(one: Tensor, other: Tensor, sizes: Sizes) -> Iterator[tuple[Expr, tuple[Expr, ...], tuple[int, ...]]]:
    """The elastic segments of a tensor inside which segments of another end: the size; the sizes of the other's
    segments there, () where they reach beyond; how many channels of it each piece has."""
    ends = sizes.ends(other.channels)
    start = 0
    for segment in one.channels:
        spread = sizes.of(segment.spread)
        end = start + sizes.of(segment.features)
        inside = [place for place in ends if start < place < end]
        if inside and is_elastic(segment.size) and all((place - start) % spread == 0 for place in inside):
            tiles = start in ends and end in ends
            there = other.channels[ends.index(start) : ends.index(end)] if tiles else ()
            parts = tuple(part.size for part in there if part.spread == segment.spread)
            marks = [start, *inside, end]
            places = tuple((b - a) // spread for a, b in pairwise(marks))
            yield segment.size, parts if len(parts) == len(places) else (), places
        start = end


def made(graph: Graph, tie: Tie, size: Expr, parts: tuple[Expr, ...], places: tuple[int, ...]) -> Cut | None:
    """The cut of a size, if the network allows it."""
    group = next((group for group in graph.widths if size == Var(group.variable)), None)
    if group is None and (not parts or not isinstance(size, Apply)):
        return None
    if group is not None and any(place % group.multiple for place in places):
        return None
    if not may_be_cut(graph, size, group is not None):
        return None
    if group is None:
        return Cut(tie, size, parts)
    new = tuple(
        replace(group, variable=f"{group.variable}.{number}", maximum=place, part=f"{group.part}_{number}".lstrip("_"))
        for number, place in enumerate(places, start=1)
    )
    return Cut(tie, size, tuple(Var(g.variable) for g in new), new)


def may_be_cut(graph: Graph, size: Expr, is_group: bool, by: Span | None = None) -> bool:
    """Whether all that writes channels of a size can write them in runs, and all that reads them can read runs; what
    stands at `by` asks for that."""
    having = {t.name for t in graph.tensors if any(segment.size == size for segment in t.channels)}
    for op in graph.ops:
        read, written = any(name in having for name in op.inputs), any(name in having for name in op.outputs)
        if not (read or written) or op.operator.passes_runs or (op.origin == by and not written):
            continue
        if op.operator.channelwise:
            if is_group or channels_alone(op) or not read:  # a group's multiples hold for each of its pieces
                continue
            return False
        if not op.operator.writes_runs or op.connection != DENSE or getattr(op.params, "groups", 1) != 1:
            return False
    return not having & set(graph.inputs)


def is_group(graph: Graph, size: Expr) -> bool:
    """Whether a size is a width group's own."""
    return isinstance(size, Var) and any(group.variable == size.choice for group in graph.widths)


def channels_alone(op: Op) -> bool:
    """Whether an operation works on channels one by one, not on groups of several."""
    groups = getattr(op.params, "groups", None)
    return groups is None or groups == getattr(op.params, "inputs", None)


def with_cut(graph: Graph, size: Expr, pieces: tuple[Expr, ...]) -> Graph:
    """The graph with a size in runs wherever it stands. A group is then no more: its channels are those of the runs."""
    cuts: Cuts = {size: pieces}
    tensors = tuple(
        t if (channels := in_pieces(t.channels, cuts)) is t.channels else replace(t, channels=channels)
        for t in graph.tensors
    )
    ops = tuple(
        op if (params := params_in_pieces(op.params, cuts)) is op.params else replace(op, params=params)
        for op in graph.ops
    )
    graph = graph.with_(tensors=tensors, ops=ops)
    if not is_group(graph, size):
        return graph
    variable = cast(Var, size).choice
    rewrite = substitution({variable: total(tuple(map(Segment, pieces)))})
    ties = tuple(replace(tie, left=rewrite(tie.left), right=rewrite(tie.right)) for tie in graph.ties)
    apart = tuple(replace(c, size=rewrite(c.size), pieces=tuple(map(rewrite, c.pieces))) for c in graph.cuts)
    widths = tuple(group for group in graph.widths if group.variable != variable)
    return rewrite_graph(graph, rewrite).with_(ties=ties, cuts=apart, widths=widths)


def in_pieces(channels: tuple[Segment, ...], cuts: Cuts) -> tuple[Segment, ...]:
    """Channels with each segment of such a size in its runs."""
    if not any(segment.size in cuts for segment in channels):
        return channels
    return tuple(
        Segment(piece, segment.spread) for segment in channels for piece in cuts.get(segment.size, (segment.size,))
    )


def params_in_pieces(params: Any, cuts: Cuts) -> Any:
    """An operator's params, in which channels may stand as well."""
    old = values_of(params)
    new = [in_pieces(v, cuts) if isinstance(v, tuple) and v and isinstance(v[0], Segment) else v for v in old]
    return params if all(a is b for a, b in zip(old, new, strict=True)) else type(params)(*new)


def settled(tie: Tie, tensors: Mapping[str, Tensor], sizes: Sizes) -> Iterator[Tie]:
    """A tie of channels as ties of their segments, fixed ones cut where the others end; as it is where an elastic one
    could not be cut."""
    if not tie.meeting:
        yield tie
        return
    left, right = (tensors[name] for name in tie.meeting)
    if len(left.channels) == len(right.channels) and all(
        a.spread == b.spread and sizes.of(a.size) == sizes.of(b.size)
        for a, b in zip(left.channels, right.channels, strict=True)
    ):
        both: list[list[Expr] | None] = [[s.size for s in left.channels], [s.size for s in right.channels]]
    else:
        ends = sorted({*sizes.ends(left.channels), *sizes.ends(right.channels)})
        both = [aligned(tensor.channels, ends, sizes) for tensor in (left, right)]
        if sizes.runs(left) == sizes.runs(right) or None in both:
            yield replace(tie, meeting=())
            return
    for a, b in zip(*cast(Any, both), strict=True):
        if a != b:
            yield replace(tie, left=a, right=b, meeting=())


def aligned(channels: Sequence[Segment], ends: Sequence[int], sizes: Sizes) -> list[Expr] | None:
    """The features between each two ends; None where an elastic segment has an end inside."""
    found: list[Expr] = []
    start = 0
    for segment in channels:
        end = start + sizes.of(segment.features)
        marks = [place for place in ends if start <= place <= end]
        if len(marks) == 2:
            found.append(segment.features)
        elif is_elastic(segment.features):
            return None
        else:
            found.extend(b - a for a, b in pairwise(marks))
        start = end
    return found
