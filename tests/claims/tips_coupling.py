"""TIPS, Figure 7: whether the coupling changes how paths rank, and how far the two readings of the chain agree."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from specc.importance import Importance, Settings, importance
from specc.ir.graph import Graph
from specc.pipeline import load
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

SPEC, SEED = "mobilenet_v2_tips", 0


def all_paths(found: Importance) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(paths, feature maps): 1 where a path from input to output goes through a feature map; and node counts."""
    numbers = {tensor.name: number for number, tensor in enumerate(found.tensors)}
    ahead: list[list[int]] = [[] for _ in numbers]
    for op in found.ops:
        ahead[numbers[op.source]].append(numbers[op.target])
    paths = [[0]]
    done = []
    while paths:
        path = paths.pop()
        if path[-1] == len(numbers) - 1:
            done.append(path)
        paths.extend([*path, target] for target in ahead[path[-1]])
    through = np.zeros((len(done), len(numbers)))
    for row, path in zip(through, done, strict=True):
        row[path] = 1
    return through, through.sum(axis=1).astype(np.intp)


def tas(found: Importance) -> NDArray[np.float64]:
    return np.array([tensor.tas for tensor in found.tensors])


def figures(graph: Graph) -> Iterator[Figure]:
    whole = importance(graph, Settings(seed=SEED))
    through, lengths = all_paths(whole)
    for directed in (False, True):
        base = through @ tas(importance(graph, Settings(seed=SEED, directed=directed)))
        for coupling in (0.1, 0.25, 0.5, 0.75, 1.0):
            tps = through @ tas(importance(graph, Settings(seed=SEED, directed=directed, coupling=coupling)))
            within = [
                spearmanr(tps[lengths == n].round(12), base[lengths == n].round(12)).statistic
                for n in sorted(set(lengths.tolist()))
                if len(set(base[lengths == n].round(12).tolist())) > 1
            ]
            what = f"{'directed' if directed else 'undirected'}, coupling {coupling:g} against 1"
            rho = spearmanr(tps, base).statistic
            ours = f"rho {rho:.4f} of all {len(tps)} paths; {min(within):.4f} at least among those of one node count"
            yield Figure(what, ours, "" if directed else "the same ranking")
    other = importance(graph, Settings(seed=SEED, directed=True))
    rho = spearmanr(tas(whole), tas(other)).statistic
    ranks = spearmanr(through @ tas(whole), through @ tas(other)).statistic
    common = len(set(whole.important) & set(other.important))
    ours = (
        f"rho {rho:.3f} of TAS, {ranks:.3f} of TPS; {common} of {len(whole.important)} important operations in common"
    )
    yield Figure("directed against undirected", ours, "`static undirected graph` (3.1.1)")


if __name__ == "__main__":
    show(
        "TIPS, Figure 7: coupling, and the two readings",
        f"{SPEC}, T = 8, seed {SEED}, damping 1e-5: Spearman's rho of TPS over every path from input to output.",
        figures(load(SPECS / f"{SPEC}.specc").graph),
    )
