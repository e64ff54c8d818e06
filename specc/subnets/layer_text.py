"""The rows of `specc.subnets.layers` as Python: a function for each block, a line for each layer, a loop for rounds.

In a function a size is the text of a vector: what it is in each call of the block. It is a number, an argument of the
block, the product of two sizes, a function of sizes, or else a parameter of its own. In `layers` itself a size is the
text of an expression; what is long gets a name first.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final, TypeAlias

from specc.activity.diagrams import Diagrams, Node, Term
from specc.cost.names import literal_text
from specc.cost.totals import costs_of
from specc.ir.expr import Apply, Expr, Var, apply, evaluate, free, substitute
from specc.ir.graph import Graph
from specc.python.expressions import ATOM, PRODUCT, Text, constant
from specc.python.layout import WIDTH, call, split_at, stepwise
from specc.python.literals import quoted
from specc.subnets.expr_text import HOMES, added, product, size_text
from specc.subnets.layers import Product, Row, Unit, units_of

Vector: TypeAlias = tuple[Expr, ...]
"""A size of a block: one expression for each of its calls."""

SHORT: Final = 40
"""The longest size of several choices that stands within a line."""
MOST: Final = 1000
"""The most functions in a size that is named after its value."""
DEEP: Final = 12
"""Sizes that are nested deeper are written step by step."""
PLAIN: Final = re.compile(r"[A-Za-z_][\w.]*")
"""A path that may stand in an f-string."""
TAKEN: Final = (
    *("a", "path", "n", "at", "assignment", "layers", "cost", "costs", "macs", "params", "batched", "choices", "check"),
    *("canonical", "largest", "smallest", "draw", "every", "exact", "random", "min", "max", "bool", "range", "choice"),
    *("size", "weights", "np", "Any", "Layer", "Fraction", "Iterator", "Mapping", *HOMES),
)
"""Names that mean something in `space.py` or stand for something in its rows."""


def layer_lines(graph: Graph) -> list[str]:
    """The functions of `space.py` that say what each layer costs: one for each block, and `layers`."""
    units = list(units_of(graph))
    functions: dict[object, Function] = {}
    taken = set(TAKEN)
    calls: dict[int, tuple[Function, int]] = {}
    for shape, some in grouped(units).items():
        if len(some) > 1 and some[0].block:
            found = functions[shape] = Function(unused(some[0].block, taken), some)
            calls |= {id(one): (found, at) for at, one in enumerate(some)}
    lines: list[str] = []
    for function in functions.values():
        lines += [*function.text(), "", ""]
    return [*lines, *Network(graph, units, calls).text()]


def grouped(units: Sequence[Unit]) -> dict[object, list[Unit]]:
    """Units by what they must agree in to become one function."""
    found: dict[object, list[Unit]] = {}
    for one in units:
        found.setdefault(one.shape(), []).append(one)
    return found


def unused(name: str, taken: set[str]) -> str:
    """A name that is Python's and means nothing else yet."""
    name = re.sub(r"\W", "_", name)
    name = f"_{name}" if name[:1].isdigit() or not name else name
    name = f"{name}_" if keyword.iskeyword(name) else name
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}" if name[-1].isdigit() else f"{name}{number}"
    taken.add(found)
    return found


