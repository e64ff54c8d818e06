"""The operators: one folder each, found by looking. Adding a folder with a `rules.py` adds an operator.

A folder is called like its operator. One that holds several, or a norm, says so in its `__init__.py`: `KINDS` are its
operators, `NORMS` are the words of `norm batch(..)`. So a spec loads the rules of what it uses and no others.

An operator need not be specc's own: a package that is installed with an entry point in the group `specc.operators`,

    [project.entry-points."specc.operators"]
    my_operator = "my_package.my_operator"

brings one, in a folder of the same make. A spec's own blocks come before it, so that installing a package changes none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from specc.ir.operator import Operator
from specc.plugins import BrokenPackage, brought, held, imported


class Operators(Mapping[str, Operator]):
    """specc's own operators by the name under which they are written or that lowering asks for. Rules are loaded when
    read.

    folders  the folder of each, by name, in alphabetical order of the folders
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self.folders = folders
        self.loaded: dict[str, Operator] = {}

    def __getitem__(self, kind: str) -> Operator:
        if kind not in self.loaded:
            self.loaded.update(operators_in(f"{__name__}.{self.folders[kind]}"))
        return self.loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self.folders

    def __iter__(self) -> Iterator[str]:
        return iter(self.folders)

    def __len__(self) -> int:
        return len(self.folders)


@cache
def operators() -> Operators:
    """All of specc's own."""
    return Operators({kind: folder for folder in folders() for kind in said(folder, "KINDS", (folder,))})


def find_operator(kind: str) -> Operator | None:
    """The operator of a name, one of specc's own before one that a package brings; None where there is none."""
    if kind in operators():
        return operators()[kind]
    package = brought("specc.operators").get(kind)
    if package is None:
        return None
    found = operators_in(package)
    if kind not in found:
        raise BrokenPackage(f"the installed package `{package}` has no operator `{kind}`")
    return found[kind]


def operators_in(package: str) -> Mapping[str, Operator]:
    """The operators of a folder by their names. Their rules are imported. Raises BrokenPackage."""
    rules = f"{package}.rules"
    found: tuple[Operator, ...] = held(rules, "OPERATORS")
    strange = next((item for item in found if not isinstance(item, Operator)), None)
    if strange is not None:
        raise BrokenPackage(f"`OPERATORS` of `{rules}` holds a {type(strange).__name__!r} object, no operator")
    return {operator.kind: operator for operator in found}


def operator_package(folder: str) -> str:
    """The dotted name of a folder of specc/ops, or of the package of an operator from outside. Raises KeyError where
    there is neither."""
    own = (Path(__file__).parent / folder / "__init__.py").is_file()
    return f"{__name__}.{folder}" if own else brought("specc.operators")[folder]


@cache
def norms() -> Mapping[str, str]:
    """specc's own operators that `norm` can stand for, by the word that sets them: `norm batch(..)`."""
    return {word: folder for folder in folders() for word in said(folder, "NORMS", ())}


def outside_norms() -> Mapping[str, str]:
    """The norms that packages bring, likewise: the operators that say `NORMS`. Packages that cannot be used bring
    none."""
    return {word: kind for kind, package in brought("specc.operators").items() for word in norms_in(package)}


def norms_in(package: str) -> tuple[str, ...]:
    """The words of the norms in a package from outside."""
    try:
        words: tuple[str, ...] = getattr(imported(package), "NORMS", ())
    except BrokenPackage:
        return ()
    return words


def find_norm(word: str) -> str | None:
    """The operator that `norm` stands for under a setting such as `norm batch`; None where there is none. Raises
    BrokenPackage where there is none, and a package cannot be asked."""
    found = norms().get(word) or outside_norms().get(word)
    if found is None:
        for package in brought("specc.operators").values():
            imported(package)
    return found


@cache
def folders() -> tuple[str, ...]:
    """The folders with rules, in alphabetical order."""
    return tuple(sorted(rules.parent.name for rules in Path(__file__).parent.glob("*/rules.py")))


def said(folder: str, name: str, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The words that a folder's `__init__.py` lists under a name. It is empty in most."""
    if not (Path(__file__).parent / folder / "__init__.py").stat().st_size:
        return otherwise
    words: tuple[str, ...] = getattr(import_module(f"{__name__}.{folder}"), name, otherwise)
    return words
