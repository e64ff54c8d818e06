"""No spec can put code into a generated file, however odd its names, strings, comments and file names are."""

from __future__ import annotations

import ast
import json
import keyword
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from specc import pipeline
from specc.diagnostics import SpecError
from specc.source import Source

PYTHON = (
    *keyword.kwlist,
    *keyword.softkwlist,
    "self",
    "torch",
    "nn",
    "forward",
    "plan",
    "x",
    "net",
    "print",
    "__init__",
)
MODULE = (
    "train",
    "eval",
    "extract",
    "use",
    "parameters",
    "modules",
    "training",
    "to",
    "add_module",
    "state_dict",
    "super",
)
STRINGS = (
    "'); INJECTED(); ('",
    '\\"); INJECTED(); (\\"',
    '\\"\\"\\"\\nINJECTED()\\n\\"\\"\\"',
    "'''\\nINJECTED()\\n'''",
    "{INJECTED()}",
    "{{ INJECTED() }}",
    "{% for x in INJECTED() %}",
    "\\\\",
    "\\\\\\nINJECTED()",
    "\\nINJECTED()\\n",
    "# INJECTED()",
    "${INJECTED}",
    "`INJECTED`",
    "]\\nINJECTED = 1\\n[",
    "\u2028INJECTED()",
)


def spec(
    stage: str = "s1", block: str = "b", let: str = "c", choice: str = "k", text: str = "images", note: str = ""
) -> str:
    """A spec with a word in every place that takes one."""
    return f"""\
# {note}
let {let} = 16
block {block}({let}_, {choice}_=3) {{  # {note}
  conv({let}_, kernel={choice}_)
  norm
}}
supernet {stage}_net {{
  input image(1, 8, 8)
  classes 10
  norm batch
  choice {choice} in {{3, 5}}
  param {let}_param = 1
  stem {{ conv({let}, kernel={choice}); norm; relu }}
  stage {stage} {{
    skippable {block}_keep {{ {block}(16) }}
    repeat 0..1 as {let}_i {{ residual {{ {block}(16) }} }}
  }}
  head {{ pool(avg); linear(classes) }}
}}
method independent
data folder(path="{text}")
"""


def project(text: str, name: str = "hostile.specc") -> Mapping[str, str]:
    return dict(pipeline.compile_project(pipeline.load(Source(name, text))))


def assert_harmless(files: Mapping[str, str]) -> None:
    """Every file is still of its kind, and what was put in is nowhere code."""
    for path, text in files.items():
        assert all(part.isascii() and "INJECTED" not in part for part in path.split("/")), path
        if path.startswith("elastic/"):
            assert "INJECTED" not in text  # a copy: no spec reaches it
        elif path.endswith(".py"):
            for node in ast.walk(ast.parse(text, path)):
                word = getattr(node, "id", None) or getattr(node, "attr", None) or getattr(node, "name", None)
                assert word != "INJECTED", f"{path}:{getattr(node, 'lineno', 0)}"
        elif path.endswith(".toml"):
            assert "INJECTED" not in tomllib.loads(text)
        elif path.endswith(".json"):
            json.loads(text)


@pytest.mark.parametrize("text", STRINGS)
def test_strings(text: str) -> None:
    try:
        files = project(spec(text=text))
    except SpecError:
        return  # refused, with a diagnostic
    assert_harmless(files)


@pytest.mark.parametrize("text", ["'''", '"""', "{{ INJECTED() }}", "{# x #}", "\\", "%}", "\\N{BELL}", "*/", "-->"])
def test_comments(text: str) -> None:
    assert_harmless(project(spec(note=text)))


@pytest.mark.parametrize(
    "name",
    [
        "a'b.specc",
        'a"""\nINJECTED()\n.specc',
        "{{ INJECTED() }}.specc",
        "a\nINJECTED()\n.specc",
        "class.specc",
        "\\.specc",
        "#.specc",
    ],
)
def test_file_names(name: str) -> None:
    try:
        files = project(spec(), name)
    except SpecError:
        return
    assert_harmless(files)


@pytest.mark.parametrize("word", [*PYTHON, *MODULE])
def test_names(word: str) -> None:
    """A word of Python's in every place that takes a name: either refused where it stands, or written harmlessly."""
    for place in ("stage", "block", "let", "choice"):
        try:
            files = project(spec(**{place: word}))
        except SpecError:
            continue
        assert_harmless(files)


@pytest.mark.slow
@pytest.mark.parametrize("place", ["stage", "block", "let", "choice"])
def test_networks_with_python_words_for_names_run(place: str, tmp_path: Path) -> None:
    folders = []
    for word in (*PYTHON, *MODULE):
        try:
            files = project(spec(**{place: word}))
        except SpecError:
            continue
        folders.append(word)
        for path, text in files.items():
            target = tmp_path / word / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
    assert folders
    code = (
        "import importlib, sys, torch\n"
        f"for word in {folders}:\n"
        f"    sys.path[:0] = [{str(tmp_path)!r} + '/' + word]\n"
        "    for name in [m for m in sys.modules if m.split('.')[0] in ('model', 'space', 'costs', 'elastic')]:\n"
        "        del sys.modules[name]\n"
        "    net = importlib.import_module('model').Model().eval()\n"
        "    for at in ('max', 'min'):\n"
        "        assert net(torch.zeros(2, 1, 8, 8), net.plan(at)).shape == (2, 10), word\n"
        "    net.extract(net.plan('min'))(torch.zeros(2, 1, 8, 8))\n"
        "    sys.path.pop(0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
