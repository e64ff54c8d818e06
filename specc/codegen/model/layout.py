"""Lines of Python laid out as the formatter would: what fits stays on one line, what does not gets an item a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

WIDTH: Final = 100


def call(before: str, args: Sequence[str], after: str = ")", indent: int = 0) -> tuple[str, ...]:
    """`before(args)` on one line if it fits, else the arguments on a line of their own, else an argument a line."""
    line = f"{' ' * indent}{before}({', '.join(args)}{after}"
    if len(line) <= WIDTH or not args:
        return (line,)
    inner = f"{' ' * (indent + 4)}{', '.join(args)}"
    if len(inner) <= WIDTH:
        return (f"{' ' * indent}{before}(", inner, f"{' ' * indent}{after}")
    return exploded(before, args, after, indent)


def exploded(before: str, args: Sequence[str], after: str = ")", indent: int = 0) -> tuple[str, ...]:
    """`before(`, an argument a line, `)`."""
    pad = " " * indent
    return (f"{pad}{before}(", *(f"{pad}    {line}" for arg in args for line in f"{arg},".split("\n")), f"{pad}{after}")


def nested(before: str, args: Sequence[str], indent: int) -> str:
    """A call that stands as an item of an exploded one at `indent`: one text, with its own lines if it needs them."""
    one = f"{before}({', '.join(args)})"
    if indent + len(one) + 1 <= WIDTH or not args:
        return one
    inner = f"    {', '.join(args)}"
    if indent + len(inner) <= WIDTH:
        return "\n".join([f"{before}(", inner, ")"])
    return "\n".join([f"{before}(", *(f"    {arg}," for arg in args), ")"])


def guarded(lines: Sequence[str]) -> tuple[str, ...]:
    """A statement's lines, marked as not to be formatted where a name of the spec makes one too long."""
    if all(len(line) <= WIDTH for line in lines):
        return tuple(lines)
    return (*lines[:-1], f"{lines[-1]}  # fmt: skip")


def with_comment(line: str, text: str) -> str:
    """The line with a comment behind it, if there is room."""
    return f"{line}  # {text}" if text and len(line) + len(text) + 4 <= WIDTH else line
