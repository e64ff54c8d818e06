"""The sub-networks of digits.

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
from elastic.space.functions import divisible, exact

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # digits.specc:7
    "width": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1),
    # digits.specc:10
    "s1.depth": (0, 1, 2),
    # digits.specc:12
    "s2.depth": (0, 1, 2),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 81

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


def inverted_residual(
    path: str, in_: int, out: int, size_in: int, size_out: int
) -> Iterator[Layer]:
    """The layers of a block `inverted_residual`, such as s1.b1."""
    hidden = in_ * 3
    yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.norm1", 0, 2 * hidden
    yield f"{path}.depthwise", hidden * 3**2 * size_out**2, hidden * 3**2  # 3x3 on each of hidden
    yield f"{path}.norm2", 0, 2 * hidden
    yield f"{path}.conv2", hidden * out * size_out**2, hidden * out  # 1x1, hidden -> out
    yield f"{path}.norm3", 0, 2 * out


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution.

    Sizes are named after what they are in the largest: c32 for channels, h56 for sides of a map.
    """
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    c32 = divisible(32 * a["width"], 2)
    c64 = divisible(64 * a["width"], 2)
    c128 = divisible(128 * a["width"], 2)
    yield "stem.conv", c32 * 3**2 * 8**2, c32 * 3**2  # 3x3, 1 -> c32
    yield "stem.norm", 0, 2 * c32
    for n in range(1, a["s1.depth"] + 2):
        yield from inverted_residual(f"s1.b{n}", c32, c32, 8, 8)
    yield from inverted_residual("s2.b1", c32, c64, 8, 4)
    for n in range(2, a["s2.depth"] + 2):
        yield from inverted_residual(f"s2.b{n}", c64, c64, 4, 4)
    yield "head.conv", c64 * c128 * 4**2, c64 * c128  # 1x1, c64 -> c128
    yield "head.norm", 0, 2 * c128
    yield "head.linear", c128 * 10, c128 * 10 + 10  # c128 -> 10
