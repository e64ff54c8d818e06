"""The texts of two files of a generated project: `space.py`, for people, has the choices, when they matter and what
each layer costs; `costs.py` computes the same totals fast."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from specc.cost.names import plain_option
from specc.cost.program import Program, program
from specc.cost.variables import Variables
from specc.cost.writer import functions, tables
from specc.ir.choice import Choice
from specc.ir.graph import Graph
from specc.python.literals import literal, quoted
from specc.space.choices import Space
from specc.subnets.conditions import conditions, count_of
from specc.subnets.layer_text import functions_of, layer_lines

RANGE = 6
"""A longer run of equally spaced integers is written as a `range`."""


def space_module(graph: Graph) -> str:
    """The text of `space.py`, the same bytes for the same graph. Its imports of specc are for the copier to rewrite."""
    space = conditions(graph)
    rows = layer_lines(graph)
    blocks = [
        head(graph, rows),
        choices_text(graph),
        active_text(graph, space),
        f"# The number of sub-networks, each once.\nSIZE = {size_text(space)}",
        "SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)",
        LAYER,
        "\n" + FUNCTIONS,
        "\n" + "\n".join(rows),
    ]
    return "\n\n".join(blocks) + "\n"


def costs_module(graph: Graph) -> str:
    """The text of `costs.py`, the same bytes for the same graph."""
    what = program(graph)
    variables = Variables(what, plain=True)
    constants = tables(variables)
    blocks = [COSTS_HEAD, together_text(graph, what)]
    blocks += ["\n".join(constants)] if constants else []
    return "\n\n".join([*blocks, "\n" + "\n".join(functions(variables))]) + "\n"


def head(graph: Graph, rows: Sequence[str]) -> str:
    """The docstring and the imports."""
    named = functions_of(rows)
    imports = ["from specc.runtime.net.sizes import OneOf", "from specc.space import choices"]
    imports += [f"from {module} import {', '.join(names)}" for module, names in sorted(named.items())]
    lines = "\n".join(imports)
    fractions = "from fractions import Fraction\n" if any("Fraction(" in row for row in rows) else ""
    return f'''"""The sub-networks of {harmless(graph.name)}.

An assignment maps choices to options. It is canonical where it names the active choices alone:
those that something present in that sub-network reads. `layers` says what each layer costs;
costs.py computes the same totals fast.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
{fractions}from typing import Any

from costs import TOGETHER, batched, cost, macs, params  # noqa: F401
{lines}'''


def harmless(text: str) -> str:
    """A text from a spec or a file's name as it may stand in a comment or docstring."""
    return re.sub(r"[^A-Za-z0-9_./:-]", "_", text)[:80]


def choices_text(graph: Graph) -> str:
    """`CHOICES`, each after the place in the spec that makes it."""
    comment = "# The options of every choice, from the smallest sub-network's to the largest's."
    lines = [comment, "CHOICES: dict[str, tuple[Any, ...]] = {"]
    before = ""
    for choice in graph.choices:
        place = harmless(choice.origin.location())
        if place != before:
            lines.append(f"    # {place}")
        before = place
        key = f"    {quoted(choice.name)}: "
        lines.append(f"{key}{options_text(choice, len(key))},")
    return "\n".join([*lines, "}"]) if graph.choices else "CHOICES: dict[str, tuple[Any, ...]] = {}"


def options_text(choice: Choice, used: int) -> str:
    """The options as Python and JSON have them."""
    options = [plain_option(choice, option) for option in choice.options]
    integers = [option for option in options if isinstance(option, int) and not isinstance(option, bool)]
    steps = {b - a for a, b in pairwise(integers)}
    if len(integers) == len(options) > RANGE and len(steps) == 1 and steps != {0}:
        (step,) = steps
        end = "" if step == 1 else f", {step}"
        return f"tuple(range({integers[0]}, {integers[-1] + step}{end}))"
    return literal(tuple(options), 4, used + 1)


def active_text(graph: Graph, space: Space) -> str:
    """`ACTIVE`: for each choice that does not always matter, the conjunctions of which one must hold."""
    if not space.active:
        return "# Every choice matters in every sub-network.\nACTIVE: dict[str, tuple[Any, ...]] = {}"
    table = graph.choice_table()
    lines = [
        "# When a choice matters, for those that do not always: where one of these rows holds, that is,",
        "# where each of the choices it names stands at one of the options it lists.",
        "ACTIVE: dict[str, tuple[Any, ...]] = {",
    ]
    for name, terms in space.active.items():
        rows = tuple({parent: plain(table[parent], allowed) for parent, allowed in term.items()} for term in terms)
        key = f"    {quoted(name)}: "
        lines.append(f"{key}{literal(rows, 4, len(key) + 1)},")
    return "\n".join([*lines, "}"])


def plain(choice: Choice, options: object) -> tuple[object, ...]:
    assert isinstance(options, tuple)
    return tuple(plain_option(choice, option) for option in options)


def together_text(graph: Graph, what: Program) -> str:
    """`TOGETHER`: the choices that a part of the cost reads together."""
    comment = "# A cost is a sum of parts, each of which reads the choices of one of these rows, or one choice."
    start = "TOGETHER: tuple[tuple[str, ...], ...] = "
    rows = tuple(tuple(graph.choices[at].name for at in scope) for scope in what.together)
    return f"{comment}\n{start}{literal(rows, 0, len(start))}"


def size_text(space: Space) -> str:
    count = count_of(space)
    return f"{count}" if count is not None else "None  # the choices are too interdependent to count"


COSTS_HEAD = '''"""What sub-networks cost, as a program: for many at once, and for one in microseconds.

Written by a compiler for a processor. `layers` in space.py says the same a layer at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np'''
LAYER = '''Layer = tuple[str, int, int]
"""A layer's path, its multiply-accumulates for one image, its parameters in use."""'''
FUNCTIONS = '''def choice(name: str) -> OneOf:
    """The choice of this name, as a size for model.py."""
    return OneOf(*CHOICES[name], name=name)


def check(assignment: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the choice and its options, for what is no assignment here."""
    choices.check(SPACE, assignment)


def canonical(assignment: Mapping[str, Any]) -> dict[str, Any]:
    """The assignment without inactive choices; what it does not name reads as the first option."""
    return choices.canonical(SPACE, assignment)


def largest() -> dict[str, Any]:
    """The sub-network with every choice at its last option."""
    return choices.largest(SPACE)


def smallest() -> dict[str, Any]:
    """The sub-network with every choice at its first option."""
    return choices.smallest(SPACE)


def draw(rng: random.Random) -> dict[str, Any]:
    """One sub-network at random: each active choice uniform, independently of the others."""
    return choices.draw(SPACE, rng)


def every() -> Iterator[dict[str, Any]]:
    """Every sub-network once: SIZE of them."""
    return choices.every(SPACE)'''
