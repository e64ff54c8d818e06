"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (
    ("s2.keep", "s2.b1.conv2.width", "s2.b2.conv1.width"),
    ("s3.keep1", "s3.b1.conv2.width", "s3.b2.conv1.width"),
    ("s3.keep2", "s3.b1.conv2.width", "s3.b3.conv1.width"),
    ("s4.keep1", "s4.b1.conv2.width", "s4.b2.conv1.width"),
    ("s4.keep2", "s4.b1.conv2.width", "s4.b3.conv1.width"),
    ("s4.keep3", "s4.b1.conv2.width", "s4.b4.conv1.width"),
    ("s5.keep1", "s5.b1.conv2.width", "s5.b2.conv1.width"),
    ("s5.keep2", "s5.b1.conv2.width", "s5.b3.conv1.width"),
    ("s6.keep1", "s6.b1.conv2.width", "s6.b2.conv1.width"),
    ("s6.keep2", "s6.b1.conv2.width", "s6.b3.conv1.width"),
    ("stem.conv.width", "s1.b1.conv2.width"),
    ("s1.b1.conv2.width", "s2.b1.conv1.width"),
    ("s2.b1.conv1.width", "s2.b1.conv2.width"),
    ("s2.b1.conv2.width", "s3.b1.conv1.width"),
    ("s3.b1.conv1.width", "s3.b1.conv2.width"),
    ("s3.b1.conv2.width", "s4.b1.conv1.width"),
    ("s4.b1.conv1.width", "s4.b1.conv2.width"),
    ("s4.b1.conv2.width", "s5.b1.conv1.width"),
    ("s5.b1.conv1.width", "s5.b1.conv2.width"),
    ("s5.b1.conv2.width", "s6.b1.conv1.width"),
    ("s6.b1.conv1.width", "s6.b1.conv2.width"),
    ("s6.b1.conv2.width", "s7.b1.conv1.width"),
    ("s7.b1.conv1.width", "s7.b1.conv2.width"),
)


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    x0 = a["s2.keep"]
    x1 = a["s3.keep1"]
    x2 = a["s3.keep2"]
    x3 = a["s4.keep1"]
    x4 = a["s4.keep2"]
    x5 = a["s4.keep3"]
    x6 = a["s5.keep1"]
    x7 = a["s5.keep2"]
    x8 = a["s6.keep1"]
    x9 = a["s6.keep2"]
    x10 = a["stem.conv.width"]
    x11 = a["s1.b1.conv2.width"]
    x12 = a["s2.b1.conv1.width"]
    x13 = a["s2.b1.conv2.width"]
    x14 = a["s2.b2.conv1.width"] if x0 else 0
    x15 = a["s3.b1.conv1.width"]
    x16 = a["s3.b1.conv2.width"]
    x17 = a["s3.b2.conv1.width"] if x1 else 0
    x18 = a["s3.b3.conv1.width"] if x2 else 0
    x19 = a["s4.b1.conv1.width"]
    x20 = a["s4.b1.conv2.width"]
    x21 = a["s4.b2.conv1.width"] if x3 else 0
    x22 = a["s4.b3.conv1.width"] if x4 else 0
    x23 = a["s4.b4.conv1.width"] if x5 else 0
    x24 = a["s5.b1.conv1.width"]
    x25 = a["s5.b1.conv2.width"]
    x26 = a["s5.b2.conv1.width"] if x6 else 0
    x27 = a["s5.b3.conv1.width"] if x7 else 0
    x28 = a["s6.b1.conv1.width"]
    x29 = a["s6.b1.conv2.width"]
    x30 = a["s6.b2.conv1.width"] if x8 else 0
    x31 = a["s6.b3.conv1.width"] if x9 else 0
    x32 = a["s7.b1.conv1.width"]
    x33 = a["s7.b1.conv2.width"]
    s0 = x11 * (x10 + x12)
    s1 = x12 + x14
    s2 = x13 * (x12 + x15 + 2 * x14)
    s4 = x17 + x18
    s3 = x15 + s4
    s5 = x16 * (x15 + x19 + 2 * s4)
    s7 = x21 + x22 + x23
    s8 = x26 + x27
    s6 = x19 + x24 + s7 + s8
    s9 = x20 * (x19 + x24 + 2 * s7) + x25 * (x24 + x28 + 2 * s8)
    s11 = x30 + x31
    s10 = x28 + x32 + s11
    s12 = x29 * (x28 + x32 + 2 * s11) + x32 * x33
    macs = 451584 * x10 + 62720 * x33 + 12544 * s0 + 28224 * s1 + 3136 * s2 + 7056 * s3
    macs += 784 * s5 + 1764 * s6 + 196 * s9 + 441 * s10 + 49 * s12 + 1280000
    s13 = x1 + x2
    s14 = x3 + x4 + x5
    s15 = x6 + x7
    s16 = x8 + x9
    s17 = x13 * (x0 + 1) + x16 * (s13 + 1) + x20 * (s14 + 1) + x25 * (s15 + 1) + x29 * (s16 + 1)
    s17 += x11
    params = 40 * x10 + 2 * s17 + 1282 * x33 + 13 * (s1 + s3 + s6 + s10) + s0 + s2 + s5 + s9 + s12
    params += 1283560
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
    p[10:34] *= 8
    p[10] += 16
    p[11] += 8
    p[12] += 40
    p[13] += 16
    p[14:16] += 56
    p[16] += 16
    p[17:20] += 80
    p[20] += 24
    p[21:25] += 152
    p[25] += 40
    p[26:29] += 232
    p[29] += 64
    p[30:33] += 384
    p[33] += 128
    x0, x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = p[0:12]
    x12, x13, x14, x15, x16, x17, x18, x19, x20, x21, x22, x23 = p[12:24]
    x24, x25, x26, x27, x28, x29, x30, x31, x32, x33 = p[24:34]
    x14 *= x0
    x17 *= x1
    x18 *= x2
    x21 *= x3
    x22 *= x4
    x23 *= x5
    x26 *= x6
    x27 *= x7
    x30 *= x8
    x31 *= x9
    s0 = x11 * (x10 + x12)
    s1 = x12 + x14
    s2 = x13 * (x12 + x15 + 2 * x14)
    s4 = x17 + x18
    s3 = x15 + s4
    s5 = x16 * (x15 + x19 + 2 * s4)
    s7 = x21 + x22 + x23
    s8 = x26 + x27
    s6 = x19 + x24 + s7 + s8
    s9 = x20 * (x19 + x24 + 2 * s7) + x25 * (x24 + x28 + 2 * s8)
    s11 = x30 + x31
    s10 = x28 + x32 + s11
    s12 = x29 * (x28 + x32 + 2 * s11) + x32 * x33
    macs = 451584 * x10 + 62720 * x33 + 12544 * s0 + 28224 * s1 + 3136 * s2 + 7056 * s3
    macs += 784 * s5 + 1764 * s6 + 196 * s9 + 441 * s10 + 49 * s12 + 1280000
    s13 = x1 + x2
    s14 = x3 + x4 + x5
    s15 = x6 + x7
    s16 = x8 + x9
    s17 = x13 * (x0 + 1) + x16 * (s13 + 1) + x20 * (s14 + 1) + x25 * (s15 + 1) + x29 * (s16 + 1)
    s17 += x11
    params = 40 * x10 + 2 * s17 + 1282 * x33 + 13 * (s1 + s3 + s6 + s10) + s0 + s2 + s5 + s9 + s12
    params += 1283560
    return macs, params
