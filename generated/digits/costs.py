"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (("width", "s1.depth"), ("width", "s2.depth"))

# What depends on 'width' alone.
T0 = {
    0.2: (11465, 872, 198, 678, 63, 231),
    0.3: (26775, 1838, 490, 1610, 145, 505),
    0.4: (38226, 2681, 793, 2561, 198, 678),
    0.5: (62304, 4093, 1168, 3728, 328, 1096),
    0.6: (92142, 5793, 1615, 5111, 490, 1610),
    0.7: (112425, 7200, 2134, 6710, 583, 1903),
    0.8: (152823, 9574, 2938, 9178, 793, 2561),
    0.9: (178738, 11361, 3625, 11281, 910, 2926),
    1: (227008, 14069, 4384, 13600, 1168, 3728),
}
A0 = np.array([*T0.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t14, t15, t16, t17, t18, t19 = T0[a["width"]]
    x1 = a["s1.depth"]
    x2 = a["s2.depth"]
    macs = 96 * x2 * t16 + 384 * x1 * t18 + 4 * t14
    params = 2 * (x2 * t17 + x1 * t19 + t15)
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
    x1, x2 = p[1:3]
    t14, t15, t16, t17, t18, t19 = A0.take(i[0], axis=1)
    macs = 96 * x2 * t16 + 384 * x1 * t18 + 4 * t14
    params = 2 * (x2 * t17 + x1 * t19 + t15)
    return macs, params
