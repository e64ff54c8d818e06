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
from typing import Literal, TypeAlias

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


def folder_of(package: str) -> Path:
    """Where a package lies. It is imported."""
    file = import_module(package).__file__
    assert file is not None, package
    return Path(file).parent
