"""Values as TOML text."""

from __future__ import annotations

from collections.abc import Mapping


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
