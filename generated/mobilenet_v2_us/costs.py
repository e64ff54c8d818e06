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
    0.35: (3705363, 209641),
    0.375: (5002687, 219675),
    0.4: (5043455, 221341),
    0.425: (5498616, 231391),
    0.45: (5540560, 233105),
    0.475: (6027620, 244323),
    0.5: (6070740, 246085),
    0.525: (6273061, 254423),
    0.55: (6666776, 260313),
    0.575: (9389461, 275267),
    0.6: (9434933, 277125),
    0.625: (10072521, 291463),
    0.65: (10119169, 293369),
    0.675: (10369706, 303675),
    0.7: (10852650, 310173),
    0.725: (11576086, 326431),
    0.75: (13066862, 329553),
    0.775: (13349151, 341155),
    0.8: (13905154, 349061),
    0.825: (14714291, 366647),
    0.85: (15887351, 371201),
    0.875: (16761315, 390579),
    0.9: (16813843, 392725),
    0.925: (17144348, 406295),
    0.95: (17783700, 414569),
    0.975: (18743512, 435867),
    1: (18798392, 438109),
}
A0 = np.array([*T0.values()], dtype=np.int32).T


def cost(a: Mapping[str, Any]) -> tuple[int, int]:
    """The MACs for one image and the parameters of one sub-network, by its assignment."""
    t20, t21 = T0[a["width"]]
    macs = 16 * t20
    params = 8 * t21
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
    t20, t21 = A0.take(i[0], axis=1)
    macs = 16 * t20
    params = 8 * t21
    return macs, params
