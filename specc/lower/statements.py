"""Statements: bodies, block calls, repeats, skippables, residuals, conditions and scoped settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from specc.diagnostics import Rule
from specc.ir.choice import Kind, Options
from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Tensor
from specc.lower.builder import Builder
from specc.lower.items import ChoiceItem, ScopeItem, Settings, Value
from specc.lower.operators import BAD_SIZE, KINDS, call_operator, plain_op
from specc.lower.values import Env, Place, decide, evaluate, evaluate_options
from specc.lower.widths import width_setting
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import block_signature, written_operator
from specc.semantics.names import UNKNOWN_NAME
from specc.semantics.reserved import refuse
from specc.semantics.signature import bind_arguments
from specc.source import Span
from specc.syntax import ast

CHANGES_SHAPE = Rule(
    "E331",
    "changes-shape",
    "a sub-path that may be left out changes the shape",
    "What a skippable, an optional round of a repeat or a `when` over a choice puts out replaces what came in, "
    "so both have\n"
    "the same channels, height and width.\n"
    "Wrong:  skippable { conv(128, kernel=3, stride=2) }     where 64 channels arrive\n"
    "Right:  conv(128, kernel=3, stride=2); skippable { conv(128, kernel=3) }",
)
TOO_MANY_ROUNDS = Rule(
    "E332",
    "too-many-rounds",
    "a repeat has too many rounds",
    "A repeat is written out, round by round, up to 100,000 of them.\nWrong:  repeat 10000000 { }\nRight:  "
    "repeat 100 { }",
)
MOST_ROUNDS = 100_000


def lower_body(b: Builder, body: ast.Body, env: Env) -> Env:
    """The statements of a body in their order. Settings made in it end with it."""
    settings = b.settings
    b.enter(body.span, len(body.statements))
    env = lower_statements(b, body.statements, env)
    b.depth -= 1
    b.settings = settings
    return env


def lower_statements(b: Builder, statements: tuple[ast.Statement, ...], env: Env) -> Env:
    for statement in statements:
        if isinstance(statement, ast.LetStatement):
            place = Place(b.naming_scope(), statement.name.name)
            env = env.with_(statement.name.name, evaluate(b, statement.value, env, place))
        else:
            lower = STATEMENTS.get(type(statement))
            if lower is None:
                refuse(statement.span, LATER_STATEMENTS.get(type(statement), "this statement"), b.findings)
            else:
                lower(b, statement, env)
    return env


def lower_call(b: Builder, statement: ast.CallStatement, env: Env) -> None:
    """An operator or a block; a name that holds a word (`act=relu`) stands for that operator."""
    name, call = statement.call.name.name, statement.call
    target = statement.targets[0] if len(statement.targets) == 1 else None
    held = env.names.get(name)
    if held is not None:
        if isinstance(held.x, str) and written_operator(held.x) is not None:
            call_operator(b, held.x, call, target, env)
        else:
            b.findings.report(
                WRONG_TYPE, call.name.span, f"`{name}` holds a value, and an operator or block must stand here"
            )
    elif written_operator(name) is not None:
        call_operator(b, name, call, target, env)
    elif name in b.model.names.files[env.file].blocks:
        call_block(b, call, target, env)
    else:
        b.findings.report(UNKNOWN_NAME, call.name.span, f"there is no operator or block `{name}` here")


def call_block(b: Builder, call: ast.CallExpr, target: ast.Name | None, env: Env) -> None:
    """Writes out a block where it is called: arguments in the caller's names, defaults in its own."""
    block, home = b.model.names.files[env.file].blocks[call.name.name]
    if "from" in (bound := bind_arguments(block_signature(block), call.args, call.span, b.findings, also=("from",))):
        refuse(bound["from"].span, "`from=`, reading a named tensor", b.findings)
    in_stage = b.naming_scope().kind in ("stem", "stage", "head")
    base = target.name if target is not None else b.prefix + ("b" if in_stage else block.name.name)
    if target is not None:
        b.take_name(b.naming_scope(), target)
    with b.inside("block", base, call.span, given=target is not None) as scope:
        scope.block = block.name.name
        inner = Env({}, home)
        for parameter in block.parameters:
            name = parameter.name.name
            place = Place(scope, name, KINDS.get(name, "value"))
            if name in bound:
                value = evaluate(b, bound[name].value, env, place)
            elif parameter.default is not None:
                value = evaluate(b, parameter.default, inner, place)
            else:
                return
            inner.names[name] = value
        scope.args = tuple((n, v.x) for n, v in inner.names.items())
        lower_body(b, block.body, inner)


