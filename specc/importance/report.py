"""The analysis from end to end: view, sub-networks, chain, paths, and what they say of each operation."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING

from specc.cost.report import stages_of
from specc.frozen import frozen
from specc.importance.chain import Joined, Stationary, directed, undirected
from specc.importance.cover import NotListed, Uncovered
from specc.importance.paths import BestPaths, Ways, best_paths, grades_of
from specc.importance.rules import (
    EXPECTED,
    NO_PATH,
    NO_SUCH_LENGTH,
    TOO_FEW,
    Settings,
    check_settings,
    check_size,
    refused,
)
from specc.importance.scores import Importance, OpScore, PathScore, TensorScore, spans
from specc.importance.subnets import Pairs, draw_subnets, expected_subnets, pairs_of
from specc.ir.expr import Option, evaluate
from specc.ir.graph import Graph
from specc.passes.importance_view import View, importance_view

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


def importance(graph: Graph, settings: Settings | None = None) -> Importance:
    """The analysis of a finished graph. Raises SpecError where a setting is out of range or there is no answer."""
    settings = settings or Settings()
    check_settings(graph, settings)
    view = importance_view(graph)
    check_size(graph, len(view.nodes), settings.subnets)
    pairs = pairs_of(view)
    presence = guards_present(graph, view, pairs, settings)
    joined = joined_pairs(view, pairs, presence.holds, settings.subnets)
    chain = (directed if settings.directed else undirected)(joined, settings.coupling, settings.damping)
    macs = edge_macs(graph, view)
    paths = paths_of(view, macs, chain, exact=not settings.expected)
    if not paths.lengths:
        raise refused(graph, NO_PATH, "no head of this network reads its input")
    length = marked_length(graph, paths, settings.nodes)
    on_path = paths.path(length)
    marked = set(on_path)
    if settings.nodes is None:
        marked.update(place for place, edge in enumerate(view.edges) if not edge.droppable)
    scores = path_scores(paths, chain)
    return Importance(
        settings=settings,
        tensors=tuple(map(TensorScore, view.nodes, chain.tas.tolist())),
        ops=op_scores(graph, view, pairs, chain, presence, marked, macs),
        paths=scores,
        best=scores[paths.lengths.index(length)],
        best_ops=tuple(view.edges[place].name for place in on_path),
        subnets=presence.at or (),
        damping_share=chain.damping_share,
        all_paths=paths,
    )


@frozen
class Presence:
    """Whether each guard holds in each sampled sub-network, (guards, T) of 0 and 1; `at` says what was drawn.

    Where expected degrees stand for samples, `at` is None and the array says how probably, (guards, 1).
    """

    at: tuple[Mapping[str, Option], ...] | None
    holds: Floats


def guards_present(graph: Graph, view: View, pairs: Pairs, settings: Settings) -> Presence:
    """Samples, or probabilities. Raises SpecError where so few samples can't do."""
    import numpy as np

    try:
        if settings.expected:
            return Presence(None, np.array(expected_subnets(view, pairs, graph.choices, settings.subnets))[:, None])
        drawn = draw_subnets(view, pairs, graph.choices, settings.subnets, settings.seed)
        return Presence(drawn.at, drawn.holds.astype(np.float64))
    except Uncovered as few:
        message = f"{settings.subnets} sub-networks can't keep every operation of this network once"
        help = "sample more" if few.least is None else f"it takes at least {few.least}"
        raise refused(graph, TOO_FEW, message, help) from None
    except NotListed:
        message = "too many choices decide together what is present"
        raise refused(graph, EXPECTED, message, "sample sub-networks instead, without --expected") from None


def joined_pairs(view: View, pairs: Pairs, holds: Floats, subnets: int) -> Joined:
    """The adjacency of the view in every sub-network."""
    import numpy as np

    loops = np.zeros(len(view.nodes))
    loops[[*view.firsts, *view.lasts]] = 1
    present = holds[list(pairs.pair_guards)]
    return Joined(
        sources=np.array(pairs.sources, dtype=np.intp),
        targets=np.array(pairs.targets, dtype=np.intp),
        present=np.broadcast_to(present, (len(present), subnets)),
        loops=loops,
    )


