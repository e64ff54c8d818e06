"""Facts that a spec states in comments, checked against the compiler.

    conv(32, kernel=3, stride=2)   # shape: [32, 16, 16] # macs: 16 * 16 * 32 * 16 * 9 # params: 32 * 16 * 9
    # choices: s1.depth {0, 1, 2}, width          all choices of the network, in any order, with options or without
    # size: 3 * 4                                 how many sub-networks there are
    # params: 5130 at s1.depth=0, width=0.5       of the whole network, as the comment has a line of its own

Behind a statement, `shape`, `macs` and `params` are those of its line: the shape that its last operation leaves, the
costs of all its operations. On a line of their own, `macs` and `params` are the whole network's. They hold for the
largest sub-network, or for the one behind `at`: `min`, or options of choices (the others are the largest). Figures may
be written as the arithmetic that they come from. A shape has no batch: (channels, height, width), (tokens, features) or
(features); `# shape: none` says that no operation of the line is in that sub-network.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from specc.api import Network
from specc.assignments import show_options
from specc.pipeline import Compiled
from specc.source import Span

FACT = re.compile(r"# (shape|choices|size|macs|params): ([^#\n]*)")
ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """A stated fact: its line (from 1), whether it has the line for itself, what it is about, and what it says."""

    line: int
    alone: bool
    about: str
    said: str
    at: str


def facts_in(text: str) -> list[Fact]:
    """The facts of a spec. An `at` that is missing means the largest sub-network."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        for about, said in FACT.findall(line):
            value, _, at = said.strip().partition(" at ")
            found.append(Fact(number, line.lstrip().startswith("#"), about, value.strip(), at.strip() or "max"))
    return found


def assert_facts(text: str, compiled: Compiled, begin: int = 0) -> None:
    """Holds all facts of a spec against what it compiles to. `begin` is where its own text begins, behind a wrapper."""
    net = Network(compiled)
    facts = facts_in(text)
    stated = ", ".join(fact.said for fact in facts if fact.about == "choices")
    if stated:
        assert_choices(stated, net)
    for fact in facts:
        match fact.about:
            case "size":
                assert net.space().size == value(fact.said), shown(fact, net.space().size)
            case "shape":
                assert not fact.alone, f"line {fact.line}: a shape stands behind a statement"
                found = shape(net, fact, begin)
                assert f"{found}" == fact.said, shown(fact, found)
            case "macs" | "params":
                count = total(net, fact, begin)
                assert count == value(fact.said), shown(fact, count)


def shown(fact: Fact, found: object) -> str:
    return f"line {fact.line}: {fact.about} at {fact.at} is {found}, not {fact.said}"


def assert_choices(stated: str, net: Network) -> None:
    """`a, b {1, 2}` are the names of all choices, and the options of those that show them."""
    wanted = {} if stated == "none" else dict(re.findall(r"([\w.]+)(?: \{([^}]*)\})?", stated))
    choices = {choice.name: show_options(choice, most=100) for choice in net.graph.choices}
    assert sorted(wanted) == sorted(choices), f"the choices are {', '.join(choices)}"
    for name, options in wanted.items():
        assert options in ("", choices[name]), f"{name}: {choices[name]}"


def value(said: str) -> int:
    """The number that an expression of whole numbers comes to."""

    def of(node: ast.expr) -> int:
        match node:
            case ast.Constant(int(number)):
                return number
            case ast.BinOp(left, sign, right) if type(sign) in ARITHMETIC:
                return ARITHMETIC[type(sign)](of(left), of(right))
        raise AssertionError(f"`{said}` is no arithmetic on whole numbers")

    return of(ast.parse(said, mode="eval").body)


def where(at: str) -> Literal["max", "min"] | dict[str, object]:
    """A sub-network as `Network.cost` takes it."""
    if at == "max":
        return "max"
    if at == "min":
        return "min"
    return {name.strip(): option.strip() for name, _, option in (pair.partition("=") for pair in at.split(","))}


def total(net: Network, fact: Fact, begin: int) -> int:
    """The MACs or parameters of the network, or of the operations of a line."""
    report = net.cost(where(fact.at))
    rows = report.ops if fact.alone else [row for row in report.ops if row.name in on_line(net, fact.line, begin)]
    return sum(getattr(row, fact.about) for row in rows)


def shape(net: Network, fact: Fact, begin: int) -> list[int] | str:
    """The shape that the last operation of a line leaves; `none` where it is not there."""
    present = {row.name: row.out for row in net.cost(where(fact.at)).ops}
    here = [name for name in on_line(net, fact.line, begin) if name in present]
    return [*present[here[-1]]] if here else "none"


def on_line(net: Network, line: int, begin: int) -> list[str]:
    """The operations that a line writes, in the order of execution."""
    return [op.name for op in net.graph.ops if op.origin.start >= begin and line_of(op.origin) == line]


def line_of(span: Span) -> int:
    return span.source.text.count("\n", 0, span.start) + 1
