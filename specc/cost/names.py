"""Options and conditions as Python text: nothing that a spec says stands in it but through `repr`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from specc.activity.diagrams import Diagrams, Term
from specc.ir.choice import Choice
from specc.ir.expr import Option
from specc.python.literals import constant


def plain_option(choice: Choice, option: Option) -> int | float | bool | str:
    """An option as Python and JSON have it: skips as booleans, ratios as decimals."""
    if choice.kind == "skip":
        return bool(option)
    return float(option) if isinstance(option, Fraction) else option


def literal_text(diagrams: Diagrams, choice: int, positions: Sequence[int], plain: bool, name: str) -> str:
    """`x3 >= 4`: that the variable of a choice has one of the values at some positions."""
    options = diagrams.options[choice]
    values = [plain_option(diagrams.choices[choice], options[at]) if plain else options[at] for at in positions]
    if options == (0, 1):
        return name if list(positions) == [1] else f"not {name}"
    if all(isinstance(option, (int, Fraction)) for option in options) and len(positions) > 1:
        if list(positions) == list(range(len(options) - len(positions), len(options))):
            return f"{name} >= {values[0]!r}"
        if list(positions) == list(range(len(positions))):
            return f"{name} <= {values[-1]!r}"
    if len(values) == 1:
        return f"{name} == {constant(values[0])}"
    return f"{name} in ({', '.join(map(constant, values))})"


def choices_in(terms: Iterable[Term]) -> list[int]:
    """The choices that a condition reads, in the graph's order."""
    return sorted({choice for term in terms for choice, _ in term})
