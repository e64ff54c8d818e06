"""The Python API gives what the commands give."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import specc
from specc.assignments import WrongAssignment
from tests.helpers.commands import SMALL
from tests.helpers.commands import specc as command
from tests.helpers.folders import SPECS


@pytest.fixture
def net(tmp_path: Path) -> specc.Network:
    path = tmp_path / "small.specc"
    path.write_text(SMALL, encoding="utf-8")
    return specc.load(path)


def test_what_there_is() -> None:
    assert set(specc.__all__) == {"Network", "SpecError", "SpecWarning", "__version__", "load"}
    with pytest.raises(AttributeError):
        specc.nothing  # noqa: B018


def test_graph_and_space(net: specc.Network) -> None:
    assert net.name == net.graph.name == "small"
    assert net.space().size == 72
    assert net.space().choices == net.graph.choices


def test_costs_are_the_command_s(net: specc.Network, tmp_path: Path) -> None:
    for at in ("max", "min"):
        value = command("cost", tmp_path / "small.specc", "--at", at, "--json").json
        report = net.cost(at)
        assert (report.macs, report.params, report.peak_bytes) == (value["macs"], value["params"], value["peak_bytes"])


def test_assignments(net: specc.Network) -> None:
    assert net.assignment({"keep": False, "width": 0.5})["keep"] == 0
    assert net.cost({"width": 0.5}).macs == net.cost({"width": "0.5"}).macs < net.cost().macs
    with pytest.raises(WrongAssignment, match="no option of `width`"):
        net.cost({"width": 0.3})
    with pytest.raises(ValueError, match="has no choice `depth`"):
        net.cost({"depth": 1})


@pytest.mark.parametrize("window", [(math.nan, None), (None, math.nan), (2e6, 1e6)])
def test_what_is_no_budget_is_refused(net: specc.Network, window: tuple[float | None, float | None]) -> None:
    with pytest.raises(ValueError, match="invalid budget"):
        net.sample(1, macs=window)
    with pytest.raises(ValueError, match="a positive number of draws"):
        net.sample(0, macs=(0, None))


def test_samples(net: specc.Network) -> None:
    half = net.cost("max").macs / 2
    drawn = net.sample(5, seed=2, macs=(None, half))
    assert len(drawn) == 5
    assert all(net.cost(at).macs <= half for at in drawn)
    assert drawn == net.sample(5, seed=2, macs=(None, half))


def test_compile(net: specc.Network, tmp_path: Path) -> None:
    files = net.compile(tmp_path / "out")
    assert (tmp_path / "out" / "model.py").read_text() == files["model.py"]
    static = net.compile(tmp_path / "static", at="min")
    assert "elastic" not in static["model.py"]


def test_errors_carry_every_diagnostic(tmp_path: Path) -> None:
    path = tmp_path / "x.specc"
    path.write_text(SMALL.replace("conv(16", "convv(16").replace("linear(", "linera("))
    with pytest.raises(specc.SpecError) as caught:
        specc.load(path)
    assert [d.rule.name for d in caught.value.diagnostics] == ["unknown-name", "unknown-name"]


def test_params() -> None:
    wide = specc.load(SPECS / "mobilenet_v2.specc", width_mult=1.4)
    assert wide.cost().params == 6_108_776
