"""The sub-networks of digits: choices, when each matters, and what it costs.

An assignment maps choices to options. It is canonical where it names the active choices alone:
those that something present in that sub-network reads.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from elastic import choices

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

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (("width", "s1.depth"), ("width", "s2.depth"))

# The number of sub-networks, each once.
SIZE = 81


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


# What depends on 'width' alone.
T0 = {
    0.2: (26, 12, 6, 9, 9, 36, 39),
    0.3: (38, 20, 10, 25, 25, 100, 95),
    0.4: (52, 26, 12, 36, 39, 169, 169),
    0.5: (64, 32, 16, 64, 64, 256, 256),
    0.6: (76, 38, 20, 100, 95, 361, 361),
    0.7: (90, 44, 22, 121, 121, 484, 495),
    0.8: (102, 52, 26, 169, 169, 676, 663),
    0.9: (116, 58, 28, 196, 203, 841, 841),
    1: (128, 64, 32, 256, 256, 1024, 1024),
}
A0 = np.array([*T0.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t0, t1, t4, t7, t8, t9, t10 = T0[a["width"]]
    x1 = a["s1.depth"]
    t5 = x1 == 2
    t6 = x1 >= 1
    x2 = a["s2.depth"]
    t2 = x2 == 2
    t3 = x2 >= 1
    s0 = t5 + t6
    s1 = 2 * s0 + 3
    s2 = t2 + t3
    s3 = 3 * t8 + t10
    macs = 10 * t0 + 144 * t4 * (12 * s0 + 19) + 768 * t7 * s1 + 48 * s2 * (9 * t1 + 8 * t9)
    macs += 128 * s3
    params = 12 * (t0 + t7 * s1) + t1 * (41 * s2 + 2) + t4 * (41 * s0 + 91) + 24 * t9 * s2 + 8 * s3
    params += 10
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
    for start in range(0, len(positions), 8192):
        rows = slice(start, start + 8192)
        macs[rows], params[rows] = batched_block(positions[rows].T)
    return macs, params


def batched_block(i: np.ndarray) -> tuple[Any, Any]:
    """`batched` for a few thousand, [choices, n]."""
    # The spare rows make the allocator keep its pages from one block to the next.
    p = np.empty((len(i) + 96, i.shape[1]), dtype=np.int32)[: len(i)]
    for start in range(0, i.shape[1], 1024):
        p[:, start : start + 1024] = i[:, start : start + 1024]
    t0, t1, t4, t7, t8, t9, t10 = [row[i[0]] for row in A0]
    x1 = p[1]
    t5 = 1 * (x1 == 2)
    t6 = 1 * (x1 >= 1)
    x2 = p[2]
    t2 = 1 * (x2 == 2)
    t3 = 1 * (x2 >= 1)
    s0 = t5 + t6
    s1 = 2 * s0 + 3
    s2 = t2 + t3
    s3 = 3 * t8 + t10
    macs = 10 * t0 + 144 * t4 * (12 * s0 + 19) + 768 * t7 * s1 + 48 * s2 * (9 * t1 + 8 * t9)
    macs += 128 * s3
    params = 12 * (t0 + t7 * s1) + t1 * (41 * s2 + 2) + t4 * (41 * s0 + 91) + 24 * t9 * s2 + 8 * s3
    params += 10
    return macs, params


SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)