def lower_norm_setting(b: Builder, statement: ast.NormSetting, env: Env) -> None:
    b.settings = Settings(statement, env, b.settings.width)


def lower_width_setting(b: Builder, statement: ast.WidthSetting, env: Env) -> None:
    b.settings = Settings(b.settings.norm, b.settings.norm_env, width_setting(b, statement, env))


def lower_connect_setting(b: Builder, statement: ast.ConnectSetting, env: Env) -> None:
    if statement.connection.name.name != "dense":
        refuse(statement.span, f"`connect {statement.connection.name.name}`", b.findings)


def lower_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> None:
    options = evaluate_options(b, statement.options, env)
    declare_choice(b, statement.name, options)


def declare_choice(b: Builder, name: ast.Name, options: Options, kind: Kind | None = None) -> str:
    """A choice with a name of its own, which is its variable too. One among words chooses operators."""
    b.serial += 1
    words = any(isinstance(option, str) for option in options)
    item = ChoiceItem(
        name.name, None, name.name, options, kind or ("operator" if words else "value"), name.span, b.serial
    )
    return b.add_choice(item)


def lower_repeat(b: Builder, statement: ast.Repeat, env: Env) -> None:
    """Fixed rounds one after the other; optional ones each in a region whose guard is depth > round."""
    depth, rounds, least = repeat_count(b, statement, env)
    for i in range(rounds):
        inner = env if statement.index is None else env.with_(statement.index.name, Value(i))
        if i < least:
            lower_body(b, statement.body, inner)
        else:
            guard = b.folded(apply("ge", depth, i + 1))
            optional(b, guard, statement.body, inner, statement.span, "this round of the repeat")


def repeat_count(b: Builder, statement: ast.Repeat, env: Env) -> tuple[Expr, int, int]:
    """The depth (a number or a choice), the most rounds and the fewest."""
    node = statement.count
    if isinstance(node, (ast.RangeExpr, ast.SetExpr)):
        options = evaluate_options(b, node, env)
        depth: Expr | bool
        if len(options) == 1:
            depth = options[0]
        else:
            depth = Var(b.numbered_choice(b.prefix + "depth", options, "depth", node.span))
    else:
        depth = evaluate(b, node, env).x
    if isinstance(depth, Apply):
        b.findings.report(WRONG_TYPE, node.span, "the count of a repeat is a number, a range, a set or a choice")
        return 1, 1, 1
    options = b.options.get(depth.choice, (1,)) if isinstance(depth, Var) else (depth,)
    for option in options:
        if isinstance(option, (bool, str)) or not isinstance(option, int) or option < 0:
            b.findings.report(BAD_SIZE, node.span, "the count of a repeat must be a whole number from 0")
            return 1, 1, 1
    counts = [option for option in options if isinstance(option, int)]
    if max(counts) > MOST_ROUNDS:
        b.findings.report(TOO_MANY_ROUNDS, node.span, f"{max(counts):,} rounds are more than {MOST_ROUNDS:,}")
        return 1, 1, 1
    return depth, max(counts), min(counts)


def optional(b: Builder, guard: Expr, body: ast.Body, env: Env, span: Span, what: str) -> None:
    """A body that is present under a guard and otherwise leaves what comes in."""
    before = b.incoming(span)
    with b.inside("region", "", span, guard=guard):
        lower_body(b, body, env)
    join(b, before, guard, span, what)


def join(b: Builder, before: Tensor, guard: Expr, span: Span, what: str) -> None:
    """The select after a region: its output where the guard holds, `before` otherwise."""
    after = b.here
    if after is None or after is before:
        return
    if after.name in b.broken or before.name in b.broken:
        return
    if shape(b, after) != shape(b, before):
        b.findings.report(
            CHANGES_SHAPE,
            span,
            f"{what} may be left out, but it changes the shape",
            secondary=[
                (before.origin, f"before it: {b.describe(before)[9:]}"),
                (after.origin, f"after it: {b.describe(after)[9:]}"),
            ],
            help="keep what changes the shape outside, and leave out only what follows it",
        )
        return
    plain_op(b, "select", b.prefix + "select", (after, before), span, conditions=(guard, 1))


