"""Assignments as people and JSON write them: checked against a graph's choices, and written out again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

from specc.diagnostics.near import near_or_all
from specc.ir.choice import Choice, Range
from specc.ir.expr import Option, normal
from specc.portable.run.numerals import LONGEST, read, written

if TYPE_CHECKING:
    from specc.ir.graph import Graph


class WrongAssignment(ValueError):
    """A choice or an option that does not exist. `help` names those that do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def largest(graph: Graph) -> dict[str, Option]:
    """Every choice at its last option."""
    return {choice.name: choice.largest for choice in graph.choices}


def smallest(graph: Graph) -> dict[str, Option]:
    """Every choice at its first option."""
    return {choice.name: choice.smallest for choice in graph.choices}


def checked(graph: Graph, values: Mapping[str, object]) -> dict[str, Option]:
    """The options that words, numbers and booleans mean, by choice. Raises WrongAssignment."""
    choices = {name: named(graph, name) for name in values}
    return {name: option(choices[name], value) for name, value in values.items()}


def named(graph: Graph, name: str) -> Choice:
    """The choice of this name. Raises WrongAssignment with near names."""
    table = graph.choice_table()
    if name in table:
        return table[name]
    help = near_or_all(name, table) if table else "it has no choices: it is one network"
    raise WrongAssignment(f"`{graph.name}` has no choice `{name}`", help)


def option(choice: Choice, value: object) -> Option:
    """The option that a word or a JSON value means. Raises WrongAssignment with the options there are."""
    wanted = meaning(choice, value)
    options = choice.options
    if isinstance(options, Range):
        if wanted is not None and not isinstance(wanted, (str, bool)):
            steps = (Fraction(wanted) - options.start) / options.step
            if steps.denominator == 1 and 0 <= steps < len(options):
                return normal(wanted)
    else:
        for found in options:
            if found == wanted and isinstance(found, bool) == isinstance(wanted, bool):
                return found
    raise WrongAssignment(
        f"`{shortened(value)}` is no option of `{choice.name}`", f"its options are {show_options(choice)}"
    )


def shortened(value: object) -> str:
    """A value as it was given, or its beginning."""
    text = value if isinstance(value, str) else written(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def meaning(choice: Choice, value: object) -> Option | None:
    """The number, switch or word behind a value; None where it is none. Switches are also true, false, 1 and 0."""
    found: object = value
    if isinstance(value, float):
        found = Fraction(repr(value)) if isfinite(value) else None
    elif isinstance(value, str):
        try:
            found = read(value)
        except ValueError:
            return None
    if is_switch(choice):
        switch = {"true": True, "false": False, 0: False, 1: True}.get(found)
        if switch is not None:
            return int(switch) if choice.kind == "skip" else bool(switch)
    return normal(found) if isinstance(found, (int, Fraction, str)) else None


def is_switch(choice: Choice) -> bool:
    """Whether the options are no and yes."""
    return choice.kind == "skip" or (len(choice.options) <= 2 and all(isinstance(o, bool) for o in choice.options))


JsonOption: TypeAlias = bool | int | float | str


def option_json(choice: Choice, value: Option) -> JsonOption:
    """An option as JSON has it: switches as true or false, ratios as decimals (as text where they have none)."""
    if is_switch(choice):
        return bool(value)
    if isinstance(value, Fraction):
        text = written(value)
        return text if "/" in text else float(text)
    return value


def assignment_json(graph: Graph, at: Mapping[str, Option]) -> dict[str, JsonOption]:
    """An assignment as JSON has it, in the order of the graph's choices."""
    return {choice.name: option_json(choice, at[choice.name]) for choice in graph.choices if choice.name in at}


def show_option(choice: Choice, value: Option) -> str:
    """An option as a spec and `--at` write it: `yes`, `0.35`, `1/3`, a number or a word."""
    return written(bool(value)) if is_switch(choice) else written(value)


def show_options(choice: Choice, most: int = 8) -> str:
    """`no, yes`; `32, 48, 64`; `16..64 step 8` for a range that is longer than `most`."""
    options = choice.options
    if len(options) <= most:
        return ", ".join(show_option(choice, value) for value in options)
    if isinstance(options, Range):
        step = "" if options.step == 1 else f" step {show_option(choice, options.step)}"
        return f"{show_option(choice, choice.smallest)}..{show_option(choice, choice.largest)}{step}"
    first = [show_option(choice, value) for value in options[: most - 1]]
    return ", ".join((*first, "...", show_option(choice, choice.largest)))


def show_assignment(graph: Graph, at: Mapping[str, Option]) -> str:
    """`width=0.5, s1.keep=no`."""
    pairs = (f"{c.name}={show_option(c, at[c.name])}" for c in graph.choices if c.name in at)
    return ", ".join(pairs) or "(no choices)"


def show_assignments(graph: Graph, assignments: Iterable[Mapping[str, Option]]) -> list[str]:
    """The same for many, whose options are many times the same."""
    texts = {c.name: {value: f"{c.name}={show_option(c, value)}" for value in c.options} for c in graph.choices}
    return [
        ", ".join([text[at[name]] for name, text in texts.items() if name in at]) or "(no choices)"
        for at in assignments
    ]


def assignments_json(graph: Graph, assignments: Iterable[Mapping[str, Option]]) -> list[dict[str, JsonOption]]:
    """`assignment_json` of many."""
    values = {c.name: {value: option_json(c, value) for value in c.options} for c in graph.choices}
    return [{name: value[at[name]] for name, value in values.items() if name in at} for at in assignments]
