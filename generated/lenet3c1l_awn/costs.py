"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = ()

# What depends on 'width' alone.
T0 = {
    11: 121,
    12: 133,
    13: 146,
    14: 160,
    15: 175,
    16: 191,
    17: 208,
    18: 226,
    19: 245,
    20: 265,
    21: 286,
    22: 308,
    23: 331,
    24: 355,
    25: 380,
    26: 406,
    27: 433,
    28: 461,
    29: 490,
    30: 520,
    31: 551,
    32: 583,
    33: 616,
    34: 650,
    35: 685,
    36: 721,
    37: 758,
    38: 796,
    39: 835,
    40: 875,
    41: 916,
    42: 958,
    43: 1001,
    44: 1045,
    45: 1090,
}
A0 = np.array([*T0.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    x0 = a["width"]
    t1 = T0[x0]
    macs = 6244 * x0 + 6784 * t1
    params = 178 * x0 + 34 * t1 + 10
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
    p = np.empty((positions.shape[1] + 96, min(len(positions), 10240)), dtype=np.int32)
    for start in range(0, len(positions), 10240):
        rows = slice(start, start + 10240)
        i = positions[rows].astype(np.uint8, copy=False).T
        macs[rows], params[rows] = batched_block(i, p[: len(i), : i.shape[1]])
    return macs, params


def batched_block(i: np.ndarray, p: np.ndarray) -> tuple[Any, Any]:
    """`batched` for a block, [choices, n], with room for as many options in `p`."""
    for start in range(0, i.shape[1], 1024):
        p[:, start : start + 1024] = i[:, start : start + 1024]
    p[0] += 11
    x0 = p[0]
    t1 = A0.take(i[0])
    macs = 6244 * x0 + 6784 * t1
    params = 178 * x0 + 34 * t1 + 10
    return macs, params
