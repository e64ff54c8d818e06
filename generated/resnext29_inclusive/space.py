"""The sub-networks of resnext29_inclusive.

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
    # resnext29_inclusive.specc:5
    "k": tuple(range(1, 9)),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 8

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


def inclusive(path: str, in_: int, width: int, k: int, size_in: int) -> Iterator[Layer]:
    """The layers of a block `inclusive`, such as s1.b1."""
    yield f"{path}.norm1", 0, 2 * in_
    hidden = k * width
    yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.norm2", 0, 2 * hidden
    hidden2 = divide(hidden, k)
    # 3x3, hidden2 -> hidden
    yield f"{path}.conv2", hidden2 * hidden * 3**2 * size_in**2, hidden2 * hidden * 3**2
    yield f"{path}.norm3", 0, 2 * hidden
    yield f"{path}.conv3", hidden * in_ * size_in**2, hidden * in_  # 1x1, hidden -> in_


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution."""
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    yield "stem.conv", 3 * 64 * 3**2 * 32**2, 3 * 64 * 3**2  # 3x3, 3 -> 64
    for n in range(1, 4):
        yield from inclusive(f"s1.b{n}", 64, 4, a["k"], 32)
    for n in range(1, 4):
        yield from inclusive(f"s2.b{n}", 128, 8, a["k"], 16)
    for n in range(1, 4):
        yield from inclusive(f"s3.b{n}", 256, 16, a["k"], 8)
    if a["k"] == 1:
        yield "head1.norm", 0, 2 * 256
        yield "head1.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 2:
        yield "head2.norm", 0, 2 * 256
        yield "head2.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 3:
        yield "head3.norm", 0, 2 * 256
        yield "head3.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 4:
        yield "head4.norm", 0, 2 * 256
        yield "head4.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 5:
        yield "head5.norm", 0, 2 * 256
        yield "head5.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 6:
        yield "head6.norm", 0, 2 * 256
        yield "head6.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 7:
        yield "head7.norm", 0, 2 * 256
        yield "head7.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
    if a["k"] == 8:
        yield "head8.norm", 0, 2 * 256
        yield "head8.linear", 256 * 10, 256 * 10 + 10  # 256 -> 10
