"""Expressions become values: numbers, words, or expressions over choices. Ranges and sets become choices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace
from fractions import Fraction
from functools import lru_cache

from specc.diagnostics import Findings, Rule
from specc.frozen import frozen
from specc.ir.choice import Kind, Options, Range
from specc.ir.expr import Apply, Expr, Option, Var, free, normal, show
from specc.ir.graph import Tensor
from specc.ir.window import SIDES, window_of
from specc.lower.builder import Builder, ChoiceItem, Named, Value
from specc.semantics.arithmetic import (
    BAD_ARITHMETIC,
    FUNCTION_ARITY,
    OPERATIONS,
    TRUTHS,
    WRONG_TYPE,
    is_condition,
    operate,
    shown,
    word_in,
)
from specc.semantics.meaning import FileValue, Means
from specc.semantics.names import UNKNOWN_NAME
from specc.source import Span
from specc.syntax import ast

EMPTY_RANGE = Rule(
    "E301",
    "empty-range",
    "a range or set has no options",
    "A choice needs at least one option; a range goes from its smaller end to its larger one.\n"
    "Wrong:  repeat 4..2 { ... }\n"
    "Right:  repeat 2..4 { ... }",
)
RANGE_TOO_LONG = Rule(
    "E302",
    "range-too-long",
    "a range has too many options",
    "One choice has at most 100,000 options.\nWrong:  choice k in 1..10000000\nRight:  choice k in 1..1000 step 10",
)
DUPLICATE_OPTION = Rule(
    "E303",
    "duplicate-option",
    "a set has the same option twice",
    "Options are told apart by their values, in the order from the smallest sub-network to the largest.\n"
    "Wrong:  kernel={3, 5, 3}\n"
    "Right:  kernel={3, 5}",
)
CONSTANT_CONDITION = Rule(
    "W105",
    "constant-condition",
    "a condition on a choice is true at every option, or at none",
    "Such a condition chooses nothing: what it guards is always there, or never.\n"
    "Wrong:  choice k in {1, 2}   ...   when k == 3 { conv(64, kernel=3) }\n"
    "Right:  choice k in {1, 2}   ...   when k == 2 { conv(64, kernel=3) }",
)
UNEVEN_RANGE = Rule(
    "W108",
    "uneven-range",
    "the steps of a range do not end at its upper end",
    "The options are the lower end and every step from there; where no step meets the upper end, it is no option,\n"
    "and the largest sub-network is smaller than it looks.\n"
    "Wrong:  input image(3, resolution=160..224 step 24)\n"
    "Right:  input image(3, resolution=160..224 step 32)",
)
MOST_OPTIONS = 100_000
ONE = Value(1)
LEAVES = (ast.Number, ast.Name, ast.Flag)
"""Expressions in which no fresh choice can stand: they need no place."""
READ_BEFORE = Rule(
    "E304",
    "choice-read-before",
    "a choice is used before its declaration, and its options depend on names known only there",
    "A choice may be used anywhere in the supernet, also before the line that declares it. Its options are needed\n"
    "there already, so they are made of names at the top of the file, or of none.\n"
    "Wrong:  conv(8 * k, kernel=1); let n = 4; choice k in 1..n\n"
    "Right:  let n = 4; choice k in 1..n; conv(8 * k, kernel=1)",
)


@frozen
class Place:
    """Where a fresh choice would stand: whose name it gets and what kind it is."""

    owner: Named | None
    leaf: str
    kind: Kind = "value"


@frozen
class Env:
    """What the names hold that a block, or the supernet, defines, as far as lowering has come.

    `names` has the values, `frame` the tensors. All braces of a block share the frame, so that a name given again in
    one of them is seen after it. `lost` has the names that only what a choice may leave out gives, and where it does.
    """

    names: dict[str, Value] = field(default_factory=dict)
    frame: dict[str, Tensor] = field(default_factory=dict)
    lost: dict[str, Span] = field(default_factory=dict)

    def with_(self, name: str, value: Value) -> Env:
        return Env({**self.names, name: value}, self.frame, self.lost)


@lru_cache(maxsize=1024, typed=True)
def number(value: int | Fraction) -> Value:
    """A plain number as a value; specs have the same few again and again."""
    return Value(value)


def evaluate(
    b: Builder, node: ast.Expression, env: Env, place: Place | None = None, peak: bool = False, pairs: bool = False
) -> Value:
    """The value of an expression. `peak` takes `in` at its maximum, as conditions do; `place` allows a fresh choice,
    `pairs` a height and a width."""
    match node:
        case ast.Number():
            return number(node.value)
        case ast.Name():
            return evaluate_name(b, node, env, peak, pairs)
        case ast.Flag():
            return Value(node.value)
        case ast.Binary():
            left = evaluate(b, node.left, env, place, peak)
            right = evaluate(b, node.right, env, place, peak)
            follows = left.follows or right.follows
            return Value(computed(b, OPERATIONS[node.operator], (left, right), node.span), follows)
        case ast.Unary():
            operand = evaluate(b, node.operand, env, place, peak)
            operands = (operand,) if node.operator == "not" else (Value(0), operand)
            function = "not" if node.operator == "not" else "sub"
            return Value(computed(b, function, operands, node.span), operand.follows)
        case ast.CallExpr():
            function = node.name.name
            if function not in FUNCTION_ARITY:
                b.findings.report(WRONG_TYPE, node.span, f"`{function}` gives a tensor; expected a value")
                return ONE
            args = tuple(evaluate(b, a.value, env, place, peak) for a in node.args)
            for value, arg in zip(args[1:], node.args[1:], strict=True):
                if function == "divisible" and (not isinstance(value.x, int) or value.x < 1):
                    b.findings.report(BAD_ARITHMETIC, arg.span, "the divisor must be a positive whole number")
                    return ONE
            return Value(computed(b, function, args, node.span), any(a.follows for a in args))
        case ast.RangeExpr() | ast.SetExpr():
            if place is None:
                b.findings.report(WRONG_TYPE, node.span, "a range or a set is not allowed here")
                return ONE
            options = evaluate_options(b, node, env)
            if len(options) == 1:
                return Value(options[0])
            if (word := mixed_with(options)) and isinstance(node, ast.SetExpr):
                b.findings.report(WRONG_TYPE, node.span, f"`{word}` is a word, and the other options are numbers")
                return ONE
            return Value(Var(b.new_choice(place.owner, place.leaf, options, place.kind, node.span)))
        case ast.Text():
            b.findings.report(WRONG_TYPE, node.span, "a text is not allowed here")
        case ast.ListExpr() if pairs:
            return evaluate_pair(b, node, env, place)
        case ast.ListExpr():
            b.findings.report(WRONG_TYPE, node.span, "a list is not allowed here; a set is written `{a, b}`")
    return ONE


def evaluate_pair(b: Builder, node: ast.ListExpr, env: Env, place: Place | None) -> Value:
    """`[3, 9]`: a height and a width, each of which may be a choice of its own, `kernel.height` and `kernel.width`."""
    if len(node.items) != 2:
        message = f"a pair has two numbers, height and width; this has {len(node.items)}"
        b.findings.report(WRONG_TYPE, node.span, message)
        return ONE
    found = [
        evaluate(b, item, env, place and replace(place, leaf=f"{place.leaf}.{side}"))
        for item, side in zip(node.items, SIDES, strict=True)
    ]
    return Value(window_of(*(value.scalar for value in found)), any(value.follows for value in found))


def computed(b: Builder, function: str, args: tuple[Value, ...], span: Span) -> Expr:
    """A function of values, over the choices that are known by now; widths are looked at when all are."""
    x = operate(function, tuple(a.scalar for a in args), span, b.findings, b.options)
    if function == "div" and isinstance(args[1].x, (Var, Apply)) and b.peak_value(args[1].x) == 0:
        b.findings.report(BAD_ARITHMETIC, span, "this divides by zero in the largest network")
        return 1
    return x


def evaluate_name(b: Builder, node: ast.Name, env: Env, peak: bool, pairs: bool = False) -> Value:
    """What a name holds, by what checking found that it means."""
    meaning = b.model.meanings[node]
    if meaning is Means.INCOMING:
        features = b.incoming(node.span).features
        if b.branches is not None and b.branches.begun:
            features = b.branches.own_channels(b.maximum(features))
        return Value(b.maximum(features) if peak else features, follows=True)
    if meaning is Means.CHOICE:
        foresee(b, node.name, node.span)
        return Value(Var(node.name))
    if meaning is Means.WORD:
        return Value(node.name)
    value = held_value(b, node, env)
    if value is None:
        b.findings.report(WRONG_TYPE, node.span, f"`{node.name}` is a tensor; expected a value")
        return ONE
    if isinstance(value.x, tuple) and not pairs:
        message = f"`{node.name}` is a height and a width; expected one number"
        b.findings.report(WRONG_TYPE, node.span, message)
        return ONE
    if peak and isinstance(value.x, (Var, Apply)):
        x = b.at_peak_widths(value.x)
        settled = isinstance(x, int) and isinstance(value.x, Apply) and value.x.function in TRUTHS
        return Value(bool(x) if settled else x, value.follows)
    return value


def held_value(b: Builder, name: ast.Name, env: Env) -> Value | None:
    """What a name holds, of those to which a spec gives values; None for any other, and for a tensor."""
    meaning = b.model.meanings.get(name)
    if isinstance(meaning, FileValue):
        return file_value(b, meaning.statement)
    return env.names.get(name.name) if meaning is Means.LOCAL else None


def file_value(b: Builder, statement: ast.LetStatement | ast.ParamStatement) -> Value:
    """What a `let` or `param` at the top of a file holds."""
    if statement not in b.file_values:
        if isinstance(statement, ast.ParamStatement):
            value = param_value(b, statement, Env())
        else:
            value = evaluate(b, statement.value, Env(), Place(None, statement.name.name), pairs=True)
        b.file_values[statement] = value
    return b.file_values[statement]


def param_value(b: Builder, statement: ast.ParamStatement, env: Env) -> Value:
    """What `-p name=value` said, in any file, or the default."""
    override = b.model.params.get(statement.name.name)
    value = evaluate(b, statement.value, env)
    return value if override is None else Value(override)  # type: ignore[arg-type]


def foresee(b: Builder, name: str, span: Span) -> None:
    """Finds the options of a choice that is declared further on, as far as names at the top of the file make them."""
    statement = b.ahead.pop(name, None)
    if statement is None:
        return
    findings, b.findings = b.findings, Findings()
    values = [s for s in b.model.names.files[0].values if not isinstance(s, ast.ChoiceStatement)]
    options = evaluate_options(b, statement.options, Env({s.name.name: file_value(b, s) for s in values}))
    failed, b.findings = bool(b.findings), findings
    if failed:
        b.findings.report(
            UNKNOWN_NAME,
            span,
            f"the options of `{name}` are not known here",
            secondary=[(statement.span, "it is declared here")],
            help="declare it before it is used",
        )
    b.options[name], b.peak[name] = options, options[-1]


def evaluate_options(b: Builder, node: ast.Expression, env: Env) -> Options:
    """The options of a range or set; (1,) with a diagnostic where it has none."""
    if isinstance(node, ast.RangeExpr):
        low, high = static_number(b, node.low, env), static_number(b, node.high, env)
        step = 1 if node.step is None else static_number(b, node.step, env)
        if step <= 0:
            b.findings.report(EMPTY_RANGE, node.span, "the step of a range must be positive")
            return (1,)
        if high < low:
            b.findings.report(
                EMPTY_RANGE, node.span, "this range is empty: its first number is above its last", help="swap the ends"
            )
            return (1,)
        if (high - low) / step > MOST_OPTIONS:
            b.findings.report(RANGE_TOO_LONG, node.span, f"this range has more than {MOST_OPTIONS:,} options")
            return (1,)
        options_there = Range(low, high, step)
        if (high - low) % step:
            last = options_there[-1]
            message = (
                f"this range ends at {shown(last)}: no step from {shown(low)} comes to its upper end, {shown(high)}"
            )
            help = f"end it at {shown(last)}, or write another step or a set"
            b.findings.report(UNEVEN_RANGE, node.span, message, help=help)
        return options_there
    if not isinstance(node, ast.SetExpr):
        b.findings.report(WRONG_TYPE, node.span, "expected a range `a..b` or a set `{a, b}`")
        return (1,)
    options: list[Option] = []
    seen: set[Option] = set()
    flags: set[bool] = set()
    for item in node.items:
        option = evaluate(b, item, env).scalar
        if isinstance(option, (Var, Apply)):
            b.findings.report(WRONG_TYPE, item.span, "the options of a choice can't depend on another choice")
            continue
        if not isinstance(option, str):
            flags.add(isinstance(option, bool))
        if len(flags) > 1:
            b.findings.report(WRONG_TYPE, item.span, "a choice is among numbers or between yes and no, not both")
            return (1,)
        if option in seen:
            b.findings.report(DUPLICATE_OPTION, item.span, "this option is given twice")
        else:
            seen.add(option)
            options.append(option)
    if len(options) > MOST_OPTIONS:
        b.findings.report(RANGE_TOO_LONG, node.span, f"this set has more than {MOST_OPTIONS:,} options")
        return (1,)
    if not options:
        b.findings.report(EMPTY_RANGE, node.span, "this set has no options")
        return (1,)
    return ordered(options)


def ordered(options: Sequence[Option]) -> Options:
    """Numbers and flags in the order of their values, from the smallest sub-network's; words where they stand."""
    numbers = iter(sorted(option for option in options if not isinstance(option, str)))
    return tuple(option if isinstance(option, str) else next(numbers) for option in options)


