"""How well a latency table predicts: its sums against the latencies of whole sub-networks.

Rank correlations are computed here, as projects do without scipy; tests hold them to scipy.stats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Predicted against measured latencies of whole sub-networks.

    error     root mean square error as a share of the mean latency
    spearman  correlation of their ranks
    kendall   pairs in the same order less those in the other, as a share of all (tau-b)
    mean      the mean latency in seconds
    noise     by what share of the mean two measurements of one sub-network differ (root mean square); it makes an
              error of half of it, as what is predicted is the mean of the two
    """

    error: float
    spearman: float
    kendall: float
    mean: float
    noise: float

    @property
    def text(self) -> str:
        return (
            f"RMSE {self.error:.2%} of the mean, {1e3 * self.mean:.3f} ms; rank correlation "
            f"{self.spearman:.3f} (Spearman), {self.kendall:.3f} (Kendall); "
            f"measured twice they differ by {self.noise:.2%}, which alone makes {self.noise / 2:.2%}"
        )


def agreement(
    predicted: Sequence[float], measured: Sequence[float], again: Sequence[float]
) -> Agreement:
    """How well predictions tell the mean of two measurements."""
    p, m = np.array(predicted), (np.array(measured) + np.array(again)) / 2
    apart = np.array(measured) - np.array(again)
    return Agreement(
        error=float(np.sqrt(np.mean((p - m) ** 2)) / np.mean(m)),
        spearman=correlation(ranks(p), ranks(m)),
        kendall=correlation(orders(p), orders(m), centred=False),
        mean=float(np.mean(m)),
        noise=float(np.sqrt(np.mean(apart**2)) / np.mean(m)),
    )


def correlation(left: np.ndarray, right: np.ndarray, centred: bool = True) -> float:
    """The cosine between two series, or between what they are apart from their means; 0 where one is constant."""
    if centred:
        left, right = left - left.mean(), right - right.mean()
    size = float(np.sqrt((left**2).sum() * (right**2).sum()))
    return float((left * right).sum() / size) if size else 0.0


def ranks(values: np.ndarray) -> np.ndarray:
    """The ranks of values; equal ones share the mean of theirs."""
    _, back, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    shared: np.ndarray = ((2 * last - counts - 1) / 2)[back.reshape(-1)]
    return shared


def orders(values: np.ndarray) -> np.ndarray:
    """-1, 0 or 1 for every pair of values: which one is larger."""
    signs: np.ndarray = np.sign(values[:, None] - values[None, :])
    return signs
