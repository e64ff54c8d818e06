"""Lines of Python laid out as the formatter would: what fits stays on one line, what does not gets an item a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

WIDTH: Final = 100
"""Columns of generated code."""
STEP: Final = 80
"""Columns of a part of a condition that takes several lines."""

Import: TypeAlias = tuple[str, str]
"""`from torch import nn` is ("torch", "nn"), `import torch.nn.functional as F` ("torch.nn.functional as F", "")."""


def call(before: str, args: Sequence[str], after: str = ")", indent: int = 0) -> tuple[str, ...]:
    """`before(args)` on one line if it fits, else the arguments on a line of their own, else an argument a line."""
    line = f"{' ' * indent}{before}({', '.join(args)}{after}"
    if len(line) <= WIDTH or not args:
        return (line,)
    inner = f"{' ' * (indent + 4)}{', '.join(args)}"
    if len(inner) <= WIDTH:
        return (f"{' ' * indent}{before}(", inner, f"{' ' * indent}{after}")
    return tuple(listed(f"{before}(", args, after, indent))


def listed(before: str, items: Sequence[str], after: str, indent: int = 0) -> list[str]:
    """Items between brackets, on one line if it fits, else an item a line."""
    pad = " " * indent
    line = f"{pad}{before}{', '.join(items)}{after}"
    return [line] if len(line) <= WIDTH else [f"{pad}{before}", *(f"{pad}    {item}," for item in items), pad + after]


def stepwise(name: str, words: Sequence[str], operator: str) -> list[str]:
    """`name = a and b`, then `name = name and c`: a condition over as many lines as it takes."""
    lines: list[str] = []
    rest, start = list(words), ""
    while rest:
        text = start + rest.pop(0)
        while rest and len(text) + len(operator) + len(rest[0]) + 2 <= STEP:
            text += f" {operator} {rest.pop(0)}"
        lines.append(f"{name} = {text}")
        start = f"{name} {operator} "
    return lines


def lay_out(text: str, indent: int = 0, comma: bool = False) -> list[str]:
    """A statement or an argument as the formatter lays it out: on one line if it fits, else its last brackets opened,
    their content on a line of its own or an item a line."""
    pad = " " * indent
    end = "," if comma else ""
    if len(text) + indent + len(end) <= WIDTH:
        return [f"{pad}{text}{end}"]
    opening = last_opening(text)
    if opening < 0:
        return [f"{pad}{text}{end}"]
    before, inside, after = text[: opening + 1], text[opening + 1 : -1], text[-1]
    loop = split_at(inside, " for ")
    if len(loop) == 2:
        lines = [*lay_out(loop[0], indent + 4), f"{pad}    for {loop[1]}"]
        whole = f"{pad}    {inside}"
        return [f"{pad}{before}", *([whole] if len(whole) <= WIDTH else lines), f"{pad}{after}{end}"]
    items = split_at(inside, ", ")
    one = f"{pad}    {inside}"
    literal = not (before[-2:-1].isalnum() or before[-2:-1] in ("_", ")", "]")) and len(items) > 1
    if len(one) <= WIDTH and not literal:
        return [f"{pad}{before}", one, f"{pad}{after}{end}"]
    if len(items) == 1 and items[0].startswith("*"):
        return [f"{pad}{before}", *lay_out(items[0], indent + 4), f"{pad}{after}{end}"]
    lines = [line for item in items for line in lay_out(item, indent + 4, True)]
    return [f"{pad}{before}", *lines, f"{pad}{after}{end}"]


def last_opening(text: str) -> int:
    """Where the brackets open that the text ends with; -1 where it does not end with any."""
    if not text or text[-1] not in ")]}":
        return -1
    depth, found, quote = 0, -1, ""
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            if depth == 0:
                found = at
            depth += 1
        elif character in ")]}":
            depth -= 1
    return found


def split_at(text: str, separator: str) -> list[str]:
    """A text's pieces between separators outside of brackets and quotes."""
    pieces, depth, quote, start = [], 0, "", 0
    for at, character in enumerate(text):
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif depth == 0 and text.startswith(separator, at) and at >= start:
            pieces.append(text[start:at])
            start = at + len(separator)
    return [*pieces, text[start:]]


def guarded(lines: Sequence[str]) -> tuple[str, ...]:
    """A statement's lines, marked as not to be formatted where a name of the spec makes one too long."""
    if all(len(line) <= WIDTH for line in lines):
        return tuple(lines)
    return (*lines[:-1], f"{lines[-1]}  # fmt: skip")


def with_comment(line: str, text: str) -> str:
    """The line with a comment behind it, if there is room."""
    return f"{line}  # {text}" if text and len(line) + len(text) + 4 <= WIDTH else line


def import_statements(imports: Iterable[Import]) -> list[str]:
    """Imports in the order of import sorters: whole modules, then names of modules."""
    found: dict[str, set[str]] = {}
    for module, name in imports:
        if name:
            found.setdefault(module, set()).add(name)
    whole = sorted({f"import {module}" for module, name in imports if not name})
    return [*whole, *(line for module in sorted(found) for line in import_from(module, found[module]))]


def import_from(module: str, names: Iterable[str]) -> tuple[str, ...]:
    """`from module import names` as import sorters lay it out."""
    ordered = sorted(names, key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    line = f"from {module} import {', '.join(ordered)}"
    return (line,) if len(line) <= WIDTH else (f"from {module} import (", *(f"    {name}," for name in ordered), ")")
