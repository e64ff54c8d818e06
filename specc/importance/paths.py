"""The best path from an input to a head for every node count (TPS, Eq. 9), by dynamic programming from the heads back.

For each node and each number of nodes still to come, the best way on: the highest sum of grades, then the fewest MACs,
then the first in graph order. A node with one way on shares the table of the node it leads to, moved by one; only
where ways part are tables merged, element by element in numpy. All node counts of paths from one node differ by
multiples of one stride, and tables hold no others. A node before all inputs stands at the end of the numbers.

Grades are whole numbers, so that sums are exact and paths that tie do tie: accumulated degrees in the undirected
reading, TAS in small units otherwise. Where both fit in an int64, a grade and the MACs are one number: so many times
more MACs than any path has as the grade says, less the path's MACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from operator import add
from typing import TYPE_CHECKING, Any, Final

from specc.frozen import frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FINEST: Final = 36
FLOAT_BITS: Final = 53
"""Bits of a float64 that hold whole numbers exactly."""
SUM_BITS: Final = 60
"""Bits of an int64 that sums may use; NOWHERE, the sum of no path, stays far below them whatever is added to it."""
NOWHERE: Final = -(1 << 62)
STOP: Final = -1
"""The way on that ends here, at a head."""


@frozen
class Ways:
    """The edges of a view, in graph order, with the MACs of each, and its first and last nodes."""

    sources: Sequence[int]
    targets: Sequence[int]
    macs: Sequence[int]
    firsts: Sequence[int]
    lasts: Sequence[int]
    nodes: int


class Table:
    """The best sums for paths of `start`, `start + stride`, ... nodes.

    sums   one array for each mark of heads and steps, less `moved`; the first is NOWHERE where there is no path
    """

    __slots__ = ("moved", "start", "sums")

    def __init__(self, start: int, sums: list[NDArray[Any]], moved: list[float]) -> None:
        self.start = start
        self.sums = sums
        self.moved = moved


@frozen
class Marks:
    """What is summed along paths: a tuple of numbers for every head and for every edge with the node that it leaves.

    The first sum decides which path is better; where two sums are `ranked` the second, the smaller the better, decides
    ties. `unit` is what one grade counts where the first sum holds MACs too, else 0.
    """

    heads: list[tuple[float, ...]]
    steps: list[tuple[float, ...]]
    ranked: int
    unit: int


class Fork:
    """Where ways part. `better[i]` has a bit for every number of nodes to come, from `starts[i]` on: whether the way
    `ways[i + 1]` is better there than all before it.
    """

    __slots__ = ("better", "starts", "ways")

    def __init__(self, way: int) -> None:
        self.ways = [way]
        self.starts: list[int] = []
        self.better: list[NDArray[np.uint8]] = []

    def best(self, rest: int, stride: int) -> int:
        """The best way on where so many nodes are still to come, this one included."""
        for way, start, bits in zip(reversed(self.ways), reversed(self.starts), reversed(self.better)):
            place = (rest - start) // stride
            if 0 <= place < 8 * len(bits) and bits[place >> 3] >> (7 - (place & 7)) & 1:
                return way
        return self.ways[0]


@frozen
class BestPaths:
    """The best path of every node count.

    lengths  the node counts there are; `grades`, `macs` and `scores` of the best path of each; `path` gives its edges
    targets  of the edges, and then the first nodes
    forks    of every node, and then of the node before all others; None where no path leads on
    """

    lengths: tuple[int, ...]
    grades: NDArray[np.int64]
    macs: NDArray[np.int64]
    scores: Floats | None
    targets: Sequence[int]
    stride: int
    forks: Sequence[Fork | None]

    def path(self, length: int) -> tuple[int, ...]:
        """The edges of the best path of a node count that there is, from an input on."""
        fork, found = self.forks[-1], []
        for rest in range(length + 1, 0, -1):
            assert fork is not None, length
            way = fork.best(rest, self.stride)
            if way == STOP:
                break
            found.append(way)
            fork = self.forks[self.targets[way]]
        return tuple(found[1:])


def grades_of(tas: Floats) -> Floats:
    """TAS in whole units of at most 2^-36 of the largest, so that the last bits of a sum never decide a tie."""
    import numpy as np

    bits = min(FINEST, FLOAT_BITS - 1 - len(tas).bit_length())
    return np.rint(tas * (2.0**bits / float(tas.max())))


def marks_of(ways: Ways, grades: Floats, tas: Floats | None) -> Marks:
    """The sums to take: grades and MACs in one number where that is exact, else apart; and TAS where it is given."""
    import numpy as np

    total = sum(ways.macs)
    macs = np.array([count >> max(0, total.bit_length() - SUM_BITS) for count in ways.macs], dtype=np.int64)
    whole = grades.astype(np.int64)
    unit = total + 1
    fits = (int(whole.sum()) + 1) * unit < 1 << SUM_BITS
    nodes: list[NDArray[Any]] = [whole * unit if fits else whole]
    edges: list[NDArray[Any]] = [-macs] if fits else [macs * 0]
    if not fits:
        nodes.append(whole * 0)
        edges.append(macs)
    if tas is not None:
        nodes.append(tas)
        edges.append(macs * 0.0)
    heads = [tuple(column[head].item() for column in nodes) for head in ways.lasts]
    sources = np.array(ways.sources, dtype=np.intp)
    steps = list(zip(*((column[sources] + more).tolist() for column, more in zip(nodes, edges, strict=True))))
    return Marks(heads, steps + [(0,) * len(nodes)] * len(ways.firsts), 1 if fits else 2, unit if fits else 0)


def best_paths(ways: Ways, grades: Floats, tas: Floats | None = None) -> BestPaths:
    """The best path of every node count from a first to a last node; no lengths where there is no path.

    `tas` is summed along the best paths where it is given. O(edges x lengths) at worst, O(edges) numpy calls.
    """
    import numpy as np

    marks = marks_of(ways, grades, tas)
    targets = [*ways.targets, *ways.firsts]
    outgoing = ways_on(ways)
    order = (*range(ways.nodes - 1, -1, -1), ways.nodes)
    stride = stride_of(ways.lasts, targets, outgoing, order)
    readers = [0] * ways.nodes
    for target in targets:
        readers[target] += 1
    tables: list[Table | None] = [None] * (ways.nodes + 1)
    forks: list[Fork | None] = [None] * (ways.nodes + 1)
    for head, mark in zip(ways.lasts, marks.heads, strict=True):
        tables[head], forks[head] = Table(1, [np.zeros(1, dtype=type(x)) for x in mark], [*mark]), Fork(STOP)
    for node in order:
        table, fork = tables[node], forks[node]
        for way in outgoing[node]:
            target = targets[way]
            ahead = tables[target]
            readers[target] -= 1
            if not readers[target]:
                tables[target] = None  # nothing else reads it: large graphs keep few tables at a time
            if ahead is None:
                continue
            other = Table(ahead.start + 1, ahead.sums, list(map(add, ahead.moved, marks.steps[way])))
            if table is None or fork is None:
                table, fork = other, Fork(way)
            else:
                table, bits = merged(table, other, stride, marks.ranked)
                fork.ways.append(way)
                fork.starts.append(other.start)
                fork.better.append(bits)
        tables[node], forks[node] = table, fork
    return finished(tables[ways.nodes], targets, marks, stride, forks)


def finished(
    top: Table | None, targets: Sequence[int], marks: Marks, stride: int, forks: Sequence[Fork | None]
) -> BestPaths:
    """The table of the node before all inputs, without the lengths that no path has."""
    import numpy as np

    if top is None:
        return BestPaths((), np.zeros(0, np.int64), np.zeros(0, np.int64), None, targets, stride, forks)
    there = np.flatnonzero(top.sums[0] > NOWHERE // 2)
    sums: list[NDArray[Any]] = [values[there] + moved for values, moved in zip(top.sums, top.moved)]
    if marks.unit:
        grades = -(-sums[0] // marks.unit)
        macs = grades * marks.unit - sums[0]
    else:
        grades, macs = sums[0], sums[1]
    scores = sums[-1] if len(sums) > marks.ranked else None
    lengths = tuple((there * stride + top.start - 1).tolist())
    return BestPaths(lengths, grades, macs, scores, targets, stride, forks)


def ways_on(ways: Ways) -> list[list[int]]:
    """The edges that leave each node, in graph order; those that leave the node before all others are numbered last."""
    outgoing: list[list[int]] = [[] for _ in range(ways.nodes)]
    for edge, source in enumerate(ways.sources):
        outgoing[source].append(edge)
    edges = len(ways.sources)
    return [*outgoing, list(range(edges, edges + len(ways.firsts)))]


def stride_of(lasts: Sequence[int], targets: list[int], outgoing: list[list[int]], order: Sequence[int]) -> int:
    """The greatest stride by whose multiples the node counts of all paths from one node differ."""
    lengths = [0] * len(outgoing)
    for head in lasts:
        lengths[head] = 1
    stride = 0
    for node in order:
        length = lengths[node]
        for way in outgoing[node]:
            other = lengths[targets[way]]
            if other and length:
                stride = gcd(stride, other + 1 - length)
            elif other:
                length = other + 1
        lengths[node] = length
    return stride or 1


def merged(table: Table, other: Table, stride: int, ranked: int) -> tuple[Table, NDArray[np.uint8]]:
    """The better of two tables for every length, and for the lengths of the other whether it is that, in bits."""
    import numpy as np

    start = min(table.start, other.start)
    first, second = (table.start - start) // stride, (other.start - start) // stride
    length, end = len(table.sums[0]), second + len(other.sums[0])
    if first == 0 and end <= length:
        sums = [values.copy() for values in table.sums]
    else:
        sums = [np.zeros(max(first + length, end), dtype=values.dtype) for values in table.sums]
        sums[0].fill(NOWHERE)
        for held, values in zip(sums, table.sums):
            held[first : first + length] = values
    moved = table.moved
    leading = sums[0][second:end]
    values = other.sums[0] + (other.moved[0] - moved[0])
    better = values > leading
    if ranked == 2:
        fewer = other.sums[1] + (other.moved[1] - moved[1]) < sums[1][second:end]
        better |= (values == leading) & fewer
    np.maximum(leading, values, out=leading)
    for held, theirs, theirs_moved, my_moved in zip(sums[1:], other.sums[1:], other.moved[1:], moved[1:]):
        values = theirs + (theirs_moved - my_moved)
        values -= held[second:end]
        values *= better
        held[second:end] += values
    return Table(start, sums, moved), np.packbits(better)
