"""Syntax that no text stands behind as a text, roughly laid out; the formatter then does the rest.

Statements share a line up to the next layer or block, as people write them: `conv(64, kernel=3); norm; relu`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax import ast
from specc.syntax.format import COLUMNS, INDENT, format_spec
from specc.syntax.parse import parse
from specc.syntax.phrase import phrase

ONE_LINE = 84
"""Characters of braces that stand on one line."""
MOST = 5
"""Statements in braces on one line."""

Begins = Callable[[ast.Statement], bool]
"""Whether a statement begins a line: a layer, a block, anything with braces."""


def text_of(file: Sequence[ast.TopLevel], begins: Begins, comments: Sequence[str] = ()) -> str:
    """The formatted text of a spec. Raises ValueError where it does not parse, which is an error of whoever made the
    tree."""
    draft = "".join(f"# {line}\n" for line in comments)
    previous: ast.TopLevel | None = None
    for item in file:
        if previous is not None and not (isinstance(previous, ast.Import) and isinstance(item, ast.Import)):
            draft += "\n"
        draft += top_level(item, begins) + "\n"
        previous = item
    return formatted(draft)


def formatted(draft: str) -> str:
    findings = Findings()
    tree = parse(Source("import.specc", draft), findings)
    if tree is None:
        raise ValueError(f"{findings.diagnostics[0].primary.message}:\n{draft}")
    return format_spec(tree)


def top_level(item: ast.TopLevel, begins: Begins) -> str:
    match item:
        case ast.Import(name, path):
            return f"import {phrase(name or path)}"  # type: ignore[arg-type]
        case ast.Block(name, parameters, body):
            given = ", ".join(p.name.name + ("" if p.default is None else f"={phrase(p.default)}") for p in parameters)
            return f"block {name.name}{f'({given})' if given else ''} {braces(body, begins, '', tight=True)}"
        case ast.Supernet(name, body):
            return f"supernet {name.name} {braces(body, begins, '')}"
        case ast.Section(kind, call):
            assert call is not None
            return f"{kind} {call_text(call)}"
    raise TypeError(f"{type(item).__name__} is nothing that the writer makes")


def braces(body: ast.Body, begins: Begins, indent: str, tight: bool = False) -> str:
    """Statements in braces: on one line where they are few and short."""
    inner = [statement(each, begins, indent + INDENT) for each in body.statements]
    one_line = "{ " + "; ".join(inner) + " }"
    layers = sum(begins(each) for each in body.statements)
    few = (
        len(inner) <= MOST
        and layers <= (1 if tight else 3)
        and not any(isinstance(s, ast.Stage) for s in body.statements)
    )
    if few and "\n" not in one_line and len(indent) + len(one_line) <= ONE_LINE:
        return one_line
    lines: list[str] = []
    open_line = False
    for node, text in zip(body.statements, inner, strict=True):
        whole = "\n" in text or isinstance(node, (ast.Stage, ast.LetStatement, ast.Residual, ast.When))
        whole = whole or (isinstance(node, ast.NormSetting) and indent == "")
        if open_line and not begins(node) and not whole and len(lines[-1]) + len(text) + 2 <= COLUMNS:
            lines[-1] += f"; {text}"
        else:
            lines.append(indent + INDENT + text)
        open_line = not whole
    return "{\n" + "\n".join(lines) + f"\n{indent}}}"


def statement(node: ast.Statement, begins: Begins, indent: str) -> str:
    match node:
        case ast.CallStatement(targets, call):
            names = ", ".join(target.name for target in targets)
            bound = f"({names}) = " if len(targets) > 1 else f"{names} = " if targets else ""
            return bound + call_text(call)
        case ast.LetStatement(name, value):
            return f"let {name.name} = {phrase(value)}"
        case ast.NormSetting(norm):
            return f"norm {call_text(norm)}"
        case ast.InputStatement(named, shape):
            return f"input {f'{named.name} ' if named else ''}{call_text(shape)}"
        case ast.PredictsStatement(word, value, each):
            return f"{word.name} {phrase(value)}" + (f" each {each.name}" if each else "")
        case ast.Stage(kind, named, _, body):
            return f"{kind} {f'{named.name} ' if named else ''}{braces(body, begins, indent)}"
        case ast.Repeat(count, index, body):
            return f"repeat {phrase(count)} {f'as {index.name} ' if index else ''}{braces(body, begins, indent)}"
        case ast.Residual(condition, body, shortcut, shortcut_condition):
            text = f"residual{f'(when {phrase(condition)})' if condition else ''} {braces(body, begins, indent)}"
            if shortcut is not None:
                when = f"when {phrase(shortcut_condition)} " if shortcut_condition else ""
                text += f" shortcut {when}{braces(shortcut, begins, indent)}"
            return text
        case ast.When(condition, body, _):
            return f"when {phrase(condition)} {braces(body, begins, indent)}"
    raise TypeError(f"{type(node).__name__} is nothing that the writer makes")


def call_text(call: ast.CallExpr) -> str:
    return phrase(call) if call.args else call.name.name
