"""The operators: one folder each, found by looking. Adding a folder with a `rules.py` adds an operator.

A folder is called like its operator. One that holds several, or a norm, says so in its `__init__.py`: `KINDS` are its
operators, `NORMS` are the words of `norm batch(..)`. So a spec loads the rules of what it uses and no others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path

from specc.ir.operator import Operator


class Operators(Mapping[str, Operator]):
    """Every operator by the name under which it is written or that lowering asks for. Rules are loaded when read.

    folders  the folder of each, by name, in alphabetical order of the folders
    """

    def __init__(self, folders: Mapping[str, str]) -> None:
        self.folders = folders
        self.loaded: dict[str, Operator] = {}

    def __getitem__(self, kind: str) -> Operator:
        if kind not in self.loaded:
            rules = import_module(f"{__name__}.{self.folders[kind]}.rules")
            self.loaded.update({operator.kind: operator for operator in rules.OPERATORS})
        return self.loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self.folders

    def __iter__(self) -> Iterator[str]:
        return iter(self.folders)

    def __len__(self) -> int:
        return len(self.folders)


@cache
def operators() -> Operators:
    """All of them."""
    return Operators({kind: folder for folder in folders() for kind in said(folder, "KINDS", (folder,))})


@cache
def norms() -> Mapping[str, str]:
    """The operators that `norm` can stand for by the word that sets them: `norm batch(..)`."""
    return {word: folder for folder in folders() for word in said(folder, "NORMS", ())}


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
