"""Symbolic integers over choices: channel counts, heights, kernels, guards and norm banks.

An expression is a plain number (int or Fraction), a word (str, an option of an operator choice), `Var(choice)`,
the value of a choice's active option, or `Apply(function, arguments)`. Truth is 0 and 1. The constructors
below fold constants as they build, so a network without choices holds nothing but integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, TypeAlias

from specc.space.functions import FUNCTIONS as FUNCTIONS
from specc.space.functions import divisible as divisible
from specc.space.functions import round_half_up as round_half_up

Number: TypeAlias = int | Fraction
Option: TypeAlias = int | Fraction | str
"""What a choice may be set to. Booleans are ints in Python and here."""


@dataclass(frozen=True, slots=True)
class Var:
    """The value of the active option of the choice of this name."""

    choice: str


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of `FUNCTIONS` applied to arguments. What it reads, its hash, its nodes and its height are
    computed once, bottom up."""

    function: str
    args: tuple[Expr, ...]
    reads: frozenset[str] = field(init=False, compare=False, repr=False)
    key: int = field(init=False, compare=False, repr=False)
    size: int = field(init=False, compare=False, repr=False)
    height: int = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        inner = [a for a in self.args if isinstance(a, Apply)]
        object.__setattr__(self, "size", 1 + sum([a.size for a in inner]))
        object.__setattr__(self, "height", 1 + max([a.height for a in inner], default=0))
        object.__setattr__(self, "reads", frozenset().union(*map(free, self.args)))
        object.__setattr__(self, "key", hash((self.function, self.args)))

    def __hash__(self) -> int:
        return self.key


Expr: TypeAlias = int | Fraction | str | Var | Apply


def normal(value: Option) -> Option:
    """Whole fractions become ints, so that equal numbers print and hash alike."""
    if type(value) is int:  # nearly all are, and whether something is a fraction is a slow question
        return value
    return value.numerator if isinstance(value, Fraction) and value.denominator == 1 else value


def apply(function: str, *args: Expr) -> Expr:
    """`function(args)`, folded where the arguments allow it."""
    for arg in args:
        if isinstance(arg, (Var, Apply)):
            return simplify(function, args)
    return normal(FUNCTIONS[function](*args))


def simplify(function: str, args: tuple[Expr, ...]) -> Expr:
    """The neutral and absorbing elements of the few functions that stand in guards and shapes."""
    rule = SIMPLER.get(function)
    simpler = None if rule is None else rule(*args)
    return Apply(function, args) if simpler is None else simpler


def simpler_sum(a: Expr, b: Expr) -> Expr | None:
    if type(b) is int and b == 0:
        return a
    return b if type(a) is int and a == 0 else joined("add", a, b)


def simpler_product(a: Expr, b: Expr) -> Expr | None:
    for this, other in ((a, b), (b, a)):
        if type(this) is int and this in (0, 1):
            return other if this else 0
    return joined("mul", a, b)


def joined(function: str, a: Expr, b: Expr) -> Expr | None:
    """(x + 2) + 3 is x + 5, and likewise for products: long chains stay flat."""
    if isinstance(a, Apply) and a.function == function and isinstance(b, (int, Fraction)):
        x, constant = a.args
        if isinstance(constant, (int, Fraction)):
            return apply(function, x, FUNCTIONS[function](constant, b))
    return None


def simpler_and(a: Expr, b: Expr) -> Expr | None:
    for this, other in ((a, b), (b, a)):
        if isinstance(this, int):
            return other if this else 0
    return a if a == b else None


def simpler_or(a: Expr, b: Expr) -> Expr | None:
    for this, other in ((a, b), (b, a)):
        if isinstance(this, int):
            return 1 if this else other
    return a if a == b else None


def simpler_if(condition: Expr, a: Expr, b: Expr) -> Expr | None:
    if a == b or not isinstance(condition, (Var, Apply)):
        return a if a == b or condition else b
    return None


