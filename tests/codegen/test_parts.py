"""The parts of a project that do not depend on its spec: where they land, and that a project has those it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from specc.codegen.parts import in_order, localised, path_of
from specc.pipeline import compile_project
from tests.helpers.folders import PACKAGE
from tests.helpers.projects import compiled, from_text


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("specc.runtime.net.plan", "elastic/net/plan.py"),
        ("specc.space.window", "elastic/space/window.py"),
        ("specc.portable.run.numerals", "elastic/run/numerals.py"),
        ("specc.ops.conv.torch", "elastic/layers/conv.py"),
        ("specc.methods.us_net.step", "us_net.py"),
        ("specc.methods.ofa.step_shrinking", "ofa_shrinking.py"),
        ("specc.methods.pss.keep_step", "pss_keep.py"),
        ("acme.toy.shares", "toy_shares.py"),
    ],
)
def test_every_part_has_its_place(module: str, path: str) -> None:
    assert path_of(module) == path


def test_imports_are_those_of_the_project() -> None:
    text = """\
from specc.space.window import draw_in_window
from specc.runtime.net.plan import (
    Cut,
    Plan,
)
from specc.runtime.deploy import bundle
if True:
    from specc.ops.conv.torch import Conv2d as Conv  # of an operator
"""
    assert (
        localised(text)
        == """\
from elastic.deploy import bundle
from elastic.net.plan import (
    Cut,
    Plan,
)
from elastic.space.window import draw_in_window
if True:
    from elastic.layers.conv import Conv2d as Conv  # of an operator
"""
    )


def test_only_imports_side_by_side_are_sorted() -> None:
    text = "from b import y\n\nfrom a import x\nimport z\n"
    assert in_order(text) == text


def imports(text: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import of a part."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("elastic"):
            yield from ((node.module, alias.name) for alias in node.names)


@pytest.mark.parametrize("name", ["digits", "digits_pss", "digits_vit_adn", "resnext47_hierarchical"])
def test_a_project_has_what_its_files_import_and_nothing_else(name: str) -> None:
    files = compile_project(compiled(name))
    there = {path for path in files if path.startswith("elastic/")}
    wanted = set()
    for path, text in files.items():
        pages = re.findall(r"```python\n(.*?)```", text, re.DOTALL) if path.endswith(".md") else []
        for code in [text] if path.endswith(".py") else pages:
            for module, imported in imports(code):
                file, inside = f"{module.replace('.', '/')}.py", f"{module.replace('.', '/')}/{imported}.py"
                assert (file in there) != (inside in there), f"{path} imports {imported} of {module}"
                wanted.add(file if file in there else inside)
    packages = {path for path in there if path.endswith("/__init__.py")}
    wanted |= there & {"elastic/net/pyramid.py"}  # a backbone is for code of the user's
    assert there - packages == wanted
    assert packages == {f"{p.rsplit('/', n)[0]}/__init__.py" for p in wanted for n in (1, 2)}


def test_a_network_without_choices_has_nothing_that_makes_networks_elastic() -> None:
    spec = """
supernet plain {
  input image(3, 32, 32);  classes 10
  norm batch
  stem { conv(8, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
"""
    files = compile_project(from_text(spec))
    rooms = {path.split("/")[1] for path in files if path.count("/") == 2}
    assert rooms == {"files", "run", "net", "data", "train", "outputs", "latency", "deploy"}
    net = {path for path in files if path.startswith("elastic/net/")}
    assert net == {f"elastic/net/{name}.py" for name in ("__init__", "branches", "extract", "resizing", "windows")}
    assert [path for path in files if path.endswith(".py") and "/" not in path] == [
        "bench.py",
        "export.py",
        "model.py",
        "train.py",
    ]
    assert list(imports(files["model.py"])) == []


def test_the_runtime_names_its_rooms_and_every_room_says_what_it_is_for() -> None:
    doc = (PACKAGE / "runtime" / "__init__.py").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (PACKAGE / "runtime").glob("*/__init__.py")}
    assert {line.split()[0] for line in doc.splitlines() if line.startswith("    ")} == {*rooms, "space"}
