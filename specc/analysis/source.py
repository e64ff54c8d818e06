"""The cost program as Python: `cost(a)` for one assignment, `batched(positions)` for many.

Every choice c is read into variables numbered like the choices: `x3` its option as a number, 0 where it does not matter;
`o3` its option, the first where it does not matter; `t7` the function of it that is symbol 7. The statements that follow
are the same for one assignment, where the variables are integers, and for many, where they are arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from specc.analysis.diagrams import Diagrams, Term
from specc.analysis.names import any_of, choices_in, literal_text, plain_option, quoted
from specc.analysis.program import Program, program
from specc.analysis.sums import Statements
from specc.analysis.totals import Count
from specc.ir.choice import Assignment
from specc.ir.graph import Graph

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LINE = 100
SPARE = 32
BLOCK = 8192
"""Rows that are computed together: their columns fit into the processor's cache."""


class Cost(NamedTuple):
    """The multiply-accumulates for one image and the parameters in use."""

    macs: int
    params: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledCost:
    """The costs of any sub-network of one graph.

    one    an assignment -> (MACs, parameters); options as the graph has them
    many   option positions [n, choices] -> MACs [n], parameters [n]
    """

    one: Callable[[Assignment], tuple[int, int]]
    many: Callable[[NDArray[np.int64]], tuple[NDArray[np.int64], NDArray[np.int64]]]
    together: tuple[tuple[str, ...], ...]
    source: str

    def __call__(self, at: Assignment) -> Cost:
        return Cost(*self.one(at))


@lru_cache(maxsize=4)
def compile_cost(graph: Graph, count: Count = "macs") -> CompiledCost:
    """The costs of any sub-network as functions of an assignment, or of many."""
    what = program(graph, count)
    source = written(what, plain=False)
    names: dict[str, Any] = {}
    exec(compile(source, "<the cost program>", "exec"), names)  # our own text: what a spec says went through repr
    choices = [choice.name for choice in graph.choices]
    together = tuple(tuple(choices[at] for at in scope) for scope in what.together)
    return CompiledCost(names["cost"], names["batched"], together, source)


def cost_source(graph: Graph, count: Count = "macs", plain: bool = True) -> str:
    """A module of its own with `cost`, `macs`, `params` and `batched`.

    With `plain`, options are as JSON has them (true, 0.35); without, as the graph has them (1, Fraction(7, 20)).
    """
    return written(program(graph, count), plain)


def written(what: Program, plain: bool) -> str:
    text = Writer(what, plain)
    head = ["from __future__ import annotations", "", "from collections.abc import Mapping"]
    head += [] if plain else ["from fractions import Fraction"]
    head += ["from typing import Any", "", "import numpy as np"]
    tables = text.tables()
    return "\n".join([*head, *([""] if tables else []), *tables, "", *text.functions()]) + "\n"


