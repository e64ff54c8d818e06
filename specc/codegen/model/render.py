"""Expressions as the model has them: over sizes in constructors, over plain numbers in `forward`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from specc.ir.expr import Apply, Expr, Var
from specc.python.expressions import ATOM, PYTHON, Sub, Text, call, infix, position, within, written
from specc.python.literals import inline

SIZES: Final[Mapping[str, str]] = {
    **PYTHON,
    "and": "&",
    "or": "|",
    "not": "~",
    "floor": "floor",
    "ceil": "ceil",
    "round": "half_up",
    "min": "smallest",
    "max": "greatest",
    "if": "pick",
}
"""How functions of sizes are spelled: elastic/net/sizes.py has them."""
NUMBERS: Final[Mapping[str, str]] = {**PYTHON, "round": "half_up"}


def size_text(expr: Expr, name: Callable[[Expr], Text | None]) -> Text:
    """A size as Python text over `Size` objects; `name` says which expressions have a name already."""

    def known(part: Expr, sub: Sub) -> Text | None:
        match part:
            case _ if (found := name(part)) is not None:
                return found
            case Apply("eq" | "ne" as function, (one, other)):
                size, value = (one, other) if isinstance(one, (Var, Apply)) else (other, one)
                option = sub(value)[0] if isinstance(value, (Var, Apply)) else inline(value)
                return f"{within(sub(size), ATOM)}.{'is_' if function == 'eq' else 'isnt'}({option})", ATOM
        return usual(part, sub)

    return written(expr, known, SIZES)


def condition(expr: Expr, name: Callable[[str], str]) -> str:
    """A guard as Python text, choices by `name`; yes-or-no choices compared with 1 or 0 read as such."""

    def known(part: Expr, sub: Sub) -> Text | None:
        match part:
            case Var(choice):
                return name(choice), ATOM
            case Apply("div", (a, b)):  # exact on whole numbers
                return infix("/", call("Fraction", [sub(a)]), sub(b))
        return usual(part, sub)

    return written(expr, known, NUMBERS)[0]


def usual(part: Expr, sub: Sub) -> Text | None:
    """What a model writes in one way wherever it stands: positions, and `6 * channels`."""
    match part:
        case Apply("position"):
            return position(part, sub)
        case Apply("mul", (a, int(b))):
            return infix("*", sub(b), sub(a))
    return None
