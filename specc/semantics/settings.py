"""The sections beside the supernet - method, data, train, search - against their signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from specc.diagnostics import Findings, Rule
from specc.diagnostics.near import near
from specc.ir.expr import Option, normal
from specc.ir.parameter import REQUIRED, Call, ListOf, Parameter, SameAs, Signature, Type, Variants, Words, out_of_range
from specc.methods import REFUSED, find_method, method_names
from specc.methods.settings import DATASETS, SEARCH, TRAIN
from specc.semantics.arithmetic import OPERATIONS, WRONG_TYPE, operate
from specc.semantics.names import UNKNOWN_NAME
from specc.semantics.recipe import check_recipe
from specc.semantics.signature import bind_arguments
from specc.source import Span
from specc.syntax import ast

UNKNOWN_METHOD = Rule(
    "E231",
    "unknown-method",
    "no such sampling method",
    "`method` names how sub-networks are trained together.\nWrong:  method usnet\nRight:  method us_net(subnets=4)",
)
UNKNOWN_DATA = Rule(
    "E232",
    "unknown-data",
    "no such data set",
    '`data` names what train.py loads; any folder of images is `data folder(path="...")`.\n'
    "Wrong:  data cifar\n"
    "Right:  data cifar10",
)
BAD_SETTING = Rule(
    "E233",
    "bad-setting",
    "a setting is out of its range",
    "Counts are whole and positive, shares and rates are not negative.\n"
    "Wrong:  train { epochs=0 }\n"
    "Right:  train { epochs=40 }",
)

Values = Mapping[str, object]
TIMES: Final = frozenset(("us", "ms", "s"))
DEFAULT_METHOD = Call("independent", (("subnets", ("max",)),))


def method_call(section: ast.Section | None, values: Values, findings: Findings) -> Call:
    """The method with all its parameters; plain training of the largest network where the spec names none."""
    if section is None or section.call is None:
        return DEFAULT_METHOD
    name = section.call.name
    method = find_method(name.name)
    if method is None:
        names = method_names()
        reason = REFUSED.get(name.name)
        findings.report(
            UNKNOWN_METHOD,
            name.span,
            reason or f"there is no method `{name.name}`",
            help=near(name.name, names) or f"the methods are: {', '.join(names)}",
        )
        return DEFAULT_METHOD
    return evaluate_call(method.signature, section.call.args, section.call.span, values, findings)


def data_call(section: ast.Section | None, values: Values, findings: Findings) -> Call | None:
    """The data set with all its parameters; None where the spec names none."""
    if section is None or section.call is None:
        return None
    name = section.call.name
    for signature in DATASETS:
        if signature.name == name.name:
            return evaluate_call(signature, section.call.args, section.call.span, values, findings)
    names = [signature.name for signature in DATASETS]
    findings.report(
        UNKNOWN_DATA,
        name.span,
        f"there is no data set `{name.name}`",
        help=near(name.name, names) or f"the data sets are: {', '.join(names)}",
    )
    return None


def train_call(section: ast.Section | None, values: Values, findings: Findings, method: str) -> Call:
    call = settings_call(calibrating(TRAIN, method), section, values, findings)
    check_recipe(call, section, findings)
    return call


def search_call(section: ast.Section | None, values: Values, findings: Findings, method: str) -> Call:
    call = settings_call(calibrating(SEARCH, method), section, values, findings)
    spans = {arg.name.name: arg.span for arg in section.settings if arg.name is not None} if section else {}
    check_objectives(call, spans, findings)
    check_budgets(call, spans, findings)
    return call


def check_objectives(call: Call, spans: Mapping[str, Span], findings: Findings) -> None:
    """Reports objectives that stand twice. Whether a metric is among them, and which, is held against the outputs."""
    objectives = call["objectives"]
    assert isinstance(objectives, tuple)
    twice = next((o for i, o in enumerate(objectives) if o in objectives[:i]), None)
    if twice is not None:
        message = f"the objective `{twice}` is given twice"
        findings.report(BAD_SETTING, spans["objectives"], message, help="name each once")


def check_budgets(call: Call, spans: Mapping[str, Span], findings: Findings) -> None:
    """Reports budgets whose lower end is above the upper one, and costs that have two."""
    budgets = call["budgets"]
    assert isinstance(budgets, tuple)
    limited: set[str] = set()
    for budget in budgets:
        if not isinstance(budget, Call):
            continue
        if budget.name in limited:
            message = f"`{budget.name}` has two budgets"
            help = f"write one: `{budget.name}(most, least=..)`"
            findings.report(BAD_SETTING, spans["budgets"], message, help=help)
        limited.add(budget.name)
        least, most = budget["least"], budget["most"]
        if isinstance(least, (int, Fraction)) and isinstance(most, (int, Fraction)) and least > most:
            message = (
                f"the lower bound of `{budget.name}` exceeds the upper bound, so no sub-network satisfies the budget"
            )
            findings.report(BAD_SETTING, spans["budgets"], message, help="write `macs(200M, least=150M)`")


def calibrating(signature: Signature, method: str) -> Signature:
    """The settings as a method has them: one whose norms need no calibration has `calibrate=0` as its default."""
    found = find_method(method)
    if found is None or found.calibrates:
        return signature
    changed = (replace(p, default=0) if p.name == "calibrate" else p for p in signature.parameters)
    return replace(signature, parameters=tuple(changed))


def settings_call(signature: Signature, section: ast.Section | None, values: Values, findings: Findings) -> Call:
    settings = section.settings if section is not None else ()
    for setting in settings:
        if setting.name is None:
            findings.report(WRONG_TYPE, setting.span, f"`{signature.name}` holds settings such as `epochs=40`")
    span = section.span if section is not None else None
    named = tuple(s for s in settings if s.name is not None)
    return evaluate_call(signature, named, span, values, findings)


def evaluate_call(
    signature: Signature, args: tuple[ast.Arg, ...], span: Span | None, values: Values, findings: Findings
) -> Call:
    """The call with every parameter's value or default."""
    bound = bind_arguments(signature, args, span, findings) if span is not None else {}
    result: list[tuple[str, object]] = []
    for parameter in signature.parameters:
        arg = bound.get(parameter.name)
        if arg is None:
            default = parameter.default
            if isinstance(default, SameAs):
                default = dict(result)[default.parameter]
            result.append((parameter.name, None if default is REQUIRED else default))
        else:
            result.append((parameter.name, evaluate_setting(arg.value, parameter, parameter.type, values, findings)))
    return Call(signature.name, tuple(result))


