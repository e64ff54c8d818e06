"""The importance analysis of a network that is given as a graph, or as those of its sub-networks (`--adjacency`).

TAS comes from a sparse solve, whatever the graph is like. Paths are those of the edges' directions, from an input to an
output; there are none to speak of where edges make a cycle.
"""

from __future__ import annotations

from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specc.diagnostics import Rule
from specc.importance.adjacency import Adjacency, read_adjacency, refused
from specc.importance.chain import Stationary
from specc.importance.paths import BestPaths, Ways, best_paths, grades_of
from specc.importance.report import best_length, path_scores
from specc.importance.rules import NO_SUCH_LENGTH, Settings
from specc.importance.scores import Importance, OpScore, PathScore, TensorScore, spans
from specc.importance.solve import Inexact, Reducible, matrices, stationary
from specc.methods.tips.ranges import out_of_range

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NO_STATIONARY: Final = Rule(
    "E732",
    "no-stationary-distribution",
    "without more damping the graph's chain has no stationary distribution",
    "The chain goes along edges. Where it cannot come back to some nodes, without damping it ends in the others and\n"
    "says nothing of these. A damping above 0 (kappa, Eq. 20) joins all nodes; it must not be lost in rounding.\n"
    "Wrong:  specc importance --adjacency feedforward.json --directed --damping 0\n"
    "Right:  specc importance --adjacency feedforward.json --directed --damping 1e-5",
)
NO_PATHS: Final = PathScore(0, 0.0, 0.0)
"""The best path where there is none."""


def importance_of(path: Path, settings: Settings) -> tuple[str, Importance]:
    """The network's name, and the analysis of the graphs in a file; their number is that of the sub-networks.

    Raises SpecError where the file, a setting or the two together have no answer, OSError where it cannot be read.
    """
    graph = read_adjacency(path, settings.directed)
    settings = replace(settings, subnets=graph.subnets)
    wrong = out_of_range(settings.coupling, settings.damping)
    if wrong is not None:
        raise refused(path, *wrong)
    blocks = matrices(graph, settings.directed)
    try:
        chain = stationary(blocks, settings.coupling, settings.damping)
    except Reducible:
        message = "not every node can reach every other, and the damping is 0"
        raise refused(path, NO_STATIONARY, message, "1e-5 is the paper's damping") from None
    except Inexact:
        message = f"a damping of {settings.damping:g} is lost in rounding"
        raise refused(path, NO_STATIONARY, message, "1e-5 is the paper's damping") from None
    paths = paths_of(graph, degrees_of(blocks, settings.directed), chain.tas)
    if settings.nodes is not None and settings.nodes not in paths.lengths:
        there = f"there are paths of {spans(paths.lengths)} nodes" if paths.lengths else "there are no paths"
        raise refused(path, NO_SUCH_LENGTH, f"no path has {settings.nodes} nodes", there)
    return graph.name, scored(graph, chain, paths, settings)


def degrees_of(blocks: list[Any], directed: bool) -> Floats | None:
    """The accumulated degrees, in the undirected reading: TAS is a multiple of them and a constant, so that they say
    exactly which paths are equal. None where they are no whole numbers, and in the directed reading."""
    import numpy as np

    if directed:
        return None
    total: Floats = np.sum([block.sum(axis=1) for block in blocks], axis=0)
    return total if np.array_equal(total, np.rint(total)) else None


def paths_of(graph: Adjacency, degrees: Floats | None, tas: Floats) -> BestPaths:
    """The best path of every node count; no lengths where edges make a cycle, or no path leads to an output.

    Nodes are numbered anew, so that all edges lead to later ones. An edge from a node to itself is on no path.
    """
    import numpy as np

    onward = [edge for edge in graph.edges if edge.source != edge.target]
    before: dict[int, list[int]] = {node: [] for node in range(len(graph.nodes))}
    for edge in onward:
        before[edge.target].append(edge.source)
    try:
        order = [*TopologicalSorter(before).static_order()]
    except CycleError:
        onward, order = [], [*before]
    place = {node: number for number, node in enumerate(order)}
    ways = Ways(
        sources=[place[edge.source] for edge in onward],
        targets=[place[edge.target] for edge in onward],
        macs=[edge.macs for edge in onward],
        firsts=[place[node] for node in graph.inputs],
        lasts=[place[node] for node in graph.outputs] if onward else [],
        nodes=len(order),
    )
    by_place = np.array(order, dtype=np.intp)
    grades = grades_of(tas[by_place]) if degrees is None else degrees[by_place]
    return best_paths(ways, grades, tas[by_place])


def scored(graph: Adjacency, chain: Stationary, paths: BestPaths, settings: Settings) -> Importance:
    """What the solution and the paths say of every node and every edge."""
    tas = chain.tas.tolist()
    onward = [number for number, edge in enumerate(graph.edges) if edge.source != edge.target]
    scores = path_scores(paths, chain)
    best, on_path = NO_PATHS, []
    marked: set[int] = set()
    if paths.lengths:
        length = settings.nodes or best_length(paths)
        best = scores[paths.lengths.index(length)]
        on_path = [onward[way] for way in paths.path(length)]
        marked.update(on_path)
        if settings.nodes is None:
            marked.update(number for number, edge in enumerate(graph.edges) if not edge.droppable)
    return Importance(
        settings=settings,
        tensors=tuple(map(TensorScore, graph.nodes, tas)),
        ops=tuple(
            OpScore(
                name=edge.name,
                kind=edge.kind,
                stage=edge.stage,
                source=graph.nodes[edge.source],
                target=graph.nodes[edge.target],
                present=tuple(int(weight > 0) for weight in weights),
                probability=None,
                important=number in marked,
                score=(tas[edge.source] + tas[edge.target]) / 2,
                macs=edge.macs,
            )
            for number, (edge, weights) in enumerate(zip(graph.edges, graph.weights.tolist(), strict=True))
        ),
        paths=scores,
        best=best,
        best_ops=tuple(graph.edges[number].name for number in on_path),
        subnets=({},) * settings.subnets,
        damping_share=chain.damping_share,
        all_paths=paths,
    )
