"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (
    ("resolution", "s1.b1.kernel", "s1.b1.expand"),
    ("resolution", "s1.depth", "s1.b3.kernel", "s1.b3.expand"),
    ("resolution", "s1.depth", "s1.b4.kernel", "s1.b4.expand"),
    ("resolution", "s1.b2.kernel", "s1.b2.expand"),
    ("resolution", "s2.b1.kernel", "s2.b1.expand"),
    ("resolution", "s2.depth", "s2.b3.kernel", "s2.b3.expand"),
    ("resolution", "s2.depth", "s2.b4.kernel", "s2.b4.expand"),
    ("resolution", "s2.b2.kernel", "s2.b2.expand"),
    ("resolution", "s3.b1.kernel", "s3.b1.expand"),
    ("resolution", "s3.depth", "s3.b3.kernel", "s3.b3.expand"),
    ("resolution", "s3.depth", "s3.b4.kernel", "s3.b4.expand"),
    ("resolution", "s3.b2.kernel", "s3.b2.expand"),
    ("resolution", "s4.b1.kernel", "s4.b1.expand"),
    ("resolution", "s4.depth", "s4.b3.kernel", "s4.b3.expand"),
    ("resolution", "s4.depth", "s4.b4.kernel", "s4.b4.expand"),
    ("resolution", "s4.b2.kernel", "s4.b2.expand"),
    ("resolution", "s5.b1.kernel", "s5.b1.expand"),
    ("resolution", "s5.depth", "s5.b3.kernel", "s5.b3.expand"),
    ("resolution", "s5.depth", "s5.b4.kernel", "s5.b4.expand"),
    ("resolution", "s5.b2.kernel", "s5.b2.expand"),
)

