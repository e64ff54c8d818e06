"""What the statements of stages and blocks become: calls, and what choices may leave out.

A statement is lowered where the builder stands, and leaves what it computes as what comes in to the next. Optional
rounds of a repeat, skippables and the sides of a `when` over a choice are regions under a guard; behind each stands a
select between its result and what would otherwise be there."""

from __future__ import annotations

from collections.abc import Mapping

from specc.diagnostics import Rule
from specc.diagnostics.near import near
from specc.ir.expr import Apply, Expr, Var, apply, both
from specc.ir.graph import Tensor
from specc.lower.builder import Branching, Builder, Named, Value
from specc.lower.operators import BAD_SIZE, KINDS, NOT_IN_BRANCHES, call_operator, plain_op
from specc.lower.outputs import EXIT, HEAD, LEVEL, exit_choice, exit_name, fits, levels_by, prediction, with_level
from specc.lower.settings import BY_SLICES, lower_setting, slice_choice
from specc.lower.values import (
    LEAVES,
    Env,
    Place,
    block_choice,
    decide,
    declare_choice,
    evaluate,
    evaluate_options,
    held_value,
    lower_choice,
    static_number,
)
from specc.ops import find_operator, norms
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import OPERATOR_EXTRAS, by_when, outside_operator, written_operator
from specc.semantics.meaning import BlockCall, Means, OperatorCall
from specc.semantics.names import UNKNOWN_NAME
from specc.semantics.signature import bind_arguments, tensor_in_parentheses
from specc.source import CallSite, Span
from specc.syntax import ast

WRONG_RESULTS = Rule(
    "E333",
    "wrong-number-of-results",
    "an operation gives more or fewer tensors than are named",
    "An operation with several results names all of them; every other gives one tensor.\n"
    "Wrong:  (l, m, r) = split(2)\n"
    "Right:  (l, r) = split(2)",
)
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
ONE_BRANCH_BODY = Rule(
    "E374",
    "branches-without-convolution",
    "branches contain no convolution",
    "Branches differ in the weights of their convolutions. Without a convolution they would all be equal.\n"
    "Wrong:  branches 8 sum { relu }\n"
    "Right:  branches 8 sum { conv(4, kernel=1); relu; conv(64, kernel=1) }",
)


def lower_body(b: Builder, body: ast.Body, env: Env) -> None:
    """The statements of a body in their order. Settings made in it end with it."""
    settings = b.settings
    b.enter(body.span, len(body.statements))
    for statement in body.statements:
        env = lower_statement(b, statement, env)
    b.depth -= 1
    b.settings = settings


def lower_statement(b: Builder, statement: ast.Statement, env: Env) -> Env:
    """One statement; returns the names that those after it see."""
    match statement:
        case ast.CallStatement():
            lower_call(b, statement, env)
        case ast.LetStatement():
            place = Place(b.naming_scope(), statement.name.name)
            return env.with_(statement.name.name, evaluate(b, statement.value, env, place, pairs=True))
        case ast.ChoiceStatement() if in_block(b, statement.name):
            return env.with_(statement.name.name, block_choice(b, statement, env))
        case ast.ChoiceStatement():
            lower_choice(b, statement, env)
        case ast.NormSetting() | ast.WidthSetting() | ast.ConnectSetting():
            lower_setting(b, statement, env)
        case ast.Repeat():
            lower_repeat(b, statement, env)
        case ast.Skippable(name):
            lower_skippable(b, statement, env)
            if name is not None and in_block(b, name):
                return env.with_(name.name, Value(Var(name.name)))
        case ast.Residual():
            lower_residual(b, statement, env)
        case ast.When():
            lower_when(b, statement, env)
        case ast.Branches():
            lower_branches(b, statement, env)
        case ast.Exit():
            lower_exit(b, statement, env)
    return env


def in_block(b: Builder, name: ast.Name) -> bool:
    """Whether a choice is declared in a block, not in the supernet, whose choices all of it sees."""
    return b.model.names.choices.get(name.name) is not name.span


def lower_residual(b: Builder, statement: ast.Residual, env: Env) -> None:
    """The body, then its sum with what came in - or with the shortcut of it. Sizes in conditions are the largest
    network's; where a condition speaks of a choice, the sum or the shortcut is there while it holds."""
    before = b.incoming(statement.span)
    adds = 1 if statement.condition is None else decide(b, statement.condition, env)
    shortcut = 1 if statement.shortcut_condition is None else decide(b, statement.shortcut_condition, env)
    lower_body(b, statement.body, env)
    after = b.incoming(statement.span)
    if adds == 1:
        add_shortcut(b, statement, env, before, shortcut)
    elif adds == 0:
        reserve(b, statement.shortcut, env, "shortcut_")
    else:
        with b.inside("region", "", statement.span, guard=adds):
            add_shortcut(b, statement, env, before, shortcut)
        join(b, after, adds, statement.span, "this sum")


