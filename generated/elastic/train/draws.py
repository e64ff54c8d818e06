"""Sub-networks for a training loop of your own.

rng = random.Random(0)
for images, targets in loader:
    optimizer.zero_grad()
    for plan in draws(net, rng):
        loss(net(images, plan), targets).backward()
    optimizer.step()
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any, Final

FEWEST: Final = 2


def draws(net: Any, rng: random.Random, subnets: int = 4) -> Iterator[Any]:
    """The plans of one step by the sandwich rule (Yu and Huang, 2019): the largest sub-network, `subnets` - 2 drawn at
    random, each option of a choice with equal probability, and the smallest.

    `net` is the network of model.py, or an `elastic.net.pyramid.Pyramid` around it. While a plan is handed out,
    `net(images)` runs its sub-network, too, for code that knows of no plans; afterwards the largest one.
    Raises ValueError for fewer than two sub-networks.
    """
    if subnets < FEWEST:
        raise ValueError(f"the largest and the smallest are two sub-networks, not {subnets}")
    planned = getattr(net, "planned", None)  # a pyramid's, which ask for its stages
    space = (net if planned is None else net.net).planner.space
    drawn = [space.draw(rng) for _ in range(subnets - FEWEST)]
    plans = [(planned or net.plan)(at) for at in ("max", *drawn, "min")]
    try:
        for plan in plans:
            net.use(plan)
            yield plan
    finally:
        net.use(plans[0])
