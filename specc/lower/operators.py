"""Operator calls: arguments evaluated and typed, width groups made, the operation added.

In `branches n by k` equal parallel branches are one grouped operation. The first convolution of a branch reads the
common input, so that of n branches is one dense convolution to n * c channels; every later one has a group for each
branch. What works channel by channel is the same for all branches at once. So the code that is generated runs no loop
over branches, and a sub-network of fewer keeps the first ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import lcm
from typing import cast

from specc.diagnostics import Rule
from specc.diagnostics.elsewhere import PAIR, VALUES, WINDOWS, tuple_elsewhere
from specc.ir.choice import Kind
from specc.ir.expr import Apply, Expr, Option, Var, apply, free, show
from specc.ir.graph import DENSE, Tensor
from specc.ir.operator import Operator
from specc.ir.parameter import LARGEST_NUMBER, REQUIRED, Parameter, Words, out_of_range
from specc.ir.window import Pair, Window, window_of
from specc.lower.builder import BankRequest, Branching, Builder, GroupItem, OpItem, Value
from specc.lower.settings import own_connection, sliced
from specc.lower.values import LEAVES, Env, Place, evaluate
from specc.ops import find_norm, find_operator, operators
from specc.ops.shapes import EVEN_KERNEL
from specc.portable.run.numerals import written
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import OPERATOR_EXTRAS, WIDTH_WORDS
from specc.semantics.meaning import Means, OperatorCall
from specc.semantics.settings import BAD_SETTING
from specc.semantics.signature import bind_arguments
from specc.source import Span
from specc.syntax import ast

BAD_SIZE = Rule(
    "E321",
    "bad-size",
    "a size is not a positive whole number",
    "Channels, kernels, strides and counts of repeats are whole numbers from 1, at every option of every choice.\n"
    "Wrong:  conv(in / 3, kernel=3)       where 64 channels arrive\n"
    "Right:  conv(floor(in / 3), kernel=3)",
)
NO_NORM = Rule(
    "E322",
    "no-norm-setting",
    "`norm` is used before a norm is set",
    "`norm` means the norm that is set around it.\n"
    "Wrong:  supernet a { stem { conv(8, kernel=3); norm } ... }\n"
    "Right:  supernet a { norm batch; stem { conv(8, kernel=3); norm } ... }",
)
NOT_ELASTIC = Rule(
    "E323",
    "not-elastic",
    "a choice is given where a fixed value is needed",
    "Channels, kernels, depth, resolution and conditions may be elastic; strides, paddings and rates may not.\n"
    "Wrong:  conv(64, kernel=3, stride={1, 2})\n"
    "Right:  conv(64, kernel={3, 5}, stride=2)",
)
TWO_WIDTH_RULES = Rule(
    "E325",
    "two-width-rules",
    "one dimension has two elastic rules",
    "A width is chosen by the `width` setting or written as a range, not both, and tied channels have one rule.\n"
    "Wrong:  width per_group 0.5..1.0 round 8 ... conv({32, 64}, kernel=3)\n"
    "Right:  width per_group 0.5..1.0 round 8 ... conv(64, kernel=3)   or   conv({32, 64}, kernel=3, width=follow)",
)
NOT_IN_BRANCHES = Rule(
    "E375",
    "not-in-branches",
    "an operator is not allowed in branches",
    "Branches that look alike are computed together, as convolutions with groups. So a branch holds convolutions and\n"
    "what works channel by channel: batch norm, activations, pooling, dropout. What all branches do alike before\n"
    "their first convolution is written before the braces.\n"
    "Wrong:  branches 8 sum { conv(4, kernel=1); flatten; linear(64) }\n"
    "Right:  branches 8 sum { conv(4, kernel=1); relu; conv(64, kernel=1) }",
)
KINDS: Mapping[str, Kind] = {"kernel": "kernel", "expand": "expand", "resolution": "resolution", "out": "width"}


class Call:
    """One operator's call, as its rules see it (`ir.operator.OpCall`)."""

    def __init__(
        self, builder: Builder, operator: Operator, item: OpItem, inputs: tuple[Tensor, ...], span: Span
    ) -> None:
        self.builder = builder
        self.operator = operator
        self.item = item
        self.inputs = inputs
        self.span = span
        self.args: dict[str, object] = {}
        self.values: dict[str, Value] = {}
        self.places: dict[str, Span] = {}
        self.width_word: str | None = None
        self.node: ast.CallExpr | None = None
        self.multiple = 1
        self.connection = builder.settings.connect
        self.connects = False
        self.earlier_findings = len(builder.findings.diagnostics)

    def out_channels(self, parameter: str, multiple: int = 1) -> Expr:
        value = self.values[parameter]
        x: Expr = value.scalar
        word = self.width_word or ("follow" if value.follows or isinstance(x, (Var, Apply)) else "own")
        if word == "fixed":
            return self.builder.maximum(x)
        rule = self.builder.settings.width
        multiple = lcm(multiple, self.multiple)
        if word == "follow" or rule is None:
            if rule is not None and self.width_word is None and not value.follows and isinstance(x, (Var, Apply)):
                self.report(
                    TWO_WIDTH_RULES,
                    "this width is elastic by itself, under a `width` setting that would make it elastic too",
                    at=parameter,
                    help="write `width=follow` to keep this one, or a plain number to let the setting choose",
                )
            return x
        b = self.builder
        b.read_setting(rule.origin)
        if not free(x) <= b.groups.keys() | {rule.choice}:
            message = "this width is elastic by itself, and `width=own` would let the setting choose it too"
            help = "write `width=follow` to keep this one, or a plain number to let the setting choose"
            self.report(TWO_WIDTH_RULES, message, at=parameter, help=help)
            return b.maximum(x)
        if rule.kind == "by":
            return sliced(b, x, rule, self.place(parameter))
        b.serial += 1
        group = GroupItem(
            f"%w{b.serial}", self.item, b.maximum(x), multiple, rule, b.reached(self.place(parameter)), b.serial
        )
        b.groups[group.variable] = group
        b.peak[group.variable] = group.maximum
        return Var(group.variable)

    def whole_groups(self, channels: Expr, group: int) -> Expr:
        if isinstance(channels, int):
            return channels // group
        if isinstance(channels, Var) and (item := self.builder.groups.get(channels.choice)) is not None:
            item.multiple = lcm(item.multiple, group)
        return apply("div", channels, group)

    @property
    def reads_input(self) -> bool:
        return not any(tensor.name.startswith("%") for tensor in self.inputs)

    def maximum(self, expr: Expr) -> int:
        return self.builder.maximum(expr)

    def folded(self, expr: Expr) -> Expr:
        return self.builder.folded(expr)

    def follows(self, kind: str) -> bool:
        ahead = {tensor.name for tensor in self.inputs}
        for op in reversed(self.builder.ops):
            if any(tensor.name in ahead for tensor in op.outputs):
                if op.operator.kind == kind:
                    return True
                if op.operator.ends(op.params) != kind:
                    ahead.update(op.inputs)
        return False

    def tie(self, left: Tensor, right: Tensor, what: str) -> None:
        self.builder.tie(left, right, what, self.span)

    def tie_space(self, left: Tensor, right: Tensor, what: str) -> None:
        self.builder.tie_space(left, right, what, self.span)

    def cut_apart(self, size: Expr, places: tuple[int, ...]) -> tuple[Expr, ...] | None:
        return self.builder.cut_apart(size, places, self.span)

    def report(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None:
        if not self.follows_error():
            self.builder.findings.report(rule, self.place(at), message, help=help)

    def follows_error(self) -> bool:
        """Whether what comes in is only a guess, after an error that is reported already."""
        broken = self.builder.broken
        return bool(broken) and any(tensor.name in broken for tensor in self.inputs)

    def place(self, parameter: str | None) -> Span:
        return self.places.get(parameter, self.span) if parameter is not None else self.span


def call_operator(
    b: Builder,
    called: OperatorCall,
    call: ast.CallExpr,
    target: ast.Name | None,
    tensors: tuple[Tensor, ...] | None,
    env: Env,
) -> tuple[Tensor, ...]:
    """Lowers `conv(64, kernel=3)`: evaluates and checks the arguments, lets the operator build, adds the op.

    `tensors` are the unnamed arguments of an operator that takes tensors; any other reads the incoming one. Returns
    the operation's results, none where an argument is missing.
    """
    args, name, bound = called.args, called.name, called.bound
    inherited: tuple[ast.Arg, ...] = ()
    if name == "norm":
        if b.settings.norm is None:
            b.findings.report(
                NO_NORM, call.span, "no norm is set here", help="write `norm batch` at the supernet's start"
            )
            return ()
        b.read_setting(b.settings.norm.span)
        inherited = b.settings.norm.norm.args
        if args:
            given = {a.name.name for a in args if a.name is not None}
            inherited = tuple(a for a in inherited if a.name is None or a.name.name not in given)
        name = find_norm(b.settings.norm.norm.name.name) or ""
    operator = find_operator(name)
    assert operator is not None, name
    base = "norm" if operator.normalises else name
    item = add_item(b, operator, base, call.span, target)
    state = Call(b, operator, item, (b.incoming(call.span),) if tensors is None else tensors, call.span)
    envs = dict.fromkeys(map(id, inherited), cast(Env, b.settings.norm_env))
    if called.name == "norm":
        bound = bind_arguments(operator.signature, (*inherited, *args), call.span, b.findings, OPERATOR_EXTRAS)
    state.node = call
    if (own := own_connection(b, operator, bound, env)) is not None:
        state.connection, state.connects = own, True
    if (width := bound.get("width")) is not None:
        state.width_word = width_word(b, width, env)
    if not operator.signature.needed <= bound.keys():
        return ()
    state.args.update(operator.signature.defaults)
    for parameter in operator.signature.parameters:
        arg = bound.get(parameter.name)
        if arg is not None and parameter.type != "tensors":
            state.places[parameter.name] = arg.span
            bind_value(b, state, parameter, arg, envs.get(id(arg), env))
        elif arg is None and parameter.type == "bank":
            item.bank = bank_request(b, cast(str, parameter.default), call.span)
    finish_op(b, state)
    return item.outputs


def add_item(b: Builder, operator: Operator, base: str, span: Span, target: ast.Name | None) -> OpItem:
    """An operation with its place in the names of its scope."""
    scope = b.naming_scope()
    given = target is not None
    item = OpItem(
        scope, target.name if target is not None else b.prefix + base, given, operator=operator, origin=b.reached(span)
    )
    scope.names.append(item)
    return item


def finish_op(b: Builder, state: Call) -> Tensor:
    """Lets the operator infer its params and output and adds it to the graph."""
    if b.branches is not None:
        state.multiple = adapt(b.branches, state)
        if len(b.findings.diagnostics) > state.earlier_findings:
            b.broken.update(t.name for t in state.inputs)
    common = b.branches is not None and not b.branches.begun
    built = state.operator.build(state)
    item = state.item
    item.params = built.params
    item.connection = built.connection or DENSE
    if built.connection and not state.connects:
        b.read_setting(b.settings.connect_origin)
    item.inputs = tuple(t.name for t in state.inputs)
    item.outputs = tuple(b.new_tensor(channels, space, item.origin) for channels, space in built.outputs)
    if b.branches is not None and common:
        b.branches.common.update(t.name for t in item.outputs)
    item.guard = b.guard
    if state.follows_error() or len(b.findings.diagnostics) > state.earlier_findings:
        b.broken.update(t.name for t in item.outputs)
    return b.add_op(item)


def plain_op(b: Builder, kind: str, base: str, inputs: tuple[Tensor, ...], span: Span, **args: object) -> Tensor:
    """An operation that no one wrote as a call: the sum of a residual, a select."""
    operator = operators()[kind]
    state = Call(b, operator, add_item(b, operator, base, span, None), inputs, span)
    state.args.update(args)
    return finish_op(b, state)


def bind_value(b: Builder, state: Call, parameter: Parameter, arg: ast.Arg, env: Env) -> None:
    """Evaluates one argument by its parameter's type; the default, or 1, stands in for a wrong one."""
    findings, span = b.findings, arg.value.span
    fallback = None if parameter.default is REQUIRED else parameter.default
    if parameter.type == "bank":
        state.item.bank = bank_of(b, arg, env)
        return
    if parameter.type == "text":
        state.args[parameter.name] = arg.value.value if isinstance(arg.value, ast.Text) else ""
        if not isinstance(arg.value, ast.Text):
            findings.report(WRONG_TYPE, span, f"`{parameter.name}` is a text", help='texts stand in quotes: "a text"')
        return
    if isinstance(arg.value, ast.Text) or (isinstance(arg.value, ast.ListExpr) and not parameter.pair):
        state.args[parameter.name] = bool(fallback) if parameter.type == "flag" else fallback or 1
        if parameter.type == "channels":
            state.values[parameter.name] = Value(1)
        wrong = (
            f"`{parameter.name}` takes one value, and no {'list' if isinstance(arg.value, ast.ListExpr) else 'text'}"
        )
        findings.report(WRONG_TYPE, span, wrong, help=help_for(arg.value, state.operator.kind, parameter.name))
        return
    leaf = isinstance(arg.value, LEAVES)
    place = None if leaf else Place(state.item, parameter.name, KINDS.get(parameter.name, "value"))
    value = evaluate(b, arg.value, env, place, pairs=parameter.pair)
    x = value.x
    if isinstance(x, tuple):
        state.args[parameter.name] = whole_pair(b, x, arg.value, parameter)
        return
    state.args[parameter.name] = fallback
    match parameter.type:
        case Words(words, numbers) if not (numbers and not isinstance(x, (str, bool))):
            if not isinstance(x, str) or x not in words:
                findings.report(WRONG_TYPE, span, f"`{parameter.name}` is one of {', '.join(words)}")
                x = words[0]
            state.args[parameter.name] = x
        case "flag":
            if not isinstance(x, bool):
                findings.report(WRONG_TYPE, span, f"`{parameter.name}` must be yes or no")
                x = bool(fallback)
            state.args[parameter.name] = x
        case "number":
            if isinstance(x, (bool, str, Var, Apply)):
                kind = NOT_ELASTIC if isinstance(x, (Var, Apply)) else WRONG_TYPE
                must = "be a number, got" if kind == WRONG_TYPE else "not depend on a choice:"
                findings.report(kind, span, f"`{parameter.name}` must {must} `{span.text}`")
                x = cast("int | Fraction", fallback or 0)
            elif problem := out_of_range(parameter, x):
                findings.report(BAD_SETTING, span, f"`{parameter.name}` is {float(x):g}, and must be {problem}")
                x = cast("int | Fraction", fallback or 0)
            state.args[parameter.name] = x
        case _:
            x = b.maximum(x) if parameter.at_largest and value.follows and not isinstance(x, str) else x
            checked = whole(b, x, span, parameter)
            state.args[parameter.name] = checked
            if parameter.type == "channels":
                state.values[parameter.name] = Value(checked, value.follows)


def help_for(value: ast.ListExpr | ast.Text, operator: str, parameter: str) -> str:
    """What is written instead of a list or a text."""
    if isinstance(value, ast.ListExpr):
        return tuple_elsewhere(operator, parameter)
    return VALUES.get(value.value, PAIR if parameter in WINDOWS else "words are written without quotes")


def whole_pair(b: Builder, pair: Pair, node: ast.Expression, parameter: Parameter) -> Window:
    """A height and a width, each a whole number; of a pair that is written here, each at its place."""
    spans = [item.span for item in node.items] if isinstance(node, ast.ListExpr) else [node.span] * 2
    height, width = (whole(b, x, span, parameter) for x, span in zip(pair, spans, strict=True))
    return window_of(height, width)


def whole(b: Builder, x: Expr | bool, span: Span, parameter: Parameter) -> Expr:
    """A whole number from 1, or 0 for a count, at every option, or an expression that is checked when widths are
    known."""
    least = 0 if parameter.type == "count" else 1
    if type(x) is int and least <= x <= LARGEST_NUMBER:
        return x
    if isinstance(x, (bool, str)):
        b.findings.report(
            WRONG_TYPE, span, f"`{parameter.name}` must be a number, got `{written(x)}`", help=parameter.doc
        )
        return max(least, 1)
    if isinstance(x, (Var, Apply)):
        if parameter.type != "channels" and not parameter.elastic:
            b.findings.report(NOT_ELASTIC, span, f"`{parameter.name}` can't be elastic")
            return b.maximum(x) or 1
        peak = b.peak_value(x)
        options = b.options.get(x.choice, (peak,)) if isinstance(x, Var) else (peak,)
        for option in options:
            if isinstance(option, (str, bool, Fraction)) or not least <= option <= LARGEST_NUMBER:
                says = "has the option" if isinstance(x, Var) else "in the largest network is"
                must = f"at most {LARGEST_NUMBER:,}" if is_beyond(option) else "whole and positive"
                b.findings.report(BAD_SIZE, span, f"`{parameter.name}` {says} {said(option)}, and must be {must}")
                return max(least, 1)
            if parameter.name == "kernel" and isinstance(option, int) and option % 2 == 0:
                b.findings.report(EVEN_KERNEL, span, f"the kernel has the even option {option}")
                return 1
        return x
    if isinstance(x, Fraction) or not least <= x <= LARGEST_NUMBER:
        shown = float(x)
        words = "a whole number" if isinstance(x, Fraction) else "positive" if least else "not negative"
        words = f"at most {LARGEST_NUMBER:,}" if is_beyond(x) else words
        b.findings.report(BAD_SIZE, span, f"`{parameter.name}` is {shown:g}, and must be {words}")
        return max(least, 1)
    return x


def is_beyond(option: Option) -> bool:
    return not isinstance(option, str) and option > LARGEST_NUMBER


def said(option: Option) -> str:
    """An option as a spec writes it."""
    return ("yes" if option else "no") if isinstance(option, bool) else show(option)


def width_word(b: Builder, arg: ast.Arg, env: Env) -> str | None:
    x = evaluate(b, arg.value, env).x
    if isinstance(x, str) and x in WIDTH_WORDS:
        return x
    b.findings.report(WRONG_TYPE, arg.value.span, f"`width` is one of {', '.join(WIDTH_WORDS)}")
    return None


def bank_of(b: Builder, arg: ast.Arg, env: Env) -> BankRequest:
    """The bank argument: a bank word, or the choice that selects the bank."""
    if isinstance(arg.value, ast.Name) and b.model.meanings[arg.value] in (Means.WORD, Means.CHOICE):
        return bank_request(b, arg.value.name, arg.value.span)
    x = evaluate(b, arg.value, env).x
    chosen = isinstance(x, str) and isinstance(arg.value, ast.Name) and arg.value.name in b.model.names.choices
    if chosen or (isinstance(arg.value, ast.Name) and isinstance(x, int)):
        return bank_request(b, "shared", arg.value.span)  # in a head for one option, which has norms of its own
    if isinstance(x, str):
        return bank_request(b, x, arg.value.span)
    if isinstance(x, Var):
        return bank_request(b, x.choice, arg.value.span)
    b.findings.report(WRONG_TYPE, arg.value.span, "`bank` is shared, skip, width, subnet or the name of a choice")
    return bank_request(b, "shared", arg.value.span)


def bank_request(b: Builder, word: str, origin: Span) -> BankRequest:
    return BankRequest(word, origin, b.stage, b.settings.width)


def adapt(branches: Branching, call: Call) -> int:
    """Turns a branch's operator into that of all branches. Returns the multiple that its output's width must keep."""
    operator = call.operator
    if operator.branched.grouped:
        return adapt_convolution(branches, call)
    if not operator.channelwise:
        call.report(NOT_IN_BRANCHES, f"`{operator.kind}` is not allowed in branches: {operator.branched.refused}")
    elif operator.branched.first and not branches.begun:
        message, help = operator.branched.first
        call.report(NOT_IN_BRANCHES, message, help=help)
    elif len({tensor.name in branches.common for tensor in call.inputs}) > 1:
        message = "this joins a tensor of one branch with what all branches read, and that has other channels"
        call.report(NOT_IN_BRANCHES, message, help="begin the branch with a convolution, and join after it")
    return 1


def adapt_convolution(branches: Branching, call: Call) -> int:
    """Groups for the branches, and channels for all of them: c becomes n * c, or as many as are active."""
    groups, width = cast(int, call.args["groups"]), call.values["out"].x
    if branches.begun and call.node is branches.joining and groups == 1:
        branches.joined = True
        return 1
    if not isinstance(width, int) or isinstance(width, bool):
        message = "the channels of a branch are fixed: a sub-network has fewer branches, not narrower ones"
        call.report(NOT_IN_BRANCHES, message, at="out")
        return 1
    call.values["out"] = Value(width * branches.count)
    if branches.begun:
        call.args["groups"] = groups * branches.count
    elif groups != 1:
        message = "the first convolution of a branch reads what all branches read, and has no groups"
        call.report(NOT_IN_BRANCHES, message, at="groups")
    elif branches.active is not None:
        call.values["out"] = Value(apply("mul", branches.active, width), follows=True)
    call.args["out"] = call.values["out"].x
    branches.begun = True
    return width
