"""The scoped settings: which norm `norm` is, how widths are chosen, how weights are connected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from specc.diagnostics import Rule
from specc.diagnostics.near import near
from specc.ir.choice import Range
from specc.ir.expr import Expr, Number, Var, apply
from specc.ir.graph import DENSE, Connection, WidthRule
from specc.ir.operator import Operator
from specc.lower.builder import Builder, Setting
from specc.lower.values import Env, evaluate, evaluate_options, static_number
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import CONNECT_WORDS
from specc.source import Span
from specc.syntax import ast

BAD_RATIO = Rule(
    "E341",
    "bad-width-ratio",
    "a width ratio is not in (0, 1], or the largest is not 1",
    "The sizes in a spec are the largest network's; ratios say how much of them may stay.\n"
    "Wrong:  width uniform 0.5..1.5 step 0.25\n"
    "Right:  width uniform 0.5..1.0 step 0.25",
)
UNIFORM_STEP = Rule(
    "E342",
    "uniform-needs-step",
    "a uniform width has no step",
    "One ratio for all groups is chosen among a few.\n"
    "Wrong:  width uniform 0.25..1.0 round 8\n"
    "Right:  width uniform 0.25..1.0 step 0.125 round 8   or   width uniform {0.25, 0.5, 1.0} round 8",
)
BY_SLICES = Rule(
    "E373",
    "bad-slices",
    "`width by` or `branches by` does not cut into equal slices",
    "`width by k` keeps the first k of K slices of every width, K being the largest option of k, and\n"
    "`branches n by k` the first k of K shares of n branches. So k is a choice of whole numbers from 1 up, and K\n"
    "divides what is cut.\n"
    "Wrong:  choice k in 1..6 ... width by k ... conv(64, kernel=3)\n"
    "Right:  choice k in 1..6 ... width by k ... conv(96, kernel=3)",
)
BAD_CONNECTION = Rule(
    "E371",
    "bad-connection",
    "unknown connection",
    "`connect` is dense, triangular, triangular(K) or diagonal(K), for a convolution or a linear layer. K is the\n"
    "number of blocks, and fixed. `triangular` without K goes channel by channel and needs `width any`.\n"
    "Wrong:  connect diagonal\n"
    "Right:  connect diagonal(6)",
)
UNUSED_SETTING = Rule(
    "W102",
    "unused-setting",
    "a `norm`, `width` or `connect` setting changes nothing",
    "`norm batch` says which norm the operator `norm` is; it normalises nothing by itself. `width` makes\n"
    "channels of the operators after it elastic, `connect` thins out their weights. A setting ends with its braces.\n"
    "Wrong:  stem { conv(16, kernel=3); norm batch; relu }\n"
    "Right:  norm batch   ...   stem { conv(16, kernel=3); norm; relu }",
)


def lower_setting(b: Builder, statement: Setting, env: Env) -> None:
    """Puts a setting in force until its braces end, and notes it, to be warned of where nothing reads it."""
    match statement:
        case ast.NormSetting():
            b.settings = replace(b.settings, norm=statement, norm_env=env)
        case ast.WidthSetting():
            b.settings = replace(b.settings, width=width_setting(b, statement, env))
            if b.settings.width is None:
                return
        case ast.ConnectSetting():
            found = connection(b, statement.connection, env)
            b.settings = replace(b.settings, connect=found, connect_origin=statement.span)
            if found is DENSE:
                return
    b.settings_made[id(statement.span)] = statement


def width_setting(b: Builder, statement: ast.WidthSetting, env: Env) -> WidthRule | None:
    """The rule that a `width` setting puts in force; None for `width fixed` and, with a diagnostic, for a wrong one."""
    mode = statement.mode.name
    if mode == "fixed":
        return None
    if mode == "by":
        assert statement.options is not None
        slices = slice_choice(b, statement.options, env)
        if slices is None:
            return None
        return WidthRule("by", (b.maximum(Var(slices)),), False, 1, slices, statement.span)
    if statement.options is None:
        b.findings.report(BAD_RATIO, statement.span, f"`width {mode}` needs its ratios, as in `width {mode} 0.5..1.0`")
        return None
    node = statement.options
    stepless = isinstance(node, ast.RangeExpr) and node.step is None
    ratios = ratios_of(b, node, env)
    for ratio in (ratios[0], ratios[-1]):
        if not 0 < ratio <= 1:
            b.findings.report(BAD_RATIO, node.span, f"the ratio {float(ratio):g} is not in (0, 1]")
            return None
    if ratios[-1] != 1:
        b.findings.report(
            BAD_RATIO,
            node.span,
            f"the largest ratio is {float(ratios[-1]):g}, and must be 1",
            help="write the sizes of the largest network, and ratios up to 1.0",
        )
        return None
    rounding = 1 if statement.round is None else static_number(b, statement.round, env)
    if not isinstance(rounding, int) or rounding < 1:
        b.findings.report(BAD_RATIO, statement.span, "`round` is a positive whole number")
        return None
    match mode:
        case "uniform":
            if stepless:
                b.findings.report(UNIFORM_STEP, node.span, "these ratios need a step")
                return None
            if len(ratios) == 1:
                return None
            options: Range | tuple[Number, ...] = ratios
            if isinstance(node, ast.RangeExpr):
                options = Range(ratios[0], 1, Fraction(ratios[1] - ratios[0]))
            choice = b.numbered_choice("width", options, "width", statement.span)
            return WidthRule("uniform", ratios, False, rounding, choice, statement.span)
        case "any":
            # How many options there are is known when the widest group is.
            choice = b.numbered_choice("width", (0, 1), "width", statement.span)
            return WidthRule("any", ratios, False, rounding, choice, statement.span)
    return WidthRule("per_group", ratios, stepless, rounding, "", statement.span)


def ratios_of(b: Builder, node: ast.Expression, env: Env) -> tuple[Number, ...]:
    """The ratios in growing order; only the two ends of a range without a step."""
    if isinstance(node, ast.RangeExpr) and node.step is None:
        low, high = static_number(b, node.low, env), static_number(b, node.high, env)
        if low < high:
            return (low, high)
    options = evaluate_options(b, node, env)
    for option in options:
        if isinstance(option, (str, bool)):
            shown = option if isinstance(option, str) else "yes" if option else "no"
            b.findings.report(WRONG_TYPE, node.span, f"`{shown}` is no ratio, and widths are chosen among ratios")
            return (1,)
    return tuple(sorted(o for o in options if not isinstance(o, str)))


def slice_choice(b: Builder, node: ast.Expression, env: Env) -> str | None:
    """The choice that says how many slices are kept; None, with a diagnostic, where it is none."""
    x = evaluate(b, node, env).x
    options = b.options.get(x.choice, ()) if isinstance(x, Var) else ()
    if not isinstance(x, Var) or any(isinstance(o, str) or not isinstance(o, int) or o < 1 for o in options):
        message = "the number of slices is a choice of whole numbers from 1"
        b.findings.report(BY_SLICES, node.span, message, help="declare it: `choice k in 1..6`")
        return None
    b.slices.add(x.choice)
    return x.choice


def sliced(b: Builder, width: Expr, rule: WidthRule, origin: Span) -> Expr:
    """The first k of K slices of a width: C * k / K. In a head for one option of k it is a number."""
    (slices,), options = rule.ratios, b.options[rule.choice]
    most, kept = b.maximum(width), options[0] if len(options) == 1 else Var(rule.choice)
    if most % slices:
        b.findings.report(
            BY_SLICES,
            origin,
            f"{slices} slices do not divide {most} channels",
            secondary=[(rule.origin, "every width is cut by this setting")],
            help=f"use a multiple of {slices}, or `width=fixed`",
        )
        return most
    return apply("mul", kept, most // slices)


def own_connection(b: Builder, operator: Operator, bound: Mapping[str, ast.Arg], env: Env) -> Connection | None:
    """The connection that a call's own `connect=` names; None where the setting around it holds."""
    arg = bound.get("connect")
    if arg is None:
        return None
    if not operator.connects:
        b.findings.report(BAD_CONNECTION, arg.span, f"`{operator.kind}` has no weights that `connect` could thin out")
        return None
    return connection(b, arg.value, env)


