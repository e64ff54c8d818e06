"""Lines of Python as a formatter would lay them out: calls whose arguments take a line each where one is too short."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

WIDTH: Final = 100

Text: TypeAlias = "str | Call"


@dataclass(frozen=True, slots=True)
class Call:
    """Something in brackets, which takes a line for each item where one line is too short."""

    head: str
    items: tuple[tuple[str, Text], ...]
    tail: str = ")"

    def flat(self) -> str:
        inner = ", ".join(name + flat(item) for name, item in self.items)
        lone = self.head == "(" and len(self.items) == 1  # a tuple of one
        return f"{self.head}{inner}{',' if lone else ''}{self.tail}"


def flat(text: Text) -> str:
    return text if isinstance(text, str) else text.flat()


def laid(text: Text, indent: int, before: str = "", after: str = "") -> list[str]:
    """Lines of `before`, text and `after`, indented; calls that hold `Parts` are always spread out."""
    blank = " " * indent
    line = blank + before + flat(text) + after
    if isinstance(text, str) or (len(line) <= WIDTH and not spread(text)) or not text.items:
        return [line]
    lines = [f"{blank}{before}{text.head}"]
    for name, item in text.items:
        lines += laid(item, indent + 4, name, ",")
    return [*lines, f"{blank}{text.tail}{after}"]


def spread(call: Call) -> bool:
    """Whether it takes a line for each item even if one line were enough: parts under their names."""
    return call.head in ("Parts(", "Layers(")
