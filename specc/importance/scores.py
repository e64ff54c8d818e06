"""The answer of the importance analysis, in the terms of the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specc.frozen import frozen
from specc.importance.paths import BestPaths
from specc.importance.rules import Settings
from specc.ir.expr import Option


@dataclass(frozen=True, slots=True)
class TensorScore:
    """A feature map and its TAS, the probability of its states in the stationary distribution (Eq. 8)."""

    name: str
    tas: float


@dataclass(frozen=True, slots=True)
class OpScore:
    """An operation of the importance view, from one feature map to another.

    present      one flag for each sampled sub-network; none where expected degrees stand for samples
    probability  of being in a sub-network, where expected degrees stand for samples
    score        the mean TAS of its two ends
    macs         multiply-accumulates in the largest sub-network
    """

    name: str
    kind: str
    stage: str
    source: str
    target: str
    present: tuple[int, ...]
    probability: float | None
    important: bool
    score: float
    macs: int


@dataclass(frozen=True, slots=True)
class PathScore:
    """The best path of one node count: its TPS (Eq. 9) and that by the node."""

    nodes: int
    tps: float
    mean_tas: float


@frozen
class Importance:
    """The answer of the importance analysis.

    tensors  in topological order               paths  the best one of every node count that paths have
    ops      in the order of the graph          best   the path that is marked: the highest TPS by the node, or that of
    subnets  options of the choices that were            the node count asked for; `best_ops` are its operations
             drawn, for each sampled sub-network         from the input on
    damping_share  the share of all transitions that damping makes
    """

    settings: Settings
    tensors: tuple[TensorScore, ...]
    ops: tuple[OpScore, ...]
    paths: tuple[PathScore, ...]
    best: PathScore
    best_ops: tuple[str, ...]
    subnets: tuple[Mapping[str, Option], ...]
    damping_share: float
    all_paths: BestPaths

    @property
    def important(self) -> tuple[str, ...]:
        """The names of the important operations, in the order of the graph."""
        return tuple(op.name for op in self.ops if op.important)

    @property
    def all_important(self) -> bool:
        """Whether the analysis tells no operations apart, as no sub-network may drop any."""
        return all(op.important for op in self.ops)

    def top(self, number: int | None) -> tuple[OpScore, ...]:
        """All operations in the order of the graph, or so many of the highest score."""
        return self.ops if number is None else tuple(sorted(self.ops, key=lambda op: -op.score)[:number])

    def path(self, nodes: int) -> tuple[str, ...]:
        """The operations of the best path of so many nodes. Raises ValueError where paths have other node counts."""
        if nodes not in self.all_paths.lengths:
            raise ValueError(f"no path has {nodes} nodes; there are {spans(self.all_paths.lengths)}")
        return tuple(self.ops[edge].name for edge in self.all_paths.path(nodes))


def spans(lengths: Sequence[int]) -> str:
    """`35, 37, 39` or, where there are many, `35, 37, 39, ..., 55`."""
    if len(lengths) <= 12:
        return ", ".join(map(str, lengths))
    return f"{', '.join(map(str, lengths[:6]))}, ..., {lengths[-1]}"
