"""What the README shows is what happens: its spec compiles to the code beside it, its commands and its Python run."""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from pathlib import Path

import pytest

from specc import pipeline
from specc.cli.main import command_names
from specc.methods import method_names
from specc.pipeline import load
from specc.source import Source
from tests.helpers.commands import specc
from tests.helpers.folders import ROOT, SPECS
from tests.helpers.projects import compiled, project
from tests.helpers.scripts import run

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
    shown = [(path, text) for path, text in fences("python") if path.endswith(".py")]
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


OWN = """
from torch import nn

class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(16)

    def forward(self, x):
        return x + self.norm(self.conv(x)).relu()

def build():
    stem = [nn.Conv2d(1, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return nn.Sequential(*stem, Residual(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 10))
"""
SMALLER = {
    "torchvision:resnet50 --weights pretrained": "mine.py:build --input 1,1,8,8",
    "--dataset folder --data-path ~/images": "--dataset digits",
    "--epochs 30": "--epochs 1",
    "--epochs 10": "--epochs 1",
}
"""What README's commands for a network of one's own say, and what they are tested with: no download, little time."""


@pytest.mark.parametrize("last", ["search.py", pytest.param("export.py", marks=pytest.mark.slow)])
def test_a_network_of_ones_own(last: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(OWN, encoding="utf-8")
    ((_, text),) = fences("bash")
    for said, tested in SMALLER.items():
        assert said in text, said
        text = text.replace(said, tested)
    done = []
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words[0] == "specc":
            ran = specc(*words[1:])
            assert ran.code == 0, f"{line}\n{ran.err}"
        elif words[0] == "python":
            run(tmp_path / "net", *words[1:])
        else:
            assert words == ["cd", "net"]
        done.append(words[1])
        if words[1] == last:
            break
    spec = (tmp_path / "net.specc").read_text(encoding="utf-8")
    assert "width per_group 0.5..1.0 round 8" in spec
    assert "skippable" in spec
    assert done[-1] == last
    assert (tmp_path / "net" / "runs" / "pareto.json").is_file()
    if last == "export.py":
        assert (tmp_path / "net" / "runs" / "export" / "original.safetensors").is_file()


@pytest.mark.parametrize(("where", "text"), [fence for fence in fences("python") if fence[0].startswith("in ")])
def test_what_is_shown_of_projects_runs_in_them(where: str, text: str, tmp_path: Path) -> None:
    from torchvision.models.detection import FasterRCNN

    made = project(compiled(where.removeprefix("in ")), tmp_path)
    with made.known():
        pyramid = importlib.import_module("elastic.net.pyramid")
        own = importlib.import_module("elastic.train.draws")
        sys.modules.pop("elastic.net.pyramid")
        sys.modules.pop("elastic.train.draws")
    names = {"Model": made.model.Model, "Pyramid": pyramid.Pyramid, "FasterRCNN": FasterRCNN, "draws": own.draws}
    names["Trainer"] = object  # Hugging Face's, of which a method is overridden
    exec(compile(text, "README.md", "exec"), names)


def test_every_method_has_its_row_and_its_specs() -> None:
    rows = [line.strip("|").split("|") for line in README.splitlines() if re.match(r"\| `\w+` \| [^|]+\| `\w+", line)]
    assert sorted(row[0].strip(" `") for row in rows) == sorted(method_names())
    for row in rows:
        for name in re.findall(r"`(\w+)`", "".join(row[2:])):
            assert load(SPECS / f"{name}.specc").model.method.name == row[0].strip(" `"), name


def test_every_command_is_named() -> None:
    assert all(f"`specc {name} " in README or f"`specc {name}`" in README for name in command_names())


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if "://" not in target:
            assert (ROOT / target).exists(), target


def test_the_tests_that_show_something_are_there() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)`", README)
    assert len(named) >= 5
    for path in named:
        assert "\ndef test_" in (ROOT / path).read_text(encoding="utf-8"), path
