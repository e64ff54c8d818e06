"""TIPS, Figure 6: how much the best paths' TPS varies with what is sampled, for 2 to 20 sub-networks of MobileNetV2."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specc.importance import Settings, importance
from specc.pipeline import load
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

DRAWS = 10
PAPER = {4: "typically enough", 8: "std below 2.5 % of the mean"}


def figures() -> Iterator[Figure]:
    graph = load(SPECS / "mobilenet_v2_tips.specc").graph
    for subnets in (2, 3, 4, 6, 8, 12, 16, 20):
        found = [importance(graph, Settings(subnets=subnets, seed=seed)) for seed in range(DRAWS)]
        tps = np.array([[path.tps for path in one.paths] for one in found])
        tas = np.array([[tensor.tas for tensor in one.tensors] for one in found])
        spread = tps.std(axis=0, ddof=1) / tps.mean(axis=0)
        nodes = tas.std(axis=0, ddof=1) / tas.mean(axis=0)
        same = sum(one.important == found[0].important for one in found)
        ours = (
            f"{100 * spread.max():.2f} % at most over node counts; TAS of a feature map {100 * nodes.max():.1f} % at "
            f"most; {same} of {DRAWS} draws find the same important operations"
        )
        yield Figure(f"T = {subnets}", ours, PAPER.get(subnets, ""))


if __name__ == "__main__":
    show(
        "TIPS, Figure 6: stability",
        f"mobilenet_v2_tips, undirected, coupling 1, damping 1e-5, {DRAWS} draws (seeds 0 to {DRAWS - 1}): the "
        "standard deviation of the best path's TPS by its mean, for every node count.",
        figures(),
    )
