"""`specc sample --latency`: windows of predicted latency, with a table written by hand."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scipy import stats

from specc import api
from specc.pipeline import load
from specc.source import Source
from specc.space.window import in_nanoseconds
from specc.subnets.space import enumerate_space
from tests.helpers.commands import specc

SPEC = """
supernet small {
  input image(1, resolution=4..8 step 2);  classes 10
  norm batch
  width per_group {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } }; conv(24, kernel=3); norm; relu }
  head { pool(avg); linear(classes) }
}
"""
SIZES, WIDTHS, OUT = (4, 6, 8), (8, 12, 16), (12, 20, 24)


def milliseconds(at: dict[str, Any]) -> float:
    """What the table below predicts, by hand."""
    stem = at["resolution"] / 2
    middle = at["stem.conv.width"] / 100 if at["keep"] else 0
    return float(stem + middle + at["s1.conv2.width"] / 1000)


@pytest.fixture(scope="module")
def table() -> dict[str, Any]:
    middle = [width / 100_000 if keep else 0 for width in WIDTHS for keep in (False, True)]
    return {
        "network": "small",
        "device": "cpu",
        "threads": 1,
        "batch_size": 1,
        "choices": {"resolution": SIZES, "stem.conv.width": WIDTHS, "keep": (False, True), "s1.conv2.width": OUT},
        "blocks": [
            {"name": "stem", "choices": ["resolution"], "seconds": [size / 2000 for size in SIZES]},
            {"name": "s1.b1", "choices": ["stem.conv.width", "keep"], "seconds": middle},
            {"name": "s1.b2", "choices": ["s1.conv2.width"], "seconds": [width / 1e6 for width in OUT]},
        ],
    }


@pytest.fixture
def files(tmp_path: Path, table: dict[str, Any]) -> tuple[Path, Path]:
    spec, path = tmp_path / "small.specc", tmp_path / "latency.cpu.json"
    spec.write_text(SPEC)
    path.write_text(json.dumps(table))
    return spec, path


def everything() -> list[dict[str, Any]]:
    """Every sub-network, with all choices that the table names."""
    graph = load(Source("small.specc", SPEC)).graph
    return [dict(at) for at in enumerate_space(graph)]


@pytest.mark.parametrize(
    ("windows", "kinds"),
    [
        ({"latency": (2.1, 3.15)}, 1),
        ({"latency": (2.1, 3.15), "macs": (4_000, 30_000)}, 2),
        ({"latency": (2.1, 3.15), "params": (2_500, 4_500)}, 2),
        ({"latency": (2.1, 3.15), "macs": (9_000, 30_000), "params": (2_500, 4_500)}, 3),
    ],
)
def test_draws_are_uniform_within_all_windows(
    files: tuple[Path, Path], windows: dict[str, tuple[float, float]], kinds: int
) -> None:
    spec, path = files
    words = [f"--{kind}={low}..{high}" for kind, (low, high) in windows.items() if kind != "latency"]
    low, high = windows["latency"]
    times = f"--latency={low}ms..{high}ms"
    done = specc("sample", spec, "-n", 1500, times, "--latency-table", path, *words, "--json")
    assert done.code == 0
    rows = done.json
    for row in rows[:50]:
        assert row["latency"] * 1e3 == pytest.approx(milliseconds(row["at"]))
    fitting = []
    for at in everything():
        words = [f"{name}={option}" for name, option in at.items()]
        found = specc("cost", spec, "--at", ",".join(words), "--json").json
        values = {"latency": milliseconds(at), "macs": found["macs"], "params": found["params"]}
        if all(low - 1e-9 <= values[kind] <= high + 1e-9 for kind, (low, high) in windows.items()):
            fitting.append(json.dumps(found["at"]))
    assert len(windows) == kinds
    assert len(fitting) > 3
    drawn = Counter(json.dumps(row["at"]) for row in rows)
    assert set(drawn) == set(fitting)
    assert stats.chisquare([drawn[name] for name in fitting]).pvalue > 1e-4


def test_cost_predicts_a_latency(files: tuple[Path, Path], tmp_path: Path) -> None:
    spec, path = files
    found = specc("cost", spec, "--at", "resolution=6,keep=no", "--latency", path, "--json").json
    assert found["latency"] * 1e3 == pytest.approx(3 + 0.024)
    assert "4.184 ms   cpu, 1 thread, 1 image at a time\n" in specc("cost", spec, "--latency", path).out
    assert "latency" not in specc("cost", spec, "--json").json
    assert specc("cost", spec, "--latency", tmp_path / "none.json").code == 1


def test_the_python_api_draws_by_latency(files: tuple[Path, Path]) -> None:
    spec, path = files
    net = api.load(spec)
    drawn = net.sample(20, latency=(0.0021, 0.00315), latency_table=path)
    assert all(2.1 <= milliseconds(dict(at)) <= 3.15 for at in drawn)
    rng = random.Random(0)
    for nanoseconds in (rng.randrange(10**5, 10**8) for _ in range(200)):
        assert in_nanoseconds((nanoseconds / 1e9, nanoseconds / 1e9)) == (nanoseconds, nanoseconds)
        assert in_nanoseconds(((nanoseconds + 0.1) / 1e9, (nanoseconds + 0.9) / 1e9)) == (nanoseconds + 1, nanoseconds)
    with pytest.raises(ValueError, match="needs latency_table"):
        net.sample(1, latency=(None, 0.003))


def test_what_can_be_wrong_with_a_latency(files: tuple[Path, Path], table: dict[str, Any], tmp_path: Path) -> None:
    spec, path = files
    done = specc("sample", spec, "--latency-table", path)
    assert "latency" in done.out.splitlines()[0]
    assert done.err == "latencies by latency.cpu.json: cpu, 1 thread, 1 image at a time\n"
    assert specc("sample", spec, "--latency", "..3ms").code == 2
    assert "a time ends in s, ms or us" in specc("sample", spec, "--latency", "..3", "--latency-table", path).err
    assert specc("sample", spec, "--latency", "3ms..2ms", "--latency-table", path).code == 2
    missing = specc("sample", spec, "--latency", "..3ms", "--latency-table", tmp_path / "none.json")
    assert (missing.code, "cannot read" in missing.err) == (1, True)
    empty = specc("sample", spec, "--latency", "1us..2us", "--latency-table", path)
    assert "empty-window" in empty.err
    assert "the nearest latencies are 2.012 ms" in empty.err
    path.write_text(json.dumps(table | {"largest": {"params": 1}}))
    other = specc("cost", spec, "--latency", path).err
    assert "latency.cpu.json is not of this network: its largest sub-network has 1 params, not 6," in other
    path.write_text(json.dumps(table | {"choices": {"width": [1]}}))
    assert "wrong-latency-table" in specc("sample", spec, "--latency", "..3ms", "--latency-table", path).err
