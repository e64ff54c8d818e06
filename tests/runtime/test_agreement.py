"""How predicted and measured latencies agree: scipy is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from specc.runtime.latency.block_times import agreement


def test_agreement_is_relative_and_by_rank() -> None:
    rng = np.random.default_rng(0)
    once = rng.random(50).round(1) + 1
    again = once + rng.normal(0, 0.02, 50).round(2)
    predicted = (once + rng.normal(0, 0.1, 50)).round(1)
    found = agreement(predicted.tolist(), once.tolist(), again.tolist())
    measured = (once + again) / 2
    assert found.error == pytest.approx(np.sqrt(((predicted - measured) ** 2).mean()) / measured.mean())
    assert found.spearman == pytest.approx(stats.spearmanr(predicted, measured).statistic)
    assert found.kendall == pytest.approx(stats.kendalltau(predicted, measured).statistic)
    assert found.mean == pytest.approx(measured.mean())
    assert f"differ by {found.noise:.2%}, which alone makes {found.noise / 2:.2%}" in found.text
    assert found.noise == pytest.approx(np.sqrt(((once - again) ** 2).mean()) / measured.mean())


def test_equal_latencies_have_no_order() -> None:
    found = agreement([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
    assert (found.spearman, found.kendall) == (0, 0)
    assert "RMSE 64.55% of the mean, 2000.000 ms" in found.text
