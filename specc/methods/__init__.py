"""Sampling methods: one folder each, found by looking. See `protocol.Method` for what a folder holds.

A method need not be specc's own: a package that is installed with an entry point in the group `specc.methods`,

    [project.entry-points."specc.methods"]
    my_method = "my_package.my_method"

brings one, in a folder of the same make.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from specc.methods.protocol import Method
from specc.plugins import BrokenPackage, brought, folder_of, held

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
    """The method of that name, or None. Imports its folder alone, because `specc check` is timed.

    Raises BrokenPackage where a package brings it and it is not complete.
    """
    package = method_package(name)
    if package is None:
        return None
    method: Method = held(package, "METHOD")
    wrong = "" if package.startswith("specc.") else lacking(method, name, folder_of(package))
    if wrong:
        raise BrokenPackage(f"the method `{name}` of the installed package `{package}` {wrong}")
    return method


def lacking(method: Method, name: str, folder: Path) -> str:
    """What a method from outside has not that every method has; "" where it is complete."""
    members = sorted(word for word in {*vars(Method), *Method.__annotations__} if not word.startswith("_"))
    for member in members:
        if not hasattr(method, member):
            return f"has no `{member}`"
    if method.name != name:
        return f"calls itself `{method.name}`"
    return next((f"has no file {file}" for file in ("step.py", "loop.jinja") if not (folder / file).is_file()), "")


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
    folders = (folder for folder in map(usable_folder, method_names()) if folder is not None)
    return frozenset(project_module(folder.name, file.stem) for folder in folders for file in folder.glob("*.py"))


def usable_folder(name: str) -> Path | None:
    """The folder of a method; None where its package cannot be used, so that no project has it."""
    try:
        return method_folder(name)
    except BrokenPackage:
        return None