def mixed_with(options: Options) -> str:
    """The first word among options of which others are none; "" where all are of a kind."""
    words = [] if isinstance(options, Range) else [option for option in options if isinstance(option, str)]
    return words[0] if 0 < len(words) < len(options) else ""


def static_number(b: Builder, node: ast.Expression, env: Env) -> int | Fraction:
    """A number that no choice has a part in; 1 with a diagnostic otherwise."""
    value = evaluate(b, node, env).x
    if isinstance(value, (int, Fraction)) and not isinstance(value, bool):
        return value
    b.findings.report(WRONG_TYPE, node.span, "expected a number, or an expression without choices")
    return 1


def decide(b: Builder, node: ast.Expression, env: Env) -> Expr:
    """A condition: 1 or 0 where no choice can change it, an expression over choices otherwise."""
    value = evaluate(b, node, env, peak=True)
    x = value.scalar
    word = word_in(x, b.options)
    is_number = not is_condition(x, b.options) or (value.follows and type(x) is int)
    if word or is_number:
        message = f"{word or f'{shown(x)} is a number'}; expected a condition"
        help = f"compare it, as in `{node.span.text} {'== ..' if word else '> 16'}`"
        b.findings.report(WRONG_TYPE, node.span, message, help=help)
        return 1
    if isinstance(x, (Var, Apply)):
        folded = b.folded(x)
        if not isinstance(folded, (Var, Apply)) and reads_choices_alone(b, node, env):
            always = "true" if folded else "false"
            options = ", ".join(f"{n} in {listed(b.options[n])}" for n in sorted(free(x)))
            message = f"this is always {always}: {options}"
            b.findings.report(CONSTANT_CONDITION, node.span, message, help="compare it with one of the options")
        return folded
    return int(bool(x))


