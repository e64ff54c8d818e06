"""The best path from an input to a head for every node count (TPS, Eq. 9), by dynamic programming from the heads back.

For each node and each number of nodes still to come, the best way on: the highest sum of grades, then the fewest MACs,
then the first in graph order. A node with one way on shares the table of the node it leads to, moved by one; only
where ways part are tables merged, element by element in numpy. All node counts of paths from one node differ by
multiples of one stride, and tables hold no others. A node before all inputs stands at the end of the numbers.

Grades are whole numbers, so that sums are exact and paths that tie do tie: accumulated degrees in the undirected
reading, TAS in small units otherwise. Where both fit in the 53 bits of a float64, a grade and the MACs are one number,
the grade's multiple of more MACs than any path has, less its MACs.
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

    sums   of each of the marks that nodes and edges have
    """

    start: int
    sums: list[Floats]
    moved: list[float]


@dataclass(frozen=True, slots=True, eq=False)
class Marks:
    """What is summed along paths: numbers of every node and every edge, one list for each sum.

    The first sum decides which path is better, where two sums are `ranked` the second (the smaller the better) decides
    ties. `unit` is what one grade counts where the first sum holds MACs too, else 0.
    """

    nodes: list[list[float]]
    edges: list[list[float]]
    ranked: int
    unit: float


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


def marks_of(ways: Ways, grades: Floats, tas: Floats | None) -> Marks:
    """The sums to take: grades and MACs in one number where that is exact, else apart; and TAS where it is given."""
    import numpy as np

    macs = np.array(ways.macs, dtype=np.float64)
    unit = float(macs.sum()) + 1
    free, still = [0.0] * len(ways.sources), [0.0] * ways.nodes
    exact = (float(grades.sum()) + 1) * unit < 2.0**EXACT
    if exact:
        nodes, edges = [(grades * unit).tolist()], [(-macs).tolist()]
    else:
        nodes, edges = [grades.tolist(), still], [free, macs.tolist()]
    if tas is not None:
        nodes.append(tas.tolist())
        edges.append(free)
    return Marks([[*column, 0.0] for column in nodes], edges, 1 if exact else 2, unit if exact else 0.0)


def best_paths(ways: Ways, grades: Floats, tas: Floats | None = None) -> BestPaths:
    """The best path of every node count from a first to a last node; no lengths where there is no path.

    `tas` is summed along the best paths where it is given. O(edges x lengths) at worst, O(edges) numpy calls.
    """
    import numpy as np

    outgoing = ways_on(ways)
    heads, stride = stride_of(ways, outgoing)
    marks = marks_of(ways, grades, tas)
    node_marks, edge_marks = list(zip(*marks.nodes)), [*zip(*marks.edges), (0.0,) * len(marks.nodes)]
    outside = [len(ways.sources)] * len(ways.firsts)
    first_reader = list(range(ways.nodes))
    for target, source in zip(ways.targets, ways.sources):
        first_reader[target] = min(first_reader[target], source)
    for first in ways.firsts:
        first_reader[first] = ways.nodes
    tables: list[Table | None] = [None] * (ways.nodes + 1)
    forks: dict[int, Fork] = {}
    single = [STOP] * (ways.nodes + 1)
    for node in (*range(ways.nodes - 1, -1, -1), ways.nodes):
        leaving = outgoing[node] if node < ways.nodes else ways.firsts
        options: list[tuple[int, Table]] = []
        if node in heads:
            options.append((STOP, Table(0, [np.zeros(1) for _ in marks.nodes], [0.0] * len(marks.nodes))))
        for way, edge in zip(leaving, leaving if node < ways.nodes else outside):
            table = tables[ways.targets[way] if node < ways.nodes else way]
            if table is not None:
                moved = [a + b for a, b in zip(table.moved, edge_marks[edge])]
                options.append((way, Table(table.start, table.sums, moved)))
        if not options:
            continue
        if len(options) == 1:
            single[node], table = options[0]
        else:
            table, best = merged([table for _, table in options], stride, marks.ranked)
            forks[node] = Fork(table.start + 1, tuple(way for way, _ in options), best)
        table.start += 1
        table.moved = [a + b for a, b in zip(table.moved, node_marks[node])]
        tables[node] = table
        for way in outgoing[node] if node < ways.nodes else ():
            if first_reader[ways.targets[way]] == node:
                tables[ways.targets[way]] = None
    return finished(tables[ways.nodes], ways, marks, stride, forks, single)


def finished(
    top: Table | None, ways: Ways, marks: Marks, stride: int, forks: dict[int, Fork], single: list[int]
) -> BestPaths:
    """The table of the node before all inputs, without the lengths that no path has."""
    import numpy as np

    if top is None:
        return BestPaths((), np.zeros(0), np.zeros(0), None, ways, stride, forks, single)
    there = np.flatnonzero(np.isfinite(top.sums[0]))
    sums = [values[there] + moved for values, moved in zip(top.sums, top.moved)]
    lengths = tuple((there * stride + top.start - 1).tolist())
    if marks.unit:
        grades = np.ceil(sums[0] / marks.unit)
        macs = grades * marks.unit - sums[0]
    else:
        grades, macs = sums[0], sums[1]
    scores = sums[-1] if len(sums) > marks.ranked else None
    return BestPaths(lengths, grades, macs, scores, ways, stride, forks, single)


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


def merged(tables: list[Table], stride: int, ranked: int) -> tuple[Table, NDArray[Any]]:
    """The better of several tables for every length, and which it is: one bit for two tables, a number for more."""
    import numpy as np

    start = min(table.start for table in tables)
    spans = [((table.start - start) // stride, len(table.sums[0])) for table in tables]
    size = max(first + length for first, length in spans)
    first, length = spans[0]
    moved = tables[0].moved
    sums = [np.zeros(size) for _ in moved]
    for held, values in zip(sums, tables[0].sums, strict=True):
        held[first : first + length] = values
    sums[0][:first] = sums[0][first + length :] = -np.inf
    best: NDArray[Any] = np.zeros(size, dtype=np.bool_ if len(tables) == 2 else np.uint32)
    for number, (table, (first, length)) in enumerate(zip(tables[1:], spans[1:], strict=True), start=1):
        here = slice(first, first + length)
        others = [values + (a - b) for values, a, b in zip(table.sums, table.moved, moved)]
        leading = sums[0][here]
        better = others[0] > leading
        if ranked == 2:
            better |= (others[0] == leading) & (others[1] < sums[1][here])
        np.maximum(leading, others[0], out=leading)
        for held, values in zip(sums[1:], others[1:], strict=True):
            values -= held[here]
            values *= better
            held[here] += values
        if len(tables) == 2:
            best[here] = better
        else:
            np.putmask(best[here], better, number)
    return Table(start, sums, moved), np.packbits(best) if len(tables) == 2 else best