def add_shortcut(b: Builder, statement: ast.Residual, env: Env, before: Tensor, shortcut: Expr) -> None:
    """Adds what came in to what is there, by way of the shortcut while its condition holds."""
    after, b.here = b.incoming(statement.span), before
    if statement.shortcut is not None and shortcut != 0:
        prefix = b.prefix
        b.prefix = prefix + "shortcut_"
        if shortcut == 1:
            lower_body(b, statement.shortcut, env)
        else:
            optional(b, shortcut, statement.shortcut, env, statement.shortcut.span, "this shortcut")
        b.prefix = prefix
    elif shortcut == 0:
        reserve(b, statement.shortcut, env, "shortcut_")
    plain_op(b, "add", b.prefix + "add", (after, b.incoming(statement.span)), statement.span)


def lower_repeat(b: Builder, statement: ast.Repeat, env: Env) -> None:
    """Fixed rounds one after the other; optional ones each in a region whose guard is depth > round."""
    depth, rounds, least = repeat_count(b, statement, env)
    around = b.within
    for i in range(rounds):
        inner = env if statement.index is None else env.with_(statement.index.name, Value(i))
        b.within = (*around, i + 1)
        if i < least:
            lower_body(b, statement.body, inner)
        else:
            guard = b.folded(apply("ge", depth, i + 1))
            optional(b, guard, statement.body, inner, statement.span, "this round of the repeat")
    b.within = around


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
    if isinstance(guard, (Var, Apply)):
        what = "this branch" if statement.otherwise is None else "one of these branches"
        optional(b, guard, statement.body, env, statement.span, what, statement.otherwise)
        return
    for arm in (statement.body, statement.otherwise):  # in the order of the text, so that numbers are the definition's
        if arm is not None and (arm is statement.body) == bool(guard):
            lower_body(b, arm, env)
        else:
            reserve(b, arm, env)


def optional(
    b: Builder, guard: Expr, body: ast.Body, env: Env, span: Span, what: str, otherwise: ast.Body | None = None
) -> None:
    """A body that is present under a guard. Where it is not, what comes in stays, or another body takes its place."""
    second, spared = b.incoming(span), dict(env.frame)
    with b.inside("region", "", span if otherwise is None else body.span, guard=guard):
        lower_body(b, body, env)
    given = dict(env.frame)
    if otherwise is not None:
        first, b.here = b.incoming(span), second
        env.frame.clear()
        env.frame.update(spared)
        with b.inside("region", "", otherwise.span, guard=b.folded(apply("not", guard))):
            lower_body(b, otherwise, env)
        second, b.here, spared = b.incoming(span), first, dict(env.frame)
    join(b, second, guard, span, what)
    join_names(b, given, spared, env, guard, span, what)


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


def lower_branches(b: Builder, statement: ast.Branches, env: Env) -> None:
    """The body once, for all branches at once; then, for a sum that no convolution takes in, the sum.

    A convolution without bias and groups at the end of a summed branch is dense from all branches' channels:
    sum_i W_i x_i is [W_1 .. W_n] [x_1; ..; x_n].
    """
    before = b.incoming(statement.span)
    if b.branches is not None:
        b.findings.report(NOT_IN_BRANCHES, statement.span, "branches are not allowed in branches")
        return
    count = branch_count(b, statement.count, env)
    branches = Branching(count, active_branches(b, statement, count, env), joining_call(statement))
    branches.common.add(before.name)
    b.branches = branches
    settings, earlier = b.settings, len(b.findings.diagnostics)
    lower_body(b, statement.body, env)
    b.branches, b.settings = None, settings
    after = b.incoming(statement.span)
    if len(b.findings.diagnostics) > earlier:
        b.broken.add(after.name)
    elif not branches.begun:
        b.findings.report(ONE_BRANCH_BODY, statement.span, "these branches have no convolution")
    elif statement.merge.name == "sum" and not branches.joined:
        size = b.maximum(after.features) // count
        plain_op(b, "branch_sum", b.prefix + "branch_sum", (after,), statement.span, size=size)