class Function:
    """The rows of a block for all of its calls. `parameters` have a vector each."""

    def __init__(self, name: str, units: Sequence[Unit]) -> None:
        self.name = name
        self.units = units
        self.taken = {*TAKEN, name} - {"size"}
        self.offers = offered(units)
        self.parameters: dict[Vector, str] = {}
        self.known: dict[Vector, str] = {}
        self.places: set[str] = set()
        self.lines: list[str] = []
        for at, row in enumerate(units[0].rows):
            self.write(at, row)
        order = {name: place for place, name in enumerate(self.offers.values())}
        self.parameters = dict(sorted(self.parameters.items(), key=lambda item: order.get(item[1], len(order))))

    def write(self, at: int, row: Row) -> None:
        """Adds a line for the row that stands at this place in each call."""
        window = [self.size(vector, "hidden") for vector in columns(self.units, lambda one: one.rows[at].window)]
        params = []
        for place, _ in enumerate(row.params):
            vectors = columns(self.units, lambda one, place=place: one.rows[at].params[place])  # type: ignore[misc]
            params.append(shaped([self.size(vector, "hidden") for vector in vectors], 0))
        macs = []
        for place, factors in enumerate(row.macs):
            vectors = columns(self.units, lambda one, place=place: one.rows[at].macs[place])  # type: ignore[misc]
            often = len(factors) - row.places
            texts = [self.size(vector, "hidden" if n < often else "size") for n, vector in enumerate(vectors)]
            macs.append(shaped(texts, row.places))
        rest = row.name[len(self.units[0].path) :]
        name = f'f"{{path}}{rest}"' if PLAIN.fullmatch(rest.strip(".")) else f"path + {quoted(rest)}"
        self.lines += row_lines("    ", name, added(macs), added(params), note(row, window))

    def size(self, vector: Vector, role: str) -> Text:
        """The text of a vector: a number or a name."""
        uses: list[Vector] = []
        found = self.attempt(vector, uses, role)
        if found is None:
            name = unused(role, self.taken)
            self.parameters[vector] = self.known[vector] = name
            self.places |= {name} if role == "size" else set()
            return name, ATOM
        for used in uses:
            if used not in self.known:
                self.parameters[used] = self.known[used] = unused(self.offers[used], self.taken)
                self.places |= {self.known[used]} if role == "size" else set()
        found = self.attempt(vector, [], role) or found
        if re.fullmatch(r"\w+", found[0]):
            return found
        name = unused(role, self.taken)
        self.known[vector] = name
        self.lines.append(f"    {name} = {found[0]}")
        return name, ATOM

    def attempt(self, vector: Vector, uses: list[Vector], role: str = "") -> Text | None:
        """The text of a vector from what has a name or is offered one, without a parameter of its own; None where there
        is none."""
        first = vector[0]
        if not isinstance(first, (Var, Apply)) and all(x == first for x in vector):
            return constant(first)
        if vector in self.known:
            return self.known[vector], ATOM
        if vector in self.offers:
            uses.append(vector)
            return self.offers[vector], ATOM
        if role == "size":
            return None
        pair = self.pair(vector)
        if pair is not None:
            texts = [self.attempt(one, uses) or ("", 0) for one in pair]
            return product([[text] for text in texts])
        if isinstance(first, Apply) and all(
            isinstance(x, Apply) and x.function == first.function and len(x.args) == len(first.args) for x in vector
        ):
            inner: dict[Expr, Text] = {}
            for at in range(len(first.args)):
                found = self.attempt(tuple(x.args[at] for x in vector), uses)  # type: ignore[union-attr]
                if found is None:
                    return None
                inner[Var(str(at))] = found
            return size_text(Apply(first.function, tuple(inner)), inner.__getitem__)
        return None

    def pair(self, vector: Vector) -> tuple[Vector, Vector] | None:
        """Two vectors that have a name or are offered one and whose product this is."""
        some = [one for one in {**self.known, **self.offers} if any(x != 1 for x in one)]
        for left in some:
            for right in some:
                if all(apply("mul", x, y) == z for x, y, z in zip(left, right, vector, strict=True)):
                    return left, right
        return None

    def text(self) -> list[str]:
        """The whole function. Its lines tell what its calls have to be given: `parameters` is known only then."""
        names = [f"{name}: int" for name in self.parameters.values()]
        head = call(f"def {self.name}", ["path: str", *names], ") -> Iterator[Layer]:")
        where = self.units[0].path
        return [*head, f'    """The layers of a block `{self.units[0].block}`, such as {where}."""', *self.lines]


def columns(units: Sequence[Unit], select: Callable[[Unit], Product]) -> Iterator[Vector]:
    """The vectors of a product's factors."""
    return zip(*map(select, units), strict=True)


def shaped(texts: Sequence[Text], places: int) -> Text:
    """A product of the sizes of a weight - columns, rows, kernel -, and of the map at whose places it is used."""
    weight, space = texts[: len(texts) - places], texts[len(texts) - places :]
    head = [[text] for text in reversed(weight[:2])]
    return product([*head, weight[2:], space])


