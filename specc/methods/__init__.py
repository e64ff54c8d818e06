"""Sampling methods: one folder each, found by looking. See `protocol.Method` for what a folder holds.

A method need not be specc's own: a package that is installed with an entry point in the group `specc.methods`,

    [project.entry-points."specc.methods"]
    my_method = "my_package.my_method"

brings one, in a folder of the same make.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from specc.methods.protocol import Method
from specc.plugins import brought, folder_of

REFUSED: Final[Mapping[str, str]] = {
    "joslim": "Joslim searches widths and trains weights in alternation; no paper that specc follows defines it",
    "dsnet": "DS-Net lets a gate choose the width for every image; specc's sub-networks are chosen from outside",
}
"""Methods that people will ask for and that specc does not have: the reason, for the diagnostic."""


def method_names() -> tuple[str, ...]:
    """Every method's name, sorted; nothing of a method is imported."""
    return tuple(sorted({*own_names(), *brought("specc.methods")}))


def own_names() -> frozenset[str]:
    """The methods of specc's own folder."""
    return frozenset(folder.parent.name for folder in Path(__file__).parent.glob("*/__init__.py"))


def method_package(name: str) -> str | None:
    """The dotted name of a method's package, or None. specc's own come first, and are found without searching."""
    own = (Path(__file__).parent / name / "__init__.py").is_file()
    return f"specc.methods.{name}" if own else brought("specc.methods").get(name)


def find_method(name: str) -> Method | None:
    """The method of that name, or None. Imports its folder alone, because `specc check` is timed."""
    package = method_package(name)
    if package is None:
        return None
    method: Method = import_module(package).METHOD
    return method


def method_folder(name: str) -> Path:
    """The folder of a method that exists."""
    package = method_package(name)
    assert package is not None, name
    return folder_of(package)


def project_module(folder: str, module: str) -> str:
    """What a module of a method's folder is called in a project, beside train.py: `step` after the method, others
    after both."""
    rest = module.replace("step", "").strip("_")
    return f"{folder}_{rest}" if rest else folder


def project_modules() -> frozenset[str]:
    """The names that modules of methods have in projects."""
    folders = (method_folder(name) for name in method_names())
    return frozenset(project_module(folder.name, file.stem) for folder in folders for file in folder.glob("*.py"))
