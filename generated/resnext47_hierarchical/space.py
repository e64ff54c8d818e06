"""The sub-networks of resnext47_hierarchical.

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
from elastic.space.functions import divide, exact

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # resnext47_hierarchical.specc:7
    "k": (1, 2, 3, 4, 5, 6),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 6

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


def inclusive_sparse(
    path: str, in_: int, width: int, size_in: int, k: int, hidden: int
) -> Iterator[Layer]:
    """The layers of a block `inclusive_sparse`, such as s1.b1."""
    yield f"{path}.norm1", 0, 2 * in_
    yield f"{path}.conv1", hidden * size_in**2, hidden  # conv
    hidden2 = k * width
    yield f"{path}.norm2", 0, 2 * hidden2
    hidden3 = divide(hidden2, k)
    # 3x3, hidden3 -> hidden2
    yield f"{path}.conv2", hidden3 * hidden2 * 3**2 * size_in**2, hidden3 * hidden2 * 3**2
    yield f"{path}.norm3", 0, 2 * hidden2
    yield f"{path}.conv3", hidden3 * in_ * size_in**2, hidden3 * in_  # 1x1, hidden3 -> in_


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution."""
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    yield "stem.conv", 3 * a["k"] * 16 * 3**2 * 32**2, 3 * a["k"] * 16 * 3**2  # 3x3, 3 -> k * 16
    for n in range(1, 6):
        yield from inclusive_sparse(
            f"s1.b{n}", a["k"] * 16, 8, 32, a["k"], divide(a["k"] * (a["k"] + 1), 2) * 128
        )
    for n in range(1, 6):
        yield from inclusive_sparse(
            f"s2.b{n}", a["k"] * 32, 16, 16, a["k"], divide(a["k"] * (a["k"] + 1), 2) * 512
        )
    for n in range(1, 6):
        yield from inclusive_sparse(
            f"s3.b{n}", a["k"] * 64, 32, 8, a["k"], divide(a["k"] * (a["k"] + 1), 2) * 2048
        )
    if a["k"] == 1:
        yield "head1_fine.norm", 0, 2 * 64
        yield "head1_fine.linear", 64 * 100, 64 * 100 + 100  # 64 -> 100
    if a["k"] == 2:
        yield "head2_fine.norm", 0, 2 * 128
        yield "head2_fine.linear", 128 * 100, 128 * 100 + 100  # 128 -> 100
    if a["k"] == 3:
        yield "head3_fine.norm", 0, 2 * 192
        yield "head3_fine.linear", 192 * 100, 192 * 100 + 100  # 192 -> 100
    if a["k"] == 4:
        yield "head4_fine.norm", 0, 2 * 256
        yield "head4_fine.linear", 256 * 100, 256 * 100 + 100  # 256 -> 100
    if a["k"] == 5:
        yield "head5_fine.norm", 0, 2 * 320
        yield "head5_fine.linear", 320 * 100, 320 * 100 + 100  # 320 -> 100
    if a["k"] == 6:
        yield "head6_fine.norm", 0, 2 * 384
        yield "head6_fine.linear", 384 * 100, 384 * 100 + 100  # 384 -> 100
