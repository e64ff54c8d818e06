"""MutualNet's training step (Yang et al., 2020): the sandwich rule over widths and resolutions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from elastic.train.interfaces import Space
from us_net import sandwich, step

__all__ = ["step", "subnets_of_a_step"]


def subnets_of_a_step(
    space: Space, rng: random.Random, subnets: int, resolutions: Sequence[str]
) -> list[dict[str, Any]]:
    """The assignments of one step: the largest at full resolution, the smaller ones each at a random one.

    As in US-Nets the smallest widths come last; `resolutions` names the choices that are image sizes.
    """
    largest, *smaller = sandwich(space, rng, subnets)
    return [largest, *(at_any_resolution(space, rng, at, resolutions) for at in smaller)]


def at_any_resolution(
    space: Space, rng: random.Random, at: dict[str, Any], resolutions: Sequence[str]
) -> dict[str, Any]:
    """The same sub-network for images of a size drawn uniformly."""
    return space.canonical(at | {name: rng.choice(space.CHOICES[name]) for name in resolutions})
