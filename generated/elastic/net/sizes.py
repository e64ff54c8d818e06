"""Sizes that depend on choices: exact expressions, held by layers and evaluated when a plan is made.

    depth, width = OneOf(1, 2, 3), OneOf(0.5, 1.0, name="width")
    channels = divisible(64 * width, 8)   # an expression
    divisible(64, 8)                      # 64: plain numbers are computed at once

`a == b` says whether two sizes are the same expression: `in_ == out` may decide how a network is
built. What decides how it runs is a condition: `depth >= 2`, `exit.is_("e4")`, `keep & (depth >= 2)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from elastic.space.functions import FUNCTIONS, Number, exact

Option: TypeAlias = bool | int | float | str

APPLIED: Final[Mapping[str, Callable[..., Any]]] = {
    **FUNCTIONS,
    "among": lambda value, *options: int(value in options),
    "runs": lambda *runs: runs,
    "named": lambda value, *pairs: dict(zip(pairs[::2], pairs[1::2], strict=True))[value],
}
"""What expressions apply to their parts, by name."""


class Expr:
    """A number, truth (0 or 1) or word that depends on choices. Immutable; equal where it is written alike."""

    __slots__ = ("_hash",)
    _hash: int

    def key(self) -> tuple[Any, ...]:
        """What makes this expression the one that it is."""
        return ()

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Expr) or type(other) is not type(self):
            return False
        return hash(other) == hash(self) and other.key() == self.key()

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash((type(self), *self.key())))
            return self._hash

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("an expression is immutable")

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self} depends on choices: it is known when a plan is made, not when the network is. "
            "Conditions are joined by & and |, and minima are smallest(a, b)"
        )

    def __deepcopy__(self, memo: dict[int, object]) -> Expr:
        return self

    def __copy__(self) -> Expr:
        return self

    def __add__(self, other: Number | float | Expr) -> Any:
        return apply("add", self, other)

    def __radd__(self, other: Number | float) -> Any:
        return apply("add", other, self)

    def __sub__(self, other: Number | float | Expr) -> Any:
        return apply("sub", self, other)

    def __rsub__(self, other: Number | float) -> Any:
        return apply("sub", other, self)

    def __mul__(self, other: Number | float | Expr) -> Any:
        return apply("mul", self, other)

    def __rmul__(self, other: Number | float) -> Any:
        return apply("mul", other, self)

    def __truediv__(self, other: Number | float | Expr) -> Any:
        return apply("div", self, other)

    def __rtruediv__(self, other: Number | float) -> Any:
        return apply("div", other, self)

    def __floordiv__(self, other: Number | float | Expr) -> Any:
        return apply("floor", apply("div", self, other))

    def __rfloordiv__(self, other: Number | float) -> Any:
        return apply("floor", apply("div", other, self))

    def __lt__(self, other: Number | float | Expr) -> Any:
        return apply("lt", self, other)

    def __le__(self, other: Number | float | Expr) -> Any:
        return apply("le", self, other)

    def __gt__(self, other: Number | float | Expr) -> Any:
        return apply("gt", self, other)

    def __ge__(self, other: Number | float | Expr) -> Any:
        return apply("ge", self, other)

    def __and__(self, other: Condition) -> Any:
        return apply("and", self, other)

    def __rand__(self, other: Condition) -> Any:
        return apply("and", other, self)

    def __or__(self, other: Condition) -> Any:
        return apply("or", self, other)

    def __ror__(self, other: Condition) -> Any:
        return apply("or", other, self)

    def __invert__(self) -> Any:
        return apply("not", self)

    def is_(self, value: Option | Expr) -> Any:
        """The condition that this has a value."""
        return apply("eq", self, value)

    def isnt(self, value: Option | Expr) -> Any:
        """The condition that this has another value."""
        return apply("ne", self, value)

    def among(self, *values: Option) -> Any:
        """The condition that this has one of these values."""
        return apply("among", self, *values)


class OneOf(Expr):
    """A choice: one of its options, from the smallest sub-network's to the largest's.

    One without a name is called after the place of the first module that holds it as an attribute, and equals
    itself alone.
    """

    __slots__ = ("name", "options")
    name: str
    options: tuple[Option, ...]

    def __init__(self, *options: Option, name: str = "") -> None:
        object.__setattr__(self, "options", options)
        object.__setattr__(self, "name", name)

    def key(self) -> tuple[Any, ...]:
        return (self.name, self.options) if self.name else (id(self),)

    def after(self, option: Option) -> Any:
        """The condition that a later option than this one is chosen."""
        return self.among(*self.options[self.options.index(option) + 1 :])

    def __reduce__(self) -> tuple[Any, ...]:
        return restored, (self.name, self.options)

    def __repr__(self) -> str:
        return self.name or f"OneOf({', '.join(map(repr, self.options))})"


def restored(name: str, options: tuple[Option, ...]) -> OneOf:
    """A choice from its pickle."""
    return OneOf(*options, name=name)


class Wanted(Expr):
    """The condition that a plan is to compute an output."""

    __slots__ = ("output",)
    output: str

    def __init__(self, output: str) -> None:
        object.__setattr__(self, "output", output)

    def key(self) -> tuple[Any, ...]:
        return (self.output,)

    def __reduce__(self) -> tuple[Any, ...]:
        return Wanted, (self.output,)

    def __repr__(self) -> str:
        return f"wanted({self.output!r})"


class Applied(Expr):
    """A function of other sizes."""

    __slots__ = ("args", "function")
    function: str
    args: tuple[Any, ...]

    def __init__(self, function: str, args: tuple[Any, ...]) -> None:
        object.__setattr__(self, "function", function)
        object.__setattr__(self, "args", args)

    def key(self) -> tuple[Any, ...]:
        return (self.function, *self.args)

    def __reduce__(self) -> tuple[Any, ...]:
        return Applied, (self.function, self.args)

    def __repr__(self) -> str:
        return f"{self.function}({', '.join(map(repr, self.args))})"


class Runs(tuple[Any, ...]):
    """Channels in several runs, of each of which a sub-network uses the first ones. In arithmetic it is their sum."""

    __slots__ = ()

    def total(self) -> Any:
        count: Any = 0
        for run in self:
            count = count + run
        return count

    def __add__(self, other: Any) -> Any:
        return self.total() + other

    def __radd__(self, other: Any) -> Any:
        return other + self.total()

    def __sub__(self, other: Any) -> Any:
        return self.total() - other

    def __rsub__(self, other: Any) -> Any:
        return other - self.total()

    def __mul__(self, other: Any) -> Any:
        return self.total() * other

    def __rmul__(self, other: Any) -> Any:
        return other * self.total()

    def __truediv__(self, other: Any) -> Any:
        return apply("div", self, other)

    def __floordiv__(self, other: Any) -> Any:
        return self.total() // other


Size: TypeAlias = int | Expr | tuple[int | Expr, ...]
"""A number, an expression, or several of them: the runs that channels come in."""
Condition: TypeAlias = bool | int | Expr


def apply(function: str, *args: Any) -> Any:
    """A function of sizes: its value where they are plain numbers and words, else an expression."""
    plain = tuple(plain_of(arg) for arg in args)
    if not any(isinstance(arg, Expr) for arg in plain):
        return APPLIED[function](*plain)
    if function == "mul" and 1 in plain:
        return plain[1] if plain[0] == 1 else plain[0]
    if function == "add" and 0 in plain:
        return plain[1] if plain[0] == 0 else plain[0]
    return Applied(function, plain)


def plain_of(arg: Any) -> Any:
    """A size as expressions hold it: decimals are exact fractions, channels in runs their sum."""
    if isinstance(arg, tuple):
        return Runs(arg).total()
    return arg if isinstance(arg, Expr) else exact(arg)


def divisible(value: Any, divisor: Any) -> Any:
    """The multiple of `divisor` nearest to `value`, at least one, and never below 0.9 `value`."""
    return apply("divisible", value, divisor)


def half_up(value: Any) -> Any:
    """The nearest integer, halves upwards."""
    return apply("round", value)


def floor(value: Any) -> Any:
    return apply("floor", value)


def ceil(value: Any) -> Any:
    return apply("ceil", value)


def smallest(*values: Any) -> Any:
    """The smallest of some sizes."""
    return apply("min", *values)


def greatest(*values: Any) -> Any:
    """The greatest of some sizes."""
    return apply("max", *values)


def position(value: Any, *options: Option) -> Any:
    """The index of a value among options; the last one's where it is none of them."""
    return apply("position", value, *options)