def simpler_quotient(a: Expr, b: Expr) -> Expr | None:
    """x / 1 is x, and (x * 8) / 4 is x * 2: the whole groups of a grouped convolution stay whole numbers."""
    if type(b) is not int:
        return None
    if b == 1:
        return a
    if isinstance(a, Apply) and a.function == "mul" and isinstance(a.args[1], int) and b and a.args[1] % b == 0:
        return apply("mul", a.args[0], a.args[1] // b)
    return None


def unless_zero(a: Expr, b: Expr) -> Expr | None:
    return a if type(b) is int and b == 0 else None


def unless_whole(x: Expr) -> Expr | None:
    return x if is_whole(x) else None


def unless_equal(a: Expr, b: Expr) -> Expr | None:
    return a if a == b else None


SIMPLER: Final[Mapping[str, Callable[..., Expr | None]]] = {
    "add": simpler_sum,
    "sub": unless_zero,
    "mul": simpler_product,
    "div": simpler_quotient,
    "and": simpler_and,
    "or": simpler_or,
    "if": simpler_if,
    "floor": unless_whole,
    "ceil": unless_whole,
    "round": unless_whole,
    "min": unless_equal,
    "max": unless_equal,
}


def is_whole(expr: Expr) -> bool:
    """Whether an expression is certainly an integer: a variable may be a ratio, so only rounded ones count."""
    match expr:
        case int():
            return True
        case Apply("floor" | "ceil" | "round" | "divisible" | "position" | "support", _):
            return True
        case Apply("add" | "sub" | "mul" | "min" | "max", args):
            return all(is_whole(a) for a in args)
    return False


def both(a: Expr, b: Expr) -> Expr:
    """The conjunction of two guards."""
    return apply("and", a, b)


def evaluate(expr: Expr, values: Mapping[str, Option]) -> Option:
    """The value under an assignment that has every choice the expression reads. Raises KeyError where one is
    missing."""
    if isinstance(expr, Apply):
        if expr.function == "if":
            condition, a, b = expr.args
            return evaluate(a if evaluate(condition, values) else b, values)
        return normal(FUNCTIONS[expr.function](*[evaluate(a, values) for a in expr.args]))
    if isinstance(expr, Var):
        return values[expr.choice]
    return expr


def tabulate(
    expr: Expr, choice: str, options: Sequence[Option], known: dict[Expr, tuple[Option, ...]]
) -> tuple[Option, ...]:
    """The values of an expression that reads one choice, at each of its options. `known` keeps the tables of its
    parts."""
    if isinstance(expr, Var):
        return tuple(options)
    if not isinstance(expr, Apply):
        return (expr,) * len(options)
    table = known.get(expr)
    if table is None:
        columns = [tabulate(a, choice, options, known) for a in expr.args]
        table = known[expr] = tuple(map(normal, map(FUNCTIONS[expr.function], *columns)))
    return table


NOTHING: Final[frozenset[str]] = frozenset()


def free(expr: Expr) -> frozenset[str]:
    """The names of the choices that an expression reads."""
    if isinstance(expr, Var):
        return frozenset((expr.choice,))
    return expr.reads if isinstance(expr, Apply) else NOTHING


def substitute(expr: Expr, values: Mapping[str, Expr]) -> Expr:
    """The expression with some choices replaced, folded again."""
    if isinstance(expr, Var):
        return values.get(expr.choice, expr)
    if isinstance(expr, Apply):
        args = tuple(substitute(a, values) for a in expr.args)
        return expr if args == expr.args else apply(expr.function, *args)
    return expr


INFIX: Final[Mapping[str, tuple[str, int]]] = {
    "or": ("or", 1),
    "and": ("and", 2),
    "eq": ("==", 4),
    "ne": ("!=", 4),
    "lt": ("<", 4),
    "le": ("<=", 4),
    "gt": (">", 4),
    "ge": (">=", 4),
    "add": ("+", 5),
    "sub": ("-", 5),
    "mul": ("*", 6),
    "div": ("/", 6),
}


def show(expr: Expr, level: int = 0) -> str:
    """The expression as a person would write it in a spec: `divisible(32 * width, 8)`."""
    if isinstance(expr, Var):
        return expr.choice
    if isinstance(expr, Fraction):
        return decimal(expr)
    if isinstance(expr, bool):
        return "yes" if expr else "no"
    if not isinstance(expr, Apply):
        return str(expr)
    if expr.function in INFIX:
        symbol, binding = INFIX[expr.function]
        left, right = expr.args
        text = f"{show(left, binding)} {symbol} {show(right, binding + 1)}"
        return f"({text})" if binding < level else text
    if expr.function == "not":
        text = f"not {show(expr.args[0], 3)}"
        return f"({text})" if level > 3 else text
    return f"{expr.function}({', '.join(show(a) for a in expr.args)})"


def decimal(x: Fraction) -> str:
    """`0.35` where the fraction has a finite decimal form, `1/3` where it has none."""
    denominator = x.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return repr(float(x)) if denominator == 1 and Fraction(repr(float(x))) == x else f"{x.numerator}/{x.denominator}"
