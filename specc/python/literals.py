"""Values as Python text, as a formatter would lay them out. Here text of a spec becomes harmless."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from specc.python.layout import WIDTH


def literal(value: object, indent: int = 0, used: int = 0) -> str:
    """A Python literal of str, int, float, bool, list, tuple and dict.

    It takes one line if it fits after `used` columns, else one line an item, indented by four more than `indent`.
    """
    line = inline(value)
    if used + len(line) <= WIDTH or not isinstance(value, (list, tuple, Mapping)) or not value:
        return line
    inner = " " * (indent + 4)
    if isinstance(value, Mapping):
        rows = [
            f"{inline(key)}: {literal(item, indent + 4, len(inner) + len(inline(key)) + 3)}"
            for key, item in value.items()
        ]
    else:
        rows = [literal(item, indent + 4, len(inner) + 1) for item in value]
    left, right = ("{", "}") if isinstance(value, Mapping) else ("[", "]") if isinstance(value, list) else ("(", ")")
    return left + "".join(f"\n{inner}{row}," for row in rows) + f"\n{' ' * indent}{right}"


def inline(value: object) -> str:
    """The literal on one line; a fraction as a decimal."""
    match value:
        case str():
            return quoted(value)
        case bool() | int() | float():
            return repr(value)
        case Fraction():
            return repr(float(value))
        case list():
            return f"[{', '.join(map(inline, value))}]"
        case tuple():
            return in_brackets([inline(item) for item in value])
        case Mapping():
            return "{" + ", ".join(f"{inline(key)}: {inline(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} has no literal")


def in_brackets(texts: Sequence[str]) -> str:
    """A tuple's text."""
    return f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"


def quoted(text: str) -> str:
    """The text as a Python string, in double quotes unless it has some."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown.startswith("'") and '"' not in text else shown


def constant(value: object) -> str:
    """`repr`, exact for fractions, with text in the quotes that formatters prefer."""
    return quoted(value) if isinstance(value, str) else repr(value)
