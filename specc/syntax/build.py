"""What every rule of grammar/specc.lark becomes: one function a rule, found by the rule's name.

A function takes the parts of its rule in order: the node of every rule and of every name, number and string, and the
plain Span of every keyword and sign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from specc.diagnostics import Findings
from specc.source import Source, Span
from specc.space import numerals
from specc.syntax import ast
from specc.syntax.lexer import BAD_NUMBER
from specc.syntax.node import fields_of

Parts: TypeAlias = list[Any]


def _whole(parts: Parts) -> Span:
    """From the start of the first part to the end of the last."""
    first, last = parts[0], parts[-1]
    if type(first) is not Span:
        first = first.span
    if type(last) is not Span:
        last = last.span
    return Span(first.source, first.start, last.end)


def _nodes(parts: Parts) -> tuple[Any, ...]:
    return tuple([part for part in parts if type(part) is not Span])


# --- tokens ----------------------------------------------------------------------------------------


def number(span: Span, findings: Findings) -> ast.Number:
    """An exact number with its unit's factor in it. Too long ones are reported."""
    text = span.text
    if len(text) <= 3 and text.isdigit():
        return ast.Number(int(text), "", text, span)
    unit = "" if text[-1].isdecimal() else text[len(text.rstrip("kMGmusB")) :]
    try:
        return ast.Number(numerals.number(text), unit, text, span)
    except ValueError as error:
        findings.report(BAD_NUMBER, span, str(error), help="write it shorter")
        return ast.Number(0, unit, text, span)


def text(span: Span) -> ast.Text:
    content = span.text[1:-1]
    if "\\" in content:
        pieces = content.split("\\\\")
        known = {'\\"': '"', "\\n": "\n", "\\t": "\t"}
        for escape, meaning in known.items():
            pieces = [piece.replace(escape, meaning) for piece in pieces]
        content = "\\".join(pieces)
    return ast.Text(content, span)


# --- the file --------------------------------------------------------------------------------------


def start(parts: Parts) -> tuple[ast.TopLevel, ...]:
    return _nodes(parts)


def import_name(parts: Parts) -> ast.Import:
    return ast.Import(parts[1], None, _whole(parts))


def import_file(parts: Parts) -> ast.Import:
    return ast.Import(None, parts[1], _whole(parts))


def block(parts: Parts) -> ast.Block:
    name, *parameters, inner = _nodes(parts)
    return ast.Block(name, tuple(parameters), inner, _whole(parts))


def parameter(parts: Parts) -> ast.BlockParameter:
    return ast.BlockParameter(parts[0], parts[2] if len(parts) > 1 else None, _whole(parts))


def supernet(parts: Parts) -> ast.Supernet:
    return ast.Supernet(parts[1], parts[2], _whole(parts))


def section(parts: Parts) -> ast.Section:
    return ast.Section(parts[0].text, parts[1], (), _whole(parts))


def settings_section(parts: Parts) -> ast.Section:
    return ast.Section(parts[0].text, None, _nodes(parts), _whole(parts))


def named(parts: Parts) -> ast.Arg:
    return ast.Arg(parts[0], parts[2], _whole(parts))


def positional(parts: Parts) -> ast.Arg:
    return ast.Arg(None, parts[0], parts[0].span)


# --- the supernet ----------------------------------------------------------------------------------


def input_(parts: Parts) -> ast.InputStatement:
    return ast.InputStatement(parts[1] if len(parts) == 3 else None, parts[-1], _whole(parts))


def classes(parts: Parts) -> ast.ClassesStatement:
    return ast.ClassesStatement(parts[1], _whole(parts))


def label(parts: Parts) -> tuple[ast.Name, ast.Expression, ast.Text | None]:
    return parts[0], parts[2], parts[4] if len(parts) > 3 else None


def labels(parts: Parts) -> ast.LabelsStatement:
    return ast.LabelsStatement(_nodes(parts), _whole(parts))


def stage(parts: Parts) -> ast.Stage:
    named = type(parts[1]) is ast.Name
    by = tuple(part for part in parts[2 if named else 1 :] if type(part) is ast.Name)
    return ast.Stage(parts[0].text, parts[1] if named else None, by, parts[-1], _whole(parts))


def let(parts: Parts) -> ast.LetStatement:
    return ast.LetStatement(parts[1], parts[3], _whole(parts))


def param(parts: Parts) -> ast.ParamStatement:
    return ast.ParamStatement(parts[1], parts[3], _whole(parts))


def choice(parts: Parts) -> ast.ChoiceStatement:
    return ast.ChoiceStatement(parts[1], parts[3], _whole(parts))


def norm_setting(parts: Parts) -> ast.NormSetting:
    return ast.NormSetting(parts[1], _whole(parts))


def width(parts: Parts) -> ast.WidthSetting:
    mode = parts[1]
    if type(mode) is Span:
        mode = ast.Name("by", mode)
    options = parts[2] if len(parts) > 2 and type(parts[2]) is not Span else None
    rounded = parts[-1] if len(parts) > 3 and type(parts[-2]) is Span and type(parts[-1]) is not Span else None
    if options is rounded:
        options = None
    return ast.WidthSetting(mode, options, rounded, _whole(parts))


def connect(parts: Parts) -> ast.ConnectSetting:
    return ast.ConnectSetting(parts[1], _whole(parts))


# --- bodies ----------------------------------------------------------------------------------------


def body(parts: Parts) -> ast.Body:
    return ast.Body(_nodes(parts), _whole(parts))


def call_statement(parts: Parts) -> ast.CallStatement:
    return ast.CallStatement((), parts[0], parts[0].span)


