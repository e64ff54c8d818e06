"""Values as text: Python literals as a formatter would lay them out, and TOML. Here text of a spec becomes harmless."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WIDTH: Final = 100
"""Columns of generated code."""


def literal(value: object, indent: int = 0, used: int = 0) -> str:
    """A Python literal of str, int, float, bool, list and dict. It takes one line if it fits after `used` columns,
    else one line an item, indented by four more than `indent`."""
    line = inline(value)
    if used + len(line) <= WIDTH or not isinstance(value, (list, Mapping)) or not value:
        return line
    inner = " " * (indent + 4)
    if isinstance(value, Mapping):
        rows = [
            f"{inline(key)}: {literal(item, indent + 4, len(inner) + len(inline(key)) + 3)}"
            for key, item in value.items()
        ]
    else:
        rows = [literal(item, indent + 4, len(inner) + 1) for item in value]
    left, right = ("{", "}") if isinstance(value, Mapping) else ("[", "]")
    return left + "".join(f"\n{inner}{row}," for row in rows) + f"\n{' ' * indent}{right}"


def inline(value: object) -> str:
    """The literal on one line."""
    match value:
        case str():
            return quoted(value)
        case bool() | int() | float():
            return repr(value)
        case list():
            return f"[{', '.join(map(inline, value))}]"
        case Mapping():
            return "{" + ", ".join(f"{inline(key)}: {inline(item)}" for key, item in value.items()) + "}"
    raise TypeError(f"{value!r} has no literal")


def quoted(text: str) -> str:
    """The text as a Python string, in double quotes unless these would need escapes that single quotes don't."""
    shown = repr(text)
    return f'"{shown[1:-1]}"' if shown.startswith("'") and '"' not in text and "\\'" not in shown else shown


def toml(tables: Mapping[str, object]) -> str:
    """TOML tables in order: first a table's own values, then its sub-tables as `[table.name]`."""
    blocks: list[str] = []
    for title, table in tables.items():
        assert isinstance(table, Mapping)
        plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
        nested = {f"{title}.{key}": value for key, value in table.items() if isinstance(value, Mapping)}
        lines = [f"[{title}]", *(f"{key} = {toml_value(value)}" for key, value in plain.items())]
        blocks.append("\n".join(lines) + "\n")
        if nested:
            blocks.append(toml(nested))
    return "\n".join(blocks)


def toml_value(value: object) -> str:
    """One TOML value; a mapping becomes an inline table."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value:_}" if abs(value) >= 10_000 else str(value)
        case float():
            return repr(value)
        case str():
            return toml_text(value)
        case list():
            return f"[{', '.join(map(toml_value, value))}]"
        case Mapping():
            return "{ " + ", ".join(f"{key} = {toml_value(item)}" for key, item in value.items()) + " }"
    raise TypeError(f"{value!r} has no TOML form")


def toml_text(text: str) -> str:
    """A basic string: quotes, backslashes and control characters escaped."""
    named = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
    escaped = (named.get(c) or (f"\\u{ord(c):04x}" if ord(c) < 32 or 127 <= ord(c) < 160 else c) for c in text)
    return '"' + "".join(escaped) + '"'