class Writer:
    """Writes one program. Lines come without a final newline and fit ruff's format at 100 columns."""

    def __init__(self, what: Program, plain: bool) -> None:
        self.program = what
        self.plain = plain
        self.symbols = what.presence.symbols
        self.diagrams: Diagrams = what.presence.diagrams
        self.used = used_symbols(what)
        self.reads = [
            sorted(n for n in self.used if self.symbols.symbols[n].scope == (choice,) and not self.is_plain(n))
            for choice in range(len(self.diagrams.choices))
        ]
        self.joint = sorted(n for n in self.used if len(self.symbols.symbols[n].scope) > 1)
        self.asked = self.asked_choices()

    def is_plain(self, number: int) -> bool:
        return self.symbols.plain.get(self.symbols.symbols[number].scope[0]) == number

    def tabled(self, choice: int) -> list[int]:
        """The functions of a choice that are looked up: all but its own value and simple comparisons."""
        return [n for n in self.reads[choice] if not self.compared(n)]

    def compared(self, number: int) -> bool:
        """Whether a function is 1 for some options and 0 for the others, so that a comparison gives it."""
        return set(self.symbols.symbols[number].values) == {0, 1}

    # Tables

    def tables(self) -> list[str]:
        """The constants: functions by option, `T3` for choice 3, and functions of several choices, `J7` for symbol 7."""
        lines: list[str] = []
        arrays: list[str] = []
        for choice, about in enumerate(self.diagrams.choices):
            numbers = self.tabled(choice)
            if numbers:
                rows = list(zip(*(self.symbols.symbols[n].values for n in numbers), strict=True))
                values = [repr(row[0] if len(row) == 1 else row) for row in rows]
                items = [f"{self.option(choice, at)}: {value}" for at, value in enumerate(values)]
                lines += [f"# What depends on {about.name!r} alone.", *dictionary(f"T{choice}", items)]
                arrays.append(f"A{choice} = np.array([*T{choice}.values()], dtype=np.{self.dtype()}).T")
            elif not self.linear_options(choice) and self.has_plain(choice):
                values = [self.option(choice, at) for at in range(len(about.options))]
                arrays += wrapped(f"V{choice} = np.array([", values, f"], dtype=np.{self.dtype()})")
        for number in self.joint:
            symbol = self.symbols.symbols[number]
            if symbol.node is None:
                options = [
                    [self.option(choice, at) for at in range(len(self.diagrams.options[choice]))] for choice in symbol.scope
                ]
                keys = product(*options)
                items = [f"({', '.join(key)}): {value}" for key, value in zip(keys, symbol.values, strict=True)]
                lines += dictionary(f"J{number}", items)
                arrays.append(f"B{number} = np.array([*J{number}.values()], dtype=np.{self.dtype()})")
        if self.spaced():
            for name, values in zip(("STEPS", "FIRSTS"), zip(*self.spaced(), strict=True), strict=True):
                arrays += wrapped_numbers(f"{name} = np.array([", values, f"], dtype=np.{self.dtype()})[:, None]")
        return lines + arrays

    def option(self, choice: int, at: int) -> str:
        option = self.diagrams.options[choice][at]
        return quoted(plain_option(self.diagrams.choices[choice], option) if self.plain else option)

    def has_plain(self, choice: int) -> bool:
        return self.symbols.plain.get(choice) in self.used

    def linear_options(self, choice: int) -> bool:
        """Whether a choice's options are whole and equally spaced."""
        options = self.diagrams.options[choice]
        if not all(isinstance(option, int) for option in options):
            return False
        return len({b - a for a, b in zip(options, options[1:], strict=False)}) <= 1  # type: ignore[operator]

    def dtype(self) -> str:
        """float64 holds integers below 2**53 exactly and is the fastest; larger ones need int64 or Python's own."""
        bound = self.program.bound
        return "float64" if bound < 1 << 53 else "int64" if bound < 1 << 63 else "object_"

    # Functions

    def functions(self) -> list[str]:
        """`cost`, `macs`, `params` and `batched`."""
        end = f" // {self.program.divisor}" if self.program.divisor > 1 else ""
        returned = [f"    return macs{end}, params{end}"]
        return [
            "",
            "def cost(a: Mapping[str, Any]) -> tuple[int, int]:",
            '    """The MACs for one image and the parameters of one sub-network, by its assignment."""',
            *indented(self.loads_one()),
            *indented(self.body()),
            *returned,
            *SHORTHANDS,
            "def batched(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:",
            '    """The MACs and parameters of many: each row of `positions`, [n, choices], says which option of',
            '    every choice, counted from 0, a sub-network has. Exact."""',
            "    positions = np.asarray(positions)",
            "    macs = np.empty(len(positions), dtype=np.int64)",
            "    params = np.empty(len(positions), dtype=np.int64)",
            f"    for start in range(0, len(positions), {BLOCK}):",
            f"        rows = slice(start, start + {BLOCK})",
            "        macs[rows], params[rows] = batched_block(positions[rows].T)",
            "    return macs, params",
            "",
            "",
            "def batched_block(i: np.ndarray) -> tuple[Any, Any]:",
            '    """`batched` for a few thousand, [choices, n]."""',
            *indented(self.loads_many()),
            *indented(self.body()),
            *returned,
        ]

    def body(self) -> list[str]:
        macs, params = self.program.sums
        statements = Statements(self.names(), self.program.linear, (macs, params))
        statements.assign("macs", macs)
        statements.assign("params", params)
        return statements.lines

    def names(self) -> dict[int, str]:
        return {n: f"x{self.symbols.symbols[n].scope[0]}" if self.is_plain(n) else f"t{n}" for n in self.used}

    def terms_of(self, number: int) -> Sequence[Term]:
        node = self.symbols.symbols[number].node
        return () if node is None else self.diagrams.terms(node)

    def asked_choices(self) -> set[int]:
        """The choices whose option itself is compared or looked up under another's condition."""
        found = {choice for choice, numbers in enumerate(self.reads) if any(map(self.compared, numbers))}
        for choice, terms in self.program.active.items():
            if self.reads[choice] or self.has_plain(choice):
                found.update(choices_in(terms))
        for number in self.joint:
            found.update(self.symbols.symbols[number].scope)
        waiting = sorted(found)
        while waiting:
            for parent in choices_in(self.program.active.get(waiting.pop(), ())):
                if parent not in found:
                    found.add(parent)
                    waiting.append(parent)
        return found

    def in_order(self) -> list[int]:
        """The choices that are read, each after those that its activity reads."""
        read = [c for c, numbers in enumerate(self.reads) if numbers or c in self.asked or self.has_plain(c)]
        order: dict[int, None] = {}
        stack = [(choice, False) for choice in reversed(read)]
        entered: set[int] = set()
        while stack:
            choice, left = stack.pop()
            if left:
                order[choice] = None
            elif choice not in entered:
                entered.add(choice)
                stack.append((choice, True))
                parents = choices_in(self.program.active.get(choice, ()))
                stack.extend((parent, False) for parent in reversed(parents))
        return list(order)

    def raw(self, choice: int) -> str:
        """The variable that holds a choice's option: `x` serves where it is that number at all times."""
        always = choice not in self.program.active or self.diagrams.options[choice] == (0, 1)
        return f"x{choice}" if always else f"o{choice}"

    def condition_one(self, terms: Sequence[Term]) -> str:
        return any_of(
            [literal_text(self.diagrams, c, at, self.plain, self.raw(c)) for c, at in term] for term in terms
        )

    def loads_one(self) -> list[str]:
        """The variables of one assignment."""
        lines = []
        for choice in self.in_order():
            terms = self.program.active.get(choice)
            condition = self.condition_one(terms) if terms else ""
            value = f"a[{quoted(self.diagrams.choices[choice].name)}]"
            raw = self.raw(choice)
            if choice in self.asked:
                first = "0" if raw[0] == "x" else self.option(choice, 0)
                lines.append(chosen(raw, value, condition, first))
                value = raw
            if self.has_plain(choice) and value != f"x{choice}":
                lines.append(chosen(f"x{choice}", value, condition, "0"))
                value = f"x{choice}"
            numbers = self.tabled(choice)
            if numbers:
                targets = ", ".join(f"t{n}" for n in numbers)
                nothing = "0" if len(numbers) == 1 else f"({', '.join('0' * len(numbers))})"
                lines.append(chosen(targets, f"T{choice}[{value}]", condition, nothing))
            for number in self.reads[choice]:
                if self.compared(number):
                    test = literal_text(self.diagrams, choice, self.ones(number), self.plain, raw)
                    lines.append(f"t{number} = ({condition}) and {test}" if terms else f"t{number} = {test}")
        for number in self.joint:
            symbol = self.symbols.symbols[number]
            keys = ", ".join(self.raw(choice) for choice in symbol.scope)
            text = f"J{number}[{keys}]" if symbol.node is None else f"bool({self.condition_one(self.terms_of(number))})"
            lines.append(f"t{number} = {text}")
        return lines

    def ones(self, number: int) -> list[int]:
        return [at for at, value in enumerate(self.symbols.symbols[number].values) if value]

    def condition_many(self, terms: Sequence[Term]) -> str:
        """A condition as an array of truth values, or of numbers where it is one skip choice."""
        words = [[self.literal_many(*literal) for literal in term] for term in terms]
        if len(words) == 1:
            return " * ".join(words[0])
        return " | ".join("(" + " & ".join(f"({literal} != 0)" for literal in term) + ")" for term in words)

    def literal_many(self, choice: int, at: Sequence[int]) -> str:
        """A test of a choice's row, which holds options where these are equally spaced numbers, else positions."""
        count = len(self.diagrams.options[choice])
        row = self.raw(choice)
        if self.diagrams.options[choice] == (0, 1):
            return row if list(at) == [1] else f"(1 - {row})"
        values = [self.diagrams.options[choice][p] if self.linear_options(choice) else p for p in at]
        if len(at) == 1:
            return f"({row} == {values[0]})"
        if list(at) == list(range(count - len(at), count)):
            return f"({row} >= {values[0]})"
        if list(at) == list(range(len(at))):
            return f"({row} <= {values[-1]})"
        return f"np.isin({row}, {values!r})"

    def loads_many(self) -> list[str]:
        """The variables of many assignments."""
        lines = [
            "# The rows to spare make the allocator keep its pages from one block to the next.",
            f"p = np.empty((len(i) + {SPARE}, i.shape[1]), dtype=np.{self.dtype()})[: len(i)]",
            "p[:] = i",
        ]
        if self.spaced():
            lines += ["p *= STEPS", "p += FIRSTS"]
        for choice in self.in_order():
            terms = self.program.active.get(choice)
            mask = f" * ({self.condition_many(terms)})" if terms and len(terms) > 1 else ""
            mask = f" * {self.condition_many(terms)}" if terms and len(terms) == 1 else mask
            raw = self.raw(choice)
            if choice in self.asked:
                lines.append(f"{raw} = p[{choice}]{mask if raw[0] == 'x' else ''}")
            if self.has_plain(choice) and not (choice in self.asked and raw[0] == "x"):
                column = f"p[{choice}]" if self.linear_options(choice) else f"V{choice}[i[{choice}]]"
                lines.append(f"x{choice} = {column}{mask}")
            numbers = self.tabled(choice)
            if numbers:
                lines += self.looked_up(choice, numbers, mask)
            for number in self.reads[choice]:
                if self.compared(number):
                    lines.append(f"t{number} = 1 * {self.literal_many(choice, self.ones(number))}{mask}")
        for number in self.joint:
            symbol = self.symbols.symbols[number]
            index = f"i[{symbol.scope[0]}]"
            for choice in symbol.scope[1:]:
                count = len(self.diagrams.options[choice])
                index = f"{index} * {count} + i[{choice}]" if "+" not in index else f"({index}) * {count} + i[{choice}]"
            text = f"B{number}[{index}]" if symbol.node is None else f"1 * ({self.condition_many(self.terms_of(number))})"
            lines.append(f"t{number} = {text}")
        return lines

    def looked_up(self, choice: int, numbers: Sequence[int], mask: str) -> list[str]:
        """The functions of a choice by its positions."""
        targets = ", ".join(f"t{n}" for n in numbers)
        if len(numbers) == 1:
            return [f"{targets} = A{choice}[i[{choice}]]{mask}"]
        return [f"{targets} = [row[i[{choice}]]{mask} for row in A{choice}]"]

    def spaced(self) -> list[tuple[int, int]]:
        """The (step, first) of every choice's options, (1, 0) where they are no equally spaced numbers; empty if all are."""
        pairs = []
        for choice, options in enumerate(self.diagrams.options):
            regular = self.linear_options(choice) and len(options) > 1
            pairs.append((options[1] - options[0], options[0]) if regular else (1, 0))  # type: ignore[operator]
        return pairs if set(pairs) - {(1, 0)} else []  # type: ignore[return-value]


