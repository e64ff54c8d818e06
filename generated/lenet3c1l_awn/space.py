"""The sub-networks of lenet3c1l_awn.

An assignment maps choices to options. It is canonical where it names the active choices alone:
those that something present in that sub-network reads. `layers` says what each layer costs;
costs.py computes the same totals fast.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from costs import TOGETHER, batched, cost, macs, params  # noqa: F401
from elastic.net.sizes import OneOf
from elastic.space import choices
from elastic.space.functions import exact, round_half_up, support

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # lenet3c1l_awn.specc:9
    "width": tuple(range(11, 46)),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 35

SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)

Layer = tuple[str, int, int]
"""A layer's path, its multiply-accumulates for one image, its parameters in use."""


def choice(name: str) -> OneOf:
    """The choice of this name, as a size for model.py."""
    return OneOf(*CHOICES[name], name=name)


def check(assignment: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the choice and its options, for what is no assignment here."""
    choices.check(SPACE, assignment)


def canonical(assignment: Mapping[str, Any]) -> dict[str, Any]:
    """The assignment without inactive choices; what it does not name reads as the first option."""
    return choices.canonical(SPACE, assignment)


def largest() -> dict[str, Any]:
    """The sub-network with every choice at its last option."""
    return choices.largest(SPACE)


def smallest() -> dict[str, Any]:
    """The sub-network with every choice at its first option."""
    return choices.smallest(SPACE)


def draw(rng: random.Random) -> dict[str, Any]:
    """One sub-network at random: each active choice uniform, independently of the others."""
    return choices.draw(SPACE, rng)


def every() -> Iterator[dict[str, Any]]:
    """Every sub-network once: SIZE of them."""
    return choices.every(SPACE)


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution.

    Sizes are named after what they are in the largest: c32 for channels, h56 for sides of a map.
    """
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    c45 = max(1, round_half_up(a["width"]))
    c1090 = support(c45, 45, 45, 11, 11)
    yield "stem.conv", c45 * 3**2 * 26**2, c45 * 3**2 + c45  # 3x3, 1 -> c45
    yield "stem.norm", 0, 2 * c45
    yield "s1.conv1", 3 * c1090 * 3 * 24**2, 3 * c1090 * 3 + c45  # conv
    yield "s1.norm1", 0, 2 * c45
    yield "s1.conv2", 5 * c1090 * 5 * 8**2, 5 * c1090 * 5 + c45  # conv
    yield "s1.norm2", 0, 2 * c45
    yield "head.linear", c45 * 16 * 10, c45 * 16 * 10 + 10  # c45 * 16 -> 10