def offered(units: Sequence[Unit]) -> dict[Vector, str]:
    """The vectors that have a name of their own: what goes in and out, the block's arguments, choices that all read."""
    found: dict[Vector, str] = {}
    for name in sorted(units[0].sizes, key=lambda name: name not in ("in_", "out")):
        vector = tuple(one.sizes.get(name) for one in units)
        if None not in vector:
            found.setdefault(vector, name)  # type: ignore[arg-type]
    shared = frozenset.intersection(
        *(frozenset().union(*(free(size) for row in one.rows for size in row.window)) for one in units)
    )
    for choice in sorted(shared):
        found.setdefault((Var(choice),) * len(units), choice.rpartition(".")[2])
    return found


def note(row: Row, window: Sequence[Text]) -> str:
    """What a reader knows a layer by: `3x3, 16 -> 24`."""
    if not row.macs:
        return ""
    if len(window) not in (2, 4):
        return row.op.kind.replace("_", " ")
    out, came, *kernel = (re.sub(r'a\[f?"([^"]*)"\]', r"\1", text) for text, _ in window)
    size = f"{kernel[0]}x{kernel[1]}" if kernel and all(map(str.isdigit, kernel)) else " x ".join(kernel)
    if row.op.operator.channelwise:
        return f"{size} on each of {out}"
    return f"{size}, {came} -> {out}" if size else f"{came} -> {out}"


def item_lines(indent: str, text: str) -> list[str]:
    """An item on a line of its own, a sum that is too long for one with a line a summand."""
    if len(indent) + len(text) + 1 <= WIDTH:
        return [f"{indent}{text},"]
    lines = [f"+ {summand}" for summand in split_at(text, " + ")]
    lines[0] = lines[0].removeprefix("+ ")
    lines[-1] += ","
    return [indent + line for line in lines]


def row_lines(indent: str, name: str, macs: Text, params: Text, what: str) -> list[str]:
    """A row as ruff lays it out, with what it is behind it or, where that is too long, before it."""
    line = f"{indent}yield {name}, {macs[0]}, {params[0]}"
    comment = [f"{indent}# {what}"] if 0 < len(what) <= WIDTH - len(indent) - 2 else []
    if len(line) > WIDTH and macs[0].startswith(f"{params[0]} * ") and params[1] >= PRODUCT:
        weights = f"{indent}weights = {params[0]}"
        short = f"{indent}yield {name}, weights{macs[0].removeprefix(params[0])}, weights"
        if max(len(weights), len(short)) <= WIDTH:
            return [*comment, weights, short]
    if len(line) > WIDTH:
        parts = [line for part in (name, macs[0], params[0]) for line in item_lines(f"{indent}    ", part)]
        return [*comment, f"{indent}yield (", *parts, f"{indent})"]
    if not what:
        return [line]
    whole = f"{line}  # {what}"
    return [whole] if len(whole) <= WIDTH else [*comment, line]


@dataclass(frozen=True, slots=True)
class Step:
    """What stands in `layers`: a row, a call of a function, or calls of it from one number to another.

    node   where it is present, but for `count`
    count  the choice whose option, with a number added, is where the loop ends; None for a fixed end
    """

    unit: Unit
    node: Term | None
    terms: tuple[Term, ...]
    first: int = 0
    last: int = 0
    count: tuple[int, int] | None = None