def connection(b: Builder, node: ast.Expression, env: Env) -> Connection:
    """What a word or call such as `triangular(6)` means; a dense one, with a diagnostic, where it means nothing."""
    name = node.name.name if isinstance(node, ast.CallExpr) else ""
    if isinstance(node, ast.Name):
        word = evaluate(b, node, env).x
        name = word if isinstance(word, str) else node.name
    args = node.args if isinstance(node, ast.CallExpr) else ()
    if name not in CONNECT_WORDS:
        help = near(name, CONNECT_WORDS) or "it is dense, triangular, triangular(K) or diagonal(K)"
        b.findings.report(BAD_CONNECTION, node.span, f"there is no connection `{name or 'of this form'}`", help=help)
        return DENSE
    if not args:
        if name == "diagonal":
            help = "write `diagonal(K)`; `depthwise` has one filter a channel"
            b.findings.report(BAD_CONNECTION, node.span, "a diagonal connection has a number of blocks", help=help)
            return DENSE
        return DENSE if name == "dense" else Connection("triangular")
    blocks = evaluate(b, args[0].value, env).x
    fixed = isinstance(blocks, int) and not isinstance(blocks, bool) and blocks >= 1
    if name == "dense" or len(args) > 1 or args[0].name is not None or not fixed:
        message = "a dense connection takes nothing" if name == "dense" else "expected one fixed number of blocks"
        b.findings.report(BAD_CONNECTION, node.span, message, help="as in `triangular(6)`")
        return DENSE
    assert isinstance(blocks, int)
    return Connection("triangular" if name == "triangular" else "diagonal", blocks)


def warn_of_settings(b: Builder) -> None:
    """Warns of every setting that stands in a body that was lowered, and that nothing in its scope reads."""
    outside = {id(s.span) for s in b.model.names.supernet.body.statements}
    norms_read = any(isinstance(s, ast.NormSetting) and key in b.settings_read for key, s in b.settings_made.items())
    for key, setting in b.settings_made.items():
        if key not in b.settings_read and not setting.span.in_library:
            message, help = unread(setting, key in outside, norms_read)
            b.findings.report(UNUSED_SETTING, setting.span, message, help=help)


def unread(setting: Setting, outside: bool, norms_read: bool) -> tuple[str, str]:
    """What is said of a setting that nothing reads; `outside` are those of the supernet itself, and `norms_read` says
    whether there are operators `norm` that read another one."""
    match setting:
        case ast.NormSetting(norm):
            if norms_read:
                message = f"no operator `norm` reads `norm {norm.name.name}`: all of them read another setting"
                return message, "leave it out"
            if outside:
                message = f"no operator `norm` reads `norm {norm.name.name}`, so nothing is normalised"
                return message, "write `norm` after the convolutions, or leave the setting out"
            message = f"`norm {norm.name.name}` only sets what `norm` means; nothing is normalised here"
            return message, f"write `norm` where to normalise, and `norm {norm.name.name}` before the stem"
        case ast.WidthSetting(mode):
            message = (
                f"no channels are made elastic by `width {mode.name}`: no operator in its scope has channels to set"
            )
            return message, "put it before the operators, or leave it out"
    message = f"no operator reads `connect {setting.connection.name.name}`"
    return message, "put it before the convolutions and linear layers, or leave it out"