def reads_choices_alone(b: Builder, node: ast.Expression, env: Env) -> bool:
    """Whether a condition speaks of choices by their names and of nothing that differs from call to call."""
    match node:
        case ast.Name(name):
            return b.model.meanings[node] is Means.CHOICE and len(b.options[name]) > 1
        case ast.Binary(_, left, right):
            return all(is_option(b, n) or reads_choices_alone(b, n, env) for n in (left, right))
        case ast.Unary(_, operand):
            return reads_choices_alone(b, operand, env)
    return False


def listed(options: Options) -> str:
    """`{1, 2}`, or `1..100`."""
    if isinstance(options, Range):
        return f"{show(options.start)}..{show(options[-1])}"
    return f"{{{', '.join(show(option) for option in options)}}}"


def is_option(b: Builder, node: ast.Expression) -> bool:
    """Whether a number, a flag, or a word among the options of some choice is written here."""
    if isinstance(node, ast.Name):
        return node.name in b.model.names.option_words
    return isinstance(node, (ast.Number, ast.Flag))


def span_of(node: ast.Expression | None, otherwise: Span) -> Span:
    return otherwise if node is None else node.span


def as_option(x: Expr) -> Option:
    assert not isinstance(x, (Var, Apply))
    return normal(x)


def lower_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> None:
    name, foreseen = statement.name.name, b.options.get(statement.name.name)
    options = evaluate_options(b, statement.options, env)
    seen = name not in b.ahead and foreseen is not None
    if seen and not b.findings and foreseen != options:
        message = f"`{name}` is used before it is declared, and has other options here"
        b.findings.report(READ_BEFORE, statement.options.span, message, help="declare it before it is used")
    b.ahead.pop(name, None)
    declare_choice(b, statement.name, options)


def block_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> Value:
    """A choice that a block declares: every call makes one of its own, called `s1.b1.k` after the call."""
    options = evaluate_options(b, statement.options, env)
    if len(options) == 1:
        return Value(options[0])
    return Value(
        Var(b.new_choice(b.naming_scope(), statement.name.name, options, kind_of(options), statement.name.span))
    )


def kind_of(options: Options) -> Kind:
    """The kind of a choice by its options: one among words chooses operators."""
    return "operator" if any(isinstance(option, str) for option in options) else "value"


def declare_choice(b: Builder, name: ast.Name, options: Options, kind: Kind | None = None) -> str:
    """A choice with a name of its own, which is its variable too."""
    b.serial += 1
    item = ChoiceItem(name.name, None, name.name, options, kind or kind_of(options), name.span, b.serial)
    return b.add_choice(item)
