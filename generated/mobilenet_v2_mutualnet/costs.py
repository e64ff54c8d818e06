"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice.
TOGETHER: tuple[tuple[str, ...], ...] = (("resolution", "width"),)

# What depends on 'resolution' alone.
T0 = {128: 16, 160: 25, 192: 36, 224: 49}
# What depends on 'width' alone.
T1 = {
    0.7: (219850, 310173),
    0.725: (234614, 326431),
    0.75: (265038, 329553),
    0.775: (270799, 341155),
    0.8: (282146, 349061),
    0.825: (298659, 366647),
    0.85: (322599, 371201),
    0.875: (340435, 390579),
    0.9: (341507, 392725),
    0.925: (348252, 406295),
    0.95: (361300, 414569),
    0.975: (380888, 435867),
    1: (382008, 438109),
}
A0 = np.array([*T0.values()], dtype=np.int32).T
A1 = np.array([*T1.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t17 = T0[a["resolution"]]
    t28, t29 = T1[a["width"]]
    macs = 16 * t17 * t28 + 1280000
    params = 8 * t29
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
    t17 = A0.take(i[0])
    t28, t29 = A1.take(i[1], axis=1)
    macs = 16 * t17 * t28 + 1280000
    params = 8 * t29
    return macs, params
