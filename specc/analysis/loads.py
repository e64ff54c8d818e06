"""How the variables of a cost program get their values, from one assignment or from many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from specc.analysis.diagrams import Term
from specc.analysis.names import any_of, literal_text, quoted
from specc.analysis.variables import Variables

TILE = 512
"""Rows that are transposed together, so that what is read stays in the cache from one column to the next."""
SPARE = 32
"""Rows allocated without need: a block this large makes the allocator keep its pages for the next one."""


def loads_one(v: Variables) -> list[str]:
    """The variables of one assignment."""
    lines = []
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        condition = condition_one(v, terms) if terms else ""
        value = f"a[{quoted(v.diagrams.choices[choice].name)}]"
        raw = v.raw(choice)
        if choice in v.asked:
            first = "0" if raw[0] == "x" else v.option(choice, 0)
            lines.append(chosen(raw, value, condition, first))
            value = raw
        if v.has_plain(choice) and value != f"x{choice}":
            lines.append(chosen(f"x{choice}", value, condition, "0"))
            value = f"x{choice}"
        numbers = v.tabled(choice)
        if numbers:
            targets = ", ".join(f"t{n}" for n in numbers)
            nothing = "0" if len(numbers) == 1 else f"({', '.join('0' * len(numbers))})"
            lines.append(chosen(targets, f"T{choice}[{value}]", condition, nothing))
        for number in v.reads[choice]:
            if v.compared(number):
                test = literal_text(v.diagrams, choice, v.ones(number), v.plain, raw)
                lines.append(f"t{number} = ({condition}) and {test}" if terms else f"t{number} = {test}")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        keys = ", ".join(v.raw(choice) for choice in symbol.scope)
        text = f"J{number}[{keys}]" if symbol.node is None else f"bool({condition_one(v, v.terms_of(number))})"
        lines.append(f"t{number} = {text}")
    return lines


def condition_one(v: Variables, terms: Sequence[Term]) -> str:
    return any_of(
        [literal_text(v.diagrams, c, at, v.plain, v.raw(c)) for c, at in term] for term in terms
    )


def loads_many(v: Variables) -> list[str]:
    """The variables of many assignments."""
    lines = [
        "# The spare rows make the allocator keep its pages from one block to the next.",
        f"p = np.empty((len(i) + {SPARE}, i.shape[1]), dtype=np.{v.dtype()})[: len(i)]",
        f"for start in range(0, i.shape[1], {TILE}):",
        f"    p[:, start : start + {TILE}] = i[:, start : start + {TILE}]",
    ]
    lines += spacing(v)
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        mask = f" * ({condition_many(v, terms)})" if terms and len(terms) > 1 else ""
        mask = f" * {condition_many(v, terms)}" if terms and len(terms) == 1 else mask
        raw = v.raw(choice)
        if choice in v.asked:
            lines.append(times(f"{raw} = ", row(v, choice), mask if raw[0] == "x" else ""))
        if v.has_plain(choice) and not (choice in v.asked and raw[0] == "x"):
            column = row(v, choice) if v.linear_options(choice) else f"A{choice}[i[{choice}]]"
            lines.append(times(f"x{choice} = ", column, mask))
        numbers = v.tabled(choice)
        if numbers:
            lines += looked_up(v, choice, numbers, mask)
        for number in v.reads[choice]:
            if v.compared(number):
                lines.append(f"t{number} = 1 * {literal_many(v, choice, v.ones(number))}{mask}")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        index = f"i[{symbol.scope[0]}]"
        for choice in symbol.scope[1:]:
            count = len(v.diagrams.options[choice])
            index = f"({index})" if "+" in index else index
            index = f"{index} * {count} + i[{choice}]"
        condition = "" if symbol.node is None else condition_many(v, v.terms_of(number))
        lines.append(f"t{number} = 1 * ({condition})" if condition else f"t{number} = B{number}[{index}]")
    return lines


def spacing(v: Variables) -> Iterator[str]:
    """Turns the rows of equally spaced options into multiples of their steps, neighbours of one step together."""
    steps = []
    for choice, options in enumerate(v.diagrams.options):
        read = choice in v.asked or v.has_plain(choice)
        regular = read and len(options) > 1 and v.linear_options(choice)
        steps.append(options[1] - options[0] if regular else 1)  # type: ignore[operator]
    start = 0
    for end in range(1, len(steps) + 1):
        if end == len(steps) or steps[end] != steps[start]:
            if steps[start] != 1:
                yield f"p[{start}:{end}] *= {steps[start]}" if end > start + 1 else f"p[{start}] *= {steps[start]}"
            start = end


def row(v: Variables, choice: int) -> str:
    """A choice's options where they are equally spaced numbers, its positions where not."""
    first = v.diagrams.options[choice][0]
    if not v.linear_options(choice) or not isinstance(first, int) or first == 0:
        return f"p[{choice}]"
    return f"p[{choice}] + {first}" if first > 0 else f"p[{choice}] - {-first}"


def looked_up(v: Variables, choice: int, numbers: Sequence[int], mask: str) -> list[str]:
    """The functions of a choice by its positions."""
    targets = ", ".join(f"t{n}" for n in numbers)
    if len(numbers) == 1:
        return [f"{targets} = A{choice}[i[{choice}]]{mask}"]
    return [f"{targets} = [row[i[{choice}]]{mask} for row in A{choice}]"]


def condition_many(v: Variables, terms: Sequence[Term]) -> str:
    """A condition as an array of truth values, or of numbers where it is one skip choice."""
    words = [[literal_many(v, *literal) for literal in term] for term in terms]
    if len(words) == 1:
        return " * ".join(words[0])
    return " | ".join("(" + " & ".join(f"({literal} != 0)" for literal in term) + ")" for term in words)


def literal_many(v: Variables, choice: int, at: Sequence[int]) -> str:
    """A test of a choice's row, which holds options where these are equally spaced numbers, else positions."""
    count = len(v.diagrams.options[choice])
    row = v.raw(choice)
    if v.diagrams.options[choice] == (0, 1):
        return row if list(at) == [1] else f"(1 - {row})"
    values = [v.diagrams.options[choice][p] if v.linear_options(choice) else p for p in at]
    if len(at) == 1:
        return f"({row} == {values[0]})"
    if list(at) == list(range(count - len(at), count)):
        return f"({row} >= {values[0]})"
    if list(at) == list(range(len(at))):
        return f"({row} <= {values[-1]})"
    return f"np.isin({row}, {values!r})"


def times(target: str, value: str, mask: str) -> str:
    """`target` set to a value, times a mask."""
    return f"{target}({value}){mask}" if mask and " " in value else f"{target}{value}{mask}"


def chosen(target: str, value: str, condition: str, other: str) -> str:
    """`target = value`, or `other` where a condition does not hold."""
    return f"{target} = {value} if {condition} else {other}" if condition else f"{target} = {value}"
