"""A flag that is given twice is refused: the last one would count, and nobody be told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from specc.runtime.deploy.choosing import export_flags
from specc.runtime.deploy.exporting import export_flags as static_flags
from specc.runtime.latency.timing import bench_flags
from tests.helpers.commands import SMALL, specc


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["sample", "SPEC", "--seed", "1", "--seed", "2"], "--seed is given twice"),
        (["sample", "SPEC", "-n1", "-n", "2"], "-n is given twice"),
        (["sample", "SPEC", "--seed=1", "--json", "--seed=1"], "--seed is given twice"),
        (["cost", "SPEC", "--at", "min", "--at", "max"], "--at is given twice"),
        (["compile", "SPEC", "-o", "a", "--output", "b"], "-o and --output set the same thing: give one of them"),
        (["importance", "SPEC", "--directed", "--no-directed"], "--directed and --no-directed set the same thing"),
    ],
)
def test_the_command_line_refuses_it(tmp_path: Path, words: list[str], said: str) -> None:
    (tmp_path / "small.specc").write_text(SMALL)
    done = specc(*(str(tmp_path / "small.specc") if word == "SPEC" else word for word in words))
    assert (done.code, said in done.err) == (2, True), done.err


def test_what_loses_nothing_or_collects_may_be_given_twice(tmp_path: Path) -> None:
    (tmp_path / "small.specc").write_text("param a = 1\nparam b = 1\n" + SMALL)
    assert specc("check", tmp_path / "small.specc", "-q", "-q", "-p", "a=2", "-p", "b=2").code == 0


@pytest.mark.parametrize(
    ("flags", "words", "said"),
    [
        (export_flags, ["--at", "min", "--at", "max"], "--at is given twice"),
        (export_flags, ["--max-macs", "2e6", "--max-macs=1e6"], "--max-macs is given twice"),
        (static_flags, ["--opset", "17", "--ops", "18"], "--opset is given twice"),
        (bench_flags, ["-b", "2", "--batch-size", "4"], "-b and --batch-size set the same thing"),
        (bench_flags, ["-b2", "-b4"], "-b is given twice"),
    ],
)
def test_scripts_of_projects_refuse_it(
    flags: Callable[..., object],
    words: Sequence[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["script.py", *words])
    with pytest.raises(SystemExit) as stopped:
        flags()
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_values_that_look_like_flags_are_none() -> None:
    assert export_flags(["--at", "3", "--outputs", "s1", "s2", "--opset", "17"]).outputs == ["s1", "s2"]