def branch_count(b: Builder, node: ast.Expression, env: Env) -> int:
    count = static_number(b, node, env)
    if not isinstance(count, int) or count < 1:
        b.findings.report(BAD_SIZE, node.span, "the number of branches is a whole number from 1")
        return 1
    return count


def active_branches(b: Builder, statement: ast.Branches, count: int, env: Env) -> Expr | None:
    """How many branches a sub-network keeps: n * k / K; None where the width setting decides."""
    if statement.by is None:
        return None
    choice = slice_choice(b, statement.by, env)
    if choice is None:
        return None
    slices = b.maximum(Var(choice))
    if count % slices:
        message = f"{slices} sub-networks do not divide {count} branches"
        help = f"use a multiple of {slices} branches, so that each sub-network adds the same number"
        b.findings.report(BY_SLICES, statement.by.span, message, help=help)
        return None
    return apply("mul", Var(choice), count // slices)


def joining_call(statement: ast.Branches) -> ast.CallExpr | None:
    """The convolution at the end of a summed body, if it has no bias of its own in every branch."""
    last = statement.body.statements[-1] if statement.body.statements else None
    if statement.merge.name != "sum" or not isinstance(last, ast.CallStatement):
        return None
    operator = find_operator(last.call.name.name)
    if operator is None or not operator.branched.grouped:
        return None
    biased = any(arg.name is not None and arg.name.name == "bias" and not is_no(arg.value) for arg in last.call.args)
    return None if biased else last.call


def is_no(value: ast.Expression) -> bool:
    return isinstance(value, ast.Flag) and not value.value


def lower_exit(b: Builder, statement: ast.Exit, env: Env) -> None:
    """A classifier beside the trunk. From here on everything stands under the condition that this exit is not taken."""
    name = exit_name(b, statement)
    if not fits(b, statement, name):
        return
    choice = exit_choice(b, statement)
    taken = apply("eq", Var(EXIT), name)
    levels = levels_by(b, (statement.by,) if statement.by is not None else (), (LEVEL,))
    before = b.incoming(statement.span)
    for level in levels:
        own = name if level is None else f"{name}_{level.name}"
        inner = with_level(Env(dict(env.names), dict(env.frame), dict(env.lost)), level)
        with b.inside("exit", own, statement.span, given=True, guard=taken, output=own):
            lower_body(b, statement.body, inner)
        prediction(b, own, "exit", level, taken, levels, statement.span)
        b.here = before
    options = (*choice.options[:-1], name, HEAD)
    choice.options = b.options[EXIT] = options
    b.passed.append(apply("ne", Var(EXIT), name))
    b.guard = both(b.guard, b.passed[-1])


def lower_call(b: Builder, statement: ast.CallStatement, env: Env) -> None:
    """A call as a statement: what it gives becomes the incoming tensor and gets the names on its left side."""
    names = statement.targets
    results = call(b, statement.call, names[0] if len(names) == 1 else None, env)
    if results and len(results) != max(len(names), 1):
        number = "1 tensor" if len(results) == 1 else f"{len(results)} tensors"
        message = f"this gives {number}, and {len(names) or 'none'} of them {'is' if len(names) < 2 else 'are'} named"
        help = "name every result: `(l, r) = split(2)`" if len(results) > 1 else "write `name = ...`"
        b.findings.report(WRONG_RESULTS, statement.span, message, help=help)
        b.here = b.guess(statement.span)
        return
    for name, tensor in zip(names, results):
        env.frame[name.name] = tensor
    if len(results) > 1:
        b.scatter(statement.span)


def call(b: Builder, node: ast.CallExpr, target: ast.Name | None, env: Env) -> tuple[Tensor, ...]:
    """The tensors that an operator or a block gives; a name that holds a word (`act=relu`) stands for that operator."""
    meaning = b.model.meanings[node.name]
    source = next((a for a in node.args if a.name is not None and a.name.name == "from"), None) if node.args else None
    if source is not None:
        b.here = tensor_of(b, source.value, env)
    if isinstance(meaning, BlockCall):
        return call_block(b, meaning, node, target, env)
    operation = meaning if isinstance(meaning, OperatorCall) else held_operator(b, node, env)
    if operation is None:
        return ()
    if operation.source is None and operation.args:
        operation = reading_parameter(b, operation, node, env)
    if operation.source is not None:
        b.here = tensor_of(b, operation.source.value, env)
    tensors = None
    if operation.takes_tensors:
        before = b.here
        tensors = tuple(tensor_of(b, arg.value, env) for arg in node.args if arg.name is None)
        b.here = before
    return call_operator(b, operation, node, target, tensors, env)


def reading_parameter(b: Builder, operation: OperatorCall, node: ast.CallExpr, env: Env) -> OperatorCall:
    """A call that reads a tensor which a parameter of the block around it holds: `norm(x)` in `block b(x) { .. }`."""
    signature = operation.signature
    source = tensor_in_parentheses(signature, operation.args, lambda value: is_tensor(b, value, env))
    if source is None:
        return operation
    args = operation.args[1:]
    bound = bind_arguments(signature, args, node.span, b.findings, OPERATOR_EXTRAS)
    return OperatorCall(operation.name, signature, bound, args, source)


def held_operator(b: Builder, node: ast.CallExpr, env: Env) -> OperatorCall | None:
    """The operator whose name a parameter or a `let` holds; None with a diagnostic where it holds something else."""
    name, word = node.name.name, held_word(b, node.name, env)
    signature = (written_operator(word) or outside_operator(word)) if word else None
    if signature is not None:
        source = tensor_in_parentheses(signature, node.args, lambda value: is_tensor(b, value, env))
        args = node.args if source is None else node.args[1:]
        bound = bind_arguments(signature, args, node.span, b.findings, OPERATOR_EXTRAS)
        return OperatorCall(word, signature, bound, args, source)
    message = f"`{name}` holds a value; expected an operator or a block"
    held = held_value(b, node.name, env)
    options = b.options.get(held.x.choice, ()) if held is not None and isinstance(held.x, Var) else ()
    chosen = any(isinstance(option, str) for option in options)
    help = by_when(name) if chosen else f"give an operator's name, such as `{name}=relu`"
    b.findings.report(WRONG_TYPE, node.name.span, message, help=help)
    return None


def call_block(
    b: Builder, called: BlockCall, node: ast.CallExpr, target: ast.Name | None, env: Env
) -> tuple[Tensor, ...]:
    """Writes out a block where it is called: arguments in the caller's names, defaults in its own."""
    block, bound = called.block, called.bound
    in_stage = b.naming_scope().kind in ("stem", "stage", "head", "exit")
    base = target.name if target is not None else b.prefix + ("b" if in_stage else block.name.name)
    tensors = {
        name: tensor_of(b, arg.value, env)
        for name, arg in bound.items()
        if name != "from" and is_tensor(b, arg.value, env)
    }
    with b.inside("block", base, node.span, given=target is not None) as scope:
        scope.block = block.name.name
        scope.site = CallSite(node.span, block.name.name, cures=cures(block, bound))
        b.calls = (*b.calls, scope.site)
        inner = Env()
        for parameter in block.parameters:
            name = parameter.name.name
            if name in tensors:
                inner.frame[name] = tensors[name]
                continue
            given, names = (bound[name].value, env) if name in bound else (parameter.default, inner)
            assert given is not None, "checking has seen that it is given"
            place = None if isinstance(given, LEAVES) else Place(scope, name, KINDS.get(name, "value"))
            inner.names[name] = evaluate(b, given, names, place, pairs=True)
        scope.args = tuple((n, v.x) for n, v in inner.names.items())
        lower_body(b, block.body, inner)
        b.calls = b.calls[:-1]
    return () if b.here is None else (b.here,)


def cures(block: ast.Block, bound: Mapping[str, ast.Arg]) -> tuple[str, ...]:
    """Arguments that would give widths in a block a choice of their own: `hidden=own`, where it follows by default."""
    modes = (
        parameter.name.name
        for parameter in block.parameters
        if isinstance(parameter.default, ast.Name) and parameter.default.name == "follow"
    )
    return tuple(f"{name}=own" for name in modes if name not in bound)


def tensor_of(b: Builder, node: ast.Expression, env: Env) -> Tensor:
    """The tensor that a name, `here` or a call stands for. A call reads what arrives, and leaves it as it was."""
    meaning = b.model.meanings.get(node) if isinstance(node, ast.Name) else None
    match node:
        case ast.Name("here"):
            return b.incoming(node.span)
        case ast.Name(name) if is_tensor(b, node, env):
            if name in env.frame:
                return env.frame[name]
            if name in env.lost:
                b.findings.report(
                    UNKNOWN_NAME,
                    node.span,
                    f"the tensor `{name}` may not be there",
                    secondary=[(env.lost[name], "it is made here, in what a choice may leave out")],
                    help="give it the name before, so that there is always one",
                )
            else:
                help = near(name, env.frame) or "a tensor is named where it is made: `a = conv(64, kernel=3)`"
                b.findings.report(UNKNOWN_NAME, node.span, f"there is no tensor `{name}` yet", help=help)
        case ast.Name() if isinstance(meaning, (OperatorCall, BlockCall)) or held_word(b, node, env):
            return tensor_of(b, ast.CallExpr(node, (), node.span), env)
        case ast.CallExpr() if node.name in b.model.meanings:
            before, scattered = b.here, b.scattered
            results = call(b, node, None, env)
            b.here, b.scattered = before, scattered
            if len(results) == 1:
                return results[0]
            if results:
                message = f"this gives {len(results)} tensors; expected one"
                b.findings.report(WRONG_RESULTS, node.span, message, help="name them first: `(l, r) = split(2)`")
        case _:
            help = "it is a name, `here` or a call: `concat(here, conv(64, kernel=3))`"
            b.findings.report(WRONG_TYPE, node.span, "this is a value; expected a tensor", help=help)
    return b.guess(node.span)


def held_word(b: Builder, name: ast.Name, env: Env) -> str:
    """The word that a parameter or a `let` holds, as under `act=relu`; "" for any other name."""
    held = held_value(b, name, env)
    return held.x if held is not None and isinstance(held.x, str) else ""


def is_tensor(b: Builder, node: ast.Expression, env: Env) -> bool:
    """Whether an expression stands for a tensor rather than a value; a parameter may hold either."""
    match node:
        case ast.Name(name):
            meaning = b.model.meanings.get(node)
            return meaning is Means.TENSOR or (meaning is Means.LOCAL and name not in env.names)
        case ast.CallExpr():
            return node.name in b.model.meanings
    return False


def reserve(b: Builder, body: ast.Body | None, env: Env, prefix: str = "") -> None:
    """Takes the names that the statements of a body would have, where it stands in a block and is left out."""
    scope = b.naming_scope()
    if body is None or scope.kind != "block":
        return
    found = names_in(b, body, env, b.prefix + prefix)
    scope.names.extend(Named(scope, base, given, reserved=True) for base, given in found)


def names_in(b: Builder, body: ast.Body, env: Env, prefix: str) -> list[tuple[str, bool]]:
    """What a body's operations are called, each with whether the spec gives the name, in the order of lowering."""
    found: list[tuple[str, bool]] = []
    for statement in body.statements:
        match statement:
            case ast.CallStatement():
                target = statement.targets[0].name if len(statement.targets) == 1 else ""
                found += names_of_call(b, statement.call, env, prefix, target)
            case ast.Residual():
                found += names_in(b, statement.body, env, prefix)
                if statement.shortcut is not None:
                    found += names_in(b, statement.shortcut, env, prefix + "shortcut_")
                found.append((prefix + "add", False))
            case ast.When():
                found += names_in(b, statement.body, env, prefix)
                found += names_in(b, statement.otherwise, env, prefix) if statement.otherwise is not None else []
            case ast.Repeat():
                elastic = isinstance(statement.count, (ast.RangeExpr, ast.SetExpr))
                found += [(prefix + "depth", False)] if elastic else []
                found += names_in(b, statement.body, env, prefix) * rounds(statement, env)
            case ast.Skippable():
                found += [(prefix + "keep", False)] if statement.name is None else []
                found += names_in(b, statement.body, env, prefix)
            case ast.Branches():
                found += names_in(b, statement.body, env, prefix)
    return found


def rounds(statement: ast.Repeat, env: Env) -> int:
    """The rounds of a repeat that is left out; 1 where they are no plain number."""
    node = statement.count
    value: object = 1
    if isinstance(node, ast.Number):
        value = node.value
    elif isinstance(node, ast.Name) and node.name in env.names:
        value = env.names[node.name].x
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100 else 1


def names_of_call(b: Builder, node: ast.CallExpr, env: Env, prefix: str, target: str) -> list[tuple[str, bool]]:
    """A call's name, after those of the calls among its arguments."""
    found: list[tuple[str, bool]] = []
    for arg in node.args:
        if isinstance(arg.value, ast.CallExpr):
            found += names_of_call(b, arg.value, env, prefix, "")
    meaning, name = b.model.meanings.get(node.name), node.name.name
    if target:
        found.append((target, True))
    elif isinstance(meaning, (OperatorCall, BlockCall)) or (name := held_word(b, node.name, env)):
        base = "norm" if name in norms().values() else name
        found.append((prefix + base, False))
    return found
