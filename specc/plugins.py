"""What installed packages bring: operators, methods and analyses of other people's, found by their entry points.

A package brings a method by a line in its pyproject.toml, and likewise an operator or an analysis:

    [project.entry-points."specc.methods"]
    my_method = "my_package.my_method"

Entry points are read where a name is none of specc's own, and not before: that costs as much as `specc check` itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, TypeAlias

Group: TypeAlias = Literal["specc.operators", "specc.methods", "specc.analyses"]


def brought(group: Group) -> Mapping[str, str]:
    """The dotted name of the package, or of the module, of everything that distributions bring, by its name."""
    import sys

    return read(group, tuple(sys.path))


@lru_cache(maxsize=8)
def read(group: str, path: tuple[str, ...]) -> Mapping[str, str]:
    """The entry points of a group in the folders of a path."""
    from importlib.metadata import entry_points

    return {point.name: point.value for point in sorted(entry_points(group=group), key=lambda point: point.name)}


class BrokenPackage(Exception):
    """An installed package cannot be used. The text names it, what is wrong, and the line."""


def held(module: str, name: str) -> Any:
    """What a module holds under a name. Raises BrokenPackage where the module is not specc's own and cannot be used."""
    if module.startswith("specc."):
        return getattr(import_module(module), name)
    found = imported(module)
    if not hasattr(found, name):
        raise BrokenPackage(f"the installed package `{module}` has no `{name}`")
    return getattr(found, name)


def imported(module: str) -> Any:
    """A module from outside. Raises BrokenPackage where importing it fails, in whatever way."""
    try:
        return import_module(module)
    except (Exception, SystemExit) as error:
        from specc.portable.run.raised import raised

        text = raised(error, home_of(module.split(".")[0]))
        raise BrokenPackage(f"the installed package `{module}` cannot be imported: {text}") from error


def home_of(root: str) -> Path:
    """The folder of a package that may fail to import; the current one where there is none."""
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec(root)
    return Path(spec.origin).parent if spec and spec.origin else Path()


def folder_of(package: str) -> Path:
    """Where a package lies. It is imported."""
    file = imported(package).__file__
    assert file is not None, package
    return Path(file).parent


def package_of(error: BaseException) -> str:
    """The package from outside in whose code an error was raised, "" where it was in nobody's."""
    trace = error.__traceback__
    module = ""
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "")
        trace = trace.tb_next
    groups: tuple[Group, ...] = ("specc.operators", "specc.methods", "specc.analyses")
    roots = {package.split(".")[0] for group in groups for package in brought(group).values()}
    root = module.split(".")[0]
    return root if root in roots else ""
