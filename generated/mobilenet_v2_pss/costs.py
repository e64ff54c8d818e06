"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (
    ("resolution", "stem.conv.width"),
    ("resolution", "s3.b1.conv2.width", "s4.b1.conv2.width"),
    ("resolution", "s4.b1.conv2.width", "s5.b1.conv2.width"),
    ("resolution", "s5.b1.conv2.width", "s6.b1.conv2.width"),
    ("resolution", "s6.b1.conv2.width", "s7.b1.conv2.width"),
)

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
    s0 = 30 * x2 * x2
    s1 = 30 * x4 * x4 + 6 * x3 * (x4 + x2 + 7 * x3)
    s2 = 6 * x5 * (5 * x5 + x4 + x6)
    macs = t17 * (252 * x2 + 832 * x1 + s0 + 85200) + t18 * (108 * x4 + 216 * x3 + 54 * x2 + s1)
    macs += t19 * (162 * x5 + 54 * x4 + 1280 * x6 + s2) + 1280000
    params = 240 * (x5 + x4) + 320 * x3 + 384 * x2 + 56 * x1 + 1282 * x6 + s0 + s1 + s2 + 1302888
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
    p[1:7] *= 8
    p[1:3] += 24
    p[3] += 48
    p[4] += 72
    p[5] += 120
    p[6] += 240
    x1, x2, x3, x4, x5, x6 = p[1:7]
    t17, t18, t19 = A0.take(i[0], axis=1)
    s0 = 30 * x2 * x2
    s1 = 30 * x4 * x4 + 6 * x3 * (x4 + x2 + 7 * x3)
    s2 = 6 * x5 * (5 * x5 + x4 + x6)
    macs = t17 * (252 * x2 + 832 * x1 + s0 + 85200) + t18 * (108 * x4 + 216 * x3 + 54 * x2 + s1)
    macs += t19 * (162 * x5 + 54 * x4 + 1280 * x6 + s2) + 1280000
    params = 240 * (x5 + x4) + 320 * x3 + 384 * x2 + 56 * x1 + 1282 * x6 + s0 + s1 + s2 + 1302888
    return macs, params