def norm_call(parts: Parts) -> ast.CallStatement:
    span = _whole(parts)
    return ast.CallStatement((), ast.CallExpr(ast.Name("norm", parts[0]), _nodes(parts), span), span)


def bind(parts: Parts) -> ast.CallStatement:
    return ast.CallStatement((parts[0],), parts[2], _whole(parts))


def bind_several(parts: Parts) -> ast.CallStatement:
    *targets, made = _nodes(parts)
    return ast.CallStatement(tuple(targets), made, _whole(parts))


def repeat(parts: Parts) -> ast.Repeat:
    return ast.Repeat(parts[1], parts[3] if len(parts) > 3 else None, parts[-1], _whole(parts))


def skippable(parts: Parts) -> ast.Skippable:
    return ast.Skippable(parts[1] if len(parts) > 2 else None, parts[-1], _whole(parts))


def branches(parts: Parts) -> ast.Branches:
    merge = ast.Name(parts[-2].text, parts[-2])
    return ast.Branches(parts[1], parts[3] if len(parts) > 4 else None, merge, parts[-1], _whole(parts))


def exit_(parts: Parts) -> ast.Exit:
    return ast.Exit(parts[1], parts[3] if len(parts) > 3 else None, parts[-1], _whole(parts))


def residual(parts: Parts) -> ast.Residual:
    condition = body = replacement = replacement_condition = None
    for part in parts[1:]:
        if type(part) is ast.Body:
            body = part
        elif type(part) is _Condition:
            condition = part.value
        else:
            replacement, replacement_condition = part.body, part.condition
    assert body is not None
    return ast.Residual(condition, body, replacement, replacement_condition, _whole(parts))


class _Condition:
    """`(when c)` of a residual, on its way into it."""

    __slots__ = ("span", "value")

    def __init__(self, value: ast.Expression, span: Span) -> None:
        self.value, self.span = value, span


class _Shortcut:
    """`shortcut when c { }`, on its way into its residual."""

    __slots__ = ("body", "condition", "span")

    def __init__(self, condition: ast.Expression | None, body: ast.Body, span: Span) -> None:
        self.condition, self.body, self.span = condition, body, span


def condition(parts: Parts) -> _Condition:
    return _Condition(parts[2], _whole(parts))


def shortcut(parts: Parts) -> _Shortcut:
    return _Shortcut(parts[2] if len(parts) > 2 else None, parts[-1], _whole(parts))


def when(parts: Parts) -> ast.When:
    otherwise = parts[4] if len(parts) > 3 else None
    if type(otherwise) is ast.When:
        otherwise = ast.Body((otherwise,), otherwise.span)
    return ast.When(parts[1], parts[2], otherwise, _whole(parts))


# --- values ----------------------------------------------------------------------------------------


def call(parts: Parts) -> ast.CallExpr:
    return ast.CallExpr(parts[0], _nodes(parts[1:]), _whole(parts))


def range_(parts: Parts) -> ast.RangeExpr:
    return ast.RangeExpr(parts[0], parts[2], parts[4] if len(parts) > 3 else None, _whole(parts))


def binary(parts: Parts) -> ast.Binary:
    return ast.Binary(parts[1].text, parts[0], parts[2], _whole(parts))


def unary(parts: Parts) -> ast.Unary:
    return ast.Unary(parts[0].text, parts[1], _whole(parts))


def yes(parts: Parts) -> ast.Flag:
    return ast.Flag(True, parts[0])


def no(parts: Parts) -> ast.Flag:
    return ast.Flag(False, parts[0])


def set_(parts: Parts) -> ast.SetExpr:
    return ast.SetExpr(_nodes(parts), _whole(parts))


def list_(parts: Parts) -> ast.ListExpr:
    return ast.ListExpr(_nodes(parts), _whole(parts))


def group(parts: Parts) -> ast.Expression:
    """Parentheses leave no node; what they hold is said to stand from the one to the other."""
    inner: ast.Expression = parts[1]
    values = {field: getattr(inner, field) for field in fields_of(inner)}
    return type(inner)(**{**values, "span": _whole(parts)})


BUILDERS: Final[Mapping[str, Callable[[Parts], Any]]] = {
    "start": start,
    "import_name": import_name,
    "import_file": import_file,
    "block": block,
    "parameter": parameter,
    "supernet": supernet,
    "supernet_body": body,
    "section": section,
    "settings_section": settings_section,
    "setting": named,
    "input": input_,
    "classes": classes,
    "labels": labels,
    "label": label,
    "stage": stage,
    "let": let,
    "param": param,
    "choice": choice,
    "norm_setting": norm_setting,
    "width": width,
    "connect": connect,
    "body": body,
    "call_statement": call_statement,
    "norm_call": norm_call,
    "bind": bind,
    "bind_several": bind_several,
    "repeat": repeat,
    "skippable": skippable,
    "branches": branches,
    "exit": exit_,
    "residual": residual,
    "shortcut": shortcut,
    "condition": condition,
    "when": when,
    "call": call,
    "named": named,
    "positional": positional,
    "range": range_,
    "or": binary,
    "and": binary,
    "comparison": binary,
    "sum": binary,
    "product": binary,
    "not": unary,
    "negative": unary,
    "yes": yes,
    "no": no,
    "call_value": call,
    "set": set_,
    "list": list_,
    "group": group,
}


def leaf(kind: str, source: Source, begin: int, end: int, findings: Findings) -> Any:
    """The value of a token: the node of a name, a number or a string, the span of anything else."""
    span = Span(source, begin, end)
    if kind in ("NAME", "DOTTED"):
        return ast.Name(source.text[begin:end], span)
    if kind == "NUMBER":
        return number(span, findings)
    if kind == "STRING":
        return text(span)
    return span
