"""The stationary distribution of any network's chain, by one sparse solve: cycles and weights are allowed.

With x = pi / d, d the row sums of H~ = (1 - kappa) H + kappa, pi P = pi reads

    (diag(d) - (1 - kappa) H)^T x = kappa sum(x).

H has the graphs A_k on its diagonal and lambda I off it, T^2 N entries. With y_r = sum_k x_rk the coupling is
lambda (y_r - x_rk), so that a system of N more unknowns has 3 T N entries for it. Where kappa is 0 the right-hand side
is 0, one of the unknowns is 1, and its equation follows from the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from specc.importance.adjacency import Adjacency
from specc.importance.chain import Stationary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CLOSE: Final = 1e-9
"""How far pi P may be from pi, as a share of pi."""


class Reducible(ValueError):
    """Without damping not every state leads to every other: the chain has no stationary distribution of all states."""


class Inexact(ValueError):
    """The damping is so small that the solution has too few digits."""


def matrices(graph: Adjacency, directed: bool) -> list[Any]:
    """A_k of every sub-network, (N, N): of parallel edges the largest weight, 1 or more at the inputs and the outputs
    themselves (Eq. 2)."""
    import numpy as np
    from scipy import sparse

    nodes = len(graph.nodes)
    ends = np.array(sorted({*graph.inputs, *graph.outputs}), dtype=np.intp)
    loops = sparse.csr_array((np.ones(len(ends)), (ends, ends)), (nodes, nodes))
    sources = np.array([edge.source for edge in graph.edges], dtype=np.intp)
    targets = np.array([edge.target for edge in graph.edges], dtype=np.intp)
    found = []
    for weights in graph.weights.T:
        there = np.flatnonzero(weights)
        order = there[np.argsort(weights[there], kind="stable")]
        pairs = sources[order] * nodes + targets[order]
        _, last = np.unique(pairs[::-1], return_index=True)
        kept = order[::-1][last]
        a = sparse.csr_array((weights[kept], (sources[kept], targets[kept])), (nodes, nodes))
        a = a.maximum(loops)
        found.append(a if directed else a.maximum(a.T))
    return found


def stationary(blocks: list[Any], coupling: float, damping: float) -> Stationary:
    """TAS of every node (Eq. 8). Raises Reducible where `damping` is 0 and does without is impossible, Inexact."""
    import numpy as np
    from scipy import sparse

    nodes, subnets = blocks[0].shape[0], len(blocks)
    states, keep = nodes * subnets, 1.0 - damping
    h = sparse.block_diag(blocks, format="csr")
    sums = keep * (h.sum(axis=1) + coupling * (subnets - 1)) + damping * states
    if damping == 0:
        check_irreducible(blocks)
    copies = sparse.kron(np.ones((subnets, 1)), sparse.eye_array(nodes)).tocsr()
    system = sparse.block_array(
        [
            [sparse.diags_array(sums + keep * coupling) - keep * h.T, -keep * coupling * copies],
            [copies.T, -sparse.eye_array(nodes)],
        ]
    ).tocsc()
    right = np.full(states + nodes, damping)
    right[states:] = 0
    x = solved(system, right)[:states]
    pi = x * sums
    pi /= pi.sum()
    x = pi / sums
    around = np.tile(x.reshape(subnets, nodes).sum(axis=0), subnets) - x
    arriving = keep * (h.T @ x + coupling * around) + damping * x.sum()
    if not np.all(np.abs(arriving - pi) <= CLOSE * pi):
        raise Inexact
    tas = pi.reshape(subnets, nodes).sum(axis=0)
    return Stationary(tas, float(damping * states**2 / sums.sum()))


def solved(system: Any, right: Floats) -> Floats:
    """A solution, up to a factor. Raises Inexact where there is none that can be told from others."""
    import numpy as np
    from scipy.sparse.linalg import splu

    try:
        if right.any():
            return np.asarray(splu(system).solve(right))
        # The first unknown is 1, and the first equation follows from the others.
        rest = splu(system[1:, 1:]).solve(-system[1:, [0]].toarray().ravel())
        return np.concatenate(([1.0], rest))
    except RuntimeError:  # a pivot that is 0
        raise Inexact from None


def check_irreducible(blocks: list[Any]) -> None:
    """Raises Reducible where some node does not lead to some other. The coupling joins all copies of one."""
    from scipy.sparse.csgraph import connected_components

    union = blocks[0]
    for block in blocks[1:]:
        union = union + block
    parts, _ = connected_components(union, directed=True, connection="strong")
    if parts > 1:
        raise Reducible(parts)
