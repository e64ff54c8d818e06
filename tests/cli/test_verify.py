"""`specc verify`: torch agrees with what specc says, and where it does not, the command says so."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from specc import api, pipeline
from specc.cli.commands import verify
from specc.cli.commands.verify import cases_of
from specc.schemas.costs import Verified
from specc.source import Source
from tests.helpers.commands import SMALL, specc

STATIC = """
supernet plain {
  input image(1, 8, 8);  classes 4
  norm batch
  stem { conv(8, kernel=3); norm; relu }
  head { pool(avg); linear(classes) }
}
method independent(subnets=[max])
"""


def test_an_elastic_network_agrees_with_torch(tmp_path: Path) -> None:
    (tmp_path / "small.specc").write_text(SMALL, encoding="utf-8")
    done = specc("verify", tmp_path / "small.specc", "--json", "-n", 2)
    assert done.code == 0, done.err
    assert Verified.model_validate_json(done.out).agrees
    assert done.json["agrees"] is True
    assert 3 <= len(done.json["cases"]) <= 4
    for case in done.json["cases"]:
        assert case["specc"] == case["torch"]
        assert 0 <= case["folded"] <= 1e-4


def test_a_static_network_agrees_with_torch() -> None:
    done = specc("verify", "-", stdin=STATIC)
    assert done.code == 0, done.err
    assert "agrees" in done.out
    assert "the network" in done.out


def test_a_static_network_in_blocks_agrees_with_torch() -> None:
    """Its layers multiply by no zero, so there is none to take off what torch counts."""
    wide = STATIC.replace("norm; relu }", "norm; relu; conv(16, kernel=3, connect=triangular(4)) }")
    done = specc("verify", "-", "--json", stdin=wide)
    assert done.code == 0, done.err
    (case,) = done.json["cases"]
    assert case["torch"]["macs"] == 64 * 9 * (8 + 10 * 2 * 4) + 16 * 4


def test_a_difference_is_a_bug_in_specc(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(compiled: pipeline.Compiled, at: Any = None) -> Mapping[str, str]:
        files = dict(right(compiled, at))
        files["model.py"] = files["model.py"].replace("bias=False", "bias=True")
        return files

    right = pipeline.compile_project
    monkeypatch.setattr(pipeline, "compile_project", wrong)
    done = specc("verify", "-", stdin=STATIC)
    assert done.code == 70
    assert "DIFFERS" in done.out
    assert "(torch: " in done.out
    assert "this is a bug in specc" in done.err


def test_a_project_that_does_not_run_is_a_bug_in_specc(monkeypatch: pytest.MonkeyPatch) -> None:
    right = pipeline.compile_project
    broken = {"model.py": "raise ValueError('no model')\n"}
    monkeypatch.setattr(pipeline, "compile_project", lambda compiled, at=None: {**right(compiled, at), **broken})
    done = specc("verify", "-", stdin=STATIC)
    assert done.code == 70
    assert "no model" in done.err


CHAIN = """
supernet chain {
  input image(1, 8, 8); classes 4
  norm batch
  width per_group {0.5, 0.75, 1.0} round 4
  stem { conv(16, kernel=3); norm; relu; conv(16, kernel=3); norm; relu }
  stage s1 { repeat 0..1 { residual { conv(16, kernel=3); norm; relu } } }
  head { pool(avg); linear(classes) }
}
"""


def test_as_many_different_sub_networks_are_checked_as_asked_for() -> None:
    """18 there are: the largest, the smallest and so many others, each once; all of them where these are no more."""
    net = api.Network(pipeline.load(Source("chain.specc", CHAIN)))
    assert net.space().size == 18
    for number, expected in ((1, 3), (3, 5), (10, 12), (15, 17), (16, 18), (17, 18), (1000, 18)):
        for seed in range(5):
            cases = cases_of(net, number, seed)
            assert len({tuple(case.items()) for case in cases}) == len(cases) == expected
            assert cases[:2] == [net.assignment("max"), net.assignment("min")]


def test_different_ones_are_found_in_large_spaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "LISTED", 1)
    net = api.Network(pipeline.load(Source("chain.specc", CHAIN)))
    for number, expected in ((1, 3), (3, 5), (10, 12)):
        cases = cases_of(net, number, 0)
        assert len({tuple(case.items()) for case in cases}) == len(cases) == expected


def test_a_space_smaller_than_asked_for_is_checked_whole() -> None:
    text = STATIC.replace("conv(8,", "conv({4, 6, 8, 12},").replace("method independent(subnets=[max])\n", "")
    done = specc("verify", "-", "--json", "--subnets", 3, stdin=text)
    assert done.code == 0, done.err
    assert sorted(case["at"]["stem.conv.out"] for case in done.json["cases"]) == [4, 6, 8, 12]


def test_json_has_null_for_a_difference_that_is_not_finite(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"params": 1, "params_total": 1, "macs": 1, "difference": float("nan"), "folded": float("inf")}
    monkeypatch.setattr(verify, "answers", lambda compiled, cases, folder: [found] * len(cases))
    done = specc("verify", "-", "--json", stdin=STATIC)
    assert done.code == 70
    (case,) = Verified.model_validate_json(done.out).cases
    assert (case.difference, case.folded, case.agrees) == (None, None, False)
    assert "NaN" not in done.out