def used_symbols(what: Program) -> set[int]:
    """The symbols of the graph that a program reads."""
    found: set[int] = set()
    waiting = [*what.sums]
    while waiting:
        for part in waiting.pop().parts:
            found.update(part.symbols)
            if part.inner is not None:
                waiting.append(part.inner)
    while any(number in what.linear for number in found):
        deeper = {other for number in found if number in what.linear for _, other in what.linear[number]}
        found = {number for number in found if number not in what.linear} | deeper
    return found


def chosen(target: str, value: str, condition: str, other: str) -> str:
    """`target = value`, or `other` where a condition does not hold."""
    return f"{target} = {value} if {condition} else {other}" if condition else f"{target} = {value}"


def dictionary(name: str, items: Sequence[str]) -> list[str]:
    """`name = {...}` on one line if it fits, else one item a line."""
    return wrapped(f"{name} = {{", items, "}")


def wrapped(start: str, items: Sequence[str], end: str) -> list[str]:
    """A bracketed list as ruff lays it out."""
    line = start + ", ".join(items) + end
    if len(line) <= LINE:
        return [line]
    return [start, *(f"    {item}," for item in items), end]


def wrapped_numbers(start: str, items: Sequence[object], end: str) -> list[str]:
    """`wrapped` for many short items: one line inside the brackets if they fit there."""
    text = ", ".join(map(str, items))
    if len(start) + len(text) + len(end) <= LINE:
        return [start + text + end]
    if len(text) + 4 <= LINE:
        return [start, f"    {text}", end]
    return wrapped(start, [str(item) for item in items], end)


def indented(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


SHORTHANDS = (
    "",
    "",
    "def macs(a: Mapping[str, Any]) -> int:",
    '    """The multiply-accumulates for one image."""',
    "    return cost(a)[0]",
    "",
    "",
    "def params(a: Mapping[str, Any]) -> int:",
    '    """The parameters in use: the support of the weights, one norm bank."""',
    "    return cost(a)[1]",
    "",
    "",
)
