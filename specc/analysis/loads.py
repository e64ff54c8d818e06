"""How the variables of a cost program get their values, from one assignment or from many."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from specc.analysis.diagrams import Term
from specc.analysis.names import literal_text, quoted
from specc.analysis.variables import Variables

TILE = 1024
"""Rows that are transposed together, so that what is read stays in the cache from one column to the next."""
SPARE = 96
"""Rows allocated without need: a block this large makes the allocator keep its pages for the next one."""
TARGETS = 8
"""The most variables that one line sets."""
BRIEF = 36
"""The longest condition that stands within a line."""
WIDTH = 80
"""The longest condition that has a line of its own."""


def loads_one(v: Variables) -> list[str]:
    """The variables of one assignment."""
    lines: list[str] = []
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        condition = condition_one(v, lines, f"c{choice}", terms) if terms else ""
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
        return brief(lines, name, words[0], " and ")
    return brief(lines, name, [bracketed(term, " and ") for term in words], " or ")


def bracketed(words: Sequence[str], operator: str) -> str:
    return f"({operator.join(words)})" if len(words) > 1 else words[0]


def brief(lines: list[str], name: str, words: Sequence[str], operator: str) -> str:
    """The words joined, or where that is long a variable that holds the result, computed in lines that are not."""
    if len(operator.join(words)) <= BRIEF:
        return operator.join(words)
    rest, start = list(words), ""
    while rest:
        text = start + rest.pop(0)
        while rest and len(text) + len(operator) + len(rest[0]) <= WIDTH:
            text += operator + rest.pop(0)
        lines.append(f"{name} = {text}")
        start = f"{name}{operator}"
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
        "# The spare rows make the allocator keep its pages from one block to the next.",
        f"p = np.empty((len(i) + {SPARE}, i.shape[1]), dtype=np.{v.dtype()})[: len(i)]",
        f"for start in range(0, i.shape[1], {TILE}):",
        f"    p[:, start : start + {TILE}] = i[:, start : start + {TILE}]",
    ]
    lines += spacing(v)
    for choice in v.in_order():
        terms = v.program.active.get(choice)
        mask = f" * {condition_many(v, lines, f'c{choice}', terms)}" if terms else ""
        raw = v.raw(choice)
        if choice in v.asked:
            lines.append(times(f"{raw} = ", row(v, choice), mask if raw[0] == "x" else ""))
        if v.has_plain(choice) and not (choice in v.asked and raw[0] == "x"):
            column = row(v, choice) if v.linear_options(choice) else f"V{choice}[i[{choice}]]"
            lines.append(times(f"x{choice} = ", column, mask))
        numbers = v.tabled(choice)
        if numbers:
            lines += looked_up(choice, numbers, mask)
        for number in v.reads[choice]:
            if v.compared(number):
                lines.append(f"t{number} = 1 * {factor_many(v, choice, v.ones(number))}{mask}")
    for number in v.joint:
        symbol = v.symbols.symbols[number]
        if symbol.node is not None:
            lines.append(f"t{number} = 1 * {condition_many(v, lines, f'c_{number}', v.terms_of(number))}")
            continue
        index = f"i[{symbol.scope[0]}]"
        for choice in symbol.scope[1:]:
            index = f"({index})" if "+" in index else index
            index = f"{index} * {len(v.diagrams.options[choice])} + i[{choice}]"
        lines.append(f"t{number} = B{number}[{index}]")
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
    """A choice's options where they are numbers that count, its positions where not."""
    first = v.diagrams.options[choice][0]
    if v.holds_options(choice) and not v.linear_options(choice):
        return f"V{choice}[i[{choice}]]"
    if not v.linear_options(choice) or not isinstance(first, int) or first == 0:
        return f"p[{choice}]"
    return f"p[{choice}] + {first}" if first > 0 else f"p[{choice}] - {-first}"


def looked_up(choice: int, numbers: Sequence[int], mask: str) -> list[str]:
    """The functions of a choice by its positions."""
    targets = ", ".join(f"t{n}" for n in numbers)
    if len(numbers) == 1:
        return [f"{targets} = A{choice}[i[{choice}]]{mask}"]
    if len(numbers) > TARGETS:
        return [f"{some} = [row[i[{choice}]]{mask} for row in A{choice}[{part}]]" for some, part in parted(numbers)]
    return [f"{targets} = [row[i[{choice}]]{mask} for row in A{choice}]"]


def condition_many(v: Variables, lines: list[str], name: str, terms: Sequence[Term]) -> str:
    """A condition as a factor: a product of tests, or a disjunction in brackets."""
    if len(terms) == 1:
        return brief(lines, name, [factor_many(v, *literal) for literal in terms[0]], " * ")
    words = [bracketed([test_many(v, *literal) for literal in term], " & ") for term in terms]
    text = brief(lines, name, words, " | ")
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
    return f"np.isin({row}, {values!r})"


def times(target: str, value: str, mask: str) -> str:
    """`target` set to a value, times a mask."""
    return f"{target}({value}){mask}" if mask and " " in value else f"{target}{value}{mask}"


def chosen(target: str, value: str, condition: str, other: str) -> str:
    """`target = value`, or `other` where a condition does not hold."""
    return f"{target} = {value} if {condition} else {other}" if condition else f"{target} = {value}"