def edge_macs(graph: Graph, view: View) -> list[int]:
    """The multiply-accumulates of each edge's operations in the largest sub-network; 0 for what only passes on."""
    largest = {choice.name: choice.largest for choice in graph.choices}
    tensors = graph.tensor_table()
    ops = {op.name: op for op in graph.ops}

    def macs(name: str) -> int:
        op = ops[name]
        count = op.operator.macs(op, [tensors[n] for n in op.inputs], [tensors[n] for n in op.outputs])
        return int(evaluate(count, largest))

    return [0 if edge.identity else sum(map(macs, edge.ops)) for edge in view.edges]


def paths_of(view: View, macs: list[int], chain: Stationary, exact: bool) -> BestPaths:
    """The best path of every node count. The accumulated degrees of sampled sub-networks are whole numbers already."""
    ways = Ways(
        sources=[edge.source for edge in view.edges],
        targets=[edge.target for edge in view.edges],
        macs=macs,
        firsts=view.firsts,
        lasts=view.lasts,
        nodes=len(view.nodes),
    )
    if chain.degrees is not None and exact:
        return best_paths(ways, chain.degrees)
    return best_paths(ways, grades_of(chain.tas), chain.tas)


def path_scores(paths: BestPaths, chain: Stationary) -> tuple[PathScore, ...]:
    """TPS and TPS by the node for every length (Eq. 9)."""
    import numpy as np

    lengths = np.array(paths.lengths)
    tps = chain.slope * paths.grades + chain.offset * lengths if paths.scores is None else paths.scores
    return tuple(map(PathScore, paths.lengths, tps.tolist(), (tps / lengths).tolist()))


def marked_length(graph: Graph, paths: BestPaths, nodes: int | None) -> int:
    """The node count asked for, or that with the highest TPS by the node. Raises SpecError where no path has it."""
    if nodes is None:
        return best_length(paths)
    if nodes not in paths.lengths:
        message = f"no path has {nodes} nodes"
        raise refused(graph, NO_SUCH_LENGTH, message, f"there are paths of {spans(paths.lengths)} nodes")
    return nodes


def best_length(paths: BestPaths) -> int:
    """The node count with the highest TPS by the node (Eq. 19 ties the singular value to TPS / D).

    Ties go to fewer MACs, then to the first in graph order.
    """
    macs = dict(zip(paths.lengths, paths.macs.tolist(), strict=True))
    means = {
        length: Fraction(grade, length) for length, grade in zip(paths.lengths, paths.grades.tolist(), strict=True)
    }
    highest = max(means.values())
    tied = [length for length, mean in means.items() if mean == highest]
    fewest = min(macs[length] for length in tied)
    left = [length for length in tied if macs[length] == fewest]
    return left[0] if len(left) == 1 else min(left, key=paths.path)


def op_scores(
    graph: Graph, view: View, pairs: Pairs, chain: Stationary, presence: Presence, marked: set[int], macs: list[int]
) -> tuple[OpScore, ...]:
    """What is said of each edge of the view; `marked` are the important ones."""
    stages = dict(stages_of(graph))
    tas = chain.tas.tolist()
    held, sampled = presence.holds.tolist(), presence.at is not None
    return tuple(
        OpScore(
            name=edge.name,
            kind=edge.kind,
            stage=stages[edge.ops[0]],
            source=view.nodes[edge.source],
            target=view.nodes[edge.target],
            present=tuple(map(int, held[guard])) if sampled else (),
            probability=None if sampled else held[guard][0],
            important=place in marked,
            score=(tas[edge.source] + tas[edge.target]) / 2,
            macs=count,
        )
        for place, (edge, guard, count) in enumerate(zip(view.edges, pairs.edge_guards, macs, strict=True))
    )
