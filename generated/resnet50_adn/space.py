"""The sub-networks of resnet50_adn: choices, when each matters, and what it costs.

An assignment maps choices to options. It is canonical where it names the active choices alone:
those that something present in that sub-network reads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from elastic.space import choices

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # resnet50_adn.specc:12
    "s1.keep": (False, True),
    # resnet50_adn.specc:14
    "s2.keep": (False, True),
    # resnet50_adn.specc:18
    "s3.keep": (False, True),
    # resnet50_adn.specc:20
    "s4.keep": (False, True),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = ()

# The number of sub-networks, each once.
SIZE = 16


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


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    x0 = a["s1.keep"]
    x1 = a["s2.keep"]
    x2 = a["s3.keep"]
    x3 = a["s4.keep"]
    macs = 218365952 * (x0 + x3) + 436731904 * x1 + 655097856 * x2 + 2560622592
    params = 70400 * x0 + 560128 * x1 + 3351552 * x2 + 4462592 * x3 + 17112360
    return macs, params


def macs(a: Mapping[str, Any]) -> int:
    """The multiply-accumulates for one image."""
    return cost(a)[0]


def params(a: Mapping[str, Any]) -> int:
    """The parameters in use: the support of the weights, one norm bank."""
    return cost(a)[1]


def batched(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The MACs and parameters of many: each row of `positions`, [n, choices], says which option of
    every choice, counted from 0, a sub-network has. Exact."""
    positions = np.asarray(positions)
    macs = np.empty(len(positions), dtype=np.int64)
    params = np.empty(len(positions), dtype=np.int64)
    # Room for a block; the spare rows make the allocator keep its pages.
    p = np.empty((positions.shape[1] + 96, min(len(positions), 10240)), dtype=np.uint32)
    for start in range(0, len(positions), 10240):
        rows = slice(start, start + 10240)
        i = positions[rows].astype(np.uint8, copy=False).T
        macs[rows], params[rows] = batched_block(i, p[: len(i), : i.shape[1]])
    return macs, params


def batched_block(i: np.ndarray, p: np.ndarray) -> tuple[Any, Any]:
    """`batched` for a block, [choices, n], with room for as many options in `p`."""
    for start in range(0, i.shape[1], 1024):
        p[:, start : start + 1024] = i[:, start : start + 1024]
    x0, x1, x2, x3 = p[0:4]
    macs = 218365952 * (x0 + x3) + 436731904 * x1 + 655097856 * x2 + 2560622592
    params = 70400 * x0 + 560128 * x1 + 3351552 * x2 + 4462592 * x3 + 17112360
    return macs, params


SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)
