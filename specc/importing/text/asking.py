"""What the writer asks of operators: which arguments say no more than is implied, and which kinds are alike."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from functools import cache, lru_cache

from specc.diagnostics import Rule
from specc.importing.network import Operation
from specc.importing.text.terms import SPAN, Value, plain
from specc.ir.expr import Expr
from specc.ir.graph import DENSE, Connection, Segment, Tensor
from specc.ir.operator import Built, Operator
from specc.ir.parameter import REQUIRED, Parameter, SameAs, Type
from specc.ops import find_operator, norms, operators

Shape = tuple[int, ...]


def operator_of(kind: str) -> Operator:
    """Raises ValueError where the language has no such operator."""
    found = find_operator(kind)
    if found is None:
        raise ValueError(f"there is no operator `{kind}`")
    return found


@cache
def takes_tensors(kind: str) -> bool:
    """Whether an operator's unnamed arguments are tensors."""
    parameters = operator_of(kind).signature.parameters
    return bool(parameters) and parameters[0].type == "tensors"


@cache
def is_norm(kind: str) -> bool:
    """Whether `norm` stands for it."""
    return operator_of(kind).normalises and kind in norms().values()


def norm_word(kind: str) -> str:
    """The word that sets a norm: `batch`."""
    return next(word for word, folder in norms().items() if folder == kind)


@cache
def is_activation(kind: str) -> bool:
    """Whether it may stand where another such does, as the word that a parameter holds."""
    operator = operator_of(kind)
    return operator.written and operator.nests and not operator.signature.parameters


def parameter_of(kind: str, name: str) -> Parameter:
    return next(p for p in operator_of(kind).signature.parameters if p.name == name)


def type_of(kind: str, name: str) -> Type:
    return parameter_of(kind, name).type


@cache
def is_layer(kind: str) -> bool:
    """Whether it computes with weights of its own: a convolution, a linear layer, an attention."""
    operator = operator_of(kind)
    return operator.layer or operator.drawn.family != "other"


def channels(shape: Shape) -> int:
    """Of a map [C, H, W], of tokens [T, C], of a vector [C]."""
    return shape[1] if len(shape) == 2 else shape[0]


def arguments(operation: Operation, shapes: Mapping[str, Shape]) -> tuple[tuple[str, Value], ...]:
    """An operation's arguments in the order of its signature, without those that say what is implied.

    A norm keeps all that its setting may say.
    """
    operator = operator_of(operation.operator)
    given = {name: exact(value) for name, value in operation.parameters.items()}
    inputs = tuple(shapes[name] for name in operation.inputs)
    if operator.normalises:
        own = [p for p in operator.signature.parameters if p.type != "bank"]
        return tuple((p.name, given.get(p.name, exact(p.default))) for p in own)
    kept: dict[str, Value] = {}
    for parameter in operator.signature.parameters:
        if parameter.name in given and parameter.type not in ("tensors", "bank"):
            kept[parameter.name] = given[parameter.name]
    for parameter in reversed(operator.signature.parameters):
        if parameter.name in kept and parameter.default is not REQUIRED:
            fewer = {name: value for name, value in kept.items() if name != parameter.name}
            if kept[parameter.name] == parameter.default or says_the_same(operation.operator, kept, fewer, inputs):
                kept = fewer
    return tuple(kept.items())


def says_the_same(kind: str, these: Mapping[str, Value], those: Mapping[str, Value], inputs: tuple[Shape, ...]) -> bool:
    """Whether an operator makes the same of two sets of arguments."""
    left = built(kind, tuple(sorted(these.items())), inputs)
    return left is not None and left == built(kind, tuple(sorted(those.items())), inputs)


@lru_cache(maxsize=4096)
def built(kind: str, args: tuple[tuple[str, Value], ...], inputs: tuple[Shape, ...]) -> Built | None:
    """What an operator builds of fixed arguments; None where it reports something."""
    call = FixedCall(kind, dict(args), inputs)
    made = operator_of(kind).build(call)
    return None if call.reported else made


class FixedCall:
    """A call in a network without choices, as an operator's rules see it (`ir.operator.OpCall`)."""

    def __init__(self, kind: str, args: Mapping[str, object], inputs: tuple[Shape, ...]) -> None:
        self.inputs = tuple(tensor(shape) for shape in inputs)
        self.args: Mapping[str, object] = {**filled(kind), **args}
        self.connection: Connection = DENSE
        self.connects = False
        self.reads_input = False
        self.reported = False

    def out_channels(self, parameter: str, multiple: int = 1) -> Expr:
        return self.args[parameter]  # type: ignore[return-value]

    def whole_groups(self, channels: Expr, group: int) -> Expr:
        assert isinstance(channels, int)
        return channels // group

    def maximum(self, expr: Expr) -> int:
        assert isinstance(expr, int)
        return expr

    def folded(self, expr: Expr) -> Expr:
        return expr

    def follows(self, kind: str) -> bool:
        return True

    def tie(self, left: Tensor, right: Tensor, what: str) -> None:
        self.reported |= left.shape != right.shape

    def tie_space(self, left: Tensor, right: Tensor, what: str) -> None:
        self.reported |= left.space != right.space

    def cut_apart(self, size: Expr, places: tuple[int, ...]) -> tuple[Expr, ...] | None:
        return None

    def report(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None:
        self.reported = True


def filled(kind: str) -> Mapping[str, object]:
    """The defaults of an operator's parameters."""
    defaults = operator_of(kind).signature.defaults
    return {name: value for name, value in defaults.items() if not isinstance(value, SameAs)}


def tensor(shape: Shape) -> Tensor:
    space: tuple[int, ...] = () if len(shape) == 1 else shape[:1] if len(shape) == 2 else shape[1:]
    return Tensor("%input", (Segment(channels(shape)),), space, SPAN)


def exact_number(value: float) -> int | Fraction:
    """The number that a float stands for: 1e-5 is one hundred-thousandth, 0.0058823529411764705 is 1/170."""
    short = Fraction(f"{value:.12g}")
    if len(str(short.numerator)) > 6:
        simple = Fraction(value).limit_denominator(10_000)
        if abs(simple - Fraction(value)) <= abs(Fraction(value)) / 10**9:
            return plain(simple)
    return plain(short)


def exact(value: object) -> Value:
    """A value as the language has it. Sequences become tuples."""
    if isinstance(value, float):
        return exact_number(value)
    if isinstance(value, (list, tuple)):
        return tuple(exact(each) for each in value)
    if value is None or isinstance(value, (bool, int, Fraction, str)):
        return value
    raise TypeError(f"{value!r} is no value of the language")


@cache
def operators_written() -> frozenset[str]:
    """The words that call an operator."""
    return frozenset((*operators(), "norm"))
