"""The sub-networks of mobilenet_v2_pss: choices, when each matters, and what it costs.

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
    # mobilenet_v2_pss.specc:6
    "resolution": tuple(range(128, 232, 8)),
    # mobilenet_v2_pss.specc:9
    "stem.conv.width": (24, 32),
    # std/mobilenet.specc:15
    "s3.b1.conv2.width": (24, 32),
    "s4.b1.conv2.width": (48, 56, 64),
    "s5.b1.conv2.width": (72, 80, 88, 96),
    "s6.b1.conv2.width": (120, 128, 136, 144, 152, 160),
    "s7.b1.conv2.width": tuple(range(240, 328, 8)),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (
    ("resolution", "stem.conv.width"),
    ("resolution", "s3.b1.conv2.width", "s4.b1.conv2.width"),
    ("resolution", "s4.b1.conv2.width", "s5.b1.conv2.width"),
    ("resolution", "s5.b1.conv2.width", "s6.b1.conv2.width"),
    ("resolution", "s6.b1.conv2.width", "s7.b1.conv2.width"),
)

# The number of sub-networks, each once.
SIZE = 41184


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


# What depends on 'resolution' alone.
T0 = {
    128: (256, 64, 16),
    136: (289, 81, 25),
    144: (324, 81, 25),
    152: (361, 100, 25),
    160: (400, 100, 25),
    168: (441, 121, 36),
    176: (484, 121, 36),
    184: (529, 144, 36),
    192: (576, 144, 36),
    200: (625, 169, 49),
    208: (676, 169, 49),
    216: (729, 196, 49),
    224: (784, 196, 49),
}
A0 = np.array([*T0.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t17, t18, t19 = T0[a["resolution"]]
    x1 = a["stem.conv.width"]
    x2 = a["s3.b1.conv2.width"]
    x3 = a["s4.b1.conv2.width"]
    x4 = a["s5.b1.conv2.width"]
    x5 = a["s6.b1.conv2.width"]
    x6 = a["s7.b1.conv2.width"]
    s0 = x4 * (5 * x4 + 18) + x3 * ((x4 + x2) + 7 * x3 + 36)
    s1 = x2 * t17 * (5 * x2 + 42) + t18 * (s0 + 9 * x2)
    s2 = x4 + x6
    s3 = 3 * x5 * (5 * x5 + s2 + 27) + 27 * x4 + 640 * x6
    macs = 6 * s1 + 16 * t17 * (52 * x1 + 5325) + 2 * t19 * s3 + 1280000
    s4 = x5 * (5 * x5 + s2 + 40) + x4 * (5 * x4 + x3 + 40) + x2 * (5 * x2 + 64)
    params = 6 * s4 + 2 * x3 * (21 * x3 + 3 * x2 + 160) + 56 * x1 + 1282 * x6 + 1302888
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
    p[1:7] *= 8
    t17, t18, t19 = [row[i[0]] for row in A0]
    x1 = p[1] + 24
    x2 = p[2] + 24
    x3 = p[3] + 48
    x4 = p[4] + 72
    x5 = p[5] + 120
    x6 = p[6] + 240
    s0 = x4 * (5 * x4 + 18) + x3 * ((x4 + x2) + 7 * x3 + 36)
    s1 = x2 * t17 * (5 * x2 + 42) + t18 * (s0 + 9 * x2)
    s2 = x4 + x6
    s3 = 3 * x5 * (5 * x5 + s2 + 27) + 27 * x4 + 640 * x6
    macs = 6 * s1 + 16 * t17 * (52 * x1 + 5325) + 2 * t19 * s3 + 1280000
    s4 = x5 * (5 * x5 + s2 + 40) + x4 * (5 * x4 + x3 + 40) + x2 * (5 * x2 + 64)
    params = 6 * s4 + 2 * x3 * (21 * x3 + 3 * x2 + 160) + 56 * x1 + 1282 * x6 + 1302888
    return macs, params


SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)
