"""The `width` setting."""

from __future__ import annotations

from fractions import Fraction

from specc.diagnostics import Rule
from specc.ir.choice import Range
from specc.ir.expr import Expr, Number, Var, apply
from specc.ir.graph import WidthRule
from specc.lower.builder import Builder
from specc.lower.values import Env, evaluate, evaluate_options, static_number
from specc.semantics.arithmetic import WRONG_TYPE
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
