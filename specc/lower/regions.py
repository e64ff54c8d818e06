"""Regions: what a choice may leave out - optional rounds of a repeat, skippables, the sides of a `when`."""

from __future__ import annotations

from collections.abc import Mapping

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Tensor
from specc.lower.bodies import lower_body
from specc.lower.builder import Builder
from specc.lower.choices import declare_choice
from specc.lower.items import Value
from specc.lower.operators import BAD_SIZE, plain_op
from specc.lower.reserve import reserve
from specc.lower.values import Env, decide, evaluate, evaluate_options
from specc.semantics.arithmetic import WRONG_TYPE
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
    "A repeat is written out, round by round, up to 100,000 of them; up to 500 of them may be left out.\n"
    "Wrong:  repeat 10000000 { }     repeat 0..1000 { }\n"
    "Right:  repeat 100 { }          repeat 0..100 { }",
)
MOST_ROUNDS = 100_000
MOST_OPTIONAL = 500
"""Rounds that a sub-network may leave out; each is a condition of its own in the graph."""


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
        depth = evaluate(b, node, env).scalar
    if isinstance(depth, Apply):
        b.findings.report(WRONG_TYPE, node.span, "the count of a repeat is a number, a range, a set or a choice")
        return 1, 1, 1
    if isinstance(depth, Var):
        b.rounds.add(depth.choice)
    options = b.options.get(depth.choice, (1,)) if isinstance(depth, Var) else (depth,)
    for option in options:
        if isinstance(option, (bool, str)) or not isinstance(option, int) or option < 0:
            b.findings.report(BAD_SIZE, node.span, "the count of a repeat must be a whole number from 0")
            return 1, 1, 1
    counts = [option for option in options if isinstance(option, int)]
    if max(counts) > MOST_ROUNDS:
        b.findings.report(TOO_MANY_ROUNDS, node.span, f"{max(counts):,} rounds are more than {MOST_ROUNDS:,}")
        return 1, 1, 1
    if max(counts) - min(counts) > MOST_OPTIONAL:
        optional_rounds = max(counts) - min(counts)
        message = f"{optional_rounds:,} rounds that may be left out are more than {MOST_OPTIONAL:,}"
        b.findings.report(TOO_MANY_ROUNDS, node.span, message)
        return 1, 1, 1
    return depth, max(counts), min(counts)


def optional(b: Builder, guard: Expr, body: ast.Body, env: Env, span: Span, what: str) -> None:
    """A body that is present under a guard and otherwise leaves what comes in."""
    before, names = b.incoming(span), dict(env.frame)
    with b.inside("region", "", span, guard=guard):
        lower_body(b, body, env)
    given = dict(env.frame)
    join(b, before, guard, span, what)
    join_names(b, given, names, env, guard, span, what)


def join(b: Builder, before: Tensor, guard: Expr, span: Span, what: str) -> None:
    """The select after a region: its output where the guard holds, `before` otherwise."""
    if b.here is not None:
        b.here = joined(b, b.here, before, guard, span, what)


def joined(b: Builder, after: Tensor, before: Tensor, guard: Expr, span: Span, what: str) -> Tensor:
    """`after` where the guard holds, `before` otherwise. Reports shapes that differ."""
    if after is before or after.name in b.broken or before.name in b.broken:
        return after
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
        return after
    return plain_op(b, "select", b.prefix + "select", (after, before), span, conditions=(guard, 1))


def join_names(
    b: Builder,
    given: Mapping[str, Tensor],
    otherwise: Mapping[str, Tensor],
    env: Env,
    guard: Expr,
    span: Span,
    what: str,
) -> None:
    """After a region: a name that was given anew in it stands for either tensor, one that only it gives is lost."""
    here = b.here
    for name in dict.fromkeys((*otherwise, *given)):
        if name in given and name in otherwise:
            env.frame[name] = joined(b, given[name], otherwise[name], guard, span, f"`{name}`, given anew in {what},")
        else:
            env.frame.pop(name, None)
            env.lost[name] = (given.get(name) or otherwise[name]).origin
    b.here = here


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


def lower_when(b: Builder, statement: ast.When, env: Env) -> None:
    """A condition on fixed values is taken now; one on choices makes a region for each side and a select after them."""
    guard = decide(b, statement.condition, env)
    if not isinstance(guard, (Var, Apply)):
        arms = (statement.body, statement.otherwise)
        for arm in arms:  # in the order of the text, so that numbers are those of the definition
            if arm is not None and (arm is statement.body) == bool(guard):
                lower_body(b, arm, env)
            else:
                reserve(b, arm, env)
        return
    if statement.otherwise is None:
        optional(b, guard, statement.body, env, statement.span, "this branch")
        return
    before, names = b.incoming(statement.span), dict(env.frame)
    with b.inside("region", "", statement.body.span, guard=guard):
        lower_body(b, statement.body, env)
    first, b.here, given = b.incoming(statement.span), before, dict(env.frame)
    env.frame.clear()
    env.frame.update(names)
    with b.inside("region", "", statement.otherwise.span, guard=b.folded(apply("not", guard))):
        lower_body(b, statement.otherwise, env)
    second, b.here, otherwise = b.incoming(statement.span), first, dict(env.frame)
    join(b, second, guard, statement.span, "one of these branches")
    join_names(b, given, otherwise, env, guard, statement.span, "one of these branches")
