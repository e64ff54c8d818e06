"""Packages from outside that cannot be used: one message that names the package, the file and the line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from specc.analyses import find_analysis
from specc.plugins import BrokenPackage
from tests.helpers.commands import SMALL, specc
from tests.helpers.scripts import write_files

HEALTHY = {
    "__init__.py": "",
    "rules.py": """
from specc.ir.operator import Built, NoParams, Operator
from specc.ir.parameter import Signature

class Shiny(Operator):
    kind = "shiny"
    signature = Signature("shiny", (), "Shines.")

    def build(self, call):
        return Built(NoParams(), ((call.inputs[0].channels, call.inputs[0].space),))

OPERATORS = (Shiny(),)
""",
    "write.py": "from specc.ops.writing import Writer\nWRITERS = (Writer('shiny', None),)\n",
}
METHOD = """
from specc.ir.parameter import Signature
from specc.methods.protocol import Basics

class Gilded(Basics):
    def subnets_per_step(self, graph, call):
        return 1

    def check(self, graph, call, report):
        return None

METHOD = Gilded(Signature("gilded", (), "gilds"))
"""
Install = Callable[[str, dict[str, str]], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Installs a package `acme`, one entry point of a group, with some files."""

    def installed(point: str, files: dict[str, str]) -> Path:
        folder = tmp_path / "site"
        write_files(folder / "acme", files)
        group, _, line = point.partition(": ")
        about = {"METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n"}
        write_files(folder / "acme-1.0.dist-info", about | {"entry_points.txt": f"[specc.{group}]\n{line}\n"})
        monkeypatch.syspath_prepend(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
            monkeypatch.delitem(sys.modules, name)
        return folder / "acme"

    return installed


def written(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in SMALL
    (folder / "small.specc").write_text(SMALL.replace(old, new, 1) if old else SMALL)
    return folder / "small.specc"


SHINY = ("    relu6\n  }", "    relu6\n    shiny\n  }")
OPERATORS: dict[str, tuple[dict[str, str], list[str]]] = {
    "raises": (
        HEALTHY | {"rules.py": "import json\n\njson.loads('{')\n"},
        ["acme", "JSONDecodeError", "rules.py, line 3"],
    ),
    "needs what is not installed": (
        HEALTHY | {"rules.py": "\nimport no_such_module\n"},
        ["acme", "No module named 'no_such_module'", "rules.py, line 2"],
    ),
    "is no Python": (HEALTHY | {"rules.py": "x = 1\nclass (\n"}, ["acme", "SyntaxError", "rules.py, line 2"]),
    "has no rules": ({"__init__.py": ""}, ["acme", "No module named 'acme.rules'"]),
    "lists nothing": (HEALTHY | {"rules.py": "OPERATOR = ()\n"}, ["acme.rules", "no `OPERATORS`"]),
    "lists what is none": (HEALTHY | {"rules.py": "OPERATORS = (1,)\n"}, ["acme.rules", "'int' object"]),
    "lists another": (
        HEALTHY | {"rules.py": HEALTHY["rules.py"].replace('"shiny"', '"dull"')},
        ["acme", "no operator `shiny`"],
    ),
    "leaves": (HEALTHY | {"rules.py": "raise SystemExit('bye')\n"}, ["acme", "SystemExit: bye", "rules.py, line 1"]),
}


@pytest.mark.parametrize("fault", OPERATORS)
def test_an_operator_s_package_cannot_be_imported(install: Install, tmp_path: Path, fault: str) -> None:
    files, parts = OPERATORS[fault]
    install("operators: shiny = acme", files)
    for words in (["check", written(tmp_path, *SHINY)], ["explain", "shiny"]):
        done = specc(*words)
        assert done.code == 1, done
        assert "bug in specc" not in done.err
        assert "Traceback" not in done.err
        assert [part for part in parts if part not in done.err] == [], done.err
        assert len(done.err.strip().splitlines()) <= 2, done.err


def test_a_package_that_is_not_there(install: Install, tmp_path: Path) -> None:
    install("operators: shiny = acme.gone", HEALTHY)
    done = specc("check", written(tmp_path, *SHINY))
    assert (done.code, "No module named 'acme.gone'" in done.err) == (1, True), done.err


def test_a_broken_package_that_nothing_needs_is_no_obstacle(install: Install, tmp_path: Path) -> None:
    install("operators: shiny = acme", {"__init__.py": "1 / 0\n"})
    assert specc("check", written(tmp_path)).code == 0
    assert specc("explain", "operators").code == 0
    done = specc("check", written(tmp_path, "    relu6\n  }", "    relu7\n  }"))
    assert done.code == 1
    assert "relu6" in done.err
    assert "acme" not in done.err
    assert specc("compile", written(tmp_path), "-o", tmp_path / "small").code == 0


def test_a_norm_may_be_the_broken_package_s(install: Install, tmp_path: Path) -> None:
    install("operators: shiny_norm = acme", {"__init__.py": "1 / 0\n"})
    done = specc("check", written(tmp_path, "norm batch\n", "norm shiny\n"))
    assert done.code == 1
    assert "__init__.py, line 1" in done.err


def test_what_writes_an_operator_is_missing(install: Install, tmp_path: Path) -> None:
    install("operators: shiny = acme", {k: v for k, v in HEALTHY.items() if k != "write.py"})
    done = specc("compile", written(tmp_path, *SHINY), "-o", tmp_path / "small")
    assert done.code == 1
    assert "acme" in done.err
    assert "No module named 'acme.write'" in done.err
    assert not (tmp_path / "small").exists()


def test_a_method_s_package_cannot_be_imported(install: Install, tmp_path: Path) -> None:
    install("methods: gilded = acme", {"__init__.py": METHOD.replace("Basics", "Basis", 1)})
    for words in (["check", written(tmp_path, "us_net(subnets=4)", "gilded")], ["explain", "gilded"]):
        done = specc(*words)
        assert (done.code, "acme" in done.err, "bug" in done.err) == (1, True, False), done.err
        assert "__init__.py, line 3" in done.err
    assert specc("compile", written(tmp_path), "-o", tmp_path / "small").code == 0


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [("def check(", "def checks(", "no `check`"), ('"gilded"', '"silvered"', "calls itself `silvered`")],
)
def test_a_method_lacks_what_all_have(install: Install, tmp_path: Path, old: str, new: str, part: str) -> None:
    install("methods: gilded = acme", {"__init__.py": METHOD.replace(old, new)})
    done = specc("check", written(tmp_path, "us_net(subnets=4)", "gilded"))
    assert (done.code, part in done.err) == (1, True), done.err


def test_an_analysis_is_none(install: Install) -> None:
    install("analyses: census = acme.census", {"__init__.py": "", "census.py": "ANALYSIS = len\n"})
    with pytest.raises(BrokenPackage, match=r"acme\.census"):
        find_analysis("census")


@pytest.mark.parametrize("missing", ["step.py", "loop.jinja"])
def test_a_method_s_file_is_missing(install: Install, tmp_path: Path, missing: str) -> None:
    files = {"__init__.py": METHOD, "step.py": "", "loop.jinja": ""}
    install("methods: gilded = acme", {name: text for name, text in files.items() if name != missing})
    done = specc("check", written(tmp_path, "us_net(subnets=4)", "gilded"))
    assert (done.code, f"`acme` has no file {missing}" in done.err) == (1, True), done.err


def test_an_error_while_it_is_asked_is_the_package_s_and_not_specc_s(install: Install, tmp_path: Path) -> None:
    rules = HEALTHY["rules.py"].replace("return Built(", "call.nothing\n        return Built(")
    install("operators: shiny = acme", HEALTHY | {"rules.py": rules})
    done = specc("check", written(tmp_path, *SHINY))
    assert done.code == 70
    assert "bug in the package `acme`" in done.err
    assert "rules.py, line 10" in done.err
    assert "bug in specc" not in done.err
