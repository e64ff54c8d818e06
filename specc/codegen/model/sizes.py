"""The numbers of a class: which become parameters of `__init__` and `plan`, what these are called, and how all others
are written in terms of them.

A class stands for several blocks, so every number is a vector with a value for each. Equal vectors are one number.
A sum, difference or product of known numbers is written as such (`6 * in_`); what else varies is a parameter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from specc.codegen.model.render import (
    ATOM,
    Text,
    compose,
    constant,
    floor_division,
    in_brackets,
    number,
    quotient,
)
from specc.codegen.model.structure import Part, is_repeated
from specc.codegen.names import fresh, identifier
from specc.ir.expr import Apply, Expr, Option, Var, evaluate
from specc.ir.graph import Tensor
from specc.ir.whole import factors, ratio
from specc.ops.writing import Values, channel_values, numbers

ARITHMETIC: Final = ("add", "sub", "mul", "div", "floor")
Key: TypeAlias = tuple[str, Values]


@dataclass(frozen=True, slots=True, eq=False)
class Need:
    """A number that the class's code uses: its role, a value for each instance, a name if nothing better is found."""

    role: str
    values: Values
    fallback: str


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A parameter of a generated `__init__` or `plan`."""

    name: str
    role: str
    values: Values

    @property
    def first(self) -> Expr:
        """The number at the first instance; the network's own parameters have no other, and are no runs."""
        value = self.values[0]
        assert not isinstance(value, tuple)
        return value


@dataclass(slots=True, eq=False)
class Namer:
    """Gives vectors their names: those of the block's channels and arguments first, then fallbacks."""

    parts: Sequence[Part]
    tensors: Mapping[str, Tensor]
    largest: Mapping[str, Option]
    taken: set[str]
    known: dict[Key, str] = field(default_factory=dict)

    def name(self, need: Need) -> str:
        key = (need.role, need.values)
        if key not in self.known:
            self.known[key] = fresh(identifier(self.best(need)), self.taken)
        return self.known[key]

    def best(self, need: Need) -> str:
        if need.role == "channels":
            enters, leaves = self.boundary("inputs"), self.boundary("outputs")
            if need.values == enters:
                return "channels" if enters == leaves else "in_"
            if need.values == leaves:
                return "out"
        if is_repeated(self.parts[0].scope) and need.role != "choice":
            peak = at_largest(need.values, self.largest)
            for index, (name, _) in enumerate(self.parts[0].scope.args):
                if peak == tuple(argument(part, index) for part in self.parts) and fits(name, need.role):
                    return name
        return need.fallback

    def boundary(self, side: str) -> Values | None:
        """The channels that enter or leave, where one tensor does."""
        names = [getattr(part, side) for part in self.parts]
        if any(len(name) != 1 for name in names):
            return None
        return channel_values([self.tensors[name[0]] for name in names])


def argument(part: Part, index: int) -> Expr | None:
    args = part.scope.args
    return args[index][1] if index < len(args) else None


def fits(name: str, role: str) -> bool:
    """Whether an argument's name can stand for a number of a role: `stride` never names a channel count."""
    roles = ("kernel", "stride", "padding", "dilation", "groups", "heads")
    return name not in ("in", "expand") and (name == role if name in roles or role != "channels" else True)


def peaks(values: Iterable[Expr], largest: Mapping[str, Option]) -> tuple[Option, ...]:
    """The numbers at the largest sub-network."""
    return tuple(evaluate(v, largest) if isinstance(v, (Var, Apply)) else v for v in values)


def at_largest(values: Values, largest: Mapping[str, Option]) -> Values:
    """The numbers at the largest sub-network, those of runs as well."""
    return tuple(peaks(v, largest) if isinstance(v, tuple) else peaks((v,), largest)[0] for v in values)


def is_constant(values: Values) -> bool:
    """One literal for all instances. True is no 1 here."""
    first = values[0]
    fixed = not any(isinstance(number, (Var, Apply)) for number in numbers(first))
    return fixed and all(v == first and type(v) is type(first) for v in values)


def per_run(values: Values) -> list[Values]:
    """The numbers of each run at every instance, for channels that come in as many runs everywhere."""
    return [tuple(numbers(value)[i] for value in values) for i in range(len(numbers(values[0])))]


@dataclass(slots=True, eq=False)
class Sizes:
    """How the numbers of a class are written, once it is known which of them are parameters."""

    names: dict[Key, str]
    parameters: tuple[Parameter, ...]
    literal: dict[Key, Text]
    locals: tuple[tuple[str, str], ...] = ()

    def text(self, need: Need) -> str:
        written = express((need.role, need.values), self.names, self.literal)
        assert written is not None, need
        return written[0]


