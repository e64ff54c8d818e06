"""The best path from an input to a head for every node count (TPS, Eq. 9), by dynamic programming from the heads back.

For each node and each number of nodes still to come, the best way on: the highest sum of grades, then the fewest MACs,
then the first in graph order. A node with one way on shares the table of the node it leads to, moved by one; only
where ways part are tables merged, element by element in numpy. All node counts of paths from one node differ by
multiples of one stride, and tables hold no others. A node before all inputs stands at the end of the numbers.

Grades are whole numbers, so that sums are exact and paths that tie do tie: accumulated degrees in the undirected
reading, TAS in small units otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FINEST: Final = 36
EXACT: Final = 53
"""Bits of a float64 that hold whole numbers exactly."""
STOP: Final = -1
"""The way on that ends here, at a head."""


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """The edges of a view, in graph order, with the MACs of each, and its first and last nodes."""

    sources: Sequence[int]
    targets: Sequence[int]
    macs: Sequence[float]
    firsts: Sequence[int]
    lasts: Sequence[int]
    nodes: int


@dataclass(slots=True, eq=False)
class Table:
    """The best sums for paths of `start`, `start + stride`, ... nodes: `sums[i] + moved[i]`, -inf where there is none.

    sums   grades; MACs; and TAS where grades are not proportional to it
    """

    start: int
    sums: list[Floats]
    moved: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Fork:
    """Where ways part: for every number of nodes to come, the place in `ways` of the best one."""

    start: int
    ways: tuple[int, ...]
    best: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class BestPaths:
    """The best path of every node count.

    lengths  the node counts there are; `grades`, `macs` and `scores` of the best path of each; `path` gives its edges
    """

    lengths: tuple[int, ...]
    grades: Floats
    macs: Floats
    scores: Floats | None
    ways: Ways
    stride: int
    forks: dict[int, Fork]
    single: list[int]

    def path(self, length: int) -> tuple[int, ...]:
        """The edges of the best path of a node count that there is, from an input on."""
        node, found = self.ways.nodes, []
        rest = length + 1
        while (way := self.way(node, rest)) != STOP:
            if node == self.ways.nodes:
                node = way
            else:
                found.append(way)
                node = self.ways.targets[way]
            rest -= 1
        return tuple(found)

    def way(self, node: int, rest: int) -> int:
        fork = self.forks.get(node)
        if fork is None:
            return self.single[node]
        place = (rest - fork.start) // self.stride
        if len(fork.ways) == 2:
            return fork.ways[int(fork.best[place >> 3]) >> (7 - (place & 7)) & 1]
        return fork.ways[int(fork.best[place])]


def grades_of(tas: Floats) -> Floats:
    """TAS in whole units of at most 2^-36 of the largest, so that the last bits of a sum never decide a tie."""
    import numpy as np

    bits = min(FINEST, EXACT - 1 - len(tas).bit_length())
    return np.rint(tas * (2.0**bits / float(tas.max())))


def best_paths(ways: Ways, grades: Floats, tas: Floats | None = None) -> BestPaths:
    """The best path of every node count from a first to a last node; no lengths where there is no path.

    `tas` is summed along the best paths where it is given. O(edges x lengths) at worst, O(edges) numpy calls.
    """
    import numpy as np

    outgoing = ways_on(ways)
    heads, stride = stride_of(ways, outgoing)
    marks = [*grades.tolist(), 0.0]
    extra = None if tas is None else [*tas.tolist(), 0.0]
    tables: list[Table | None] = [None] * (ways.nodes + 1)
    readers = [0] * (ways.nodes + 1)
    for target in ways.targets:
        readers[target] += 1
    forks: dict[int, Fork] = {}
    single = [STOP] * (ways.nodes + 1)
    for node in (*range(ways.nodes - 1, -1, -1), ways.nodes):
        options: list[tuple[int, Table]] = []
        if node in heads:
            options.append((STOP, Table(0, [np.zeros(1) for _ in range(2 + (extra is not None))], [0.0] * 3)))
        for way in outgoing[node] if node < ways.nodes else ways.firsts:
            target = ways.targets[way] if node < ways.nodes else way
            table = tables[target]
            if table is not None:
                moved = table.moved.copy()
                moved[1] += ways.macs[way] if node < ways.nodes else 0.0
                options.append((way, Table(table.start, table.sums, moved)))
            readers[target] -= 1
            if readers[target] == 0:
                tables[target] = None
        if not options:
            continue
        if len(options) == 1:
            single[node], table = options[0]
        else:
            table, best = merged([table for _, table in options], stride)
            forks[node] = Fork(table.start + 1, tuple(way for way, _ in options), best)
        table.start += 1
        table.moved[0] += marks[node]
        if extra is not None:
            table.moved[2] += extra[node]
        tables[node] = table
    return finished(tables[ways.nodes], ways, stride, forks, single)


def finished(top: Table | None, ways: Ways, stride: int, forks: dict[int, Fork], single: list[int]) -> BestPaths:
    """The table of the node before all inputs, without the lengths that no path has."""
    import numpy as np

    if top is None:
        return BestPaths((), np.zeros(0), np.zeros(0), None, ways, stride, forks, single)
    there = np.flatnonzero(np.isfinite(top.sums[0]))
    sums = [values[there] + moved for values, moved in zip(top.sums, top.moved)]
    lengths = (there * stride + top.start - 1).tolist()
    return BestPaths(tuple(lengths), sums[0], sums[1], sums[2] if len(sums) > 2 else None, ways, stride, forks, single)


def ways_on(ways: Ways) -> list[list[int]]:
    """The edges that leave each node, in graph order."""
    outgoing: list[list[int]] = [[] for _ in range(ways.nodes)]
    for edge, source in enumerate(ways.sources):
        outgoing[source].append(edge)
    return outgoing


def stride_of(ways: Ways, outgoing: list[list[int]]) -> tuple[frozenset[int], int]:
    """The last nodes, and the greatest stride by whose multiples the node counts of paths from one node differ."""
    heads = frozenset(ways.lasts)
    lengths: list[int | None] = [None] * (ways.nodes + 1)
    stride = 0
    for node in (*range(ways.nodes - 1, -1, -1), ways.nodes):
        length = 1 if node in heads else None
        nexts = [ways.targets[way] for way in outgoing[node]] if node < ways.nodes else ways.firsts
        for target in nexts:
            other = lengths[target]
            if other is None:
                continue
            if length is None:
                length = other + 1
            elif other + 1 != length:
                stride = gcd(stride, other + 1 - length)
        lengths[node] = length
    return heads, stride or 1


def merged(tables: list[Table], stride: int) -> tuple[Table, NDArray[Any]]:
    """The better of several tables for every length, and which it is: one bit for two tables, a number for more."""
    import numpy as np

    start = min(table.start for table in tables)
    spans = [((table.start - start) // stride, len(table.sums[0])) for table in tables]
    size = max(first + length for first, length in spans)
    sums = [np.full(size, -np.inf), *(np.zeros(size) for _ in tables[0].sums[1:])]
    best: NDArray[Any] = np.zeros(size, dtype=np.bool_ if len(tables) == 2 else np.uint32)
    for number, (table, (first, length)) in enumerate(zip(tables, spans, strict=True)):
        here = slice(first, first + length)
        others = [values + moved for values, moved in zip(table.sums, table.moved)]
        if number == 0:
            for held, values in zip(sums, others, strict=True):
                held[here] = values
            continue
        grades, macs = sums[0][here], sums[1][here]
        better = (others[0] > grades) | ((others[0] == grades) & (others[1] < macs))
        np.maximum(grades, others[0], out=grades)
        for held, values in zip(sums[1:], others[1:], strict=True):
            values -= held[here]
            values *= better
            held[here] += values
        if len(tables) == 2:
            best[here] = better
        else:
            np.putmask(best[here], better, number)
    chosen = np.packbits(best) if len(tables) == 2 else best
    return Table(start, sums, [0.0, 0.0, 0.0]), chosen
