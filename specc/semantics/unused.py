"""Warnings: names that a spec gives and never reads."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.semantics.files import LoadedFile
from specc.semantics.model import Model
from specc.semantics.names import statements_of
from specc.syntax import ast
from specc.syntax.node import fields_of

UNUSED_NAME = Rule(
    "W103",
    "unused-name",
    "a let, param, parameter, block or import is never read",
    "What nothing reads changes nothing: `-p` sets such a param, a call gives such a parameter to no effect.\n"
    "Wrong:  block b(out, stride=1) { conv(out, kernel=3) }\n"
    "Right:  block b(out, stride=1) { conv(out, kernel=3, stride=stride) }",
)


def warn_of_unused(model: Model, findings: Findings) -> None:
    """Warns of what the spec's own file names and never reads, and of parameters and lets in blocks of its imports."""
    main, supernet = model.files[0], model.names.supernet
    read = names_read(main.tree)
    for item in main.tree.items:
        match item:
            case ast.Import():
                unused_import(item, main, model.files, read, findings)
            case ast.Block() if item.name.name not in read:
                tell(item.name, "block", "is never called", findings)
            case ast.LetStatement() | ast.ParamStatement() if item.name.name not in read:
                tell(item.name, "let" if isinstance(item, ast.LetStatement) else "param", "is never read", findings)
    for statement in supernet.body.statements:
        if isinstance(statement, ast.ParamStatement) and statement.name.name not in read:
            tell(statement.name, "param", "is never read", findings)
    lets_in(supernet.body, read, findings)
    for file in model.files:
        for block in file.tree.items:
            if isinstance(block, ast.Block) and not block.span.in_library:
                inside = names_read(block)
                lets_in(block.body, inside, findings)
                for parameter in block.parameters:
                    if parameter.name.name not in inside:
                        tell(parameter.name, "parameter", "is never read", findings)


def tell(name: ast.Name, what: str, fate: str, findings: Findings) -> None:
    findings.report(UNUSED_NAME, name.span, f"the {what} `{name.name}` {fate}", help="use it, or leave it out")


def lets_in(body: ast.Body, read: Set[str], findings: Findings) -> None:
    """The lets of a body and of the braces in it that are not among the names read."""
    for statement in statements_of(body):
        if isinstance(statement, ast.LetStatement) and statement.name.name not in read:
            tell(statement.name, "let", "is never read", findings)


def unused_import(
    item: ast.Import, main: LoadedFile, files: tuple[LoadedFile, ...], read: Set[str], findings: Findings
) -> None:
    """An import of whose names the file reads none."""
    shown = item.name.name if item.name is not None else item.path.value if item.path is not None else ""
    path = shown.removesuffix(".specc").replace(".", "/").lstrip("/")
    for index in main.imports:
        tree = files[index].tree
        if tree.source.name.removesuffix(".specc").endswith(path):
            names = {i.name.name for i in tree.items if not isinstance(i, (ast.Import, ast.Section))}
            if names.isdisjoint(read):
                findings.report(UNUSED_NAME, item.span, f"nothing of `{shown}` is used", help="leave the import out")


GIVES: Final[Mapping[type, str]] = {
    ast.LetStatement: "name",
    ast.ParamStatement: "name",
    ast.ChoiceStatement: "name",
    ast.BlockParameter: "name",
    ast.Block: "name",
    ast.Arg: "name",
    ast.CallStatement: "targets",
    ast.Repeat: "index",
    ast.Supernet: "name",
    ast.Import: "name",
}
"""The field in which a node gives a name instead of reading one."""


def names_read(tree: object) -> Set[str]:
    """The names in a tree but for those that it gives; of a dotted name its first part too."""
    found: set[str] = set()
    stack = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, tuple):
            stack.extend(node)
        elif isinstance(node, ast.Name):
            found.update((node.name, node.name.partition(".")[0]))
        elif fields := fields_of(node):
            given = GIVES.get(type(node))
            stack.extend([getattr(node, field) for field in fields if field not in (given, "span", "comments")])
    return found