def pick(condition: Condition, one: Any, other: Any) -> Any:
    """`one` where the condition holds, else `other`."""
    return apply("if", condition, one, other)


def wanted(output: str) -> Any:
    """The condition that the plan computes an output."""
    return Wanted(output)


def named(value: Any, names: Mapping[Any, str]) -> Any:
    """The name that a table has for a value."""
    return apply("named", value, *(part for pair in names.items() for part in pair))


def exit_predictions(exit: OneOf) -> dict[str, Any]:
    """When a sub-network gets to each exit and to the head, of a network whose outputs are called after its exits: the
    head's first, which stands last in the choice."""
    *exits, head = map(str, exit.options)
    found: dict[str, Any] = {head: exit.after(exits[-1])}
    for before, name in zip((None, *exits), exits, strict=False):
        found[name] = 1 if before is None else exit.after(before)
    return found


def cat(*sizes: Size) -> Size:
    """The channels of a concatenation: the runs of its inputs, one after another. Fixed neighbours are one run."""
    runs: list[Any] = []
    for run in (run for size in sizes for run in runs_of(size)):
        if runs and isinstance(run, int) and isinstance(runs[-1], int):
            runs[-1] += run
        else:
            runs.append(run)
    return runs[0] if len(runs) == 1 else Runs(runs)


