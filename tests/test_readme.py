"""What the README shows is what happens: its spec compiles to the code beside it, its commands and its Python run."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from specc import pipeline
from specc.cli.main import command_names
from specc.source import Source
from tests.cli.commands import specc
from tests.folders import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
FENCES = re.findall(r"^```([^\n]*)\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def fences(language: str) -> list[tuple[str, str]]:
    """The rest of the first line and the text of every fence of a language."""
    return [(words[len(language) :].strip(), text) for words, text in FENCES if words.split(" ")[0] == language]


def test_the_spec_becomes_the_code_beside_it() -> None:
    ((name, spec),) = fences("specc")
    assert len(spec.splitlines()) <= 25
    assert specc("fmt", "-", "--check", stdin=spec).code == 0
    files = pipeline.compile_project(pipeline.load(Source(f"{name}.specc", spec)))
    shown = [(path, text) for path, text in fences("python") if path]
    assert shown
    for path, text in shown:
        assert text.strip() in files[path.removeprefix(f"{name}/")], path


def test_the_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for _, text in fences("sh"):
        for line in text.splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] == "specc":
                done = specc(*words[1:])
                assert done.code == 0, f"{line}\n{done.err}"
    assert (tmp_path / "mynet" / "model.py").is_file()
    for path, text in fences("python"):
        if not path:
            exec(compile(text, "README.md", "exec"), {})
    assert "sub-networks" in capsys.readouterr().out


def test_every_command_is_named() -> None:
    assert all(f"`specc {name} " in README or f"`specc {name}`" in README for name in command_names())


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target
