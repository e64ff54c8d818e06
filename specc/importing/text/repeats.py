"""Equal neighbours become a `repeat`, also where a number grows from one to the next by the same step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from specc.importing.text.terms import Apply, Par, Term, Value, plain, times
from specc.importing.text.tree import (
    Argument,
    Body,
    Node,
    Operand,
    Ref,
    Repeat,
    Residual,
    Step,
    When,
    bare,
    leaves,
    nodes,
    operands,
)

LONGEST = 6
"""Statements of a body that is looked for again behind itself."""


def with_repeats(body: Body) -> Body:
    """The statements with every run of equal ones as a `repeat`, in the braces inside, too."""
    inner = tuple(map(inside, body))
    made: list[Node] = []
    place = 0
    while place < len(inner):
        found = longest_run(inner, place)
        if found is None:
            made.append(inner[place])
            place += 1
        else:
            repeat, taken = found
            made.append(repeat)
            place += taken
    return tuple(made)


def inside(node: Node) -> Node:
    match node:
        case Residual():
            return replace(node, body=with_repeats(node.body), shortcut=with_repeats(node.shortcut))
        case When() | Repeat():
            return replace(node, body=with_repeats(node.body))
    return node


def longest_run(body: Body, place: int) -> tuple[Repeat, int] | None:
    """The repeat that begins at a statement and saves the most, and how many statements it takes."""
    best: tuple[int, Repeat, int] | None = None
    for period in range(1, min(LONGEST, (len(body) - place) // 2) + 1):
        first = body[place : place + period]
        if any(is_named(node) for node in first):
            break
        count, index = rounds(body, place, period)
        if count < 2 or (period == 1 and leaves(first) < 1):
            continue
        held = fold(body, place, period, count) if index else first
        saved = (count - 1) * sum(weight(node) for node in first) - 2 - index
        if saved > 0 and (best is None or saved > best[0]):
            best = saved, Repeat(count, held, "i" if index else ""), count * period
    return None if best is None else best[1:]


def weight(node: Node) -> int:
    return 2 + 2 * leaves((node,)) if not isinstance(node, Step) else 2 + len(node.args)


def rounds(body: Body, place: int, period: int) -> tuple[int, bool]:
    """How often the statements at a place follow one another, and whether numbers grow from round to round."""
    first = tuple(map(bare, body[place : place + period]))
    equal = 1
    while tuple(map(bare, body[place + equal * period : place + (equal + 1) * period])) == first:
        equal += 1
    if equal > 1 or place + 2 * period > len(body):
        return equal, False
    steps = growth(body[place : place + period], body[place + period : place + 2 * period])
    if steps is None:
        return 1, False
    count = 2
    while place + (count + 1) * period <= len(body):
        here = body[place + (count - 1) * period : place + count * period]
        if growth(here, body[place + count * period : place + (count + 1) * period]) != steps:
            break
        count += 1
    return (count, True) if count > 2 else (1, False)


Growth = tuple[tuple[int, str, Fraction], ...]


def growth(one: Body, other: Body) -> Growth | None:
    """By how much which arguments of calls grow; None where anything else differs, or a size does."""
    steps: list[tuple[int, str, Fraction]] = []
    for number, (left, right) in enumerate(zip(one, other, strict=True)):
        if bare(left) == bare(right):
            continue
        if (
            not isinstance(left, Step)
            or not isinstance(right, Step)
            or [n for n, _ in left.args] != [n for n, _ in right.args]
        ):
            return None
        for (name, a), (_, b) in zip(left.args, right.args):
            if a == b and type(a) is type(b):
                continue
            if isinstance(a, bool) or not isinstance(a, (int, Fraction)) or not isinstance(b, (int, Fraction)):
                return None
            steps.append((number, name, Fraction(b) - Fraction(a)))
        if bare(replace(left, args=())) != bare(replace(right, args=())):
            return None
    fractions = [step for _, _, step in steps if step.denominator != 1]
    return tuple(steps) if steps and len(fractions) == len(steps) else None


def fold(body: Body, place: int, period: int, count: int) -> Body:
    """The statements of one round, with the numbers that grow as a formula of the round `i`."""
    first = list(body[place : place + period])
    steps = growth(body[place : place + period], body[place + period : place + 2 * period])
    assert steps is not None
    for number, name, step in steps:
        node = first[number]
        assert isinstance(node, Step)
        args = tuple((n, grown(v, step) if n == name else v) for n, v in node.args)
        first[number] = replace(node, args=args)
    return tuple(first)


def grown(begin: Argument, step: Fraction) -> Term:
    """`begin + i * step`, as `(6 + i) / 80` where the beginning is so many steps."""
    assert isinstance(begin, (int, Fraction))
    ahead = Fraction(begin) / step
    if ahead.denominator == 1:
        index: Value | Term = Par("i") if not ahead else Apply("+", (plain(ahead), Par("i")))
        made = times(index, step) if step.numerator == 1 else Apply("*", (plain(step), index))
        assert isinstance(made, (Par, Apply))
        return made
    return Apply("+", (plain(Fraction(begin)), Apply("*", (plain(step), Par("i")))))


def is_named(node: Node) -> bool:
    """Whether a statement gives or reads a tensor by name: such ones are not repeated."""

    def reads(operand: Operand) -> bool:
        return isinstance(operand, Ref) or (isinstance(operand, Step) and any(map(reads, operands(operand))))

    found: Sequence[Step] = [each for each in nodes((node,)) if isinstance(each, Step)]
    return any(step.results or any(map(reads, operands(step))) for step in found)