def shape(b: Builder, tensor: Tensor) -> tuple[int, ...]:
    return (b.maximum(tensor.features), *(b.maximum(s) for s in tensor.space))


def lower_skippable(b: Builder, statement: ast.Skippable, env: Env) -> None:
    if statement.name is not None:
        variable = declare_choice(b, statement.name, (0, 1), "skip")
    else:
        variable = b.numbered_choice(b.prefix + "keep", (0, 1), "skip", statement.span)
    if b.stage is not None:
        b.skippables.setdefault(id(b.stage), []).append(b.choices[-1])
    optional(b, Var(variable), statement.body, env, statement.span, "this sub-path")


def lower_residual(b: Builder, statement: ast.Residual, env: Env) -> None:
    """The body, then its sum with what came in - or with the shortcut of it. Conditions speak of the largest
    network."""
    before = b.incoming(statement.span)
    adds = fixed_condition(b, statement.condition, env)
    shortcut = statement.shortcut is not None and fixed_condition(b, statement.shortcut_condition, env)
    lower_body(b, statement.body, env)
    after = b.incoming(statement.span)
    if not adds:
        return
    other = before
    if shortcut and statement.shortcut is not None:
        b.here = before
        prefix = b.prefix
        b.prefix = prefix + "shortcut_"
        lower_body(b, statement.shortcut, env)
        b.prefix = prefix
        other = b.incoming(statement.span)
    plain_op(b, "add", b.prefix + "add", (after, other), statement.span)


def fixed_condition(b: Builder, condition: ast.Expression | None, env: Env) -> bool:
    if condition is None:
        return True
    x = decide(b, condition, env)
    if isinstance(x, (Var, Apply)):
        refuse(condition.span, "a residual whose sum depends on a choice", b.findings)
        return True
    return bool(x)


def lower_when(b: Builder, statement: ast.When, env: Env) -> None:
    """A condition on fixed values is taken now; one on choices makes a region for each side and a select after them."""
    guard = decide(b, statement.condition, env)
    if not isinstance(guard, (Var, Apply)):
        taken = statement.body if guard else statement.otherwise
        if taken is not None:
            lower_body(b, taken, env)
        return
    if statement.otherwise is None:
        optional(b, guard, statement.body, env, statement.span, "this branch")
        return
    before = b.incoming(statement.span)
    with b.inside("region", "", statement.body.span, guard=guard):
        lower_body(b, statement.body, env)
    first, b.here = b.incoming(statement.span), before
    with b.inside("region", "", statement.otherwise.span, guard=b.folded(apply("not", guard))):
        lower_body(b, statement.otherwise, env)
    second, b.here = b.incoming(statement.span), first
    join(b, second, guard, statement.span, "one of these branches")


def lower_stage(b: Builder, statement: ast.Stage, env: Env, name: str) -> ScopeItem:
    """A stem, stage or head. Norm banks by skip look at the skippables of the stage they stand in."""
    if statement.by:
        refuse(statement.by[0].span, "a head for every option of a choice", b.findings)
    kind = statement.kind
    assert kind in ("stem", "stage", "head")
    with b.inside(kind, name, statement.span, given=True) as scope:  # type: ignore[arg-type]
        b.stage = scope
        lower_body(b, statement.body, env)
        b.stage = None
    return scope


LATER_STATEMENTS: Final[Mapping[type, str]] = {ast.Branches: "`branches`", ast.Exit: "early exits"}

STATEMENTS: Final[Mapping[type, Callable[..., None]]] = {
    ast.CallStatement: lower_call,
    ast.NormSetting: lower_norm_setting,
    ast.WidthSetting: lower_width_setting,
    ast.ConnectSetting: lower_connect_setting,
    ast.ChoiceStatement: lower_choice,
    ast.Repeat: lower_repeat,
    ast.Skippable: lower_skippable,
    ast.Residual: lower_residual,
    ast.When: lower_when,
}