class Network:
    """The function `layers`."""

    def __init__(self, graph: Graph, units: Sequence[Unit], calls: Mapping[int, tuple[Function, int]]) -> None:
        self.diagrams: Diagrams = costs_of(graph).presence.diagrams
        self.largest = {choice.name: choice.largest for choice in graph.choices}
        self.units = units
        self.calls = calls
        self.taken = set(TAKEN) | {function.name for function, _ in calls.values()}
        self.known: dict[Expr, str] = {}
        self.defined: list[str] = []

    def text(self) -> list[str]:
        lines: list[str] = []
        for terms, steps in groupby(self.steps(), key=lambda step: step.terms):
            body: list[str] = []
            indent = "    " if terms == ((),) else "        "
            self.defined = []
            for step in steps:
                body += self.step(step, indent)
            lines += self.defined
            if terms != ((),):
                lines += self.condition(terms)
            lines += body
        told = '    """The layers of one sub-network, in the order of execution.'
        named = "Sizes are named after what they are in the largest: c32 for channels, h56 for sides of a map."
        return [
            "def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:",
            *([told, "", f"    {named}", '    """'] if self.known else [f'{told}"""']),
            "    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}",
            *(lines or ["    yield from ()"]),
        ]

    # Rounds that are alike become one loop.

    def steps(self) -> Iterator[Step]:
        at = 0
        while at < len(self.units):
            step, used = self.longest(at)
            if step.terms:
                yield step
            at += used

    def longest(self, at: int) -> tuple[Step, int]:
        """The step that begins with a unit, and how many units it has."""
        start = self.units[at]
        alone = Step(start, None, self.terms(start.node)), 1
        found = numbered(start.path)
        if id(start) not in self.calls or found is None:
            return alone
        stem, first = found
        run = [start]
        pattern = self.arguments(start, stem, first)
        for other in self.units[at + 1 :]:
            number = first + len(run)
            if numbered(other.path) != (stem, number) or id(other) not in self.calls:
                break
            same = self.calls[id(other)][0] is self.calls[id(start)][0]
            if not same or self.arguments(other, stem, number) != pattern:
                break
            run.append(other)
        for several in (run, [one for one in run if one.node == start.node]):
            if len(several) > 1 and several == run[: len(several)]:
                ends = self.end(several)
                if ends is not None:
                    terms, count = ends
                    last = first + len(several) - 1
                    shifted = None if count is None else (count[0], count[1] + first)
                    return Step(start, None, terms, first, last, shifted), len(several)
        return alone

    def terms(self, node: Node) -> tuple[Term, ...]:
        return self.diagrams.terms(node)

    def end(self, run: Sequence[Unit]) -> tuple[tuple[Term, ...], tuple[int, int] | None] | None:
        """When a loop runs at all, and the choice that says how often, with what to add to its option."""
        nodes = [self.terms(one.node) for one in run]
        if all(node == nodes[0] for node in nodes):
            return nodes[0], None
        if any(len(node) != 1 for node in nodes):
            return None
        common = tuple(literal for literal in nodes[0][0] if all(literal in node[0] for node in nodes))
        rests = [tuple(literal for literal in node[0] if literal not in common) for node in nodes]
        asked = {choice for rest in rests for choice, _ in rest}
        if len(asked) != 1 or any(len(rest) > 1 for rest in rests):
            return None
        (choice,) = asked
        options = self.diagrams.options[choice]
        places = range(len(options))
        there = [set(rest[0][1]) if rest else set(places) for rest in rests]
        if not all(isinstance(option, int) for option in options) or any(
            not later <= earlier for earlier, later in pairwise(there)
        ):
            return None
        more = {sum(place in one for one in there) - options[place] for place in places}  # type: ignore[operator]
        return ((common,), (choice, more.pop())) if len(more) == 1 else None  # type: ignore[return-value]

    def arguments(self, unit: Unit, stem: str, number: int) -> list[Expr]:
        """What a call is given, with `{n}` for its number in the names of its own choices."""
        function, at = self.calls[id(unit)]
        prefix = f"{stem}{number}."
        given = [vector[at] for vector in function.parameters]
        own = {name for size in given for name in free(size) if name.startswith(prefix) and PLAIN.fullmatch(name)}
        renamed: dict[str, Expr] = {name: Var(f"{stem}{{n}}.{name[len(prefix) :]}") for name in own}
        return [substitute(size, renamed) for size in given]

    # Lines.

    def step(self, step: Step, indent: str) -> list[str]:
        unit = step.unit
        if id(unit) not in self.calls:
            return [line for row in unit.rows for line in self.row(row, indent)]
        function, at = self.calls[id(unit)]
        given = [vector[at] for vector in function.parameters]
        path, loop = quoted(unit.path), []
        if step.last:
            found = numbered(unit.path)
            assert found is not None
            given = self.arguments(unit, *found)
            stop = str(step.last + 1)
            if step.count is not None:
                choice, more = step.count
                option = f"a[{quoted(self.diagrams.choices[choice].name)}]"
                stop = f"{option} + {more}" if more > 0 else f"{option} - {-more}" if more else option
            loop = [f"{indent}for n in range({step.first}, {stop}):"]
            indent, path = indent + "    ", f'f"{found[0]}{{n}}"'
        roles = ["h" if name in function.places else "c" for name in function.parameters.values()]
        args = [self.size(size, role)[0] for size, role in zip(given, roles, strict=True)]
        return [*loop, *call(f"yield from {function.name}", [path, *args], indent=len(indent))]

    def row(self, row: Row, indent: str) -> list[str]:
        def texts(factors: Product, places: int) -> list[Text]:
            often = len(factors) - places
            return [self.size(size, "c" if n < often else "h") for n, size in enumerate(factors)]

        params = added([shaped(texts(factors, 0), 0) for factors in row.params])
        macs = added([shaped(texts(factors, row.places), row.places) for factors in row.macs])
        return row_lines(indent, quoted(row.name), macs, params, note(row, texts(row.window, 0)))

    def size(self, size: Expr, role: str) -> Text:
        """The text of a size, which gets a name first where it is long."""
        text = self.written(size)
        inside = any("{n}" in name for name in free(size))
        if inside or not isinstance(size, Apply) or size in self.known:
            return text
        if len(text[0]) <= SHORT and role == "c" and size.function in ("mul", "add"):
            return text
        return self.named(size, role)

    def named(self, size: Apply, role: str) -> Text:
        """A name for a size: `c32` for what is 32 channels in the largest sub-network, `h56` for a side of 56."""
        value = evaluate(size, self.largest) if size.size <= MOST else ""
        name = unused(f"{role}{value}", self.taken)
        self.defined.extend(definition(name, self.written(size)[0]))
        self.known[size] = name
        return name, ATOM

    def written(self, size: Expr) -> Text:
        if isinstance(size, Var):
            return f"a[{indexed(size.choice)}]", ATOM
        if not isinstance(size, Apply):
            return constant(size)
        if size in self.known:
            return self.known[size], ATOM
        self.in_steps(size)
        return size_text(size, self.written)

    def in_steps(self, size: Apply) -> None:
        """Names for what is nested deep inside, innermost first."""
        if size.height <= DEEP:
            return
        order: dict[Apply, None] = {}
        waiting: list[Apply] = [size]
        while waiting:
            part = waiting.pop()
            order.pop(part, None)
            order[part] = None
            waiting.extend(arg for arg in part.args if isinstance(arg, Apply) and arg not in self.known)
        for part in reversed(order):
            if part is not size and part.height % DEEP == 0 and part not in self.known:
                self.named(part, "c")

    def condition(self, terms: Sequence[Term]) -> list[str]:
        """`if`, with as many lines as what it asks takes."""
        asked = [
            [
                literal_text(self.diagrams, choice, at, False, f"a[{quoted(self.diagrams.choices[choice].name)}]")
                for choice, at in term
            ]
            for term in terms
        ]
        if len(asked) == 1:
            return broken(asked[0], "and")
        return broken([f"({' and '.join(term)})" if len(term) > 1 else term[0] for term in asked], "or")


