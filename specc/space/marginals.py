"""PSS-Net's own sampler of sub-networks that keep a constraint (Eq. 4), to compare with: it is not uniform.

Of many random sub-networks those that keep a constraint are set aside; every choice is then drawn on its own, by how
often they have each of its options, until what comes out keeps the constraint. But the choices of such sub-networks are
not independent (large images go with narrow layers), so that some are drawn far more often than others.
"""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import accumulate

import numpy as np

from specc.space.choices import Space
from specc.space.constraints import PROBES, Kept, Ladder, probe
from specc.space.elimination import Ints
from specc.space.tilting import Attempts

STRUCTURES = 50_000
"""Random sub-networks that the shares are estimated from: the paper's set G."""


def by_marginals(ladder: Ladder, seed: int = 0, structures: int = STRUCTURES) -> Ladder:
    """The same constraints, each drawn from by its marginals; as before where no structure keeps it."""
    space = ladder.space
    assert space.costs is not None
    sizes = [len(options) for options in space.choices.values()]
    rows = np.random.default_rng(seed).integers(0, sizes, (structures, len(sizes)), dtype=np.int64)
    costs = space.costs(rows)[0]
    return replace(ladder, kept=tuple(marginal(space, kept, rows, costs) for kept in ladder.kept))


def marginal(space: Space, kept: Kept, rows: Ints, costs: Ints) -> Kept:
    """How one constraint is kept by Eq. 4."""
    fitting = rows[(costs >= kept.constraint.low) & (costs <= kept.constraint.high)]
    if not len(fitting):
        return kept
    attempts = chooser([np.bincount(column).tolist() for column in fitting.T])
    found, _ = probe(space, kept.constraint, attempts, PROBES)
    return replace(kept, attempts=attempts, tries=PROBES / found, one=None) if found else kept


def chooser(shares: list[list[int]]) -> Attempts:
    """Draws every choice on its own, each option with its share."""
    cumulated = [list(accumulate(share)) for share in shares]

    def attempts(rng: random.Random, number: int) -> Ints:
        columns = [rng.choices(range(len(c)), cum_weights=c, k=number) for c in cumulated]
        return np.array(columns, dtype=np.int64).T

    return attempts