def evaluate_setting(
    value: ast.Expression, parameter: Parameter, type_: Type, values: Values, findings: Findings
) -> object:
    """One setting's value by its type; its default, with a diagnostic, where it does not fit."""

    def wrong(expected: str, help: str = "") -> object:
        findings.report(WRONG_TYPE, value.span, f"`{parameter.name}` needs {expected}", help=help or parameter.doc)
        return None if parameter.default is REQUIRED else parameter.default

    match type_:
        case ListOf(_, alone) if alone is not None and not isinstance(value, ast.ListExpr):
            return evaluate_setting(value, parameter, alone, values, findings)
        case ListOf(item):
            items = value.items if isinstance(value, ast.ListExpr) else (value,)
            return tuple(evaluate_setting(i, parameter, item, values, findings) for i in items)
        case Words(words):
            if isinstance(value, ast.Name) and value.name in words:
                return value.name
            written = value.name if isinstance(value, ast.Name) else ""
            return wrong(f"one of {', '.join(words)}", near(written, words))
        case Variants(signatures):
            name = value if isinstance(value, ast.Name) else value.name if isinstance(value, ast.CallExpr) else None
            for signature in signatures:
                if name is not None and signature.name == name.name:
                    args = value.args if isinstance(value, ast.CallExpr) else ()
                    return evaluate_call(signature, args, value.span, values, findings)
            known = [signature.name for signature in signatures]
            return wrong(f"one of {', '.join(known)}", near(name.name if name is not None else "", known))
        case "text":
            if isinstance(value, ast.Text):
                return value.value
            bare = f'write it in quotes: `"{value.name}"`' if isinstance(value, ast.Name) else ""
            return wrong('a text in quotes, "..."', bare)
        case "flag":
            flag = values.get(value.name) if isinstance(value, ast.Name) else None
            if isinstance(value, ast.Flag) or isinstance(flag, bool):
                return value.value if isinstance(value, ast.Flag) else flag
            return wrong("yes or no")
        case "assignment":
            return assignment(value, values, findings) or wrong("max, min or at(choice=option, ...)")
        case "integer" | "count" | "number" | "seconds":
            number = constant(value, values, findings)
            unit = value.unit if isinstance(value, ast.Number) else None
            if type_ == "seconds" and number != 0 and unit is not None and unit not in TIMES:
                return wrong("a time", f"a time ends in s, ms or us: {value.span.text}ms")
            if type_ != "seconds" and unit in TIMES:
                return wrong(f"a number, and `{value.span.text}` is a time")
            if number is None or isinstance(number, (str, bool)):
                return wrong("a number")
            least = 1 if type_ == "integer" else 0
            if type_ in ("integer", "count") and not isinstance(number, int):
                return wrong("a whole number")
            if number < least:
                findings.report(BAD_SETTING, value.span, f"`{parameter.name}` must be at least {least}")
                return None if parameter.default is REQUIRED else parameter.default
            if problem := out_of_range(parameter, number):
                findings.report(BAD_SETTING, value.span, f"`{parameter.name}` must be {problem}")
                return None if parameter.default is REQUIRED else parameter.default
            return number
    return wrong("another kind of value")


def assignment(value: ast.Expression, values: Values, findings: Findings) -> object:
    """ "max", "min" or `Call("at", ((choice, option), ...))`; None where it is none of them."""
    if isinstance(value, ast.Name) and value.name in ("max", "min"):
        return value.name
    if not (isinstance(value, ast.CallExpr) and value.name.name == "at"):
        return None
    options: list[tuple[str, object]] = []
    for arg in value.args:
        option = constant(arg.value, values, findings)
        if arg.name is None or option is None:
            return None
        options.append((arg.name.name, option))
    return Call("at", tuple(options))


def constant(value: ast.Expression, values: Values, findings: Findings) -> Option | None:
    """A number, a flag (0 or 1) or a word; None where the expression is neither. Names are params and lets."""
    match value:
        case ast.Number():
            return value.value
        case ast.Flag():
            return int(value.value)
        case ast.Name():
            known = values.get(value.name)
            if isinstance(known, (int, str, Fraction)):
                return known
            if "." not in value.name and known is None:
                return value.name
            findings.report(
                UNKNOWN_NAME, value.span, f"`{value.name}` is not known here", help=near(value.name, values)
            )
        case ast.Unary(operator="-"):
            operand = constant(value.operand, values, findings)
            return -operand if isinstance(operand, (int, Fraction)) else None
        case ast.Binary() if value.operator in OPERATIONS:
            left, right = constant(value.left, values, findings), constant(value.right, values, findings)
            if isinstance(left, (int, Fraction)) and isinstance(right, (int, Fraction)):
                result = operate(OPERATIONS[value.operator], (left, right), value.span, findings)
                return normal(result) if isinstance(result, (int, Fraction)) else None
    return None