def definition(name: str, text: str) -> list[str]:
    """`name = a + b`, with a line for each summand where it is too long for one."""
    line = f"    {name} = {text}"
    first, *more = split_at(text, " + ")
    if len(line) <= WIDTH or not more:
        return [line]
    return [f"    {name} = (", f"        {first}", *(f"        + {summand}" for summand in more), "    )"]


def broken(words: Sequence[str], operator: str) -> list[str]:
    """`if a and b:`, or a variable that says so over several lines."""
    whole = f"    if {f' {operator} '.join(words)}:"
    if len(whole) <= WIDTH:
        return [whole]
    return [*(f"    {line}" for line in stepwise("there", words, operator)), "    if there:"]


def numbered(path: str) -> tuple[str, int] | None:
    """`s1.b12` as (`s1.b`, 12)."""
    found = re.fullmatch(r"([A-Za-z_][\w.]*?)(\d+)", path)
    return (found[1], int(found[2])) if found else None


def indexed(choice: str) -> str:
    """The name of a choice, `{n}` in it for the number of a round."""
    return f'f"{choice}"' if "{n}" in choice and PLAIN.fullmatch(choice.replace("{n}", "")) else quoted(choice)


def functions_of(lines: Sequence[str]) -> Mapping[str, list[str]]:
    """The functions that some lines call, by the module that has them."""
    text = "\n".join(lines)
    found: dict[str, list[str]] = {}
    for name in sorted(HOMES):
        if re.search(rf"(?<![\w.\"]){name}\(", text):
            found.setdefault(HOMES[name], []).append(name)
    return found