def times(size: Size, count: int) -> Size:
    """Every run `count` times as long: what flattening makes of channels."""
    return cat(*(run * count for run in runs_of(size)))


def total(size: Size) -> Any:
    """The channels of all runs together."""
    return Runs(size).total() if isinstance(size, tuple) else size


def runs_of(size: Size) -> tuple[int | Expr, ...]:
    return tuple(size) if isinstance(size, tuple) else (size,)


def largest(size: Any) -> Any:
    """A size in the largest sub-network, in which every choice has its last option."""
    return at_end(size, -1)


def narrowest(size: Any) -> Any:
    """A size in the smallest sub-network, in which every choice has its first option."""
    return at_end(size, 0)


def at_end(size: Any, end: int) -> Any:
    if isinstance(size, tuple):
        return tuple(at_end(run, end) for run in size)
    if isinstance(size, OneOf):
        return exact(size.options[end])
    if isinstance(size, Applied):
        return APPLIED[size.function](*(at_end(arg, end) for arg in size.args))
    return 1 if isinstance(size, Wanted) else size


def leaves(size: Any) -> Iterator[OneOf | Wanted]:
    """The choices, and wanted outputs, that a size depends on."""
    if isinstance(size, (OneOf, Wanted)):
        yield size
    elif isinstance(size, (Applied, tuple)):
        for part in size.args if isinstance(size, Applied) else size:
            yield from leaves(part)


Read: TypeAlias = Callable[[Sequence[Any]], Iterable[Any]]
"""Picks some of a program's values."""
Step: TypeAlias = tuple[int, Callable[..., Any], Read]
"""Where a value goes, the function that it is of, and what picks the function's arguments."""


class Program:
    """Sizes in the order in which they are evaluated, each distinct one once.

    start    the values before evaluation: numbers, and None for what depends on choices
    choices  the choices, and `outputs` the wanted outputs, with their places
    """

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}
        self.start: list[Any] = []
        self.choices: list[tuple[int, OneOf]] = []
        self.outputs: list[tuple[int, str]] = []
        self.steps: list[Step] = []

    def place(self, size: Any) -> int:
        """Where the value of a size stands."""
        key = size if isinstance(size, Expr) else (type(size), size)  # 1 and True are equal
        if key in self.places:
            return self.places[key]
        if isinstance(size, Applied):
            return self.computed(key, size.function, size.args)
        if isinstance(size, tuple) and not is_plain(size):
            return self.computed(key, "runs", size)
        here = self.added(key, None if isinstance(size, Expr) else size)
        if isinstance(size, OneOf):
            self.choices.append((here, size))
        elif isinstance(size, Wanted):
            self.outputs.append((here, size.output))
        return here

    def computed(self, key: Any, function: str, args: Sequence[Any]) -> int:
        read = self.reader(args)
        here = self.added(key, None)
        self.steps.append((here, APPLIED[function], read))
        return here

    def added(self, key: Any, value: Any) -> int:
        self.places[key] = len(self.start)
        self.start.append(value)
        return self.places[key]

    def reader(self, sizes: Sequence[Any]) -> Read:
        """What picks the values of some sizes, one or more."""
        places = [self.place(size) for size in sizes]
        if len(places) == 1:
            return itemgetter(slice(places[0], places[0] + 1))
        return itemgetter(*places)


def is_plain(size: Any) -> bool:
    """Whether a size is the same in all sub-networks."""
    if isinstance(size, tuple):
        return all(is_plain(run) for run in size)
    return not isinstance(size, Expr)
