"""Layers of plain torch as text: what model.py of a network without choices has where others import a part.

An operator says that its layer is one (`Written.plain`). The class is cut out of the operator's `torch.py`, with the
functions, classes and constants that it reads, wherever parts have them, and what it imports from torch and Python.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final, TypeAlias

from specc.codegen.parts import module_file
from specc.python.layout import Import

OUTSIDE: Final = frozenset({"torch", *sys.stdlib_module_names})
"""The packages that plain layers may import."""


@dataclass(frozen=True, slots=True)
class Layers:
    """The text of layers: definitions by name, as they stand in the parts, and what they import."""

    definitions: Mapping[str, str]
    imports: frozenset[Import]


def plain_layers(wanted: Iterable[tuple[str, str]], taken: Set[str]) -> tuple[Layers, list[tuple[str, str]]]:
    """The text of layers, given as (module, class), and those that stay parts.

    A layer stays one that is not of torch alone after all, or that needs a name of model.py, `taken`, for something
    else.
    """
    definitions: dict[str, str] = {}
    imports: set[Import] = set()
    homes: dict[str, str] = {}
    kept: list[tuple[str, str]] = []
    for module, name in sorted(wanted):
        found = needed(module, name)
        helpers = {helper for _, helper in found or () if helper != name}
        if found is None or helpers & taken or any(homes.get(other, home) != home for home, other in found):
            kept.append((module, name))
            continue
        for (home, other), (text, outside) in found.items():
            homes[other] = home
            definitions[other] = text
            imports |= outside
    return Layers(definitions, frozenset(imports)), kept


Definition: TypeAlias = tuple[str, frozenset[Import]]
"""A definition's text and what it imports from outside."""


def needed(module: str, name: str) -> dict[tuple[str, str], Definition] | None:
    """A definition and all that it reads, by (module, name), what is read before what reads it; None where that needs
    more than torch and Python."""
    found: dict[tuple[str, str], Definition] = {}
    open_: set[tuple[str, str]] = set()

    def visit(module: str, name: str) -> bool:
        if (module, name) in open_:
            return True  # a definition that reads itself, or another that reads it
        open_.add((module, name))
        part = Part.read(module)
        if name not in part.definitions:
            return False
        outside: set[Import] = set()
        for word in dict.fromkeys(names(part.definitions[name])):
            if word in part.definitions:
                if not visit(module, word):
                    return False
            elif word in part.imports:
                home, original = part.imports[word]
                if home.split(" ")[0].split(".")[0] in OUTSIDE:
                    outside.add((home, original))
                elif " as " in original or not original or not visit(home, original):
                    return False
        found[module, name] = part.cut(name), frozenset(outside)
        return True

    return found if visit(module, name) else None


@dataclass(frozen=True, slots=True)
class Part:
    """A part's text: what it defines and imports, by the names under which it reads them."""

    lines: tuple[str, ...]
    definitions: Mapping[str, ast.stmt]
    imports: Mapping[str, Import]

    @staticmethod
    def read(module: str) -> Part:
        text = module_file(module).read_text(encoding="utf-8")
        body = ast.parse(text).body
        definitions = {name: statement for statement in body for name in defined(statement)}
        return Part(tuple(text.splitlines()), definitions, {name: found for s in body for name, found in imported(s)})

    def cut(self, name: str) -> str:
        """The lines of a definition."""
        statement = self.definitions[name]
        above = getattr(statement, "decorator_list", [])
        first = min(node.lineno for node in (statement, *above))
        return "\n".join(self.lines[first - 1 : statement.end_lineno])


def defined(statement: ast.stmt) -> list[str]:
    """The names that a statement of a module defines."""
    match statement:
        case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
    return []


def imported(statement: ast.stmt) -> Iterator[tuple[str, Import]]:
    """The names that a statement imports, and how."""
    match statement:
        case ast.Import(names=found):
            for alias in found:
                whole = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
                yield alias.asname or alias.name.split(".")[0], (whole, "")
        case ast.ImportFrom(module=str(module), names=found):
            for alias in found:
                yield alias.asname or alias.name, (module, ast.unparse(alias))


def names(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement reads, those in annotations that are quoted aside."""
    return (node.id for node in ast.walk(statement) if isinstance(node, ast.Name))
