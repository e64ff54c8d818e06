"""Networks that are given as graphs: a .json file of nodes and edges, or a .npz file of scipy.sparse.

A .npz file holds one adjacency matrix A, N x N, or those of T sub-networks over the same nodes stacked, (T N) x N:

    scipy.sparse.save_npz("net.npz", scipy.sparse.vstack([A_1, ..., A_T]))

A[s, t] is the weight of the edge from s to t. The first node is the input and the last the output, whose own A[s, s] is
1 in any case (Eq. 2); nodes are called by their numbers, from 1 on. In the undirected reading, edges of a symmetric
matrix lead from the earlier node to the later one. `specc schema adjacency.json` says what a .json file may hold.
"""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from specc.diagnostics import Findings, Rule, SpecError
from specc.frozen import frozen
from specc.source import Source, Span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from specc.schemas.adjacency import AdjacencyFile

    Floats = NDArray[np.float64]

WRONG_ADJACENCY: Final = Rule(
    "E731",
    "wrong-adjacency",
    "a file holds no graph that the importance analysis can read",
    "`--adjacency` takes nodes and edges as JSON, or matrices of scipy.sparse as .npz: square, or those of T\n"
    "sub-networks stacked, with weights that are 0 or more. `specc schema adjacency.json` describes the format.\n"
    'Wrong:  {"nodes": ["x", "y"], "edges": [{"source": "x", "target": "z"}]}\n'
    'Right:  {"nodes": ["x", "y"], "edges": [{"source": "x", "target": "y"}]}',
)
MOST_STATES: Final = 500_000
"""Nodes times sub-networks: the solution takes some minutes and gigabytes."""
MOST_BYTES: Final = 1 << 30
"""Of all arrays of a .npz file, unpacked."""


@dataclass(frozen=True, slots=True)
class Edge:
    """An operation between two nodes, by their numbers. `droppable` is whether a sub-network may leave it out."""

    name: str
    kind: str
    stage: str
    source: int
    target: int
    macs: int
    droppable: bool


@frozen
class Adjacency:
    """T graphs over the same nodes.

    weights  (edges, T): the weight of each edge in each sub-network, 0 where it is not there
    """

    name: str
    nodes: tuple[str, ...]
    edges: tuple[Edge, ...]
    weights: Floats
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def subnets(self) -> int:
        return int(self.weights.shape[1])


class Wrong(ValueError):
    """What is wrong with a file, and what would help."""

    def __init__(self, message: str, help: str = "") -> None:
        super().__init__(message)
        self.help = help


def read_adjacency(path: Path, directed: bool) -> Adjacency:
    """The graphs in a file. Raises SpecError where they are none, OSError where it cannot be read."""
    try:
        return from_matrix(path, directed) if path.suffix == ".npz" else from_json(path)
    except Wrong as wrong:
        raise refused(path, WRONG_ADJACENCY, str(wrong), wrong.help) from None


def refused(path: Path, rule: Rule, message: str, help: str = "") -> SpecError:
    """One diagnostic at a file."""
    findings = Findings()
    findings.report(rule, origin(path), message, help=help)
    return SpecError(findings.diagnostics)


def origin(path: Path) -> Span:
    """The file as a place."""
    return Span(Source(str(path), ""), 0, 0)


def from_json(path: Path) -> Adjacency:
    """The graphs in a JSON file. Raises Wrong."""
    from specc.schemas.adjacency import AdjacencyFile
    from specc.schemas.reading import Malformed, read

    try:
        return graph_of(read(AdjacencyFile, path.read_bytes()), path.stem)
    except Malformed as error:
        raise Wrong(str(error), "`specc schema adjacency.json` describes the format") from None


def graph_of(found: AdjacencyFile, name: str) -> Adjacency:
    """The graphs that a document says. Raises Wrong where it names what it does not have."""
    import numpy as np

    place = numbered(found.nodes, "node")
    names = [edge.name or f"{edge.source}->{edge.target}" for edge in found.edges]
    number = numbered(names, "edge")
    for edge, called in zip(found.edges, names, strict=True):
        for end in (edge.source, edge.target):
            known(end, place, "node", f"the edge `{called}`")
    inputs = [known(node, place, "node", "`inputs`") for node in found.inputs] or [0]
    outputs = [known(node, place, "node", "`outputs`") for node in found.outputs] or [len(place) - 1]
    subnets = found.subnets or (tuple(names),)
    weights = np.zeros((len(names), len(subnets)))
    for k, subnet in enumerate(subnets):
        numbered(subnet, f"edge of sub-network {k + 1}")
        for called in subnet:
            at = known(called, number, "edge", f"sub-network {k + 1}")
            weights[at, k] = found.edges[at].weight
    check_size(len(place), len(subnets))
    lacking = (weights == 0).any(axis=1).tolist() if len(subnets) > 1 else [True] * len(names)
    edges = tuple(
        Edge(
            called,
            edge.kind,
            edge.stage,
            place[edge.source],
            place[edge.target],
            edge.macs,
            left_out if edge.droppable is None else edge.droppable,
        )
        for edge, called, left_out in zip(found.edges, names, lacking, strict=True)
    )
    return Adjacency(found.name or name, found.nodes, edges, weights, tuple(inputs), tuple(outputs))