# What depends on 'resolution' alone.
T0 = {
    128: (1024, 256, 64, 16),
    132: (1089, 289, 81, 25),
    136: (1156, 289, 81, 25),
    140: (1225, 324, 81, 25),
    144: (1296, 324, 81, 25),
    148: (1369, 361, 100, 25),
    152: (1444, 361, 100, 25),
    156: (1521, 400, 100, 25),
    160: (1600, 400, 100, 25),
    164: (1681, 441, 121, 36),
    168: (1764, 441, 121, 36),
    172: (1849, 484, 121, 36),
    176: (1936, 484, 121, 36),
    180: (2025, 529, 144, 36),
    184: (2116, 529, 144, 36),
    188: (2209, 576, 144, 36),
    192: (2304, 576, 144, 36),
    196: (2401, 625, 169, 49),
    200: (2500, 625, 169, 49),
    204: (2601, 676, 169, 49),
    208: (2704, 676, 169, 49),
    212: (2809, 729, 196, 49),
    216: (2916, 729, 196, 49),
    220: (3025, 784, 196, 49),
    224: (3136, 784, 196, 49),
}
O2 = (3, 4, 6)
# What depends on 's1.depth' alone.
T3 = {1: 111163, 2: 111165, 3: 111167}
O5 = (3, 4, 6)
O7 = (3, 4, 6)
O9 = (3, 4, 6)
# What depends on 's2.b1.expand' alone.
T11 = {3: (24, 3), 4: (24, 4), 6: (40, 10)}
O11 = (3, 4, 6)
# What depends on 's2.depth' alone.
T12 = {1: 0, 2: 1, 3: 2}
# What depends on 's2.b2.expand' alone.
T14 = {3: (32, 3), 4: (40, 5), 6: (64, 12)}
O14 = (3, 4, 6)
# What depends on 's2.b3.expand' alone.
T16 = {3: (32, 3), 4: (40, 5), 6: (64, 12)}
O16 = (3, 4, 6)
# What depends on 's2.b4.expand' alone.
T18 = {3: (32, 3), 4: (40, 5), 6: (64, 12)}
O18 = (3, 4, 6)
O20 = (3, 4, 6)
# What depends on 's3.depth' alone.
T21 = {1: 0, 2: 1, 3: 2}
O23 = (3, 4, 6)
O25 = (3, 4, 6)
O27 = (3, 4, 6)
# What depends on 's4.b1.expand' alone.
T29 = {3: (64, 12), 4: (80, 20), 6: (120, 45)}
O29 = (3, 4, 6)
# What depends on 's4.depth' alone.
T30 = {1: 0, 2: 1, 3: 2}
# What depends on 's4.b2.expand' alone.
T32 = {3: (88, 33), 4: (112, 56), 6: (168, 126)}
O32 = (3, 4, 6)
# What depends on 's4.b3.expand' alone.
T34 = {3: (88, 33), 4: (112, 56), 6: (168, 126)}
O34 = (3, 4, 6)
# What depends on 's4.b4.expand' alone.
T36 = {3: (88, 33), 4: (112, 56), 6: (168, 126)}
O36 = (3, 4, 6)
# What depends on 's5.b1.expand' alone.
T38 = {3: (88, 33), 4: (112, 56), 6: (168, 126)}
O38 = (3, 4, 6)
# What depends on 's5.depth' alone.
T39 = {1: 0, 2: 1, 3: 2}
O41 = (3, 4, 6)
O43 = (3, 4, 6)
O45 = (3, 4, 6)
A0 = np.array([*T0.values()], dtype=np.uint32).T
V2 = np.array(O2, dtype=np.uint32)
A3 = np.array([*T3.values()], dtype=np.uint32).T
V5 = np.array(O5, dtype=np.uint32)
V7 = np.array(O7, dtype=np.uint32)
V9 = np.array(O9, dtype=np.uint32)
A11 = np.array([*T11.values()], dtype=np.uint32).T
V11 = np.array(O11, dtype=np.uint32)
A12 = np.array([*T12.values()], dtype=np.uint32).T
A14 = np.array([*T14.values()], dtype=np.uint32).T
V14 = np.array(O14, dtype=np.uint32)
A16 = np.array([*T16.values()], dtype=np.uint32).T
V16 = np.array(O16, dtype=np.uint32)
A18 = np.array([*T18.values()], dtype=np.uint32).T
V18 = np.array(O18, dtype=np.uint32)
V20 = np.array(O20, dtype=np.uint32)
A21 = np.array([*T21.values()], dtype=np.uint32).T
V23 = np.array(O23, dtype=np.uint32)
V25 = np.array(O25, dtype=np.uint32)
V27 = np.array(O27, dtype=np.uint32)
A29 = np.array([*T29.values()], dtype=np.uint32).T
V29 = np.array(O29, dtype=np.uint32)
A30 = np.array([*T30.values()], dtype=np.uint32).T
A32 = np.array([*T32.values()], dtype=np.uint32).T
V32 = np.array(O32, dtype=np.uint32)
A34 = np.array([*T34.values()], dtype=np.uint32).T
V34 = np.array(O34, dtype=np.uint32)
A36 = np.array([*T36.values()], dtype=np.uint32).T
V36 = np.array(O36, dtype=np.uint32)
A38 = np.array([*T38.values()], dtype=np.uint32).T
V38 = np.array(O38, dtype=np.uint32)
A39 = np.array([*T39.values()], dtype=np.uint32).T
V41 = np.array(O41, dtype=np.uint32)
V43 = np.array(O43, dtype=np.uint32)
V45 = np.array(O45, dtype=np.uint32)


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t90, t91, t96, t101 = T0[a["resolution"]]
    x1 = a["s1.b1.kernel"]
    x2 = a["s1.b1.expand"]
    x3 = a["s1.depth"]
    t103 = T3[x3]
    x4 = a["s1.b2.kernel"]
    x5 = a["s1.b2.expand"]
    x6 = a["s1.b3.kernel"] if x3 >= 2 else 0
    x7 = a["s1.b3.expand"] if x3 >= 2 else 0
    x8 = a["s1.b4.kernel"] if x3 == 3 else 0
    x9 = a["s1.b4.expand"] if x3 == 3 else 0
    x10 = a["s2.b1.kernel"]
    x11 = a["s2.b1.expand"]
    t71, t92 = T11[x11]
    x12 = a["s2.depth"]
    t104 = T12[x12]
    x13 = a["s2.b2.kernel"]
    x14 = a["s2.b2.expand"]
    t67, t93 = T14[x14]
    x15 = a["s2.b3.kernel"] if x12 >= 2 else 0
    x16 = a["s2.b3.expand"] if x12 >= 2 else 0
    t63, t94 = T16[x16] if x12 >= 2 else (0, 0)
    x17 = a["s2.b4.kernel"] if x12 == 3 else 0
    x18 = a["s2.b4.expand"] if x12 == 3 else 0
    t58, t95 = T18[x18] if x12 == 3 else (0, 0)
    x19 = a["s3.b1.kernel"]
    x20 = a["s3.b1.expand"]
    x21 = a["s3.depth"]
    t105 = T21[x21]
    x22 = a["s3.b2.kernel"]
    x23 = a["s3.b2.expand"]
    x24 = a["s3.b3.kernel"] if x21 >= 2 else 0
    x25 = a["s3.b3.expand"] if x21 >= 2 else 0
    x26 = a["s3.b4.kernel"] if x21 == 3 else 0
    x27 = a["s3.b4.expand"] if x21 == 3 else 0
    x28 = a["s4.b1.kernel"]
    x29 = a["s4.b1.expand"]
    t38, t97 = T29[x29]
    x30 = a["s4.depth"]
    t106 = T30[x30]
    x31 = a["s4.b2.kernel"]
    x32 = a["s4.b2.expand"]
    t34, t98 = T32[x32]
    x33 = a["s4.b3.kernel"] if x30 >= 2 else 0
    x34 = a["s4.b3.expand"] if x30 >= 2 else 0
    t30, t99 = T34[x34] if x30 >= 2 else (0, 0)
    x35 = a["s4.b4.kernel"] if x30 == 3 else 0
    x36 = a["s4.b4.expand"] if x30 == 3 else 0
    t25, t100 = T36[x36] if x30 == 3 else (0, 0)
    x37 = a["s5.b1.kernel"]
    x38 = a["s5.b1.expand"]
    t19, t102 = T38[x38]
    x39 = a["s5.depth"]
    t107 = T39[x39]
    x40 = a["s5.b2.kernel"]
    x41 = a["s5.b2.expand"]
    x42 = a["s5.b3.kernel"] if x39 >= 2 else 0
    x43 = a["s5.b3.expand"] if x39 >= 2 else 0
    x44 = a["s5.b4.kernel"] if x39 == 3 else 0
    x45 = a["s5.b4.expand"] if x39 == 3 else 0
    s0 = 24 * (x9 * x8 * x8 + x7 * x6 * x6 + x5 * x4 * x4) + 16 * x2 * x1 * x1
    s1 = 96 * (x9 + x7 + x5)
    s3 = x18 * x17 * x17 + x16 * x15 * x15 + x14 * x13 * x13
    s2 = 40 * s3 + 24 * x11 * x10 * x10
    s4 = 200 * (x18 + x16 + x14)
    s6 = x36 * x35 * x35 + x34 * x33 * x33 + x32 * x31 * x31
    s7 = x29 * x28 * x28 + x27 * x26 * x26 + x25 * x24 * x24 + x23 * x22 * x22
    s5 = 112 * s6 + 80 * s7 + 40 * x20 * x19 * x19
    s8 = 320 * (x27 + x25 + x23)
    s9 = 112 * (x36 + x34 + x32)
    s10 = 12544 * x38 + 15360 * x29 + 3200 * x20 + 40 * s8 + 224 * s9 + s5
    s12 = x45 * x44 * x44 + x43 * x42 * x42 + x41 * x40 * x40
    s11 = 160 * s12 + 112 * x38 * x37 * x37
    s13 = 40 * (x45 + x43 + x41)
    s15 = 9 * t92 + 20 * t93 + 20 * t94 + 20 * t95 + 20 * t97 + 14 * t98 + 14 * t99 + 14 * t100
    s15 += 14 * t102
    s14 = 12800 * (x45 * x45 + x43 * x43 + x41 * x41) + 128 * s15
    macs = t90 * (576 * x11 + 1408 * x2 + s0 + 12 * s1 + 3328)
    macs += t91 * (1600 * x20 + 960 * x11 + s2 + 16 * s4) + t96 * s10
    macs += t101 * (17920 * x38 + s11 + 1280 * s13 + 153600) + s14 + 2508800
    s16 = 24 * t103 + 80 * t104 + 160 * t105 + 224 * t106 + 320 * t107 + t19 + t25 + t30 + t34
    s16 += t38 + t58 + t63 + t67 + t71
    params = 31024 * x38 + 15760 * x29 + 4960 * x20 + 1656 * x11 + 704 * x2 + 13 * s1 + 17 * s4
    params += 41 * s8 + 229 * s9 + 1301 * s13 + s16 + s0 + s2 + s5 + s11 + s14
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
    p[1] *= 2
    p[4:11] *= 2
    p[13:20] *= 2
    p[22:29] *= 2
    p[31:38] *= 2
    p[40:45] *= 2
    p[1] += 3
    p[3] += 1
    p[4:11] += 3
    p[12] += 1
    p[13:20] += 3
    p[21] += 1
    p[22:29] += 3
    p[30] += 1
    p[31:38] += 3
    p[39] += 1
    p[40:45] += 3
    x1 = p[1]
    x3, x4 = p[3:5]
    x6 = p[6]
    x8 = p[8]
    x10 = p[10]
    x12, x13 = p[12:14]
    x15 = p[15]
    x17 = p[17]
    x19 = p[19]
    x21, x22 = p[21:23]
    x24 = p[24]
    x26 = p[26]
    x28 = p[28]
    x30, x31 = p[30:32]
    x33 = p[33]
    x35 = p[35]
    x37 = p[37]
    x39, x40 = p[39:41]
    x42 = p[42]
    x44 = p[44]
    t90, t91, t96, t101 = A0.take(i[0], axis=1)
    x2 = V2.take(i[2])
    t103 = A3.take(i[3])
    x5 = V5.take(i[5])
    c6 = (x3 >= 2).astype(p.dtype)
    x6 *= c6
    x7 = V7.take(i[7]) * c6
    c8 = (x3 == 3).astype(p.dtype)
    x8 *= c8
    x9 = V9.take(i[9]) * c8
    x11 = V11.take(i[11])
    t71, t92 = A11.take(i[11], axis=1)
    t104 = A12.take(i[12])
    x14 = V14.take(i[14])
    t67, t93 = A14.take(i[14], axis=1)
    c15 = (x12 >= 2).astype(p.dtype)
    x15 *= c15
    x16 = V16.take(i[16]) * c15
    t63, t94 = A16.take(i[16], axis=1) * c15
    c17 = (x12 == 3).astype(p.dtype)
    x17 *= c17
    x18 = V18.take(i[18]) * c17
    t58, t95 = A18.take(i[18], axis=1) * c17
    x20 = V20.take(i[20])
    t105 = A21.take(i[21])
    x23 = V23.take(i[23])
    c24 = (x21 >= 2).astype(p.dtype)
    x24 *= c24
    x25 = V25.take(i[25]) * c24
    c26 = (x21 == 3).astype(p.dtype)
    x26 *= c26
    x27 = V27.take(i[27]) * c26
    x29 = V29.take(i[29])
    t38, t97 = A29.take(i[29], axis=1)
    t106 = A30.take(i[30])
    x32 = V32.take(i[32])
    t34, t98 = A32.take(i[32], axis=1)
    c33 = (x30 >= 2).astype(p.dtype)
    x33 *= c33
    x34 = V34.take(i[34]) * c33
    t30, t99 = A34.take(i[34], axis=1) * c33
    c35 = (x30 == 3).astype(p.dtype)
    x35 *= c35
    x36 = V36.take(i[36]) * c35
    t25, t100 = A36.take(i[36], axis=1) * c35
    x38 = V38.take(i[38])
    t19, t102 = A38.take(i[38], axis=1)
    t107 = A39.take(i[39])
    x41 = V41.take(i[41])
    c42 = (x39 >= 2).astype(p.dtype)
    x42 *= c42
    x43 = V43.take(i[43]) * c42
    c44 = (x39 == 3).astype(p.dtype)
    x44 *= c44
    x45 = V45.take(i[45]) * c44
    s0 = 24 * (x9 * x8 * x8 + x7 * x6 * x6 + x5 * x4 * x4) + 16 * x2 * x1 * x1
    s1 = 96 * (x9 + x7 + x5)
    s3 = x18 * x17 * x17 + x16 * x15 * x15 + x14 * x13 * x13
    s2 = 40 * s3 + 24 * x11 * x10 * x10
    s4 = 200 * (x18 + x16 + x14)
    s6 = x36 * x35 * x35 + x34 * x33 * x33 + x32 * x31 * x31
    s7 = x29 * x28 * x28 + x27 * x26 * x26 + x25 * x24 * x24 + x23 * x22 * x22
    s5 = 112 * s6 + 80 * s7 + 40 * x20 * x19 * x19
    s8 = 320 * (x27 + x25 + x23)
    s9 = 112 * (x36 + x34 + x32)
    s10 = 12544 * x38 + 15360 * x29 + 3200 * x20 + 40 * s8 + 224 * s9 + s5
    s12 = x45 * x44 * x44 + x43 * x42 * x42 + x41 * x40 * x40
    s11 = 160 * s12 + 112 * x38 * x37 * x37
    s13 = 40 * (x45 + x43 + x41)
    s15 = 9 * t92 + 20 * t93 + 20 * t94 + 20 * t95 + 20 * t97 + 14 * t98 + 14 * t99 + 14 * t100
    s15 += 14 * t102
    s14 = 12800 * (x45 * x45 + x43 * x43 + x41 * x41) + 128 * s15
    macs = t90 * (576 * x11 + 1408 * x2 + s0 + 12 * s1 + 3328)
    macs += t91 * (1600 * x20 + 960 * x11 + s2 + 16 * s4) + t96 * s10
    macs += t101 * (17920 * x38 + s11 + 1280 * s13 + 153600) + s14 + 2508800
    s16 = 24 * t103 + 80 * t104 + 160 * t105 + 224 * t106 + 320 * t107 + t19 + t25 + t30 + t34
    s16 += t38 + t58 + t63 + t67 + t71
    params = 31024 * x38 + 15760 * x29 + 4960 * x20 + 1656 * x11 + 704 * x2 + 13 * s1 + 17 * s4
    params += 41 * s8 + 229 * s9 + 1301 * s13 + s16 + s0 + s2 + s5 + s11 + s14
    return macs, params
