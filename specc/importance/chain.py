"""The Markov chain of T sub-networks and its stationary distribution, summed into TAS (TIPS, Eq. 2, 4-8 and 20).

A state is a feature map r in a sub-network k. H joins the adjacency matrices A_k, with A_k = 1 at the first and the
last nodes themselves, by the coupling lambda between copies of a feature map; H~ = (1 - kappa) H + kappa; the chain's
transition matrix is H~ with its rows normalised. Neither that matrix nor an iteration is needed for its solution.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.frozen import frozen

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@frozen
class Joined:
    """Which feature maps are joined: pair i leads from `sources[i]` to the later `targets[i]`.

    present  (pairs, T): 1 where a pair is joined in a sub-network, or the probability that it is
    loops    (nodes,): 1 at the first and the last nodes (Eq. 2)
    """

    sources: NDArray[np.intp]
    targets: NDArray[np.intp]
    present: Floats
    loops: Floats

    @property
    def nodes(self) -> int:
        return len(self.loops)

    @property
    def subnets(self) -> int:
        return int(self.present.shape[1])


@frozen
class Stationary:
    """TAS of every node (Eq. 8); they sum to 1. `damping_share` is the share of all transitions that damping makes.

    degrees   accumulated over the sub-networks, in the undirected reading: TAS is `slope * degrees + offset`
    """

    tas: Floats
    damping_share: float
    degrees: Floats | None = None
    slope: float = 0.0
    offset: float = 0.0


def undirected(joined: Joined, coupling: float, damping: float) -> Stationary:
    """The closed form: H~ is symmetric, so the chain is reversible and pi is the row sums of H~ by their total."""
    import numpy as np

    nodes, subnets = joined.nodes, joined.subnets
    counts = joined.present.sum(axis=1)
    degrees = (
        np.bincount(joined.sources, counts, nodes) + np.bincount(joined.targets, counts, nodes) + subnets * joined.loops
    )
    keep = 1.0 - damping
    offset = keep * coupling * subnets * (subnets - 1) + damping * nodes * subnets * subnets
    rows = keep * degrees + offset
    total = float(rows.sum())
    share = damping * (nodes * subnets) ** 2 / total
    return Stationary(rows / total, share, degrees, keep / total, offset / total)


def directed(joined: Joined, coupling: float, damping: float) -> Stationary:
    """One sweep in topological order, O(pairs T + N T). `damping` is above 0.

    With x = pi / d, d the row sums of H~, pi P = pi reads x (diag(d) - (1 - kappa) H) = kappa sum(x): damping is
    only the right-hand side. For node t with copies k and b_k, that side and what comes in from earlier nodes,

        e_k x_k - c sum_j x_j = b_k,    c = (1 - kappa) lambda,    e_k = u_k + c T,
        u_k = (1 - kappa) outdegree_k + kappa N T,

    a diagonal minus rank one: sum_j x_j = sum_k (b_k / e_k) / sum_k (u_k / (T e_k)). All terms are positive, so
    nothing cancels.
    """
    import numpy as np

    nodes, subnets = joined.nodes, joined.subnets
    keep = 1.0 - damping
    cross = keep * coupling
    leaving = keep * out_degrees(joined) + damping * nodes * subnets
    inverse = 1.0 / (leaving + cross * subnets)
    gains = cross * subnets / (leaving * inverse).sum(axis=1)
    x = np.full((nodes, subnets), damping)
    order = np.argsort(joined.sources, kind="stable")
    ends = np.searchsorted(joined.sources[order], np.arange(nodes), side="right").tolist()
    rows, inverses, weights = list(x), list(inverse), list(keep * joined.present[order])
    targets = joined.targets[order].tolist()
    pair = 0
    for row, by, gain, end in zip(rows, inverses, gains.tolist(), ends, strict=True):
        row += gain * row.dot(by)
        row *= by
        while pair < end:
            rows[targets[pair]] += weights[pair] * row
            pair += 1
    sums = leaving + (keep * joined.loops + cross * (subnets - 1))[:, None]
    x *= sums
    tas = x.sum(axis=1)
    return Stationary(tas / tas.sum(), float(damping * (nodes * subnets) ** 2 / sums.sum()))


def out_degrees(joined: Joined) -> Floats:
    """(nodes, T): how many pairs lead on from each node in each sub-network."""
    import numpy as np

    degrees = np.zeros((joined.nodes, joined.subnets))
    order = np.argsort(joined.sources, kind="stable")
    starts, first = np.unique(joined.sources[order], return_index=True)
    if len(starts):
        degrees[starts] = np.add.reduceat(joined.present[order], first, axis=0)
    return degrees
