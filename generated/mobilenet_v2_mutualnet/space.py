"""The sub-networks of mobilenet_v2_mutualnet.

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
    # mobilenet_v2_mutualnet.specc:7
    "resolution": (128, 160, 192, 224),
    # mobilenet_v2_mutualnet.specc:9
    "width": (0.7, 0.725, 0.75, 0.775, 0.8, 0.825, 0.85, 0.875, 0.9, 0.925, 0.95, 0.975, 1),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 52

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
    """The layers of a block `inverted_residual`, such as s2.b1."""
    hidden = in_ * 6
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
    c32 = divisible(32 * a["width"], 8)
    h112 = (a["resolution"] - 1) // 2 + 1
    c24 = divisible(24 * a["width"], 8)
    h56 = (a["resolution"] - 1) // 4 + 1
    h28 = (a["resolution"] - 1) // 8 + 1
    c64 = divisible(64 * a["width"], 8)
    h14 = (a["resolution"] - 1) // 16 + 1
    c96 = divisible(96 * a["width"], 8)
    c160 = divisible(160 * a["width"], 8)
    h7 = (a["resolution"] - 1) // 32 + 1
    c320 = divisible(320 * a["width"], 8)
    yield "stem.conv", 3 * c32 * 3**2 * h112**2, 3 * c32 * 3**2  # 3x3, 3 -> c32
    yield "stem.norm", 0, 2 * c32
    yield "s1.b1.depthwise", c32 * 3**2 * h112**2, c32 * 3**2  # 3x3 on each of c32
    yield "s1.b1.norm2", 0, 2 * c32
    yield "s1.b1.conv2", c32 * 16 * h112**2, c32 * 16  # 1x1, c32 -> 16
    yield "s1.b1.norm3", 0, 2 * 16
    yield from inverted_residual("s2.b1", 16, c24, h112, h56)
    yield from inverted_residual("s2.b2", c24, c24, h56, h56)
    yield from inverted_residual("s3.b1", c24, c32, h56, h28)
    for n in range(2, 4):
        yield from inverted_residual(f"s3.b{n}", c32, c32, h28, h28)
    yield from inverted_residual("s4.b1", c32, c64, h28, h14)
    for n in range(2, 5):
        yield from inverted_residual(f"s4.b{n}", c64, c64, h14, h14)
    yield from inverted_residual("s5.b1", c64, c96, h14, h14)
    for n in range(2, 4):
        yield from inverted_residual(f"s5.b{n}", c96, c96, h14, h14)
    yield from inverted_residual("s6.b1", c96, c160, h14, h7)
    for n in range(2, 4):
        yield from inverted_residual(f"s6.b{n}", c160, c160, h7, h7)
    yield from inverted_residual("s7.b1", c160, c320, h7, h7)
    yield "head.conv", c320 * 1280 * h7**2, c320 * 1280  # 1x1, c320 -> 1280
    yield "head.norm", 0, 2 * 1280
    yield "head.linear", 1280 * 1000, 1280 * 1000 + 1000  # 1280 -> 1000
