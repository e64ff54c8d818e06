"""What the importance analysis says, as tables and pictures need it: plain figures by the names of tensors and ops."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from specc.ir.expr import Option

if TYPE_CHECKING:
    from specc.ir.graph import Graph


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """One operation of the importance view, an edge between two feature maps.

    present  one flag for each sampled sub-network
    score    the mean TAS of its two ends
    """

    name: str
    kind: str
    stage: str
    source: str
    target: str
    present: tuple[bool, ...]
    important: bool
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """The best path of one node count; `ops` are its edges by name, from the input on, where they are known."""

    nodes: int
    tps: float
    mean_tas: float
    ops: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """TAS by tensor, the operations, the best path of every node count, and the best of all.

    subnets  the sampled sub-networks: an assignment of the choices that were drawn, for each
    """

    tas: Mapping[str, float] = field(default_factory=dict)
    ops: tuple[Edge, ...] = ()
    paths: tuple[Path, ...] = ()
    best: Path | None = None
    subnets: tuple[Mapping[str, Option], ...] = ()


def marks_of(graph: Graph) -> Marks | None:
    """The marks of a graph at the analysis's own defaults; None where it has no answer for this graph."""
    return None
