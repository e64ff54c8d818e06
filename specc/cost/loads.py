"""How the variables of a cost program get their values, from one assignment or from many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter

from specc.activity.diagrams import Term
from specc.cost.names import literal_text
from specc.cost.variables import Variables
from specc.python.layout import stepwise
from specc.python.literals import constant

TILE = 1024
"""Rows that are transposed together, so that what is read stays in the cache from one column to the next."""
TARGETS = 8
"""The most variables that one line sets to functions of a choice."""
ROWS = 12
"""The most variables that one line sets to rows."""
FEW = 4
"""The most options that are compared one by one."""
BRIEF = 36
"""The longest condition that stands within a line."""
TEST = re.compile("[=<>|]|isin")
"""What of a condition computes in booleans."""


def loads_one(v: Variables) -> list[str]:
    """The variables of one assignment."""
    lines: list[str] = []
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        condition = condition_one(v, lines, f"c{choice}", terms) if terms else ""
        value = f"a[{constant(v.diagrams.choices[choice].name)}]"
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
            nothing = "0" if len(numbers) == 1 else f"({', '.join('0' * len(numbers))})"
            if len(numbers) > TARGETS:
                lines.append(chosen(f"r{choice}", f"T{choice}[{value}]", condition, f"(0,) * {len(numbers)}"))
                lines += [f"{some} = r{choice}[{part}]" for some, part in parted(numbers)]
            else:
                targets = ", ".join(f"t{n}" for n in numbers)
                lines.append(chosen(targets, f"T{choice}[{value}]", condition, nothing))
        for number in v.reads[choice]:
            if v.compared(number):
                test = literal_text(v.diagrams, choice, v.ones(number), v.plain, raw)
                lines.append(f"t{number} = ({condition}) and {test}" if terms else f"t{number} = {test}")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        if symbol.node is None:
            lines.append(f"t{number} = J{number}[{', '.join(v.raw(choice) for choice in symbol.scope)}]")
        else:
            condition = condition_one(v, lines, f"c_{number}", v.terms_of(number))
            lines.append(f"t{number} = bool({condition})")
    return lines


def condition_one(v: Variables, lines: list[str], name: str, terms: Sequence[Term]) -> str:
    """A condition on the variables of one assignment."""
    words = [[literal_text(v.diagrams, c, at, v.plain, v.raw(c)) for c, at in term] for term in terms]
    if len(words) == 1:
        return brief(lines, name, words[0], "and")
    return brief(lines, name, [bracketed(term, "and") for term in words], "or")


def bracketed(words: Sequence[str], operator: str) -> str:
    return f"({f' {operator} '.join(words)})" if len(words) > 1 else words[0]


def brief(lines: list[str], name: str, words: Sequence[str], operator: str) -> str:
    """The words joined, or where that is long a variable that holds the result, computed in lines that are not."""
    whole = f" {operator} ".join(words)
    if len(whole) <= BRIEF:
        return whole
    lines += stepwise(name, words, operator)
    return name


def parted(numbers: Sequence[int]) -> Iterator[tuple[str, str]]:
    """The variables of many functions and the slices that hold them, as many as go on a line."""
    for start in range(0, len(numbers), TARGETS):
        some = numbers[start : start + TARGETS]
        comma = "," if len(some) == 1 else ""
        yield ", ".join(f"t{n}" for n in some) + comma, f"{start}:{start + len(some)}"


def loads_many(v: Variables) -> list[str]:
    """The variables of many assignments."""
    lines = [
        f"for start in range(0, i.shape[1], {TILE}):",
        f"    p[:, start : start + {TILE}] = i[:, start : start + {TILE}]",
        *options_of_positions(v),
        *unpacked(v),
    ]
    uses = Counter(v.program.active.get(choice) for choice in v.in_order())
    masks: dict[object, str] = {}
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        mask = masks.get(terms) or (condition_many(v, lines, f"c{choice}", terms) if terms else "")
        if terms not in masks and uses[terms] > 1 and TEST.search(mask):
            lines.append(f"c{choice} = {as_number(mask)}")
            mask = masks[terms] = f"c{choice}"
        row, value = named(v, choice), f"x{choice}"
        if v.has_plain(choice) and not v.linear_options(choice):
            lines.append(f"{value} = V{choice}.take(i[{choice}])" + (f" * {mask}" if mask else ""))
        elif v.has_plain(choice) and row != value:
            lines.append(f"{value} = {row} * {mask}")
        elif mask and row == value:
            lines.append(f"{value} *= {bare(mask)}")
        numbers = v.tabled(choice)
        if numbers:
            lines += looked_up(choice, numbers, f" * {mask}" if mask else "")
        for number in v.reads[choice]:
            if v.compared(number):
                test = factor_many(v, choice, v.ones(number))
                lines.append(f"t{number} = {as_number(f'{test} * {mask}' if mask else test)}")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        if symbol.node is not None:
            condition = condition_many(v, lines, f"c_{number}", v.terms_of(number))
            lines.append(f"t{number} = {as_number(condition)}")
            continue
        lines.append(f"t{number} = B{number}[tuple(i[{list(symbol.scope)}])]")
    return lines


def as_number(condition: str) -> str:
    """A condition in the type of the sums: products of different types are slow."""
    return f"{condition if condition.isidentifier() else f'({bare(condition)})'}.astype(p.dtype)"


def bare(text: str) -> str:
    """An expression without the brackets around all of it."""
    depths = list(accumulate((character == "(") - (character == ")") for character in text))
    return text[1:-1] if 0 not in depths[:-1] else text


def options_of_positions(v: Variables) -> Iterator[str]:
    """Turns the rows of equally spaced options into these, neighbours with the same step and first option together."""
    steps: list[int | None] = []
    firsts: list[int | None] = []
    for choice, options in enumerate(v.diagrams.options):
        regular = v.linear_options(choice)
        steps.append(options[1] - options[0] if regular and len(options) > 1 else 1)  # type: ignore[operator,arg-type]
        firsts.append(options[0] if regular else 0)  # type: ignore[arg-type]
        if not named(v, choice):
            steps[-1] = firsts[-1] = None
    yield from changed(steps, "*", 1)
    yield from changed(firsts, "+", 0)


def changed(numbers: Sequence[int | None], operator: str, neutral: int) -> Iterator[str]:
    """Statements that combine every row with its number, neighbours with equal ones at once; None fits any."""
    counted = [(at, number) for at, number in enumerate(numbers) if number is not None]
    for number, run in groupby(counted, key=itemgetter(1)):
        rows = [at for at, _ in run]
        if number != neutral:
            text = f"p[{rows[0]}:{rows[-1] + 1}]" if len(rows) > 1 else f"p[{rows[0]}]"
            yield f"{text} {operator}= {number}" if number > 0 else f"{text} -= {-number}"


def unpacked(v: Variables) -> Iterator[str]:
    """Names for the rows that are read, neighbours on one line."""
    read = [choice for choice in range(len(v.diagrams.choices)) if named(v, choice)]
    for _, run in groupby(enumerate(read), key=lambda pair: pair[1] - pair[0]):
        rows = [choice for _, choice in run]
        for start in range(0, len(rows), ROWS):
            some = rows[start : start + ROWS]
            names = ", ".join(named(v, choice) for choice in some)
            yield f"{names} = p[{some[0]}]" if len(some) == 1 else f"{names} = p[{some[0]}:{some[-1] + 1}]"


def named(v: Variables, choice: int) -> str:
    """The name of a choice's row where it is read: options where these are numbers that count, positions where not."""
    if v.has_plain(choice) and not v.linear_options(choice):
        return f"o{choice}" if choice in v.asked and v.raw(choice) == f"o{choice}" else ""
    if choice in v.asked:
        return v.raw(choice)
    return f"x{choice}" if v.has_plain(choice) else ""


