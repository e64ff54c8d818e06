"""Warnings: shown and told in JSON, also under -q; errors under --strict, before anything is written."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path

import pytest

import specc
from specc import pipeline
from specc.diagnostics import Findings, SpecError, as_warning
from specc.source import Source
from tests.helpers.commands import specc as command
from tests.helpers.folders import PACKAGE, SPECS

WARNS = """\
supernet warns {
  input image(1, 8, 8); classes 10
  choice unused in {1, 2}
  choice wide in {4, 8}
  stem { conv(wide, kernel=3); relu }
  head { pool(avg); linear(classes) }
}
data digits
method us_net(subnets=2)
"""
FINE = WARNS.replace("  choice unused in {1, 2}\n", "")
OBJECTS = ("check", "cost", "plan", "space", "viz", "importance")
ARRAYS = ("sample", "query")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "warns.specc"
    path.write_text(WARNS, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", [*OBJECTS, *ARRAYS])
@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["", "quiet"])
def test_a_warning_is_shown_on_stderr_and_the_exit_code_is_0(name: str, quiet: tuple[str, ...], path: Path) -> None:
    done = command(name, path, *quiet)
    assert done.code == 0
    assert "warns.specc:3:10: warning[W101] unused-choice: nothing reads the choice `unused`\n" in done.err
    assert "         ^^^^^^\n" in done.err
    assert "warning[" not in done.out


@pytest.mark.parametrize("name", OBJECTS)
def test_a_json_object_has_the_warnings(name: str, path: Path) -> None:
    done = command(name, path, "--json")
    assert (done.code, done.err) == (0, "")
    (found,) = done.json["warnings"]
    assert (found["severity"], found["code"], found["rule"]) == ("warning", "W101", "unused-choice")
    assert (found["line"], found["column"]) == (3, 10)


@pytest.mark.parametrize("words", [("sample",), ("query", "SELECT name FROM ops")], ids=lambda words: words[0])
def test_beside_a_json_array_the_warnings_are_on_stderr(words: tuple[str, ...], path: Path) -> None:
    done = command(words[0], path, *words[1:], "--json")
    assert done.code == 0
    assert isinstance(done.json, list)
    assert "warning[W101]" in done.err


@pytest.mark.parametrize("name", [*OBJECTS, *ARRAYS])
def test_strict_makes_a_warning_an_error(name: str, path: Path) -> None:
    done = command(name, path, "--strict")
    assert (done.code, done.out) == (1, "")
    assert "warns.specc:3:10: error[W101] unused-choice: " in done.err
    told = command(name, path, "--strict", "--json")
    assert told.code == 1
    assert [(d["severity"], d["code"]) for d in told.json["diagnostics"]] == [("error", "W101")]
    assert told.json["warnings"] == []


def test_strict_writes_nothing(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = command("compile", path, "-o", out, "--strict")
    assert done.code == 1
    assert not out.exists()
    assert command("compile", path, "-o", out).code == 0
    assert out.exists()
    picture = tmp_path / "net.html"
    assert command("viz", path, "-o", picture, "--strict").code == 1
    assert not picture.exists()


@pytest.mark.parametrize("name", [*OBJECTS, *ARRAYS])
def test_strict_accepts_a_spec_without_warnings(name: str, path: Path) -> None:
    path.write_text(FINE, encoding="utf-8")
    done = command(name, path, "--strict", "--json")
    assert done.code == 0
    if isinstance(done.json, dict):
        assert done.json["warnings"] == []


def test_a_warning_beside_an_error_is_no_error(path: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.specc"
    broken.write_text(FINE.replace("conv(", "convv("), encoding="utf-8")
    done = command("check", path, broken)
    assert done.code == 1
    assert done.err.count("warning[W101]") == done.err.count("error[E212]") == 1
    told = command("check", path, broken, "--json").json
    assert [row["ok"] for row in told["specs"]] == [True, False]
    assert ([d["code"] for d in told["diagnostics"]], [d["code"] for d in told["warnings"]]) == (["E212"], ["W101"])
    strict = command("check", path, broken, "--json", "--strict").json
    assert [row["ok"] for row in strict["specs"]] == [False, False]


def test_check_counts_them(path: Path) -> None:
    assert "warns.specc: fine, with 1 warning\n" in command("check", path).err


def test_python_warns_once_for_each(path: Path) -> None:
    with pytest.warns(specc.SpecWarning) as caught:
        net = specc.load(path)
    (one,) = caught
    assert "warns.specc:3:10: [unused-choice] nothing reads the choice `unused`" in str(one.message)
    assert one.filename == __file__
    assert isinstance(one.message, specc.SpecWarning)
    assert net.compiled.warnings == (one.message.diagnostic,)
    assert [d.rule.code for d in pipeline.load(path).warnings] == ["W101"]


def test_python_can_make_them_errors(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", specc.SpecWarning)
        with pytest.raises(specc.SpecWarning, match="unused-choice"):
            specc.load(path)


def test_rules_and_explain_know_warnings() -> None:
    assert "W101  unused-choice" in command("rules").out
    assert "W101 unused-choice" in command("explain", "W101").out


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.specc")), ids=lambda path: path.stem)
def test_no_spec_of_ours_warns(path: Path) -> None:
    try:
        found = pipeline.load(path).warnings
    except SpecError as error:
        pytest.fail(str(error))
    assert [str(as_warning(d)) for d in found] == []


@pytest.mark.parametrize("path", sorted((PACKAGE / "cli" / "starters").glob("*.specc")), ids=lambda path: path.stem)
def test_no_starter_warns(path: Path) -> None:
    assert pipeline.load(path).warnings == ()


def test_errors_and_warnings_travel_between_processes() -> None:
    """They are pickled, or made again from their message, by whatever runs work in processes of its own."""
    findings = Findings()
    assert pipeline.compile_spec(Source("net.specc", WARNS), {}, findings) is not None
    told = as_warning(findings.warnings[0])
    again = pickle.loads(pickle.dumps(told))
    assert (str(again), again.diagnostic.rule) == (str(told), told.diagnostic.rule if told.diagnostic else None)
    assert str(specc.SpecWarning(*told.args)) == str(told)
    with pytest.raises(SpecError) as raised:
        pipeline.load(Source("net.specc", WARNS.replace("relu", "rellu")))
    error = pickle.loads(pickle.dumps(raised.value))
    assert (str(error), len(error.diagnostics)) == (str(raised.value), len(raised.value.diagnostics))
