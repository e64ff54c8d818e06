"""PSS-Net, Eq. 4: the paper's draws within a constraint are biased, ours are uniform.

Of every constraint of mobilenet_v2_pss (10 M MACs apart) 2,000 sub-networks are drawn by both, and their image sizes
compared, by chi-square, with those of all sub-networks that keep the constraint.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from scipy import stats

from specc.pipeline import load
from specc.space.choices import every, positions
from specc.space.constraints import Ladder, ladder
from specc.space.marginals import by_marginals
from specc.subnets.space import space_of
from tests.claims.table import Figure, show
from tests.helpers.folders import SPECS

DRAWS = 2000
STEP = 10_000_000


def misfit(found: Ladder, number: int, shares: Counter[object]) -> float:
    """Chi-square of the sizes drawn against their shares."""
    rng = random.Random(number)
    seen = Counter(found.draw(number, rng)["resolution"] for _ in range(DRAWS))
    total = sum(shares.values())
    expected = [DRAWS * count / total for count in shares.values()]
    return float(stats.chisquare([seen[size] for size in shares], expected).statistic)  # type: ignore[index]


def figures() -> Iterator[Figure]:
    space = space_of(load(SPECS / "mobilenet_v2_pss.specc").graph)
    ours = ladder("macs", space, STEP, 50)
    paper = by_marginals(ours)
    everything = list(every(space))
    assert space.costs is not None
    costs = space.costs(positions(space, everything))[0].tolist()
    for number, constraint in enumerate(ours.constraints):
        pairs = zip(everything, costs, strict=True)
        shares: Counter[object] = Counter(
            at["resolution"] for at, cost in pairs if constraint.low <= cost <= constraint.high
        )
        if len(shares) > 1:
            tries = paper.kept[number].tries
            yield Figure(
                f"{constraint.target / 1e6:.0f} M MACs, {sum(shares.values()):,} sub-networks",
                f"uniform {misfit(ours, number, shares):.1f}, Eq. 4 {misfit(paper, number, shares):.1f} "
                f"on {len(shares) - 1} degrees of freedom; Eq. 4 takes {tries:.1f} tries",
                "about 10 tries" * (number == 2),
            )


def main() -> None:
    show(
        "PSS-Net, Eq. 4: sampling within a constraint",
        f"mobilenet_v2_pss, {DRAWS:,} draws a constraint, seed: the constraint's number: chi-square of the resolution.",
        figures(),
    )


if __name__ == "__main__":
    main()