def looked_up(choice: int, numbers: Sequence[int], mask: str) -> list[str]:
    """The functions of a choice by its positions."""
    if len(numbers) == 1:
        return [f"t{numbers[0]} = A{choice}.take(i[{choice}]){mask}"]
    if len(numbers) > TARGETS:
        return [f"{some} = A{choice}[{part}].take(i[{choice}], axis=1){mask}" for some, part in parted(numbers)]
    return [f"{', '.join(f't{n}' for n in numbers)} = A{choice}.take(i[{choice}], axis=1){mask}"]


def condition_many(v: Variables, lines: list[str], name: str, terms: Sequence[Term]) -> str:
    """A condition as a factor: a product of tests, or a disjunction in brackets."""
    if len(terms) == 1:
        return brief(lines, name, [factor_many(v, *literal) for literal in terms[0]], "*")
    words = [bracketed([test_many(v, *literal) for literal in term], "&") for term in terms]
    text = brief(lines, name, words, "|")
    return text if text == name else f"({text})"


def factor_many(v: Variables, choice: int, at: Sequence[int]) -> str:
    """A test that is 1 or 0; the row of a skip choice is that already."""
    if v.diagrams.options[choice] == (0, 1):
        return v.raw(choice) if list(at) == [1] else f"(1 - {v.raw(choice)})"
    return test_many(v, choice, at)


def test_many(v: Variables, choice: int, at: Sequence[int]) -> str:
    """A test of a choice's row, which holds options or positions."""
    count, row = len(v.diagrams.options[choice]), v.raw(choice)
    values = [v.diagrams.options[choice][p] if v.holds_options(choice) else p for p in at]
    if len(at) == 1:
        return f"({row} == {values[0]})"
    if list(at) == list(range(count - len(at), count)):
        return f"({row} >= {values[0]})"
    if list(at) == list(range(len(at))):
        return f"({row} <= {values[-1]})"
    if len(at) <= FEW:
        return f"({' | '.join(f'({row} == {value})' for value in values)})"
    return f"np.isin({row}, {values!r})"


def chosen(target: str, value: str, condition: str, other: str) -> str:
    """`target = value`, or `other` where a condition does not hold."""
    return f"{target} = {value} if {condition} else {other}" if condition else f"{target} = {value}"