def choose_parameters(needs: Sequence[Need], namer: Namer, literal: dict[Key, Text]) -> Sizes:
    """Makes parameters of what cannot be written in terms of others, in the order in which it is needed."""
    chosen: dict[Key, Parameter] = {}
    names: dict[Key, str] = {}
    composite: list[Need] = []

    def add(need: Need) -> None:
        key = (need.role, need.values)
        names[key] = namer.name(need)
        chosen[key] = Parameter(names[key], need.role, need.values)

    single = list(in_runs([need for need in needs if (need.role, need.values) not in literal], namer))
    for need in single:
        key = (need.role, need.values)
        if key in names or is_constant(need.values) or key in literal:
            continue
        if isinstance(need.values[0], Apply) and need.values[0].function in ARITHMETIC:
            composite.append(need)
        else:
            add(need)
    for need in composite:
        if express((need.role, need.values), names, literal) is None:
            add(need)
    order: dict[Key, int] = {}
    for need in single:
        order.setdefault((need.role, need.values), len(order))
    parameters = sorted(chosen.items(), key=lambda item: (item[0][0] != "channels", order[item[0]]))
    variables = shared_locals(composite, names, literal, namer)
    return Sizes(names, tuple(parameter for _, parameter in parameters), literal, variables)


def in_runs(needs: Sequence[Need], namer: Namer) -> Iterator[Need]:
    """The needs, with channels in runs as a number a run where the class is no block: it stands once, and has names
    for these numbers. A block takes them as they come, since it may be called on one run and on many."""
    block = is_repeated(namer.parts[0].scope)
    for need in needs:
        if block or not any(isinstance(value, tuple) for value in need.values):
            yield need
        else:
            yield from (Need(need.role, values, need.fallback) for values in per_run(need.values))


def shared_locals(
    composite: Sequence[Need], names: dict[Key, str], literal: Mapping[Key, Text], namer: Namer
) -> tuple[tuple[str, str], ...]:
    """Local variables for what is written in terms of parameters more than once: `hidden = 6 * in_`."""
    count = Counter((need.role, need.values) for need in composite)
    found: list[tuple[str, str]] = []
    for need in composite:
        key = (need.role, need.values)
        if count[key] > 1 and key not in names:
            text = express(key, names, literal)
            assert text is not None
            names[key] = namer.name(need)
            found.append((names[key], text[0]))
    return tuple(found)


def express(key: Key, names: Mapping[Key, str], literal: Mapping[Key, Text], exact: bool = False) -> Text | None:
    """A vector as Python text over the named ones; None where it cannot be written so."""
    role, values = key
    if not exact and key not in names and key not in literal:
        divided = express_quotient(key, names, literal) or express_ratio(key, names, literal)
        if divided is not None:
            return divided
    if key in names:
        return names[key], ATOM
    if key in literal:
        return literal[key]
    first = values[0]
    if isinstance(first, tuple):
        return express_runs(key, names, literal)
    if any(isinstance(value, tuple) for value in values):
        return None
    if is_constant(values):
        return constant(first) if exact else (number(first), ATOM)
    if not isinstance(first, Apply) or first.function not in ARITHMETIC:
        return None
    if any(not isinstance(v, Apply) or v.function != first.function or len(v.args) != len(first.args) for v in values):
        return None
    columns = [tuple(v.args[i] for v in values if isinstance(v, Apply)) for i in range(len(first.args))]
    if first.function == "floor":
        if any(not isinstance(c, Apply) or c.function != "div" for c in columns[0]):
            return None
        columns = [tuple(c.args[i] for c in columns[0] if isinstance(c, Apply)) for i in range(2)]
    texts = [express((role, column), names, literal, True) for column in columns]
    if any(text is None for text in texts):
        return None
    known = [text for text in texts if text is not None]
    if first.function == "floor" or (first.function == "div" and not exact):  # a size is a whole number
        return floor_division(known)
    return compose(first.function, known)


def express_runs(key: Key, names: Mapping[Key, str], literal: Mapping[Key, Text]) -> Text | None:
    """Channels in runs as a tuple of numbers; None where there are not as many everywhere."""
    role, values = key
    if any(not isinstance(value, tuple) for value in values) or len({len(numbers(value)) for value in values}) > 1:
        return None
    texts = [express((role, column), names, literal) for column in per_run(values)]
    known = [text[0] for text in texts if text is not None]
    return (in_brackets(known), ATOM) if len(known) == len(texts) else None


def express_quotient(key: Key, names: Mapping[Key, str], literal: Mapping[Key, Text]) -> Text | None:
    """A product with divisors as one division, which leaves no rest where the whole is a channel count."""
    role, values = key
    rows = [factors(value) for value in values if not isinstance(value, tuple)]
    if not rows:
        return None
    above, below = rows[0]
    if not below or any(len(a) != len(above) or len(b) != len(below) for a, b in rows):
        return None
    columns = [tuple(row[0][i] for row in rows) for i in range(len(above))]
    columns += [tuple(row[1][i] for row in rows) for i in range(len(below))]
    texts = [express((role, column), names, literal, True) for column in columns]
    known = [text for text in texts if text is not None]
    return quotient(known[: len(above)], known[len(above) :]) if len(known) == len(texts) else None


def express_ratio(key: Key, names: Mapping[Key, str], literal: Mapping[Key, Text]) -> Text | None:
    """The same where a factor above the line is a product that has a name: `4 * in_ // 8` for 16 expand / 8 * 4."""
    role, values = key
    rows = [ratio(value) for value in values if not isinstance(value, tuple)]
    if len(rows) < len(values) or all(below == 1 for _, below in rows):
        return None
    texts = [express((role, column), names, literal, True) for column in zip(*rows, strict=True)]
    known = [text for text in texts if text is not None]
    return floor_division(known) if len(known) == len(texts) else None
