"""generated/ is what the compiler makes of specs/, both ways. `make generated` writes it; no test does."""

from __future__ import annotations

import ast

import pytest

from specc.codegen.install import MARK, marked
from specc.methods import method_names
from specc.pipeline import load
from tests.generated import (
    SHOWCASE,
    differences,
    digest,
    linked,
    own,
    project,
    shared_parts,
    tree,
    unlike,
    written_manifest,
)
from tests.helpers.folders import GENERATED, SPECS, spec_names

HELP = "if this is meant, `make generated` writes it anew"


@pytest.mark.parametrize("name", spec_names())
def test_projects_are_what_the_compiler_makes(name: str) -> None:
    files = project(name)
    assert written_manifest().get(name) == digest(own(files)), f"{name} has changed; {HELP}"
    assert unlike(files, shared_parts()) == []
    assert files[MARK] == marked({path: text for path, text in files.items() if path != MARK})[MARK]
    if name in SHOWCASE:
        assert differences(name, own(files)) == [], HELP
        assert linked(name)


def test_the_parts_that_all_share_are_what_the_compiler_copies() -> None:
    assert differences("elastic", shared_parts()) == [], HELP


@pytest.mark.parametrize("name", SHOWCASE)
def test_scripts_are_short(name: str) -> None:
    """Each shows what it does in a page; the training loop, which is the paper's, may take some more."""
    files = tree(GENERATED / name)
    lines = {path: files[path].count("\n") for path in ("search.py", "export.py", "bench.py")}
    assert max(lines.values()) <= 60, lines


def test_every_method_is_shown() -> None:
    assert {load(SPECS / f"{name}.specc").model.method.name for name in SHOWCASE} == set(method_names())


def test_nothing_else_stands_there() -> None:
    assert sorted(written_manifest()) == spec_names()
    assert sorted(path.name for path in GENERATED.iterdir()) == sorted(["MANIFEST", "README.md", "elastic", *SHOWCASE])


@pytest.mark.parametrize("name", spec_names())
def test_compiling_again_gives_the_same_bytes_of_python_that_names_no_machine(name: str) -> None:
    files = project(name)
    assert digest(own(files)) == written_manifest()[name]
    for path, text in files.items():
        assert not path.startswith("/")
        assert ".." not in path.split("/")
        if path.endswith(".py"):
            for node in ast.walk(ast.parse(text, path)):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom) and node.module:
                    names.append(node.module)
                assert not any(name.split(".")[0] == "specc" for name in names), path