def numbered(names: Iterable[str], what: str) -> dict[str, int]:
    """The place of each name. Raises Wrong where one stands twice."""
    names = tuple(names)
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise Wrong(f"the {what} `{twice[0]}` is given twice", "edges between the same nodes need a `name` each")
    return {name: place for place, name in enumerate(names)}


def known(name: str, places: dict[str, int], what: str, reader: str) -> int:
    """The place of a name. Raises Wrong where it has none."""
    from specc.diagnostics.near import near_or_all

    if name not in places:
        a = "an" if what == "edge" else "a"
        raise Wrong(f"{reader} names {a} {what} `{name}`, which is not there", near_or_all(name, places))
    return places[name]


def check_size(nodes: int, subnets: int) -> None:
    """Raises Wrong where the chain would have too many states."""
    if nodes * subnets > MOST_STATES:
        raise Wrong(f"{nodes:,} nodes in {subnets:,} sub-networks are more than {MOST_STATES:,} states")


def from_matrix(path: Path, directed: bool) -> Adjacency:
    """The graphs in a .npz file. Raises Wrong. Nothing is unpickled."""
    import numpy as np

    matrix = load_matrix(path)
    rows, nodes = matrix.shape
    subnets = rows // nodes
    ends = (matrix.row % nodes == matrix.col) & ((matrix.col == 0) | (matrix.col == nodes - 1))
    sources, targets, values = (matrix.row % nodes)[~ends], matrix.col[~ends], matrix.data[~ends]
    of = (matrix.row // nodes)[~ends]
    if not directed and symmetric(sources, targets, of, values, nodes):
        kept = sources <= targets
        sources, targets, of, values = sources[kept], targets[kept], of[kept], values[kept]
    pairs, place = np.unique(sources.astype(np.int64) * nodes + targets, return_inverse=True)
    weights = np.zeros((len(pairs), subnets))
    weights[place, of] = values
    lacking = (weights == 0).any(axis=1).tolist() if subnets > 1 else [True] * len(pairs)
    edges = tuple(
        Edge(f"{source + 1}->{target + 1}", "edge", "", source, target, 0, left_out)
        for source, target, left_out in zip(*divmod_of(pairs, nodes), lacking, strict=True)
    )
    return Adjacency(path.stem, tuple(str(n + 1) for n in range(nodes)), edges, weights, (0,), (nodes - 1,))


def divmod_of(pairs: NDArray[np.int64], nodes: int) -> tuple[Sequence[int], Sequence[int]]:
    return (pairs // nodes).tolist(), (pairs % nodes).tolist()


def symmetric(sources: Any, targets: Any, of: Any, values: Any, nodes: int) -> bool:
    """Whether every edge of every sub-network is there in both directions, with one weight."""
    import numpy as np

    forward = (of.astype(np.int64) * nodes + sources) * nodes + targets
    backward = (of.astype(np.int64) * nodes + targets) * nodes + sources
    there, back = np.argsort(forward), np.argsort(backward)
    return bool(np.array_equal(forward[there], backward[back]) and np.array_equal(values[there], values[back]))


def load_matrix(path: Path) -> Any:
    """The matrix of a .npz file, with its entries by row and column, none of them 0. Raises Wrong."""
    import numpy as np
    from scipy import sparse

    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(file.file_size for file in archive.infolist())
        if size > MOST_BYTES:
            raise Wrong(f"its arrays have {size:,} bytes, more than {MOST_BYTES:,}")
        found = sparse.load_npz(path)  # which unpickles nothing
        rows, nodes = found.shape
        if nodes < 1 or rows < nodes or rows % nodes:
            help = "the matrices of T sub-networks of N nodes are stacked, (T N) x N: scipy.sparse.vstack"
            raise Wrong(f"its matrix is {rows} x {nodes}, which is not square", help)
        check_size(nodes, rows // nodes)
        if hasattr(found, "check_format"):
            found.check_format(full_check=True)
        matrix = sparse.coo_array(found)
    except Wrong:
        raise
    except OSError:
        raise
    except Exception as error:  # a damaged archive fails in any way
        reason = " ".join(str(error).split()) or type(error).__name__
        help = "scipy.sparse.save_npz writes such files"
        raise Wrong(f"it holds no matrix of scipy.sparse: {reason}", help) from None
    if matrix.data.dtype.kind not in "buif":
        raise Wrong(f"its weights are of type {matrix.data.dtype}", "weights are numbers, 0 or more")
    matrix = sparse.coo_array((matrix.data.astype(np.float64), (matrix.row, matrix.col)), matrix.shape)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    bad = np.flatnonzero(~(np.isfinite(matrix.data) & (matrix.data > 0)))
    if len(bad):
        row, column, value = matrix.row[bad[0]], matrix.col[bad[0]], matrix.data[bad[0]]
        raise Wrong(f"the weight in row {row + 1}, column {column + 1} is {value:g}", "weights are numbers, 0 or more")
    return matrix
