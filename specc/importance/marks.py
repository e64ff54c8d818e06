"""What the importance analysis says, as tables and pictures need it: plain figures by the names of tensors and ops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from specc.frozen import frozen
from specc.ir.expr import Option

if TYPE_CHECKING:
    from specc.importance import Settings
    from specc.ir.graph import Graph


@frozen
class Edge:
    """One operation of the importance view, an edge between two feature maps.

    name     the operation's, with `#2` for the row of the second input of one that has several
    present  one flag for each sampled sub-network
    score    the mean TAS of its two ends
    """

    name: str
    kind: str
    stage: str
    source: str
    target: str
    present: tuple[int, ...]
    important: bool
    score: float
    macs: int

    @property
    def op(self) -> str:
        """The operation of the graph."""
        return self.name.partition("#")[0]


@frozen
class Path:
    """The best path of one node count."""

    nodes: int
    tps: float
    mean_tas: float


@frozen
class Marks:
    """TAS by tensor, the operations, the best path of every node count; the marked one and its edges in order.

    subnets  the sampled sub-networks: the options of the choices that were drawn, for each
    """

    tas: Mapping[str, float] = field(default_factory=dict)
    ops: tuple[Edge, ...] = ()
    paths: tuple[Path, ...] = ()
    best: Path | None = None
    best_ops: tuple[str, ...] = ()
    subnets: tuple[Mapping[str, Option], ...] = ()


def marks_of(graph: Graph, settings: Settings | None = None) -> Marks:
    """The marks of a graph. Raises SpecError where the analysis has no answer for it."""
    from specc.importance import importance

    found = importance(graph, settings)
    return Marks(
        tas={tensor.name: tensor.tas for tensor in found.tensors},
        ops=tuple(
            Edge(op.name, op.kind, op.stage, op.source, op.target, op.present, op.important, op.score, op.macs)
            for op in found.ops
        ),
        paths=tuple(Path(path.nodes, path.tps, path.mean_tas) for path in found.paths),
        best=Path(found.best.nodes, found.best.tps, found.best.mean_tas),
        best_ops=found.best_ops,
        subnets=found.subnets,
    )
