"""Random numbers that are functions of (seed, split, index): whoever draws them, in whatever order, gets the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def uniform(seed: int, split: int, indices: NDArray[np.int64], first: int, count: int) -> Floats:
    """Numbers in [0, 1) (n, count): the ones from `first` on of each image's own sequence."""
    hashes = bits(seed, split, indices, first, count) >> np.uint64(40)
    numbers: Floats = hashes.astype(np.float32) / np.float32(1 << 24)
    return numbers


def grains(seed: int, split: int, indices: NDArray[np.int64], first: int, count: int) -> Floats:
    """Noise in [-1/2, 1/2] of 256 levels (n, count): eight numbers from each hash, from number `first` on."""
    hashes = bits(seed, split, indices, first, -(-count // 8))
    levels = hashes.astype("<u8").view(np.uint8)[:, :count]
    noise: Floats = levels.astype(np.float32) / np.float32(255) - np.float32(0.5)
    return noise


def bits(
    seed: int, split: int, indices: NDArray[np.int64], first: int, count: int
) -> NDArray[np.uint64]:
    """Random bits (n, count): the ones from `first` on of each image's own sequence.

    Steele, Lea and Flood's SplitMix64, a hash of the place in the sequence, so that no image waits for another.
    """
    step = np.uint64(0x9E3779B97F4A7C15)
    stream = hashed(np.array([(2 * seed + split) % (1 << 64)], np.uint64))
    start = hashed(stream + indices.astype(np.uint64) * step)
    return hashed(start[:, None] + np.arange(first + 1, first + count + 1, dtype=np.uint64) * step)


def hashed(z: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finish, wrapping around at 2^64."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))
