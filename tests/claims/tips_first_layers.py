"""TIPS, section B.5: whether a block's first convolution is the more important one, and so the one drawn wider."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from specc.importance import Importance, Settings, importance
from specc.pipeline import load
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

SPEC_NAMES = ("mobilenet_v2_tips", "resnet34_tips")
DRAWS = 10
PAPER = "`the first convolution layer was more important`"


def places(found: Importance) -> dict[str, list[tuple[float, bool]]]:
    """(score, important) of the convolutions by their place: the stem, or the first, second, .. of a block."""
    rows: dict[str, list[tuple[float, bool]]] = {}
    count: dict[str, int] = {}
    for op in found.ops:
        if op.kind not in ("conv", "depthwise") or "shortcut" in op.name:
            continue
        block = op.name.rpartition(".")[0]
        count[block] = count.get(block, 0) + 1
        place = "stem" if block == "stem" else "head" if block == "head" else f"number {count[block]} of its block"
        rows.setdefault(place, []).append((op.score, op.important))
    return rows


def figures() -> Iterator[Figure]:
    for spec in SPEC_NAMES:
        graph = load(SPECS / f"{spec}.specc").graph
        drawn = [places(importance(graph, Settings(seed=seed))) for seed in range(DRAWS)]
        mean = np.mean([score for rows in drawn for row in rows.values() for score, _ in row])
        for place in drawn[0]:
            scores = [np.mean([score for score, _ in rows[place]]) / mean for rows in drawn]
            marked = [np.mean([important for _, important in rows[place]]) for rows in drawn]
            ours = (
                f"score {np.mean(scores):.3f} ± {np.std(scores, ddof=1):.3f} of the mean convolution's; "
                f"{100 * np.mean(marked):.0f} % of {len(drawn[0][place])} important"
            )
            yield Figure(f"{spec}, {place}", ours, PAPER if place in ("stem", "number 1 of its block") else "")


if __name__ == "__main__":
    show(
        "TIPS, B.5: first convolutions",
        f"T = 8, undirected, {DRAWS} draws (seeds 0 to {DRAWS - 1}): the mean TAS of a convolution's ends by that of "
        "all convolutions, and the share of them that is important. The paper does not say the first of what: of the "
        "network and of a block stand here.",
        figures(),
    )
