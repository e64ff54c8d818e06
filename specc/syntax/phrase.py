"""A node as text on one line, and the segments of which a statement that needs more lines is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from specc.source import Span
from specc.syntax import ast


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A statement, a setting or an argument: where it stands and its segments."""

    start: int
    end: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Braces:
    """Statements in braces, `[start, end)` in the source. They may stand on one line where they did."""

    start: int
    end: int
    items: tuple[Item, ...]
    one_line: bool


@dataclass(frozen=True, slots=True, eq=False)
class Listed:
    """Arguments, options or items between two brackets, separated by commas; `[start, end)` holds the brackets."""

    start: int
    end: int
    opener: str
    items: tuple[Item, ...]
    closer: str


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """What stands between two braces, as ` else ` does. Comments may stand in `[start, end)`."""

    start: int
    end: int
    text: str


Segment: TypeAlias = str | Braces | Listed | Joint

_LEVEL: Final[Mapping[str, int]] = {
    "or": 1, "and": 2, "not": 3, "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4, "+": 5, "-": 5, "*": 6, "/": 6
}  # fmt: skip
_COMPARISON, _SUM, _UNARY = 4, 5, 7
_ESCAPES: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def phrase(expression: ast.Expression, level: int = 0) -> str:
    """An expression on one line, in parentheses where it binds less than `level` demands (0: nothing)."""
    match expression:
        case ast.Number():
            return expression.text
        case ast.Text(value):
            return f'"{value.translate(_ESCAPES)}"'
        case ast.Flag(value):
            return "yes" if value else "no"
        case ast.Name(name):
            return name
        case ast.CallExpr(name, args):
            return f"{name.name}({', '.join(map(_argument, args))})"
        case ast.SetExpr(items):
            return "{" + ", ".join(map(phrase, items)) + "}"
        case ast.ListExpr(items):
            return "[" + ", ".join(map(phrase, items)) + "]"
        case ast.RangeExpr(low, high, step):
            dots = " .. " if isinstance(low, ast.Binary) or isinstance(high, ast.Binary) else ".."
            text = phrase(low, _SUM) + dots + phrase(high, _SUM)
            text += f" step {phrase(step, _SUM)}" if step is not None else ""
            return f"({text})" if level else text
        case ast.Unary(operator, operand):
            own = _LEVEL["not"] if operator == "not" else _UNARY
            text = f"not {phrase(operand, own)}" if operator == "not" else f"-{phrase(operand, own)}"
        case ast.Binary(operator, left, right):
            own = _LEVEL[operator]
            text = f"{phrase(left, own + (own == _COMPARISON))} {operator} {phrase(right, own + 1)}"
    return f"({text})" if own < level else text


def _argument(argument: ast.Arg) -> str:
    value = phrase(argument.value)
    return value if argument.name is None else f"{argument.name.name}={value}"


def flat(segments: Sequence[Segment]) -> str | None:
    """Segments on one line; None where braces among them did not stand on one."""
    pieces = []
    for segment in segments:
        if isinstance(segment, str):
            pieces.append(segment)
        elif isinstance(segment, Joint):
            pieces.append(segment.text)
        else:
            inner = [flat(item.segments) for item in segment.items]
            if None in inner or (isinstance(segment, Braces) and not segment.one_line):
                return None
            texts = [text for text in inner if text is not None]
            if isinstance(segment, Braces):
                pieces.append("{ " + "; ".join(texts) + " }" if texts else "{ }")
            else:
                pieces.append(segment.opener + ", ".join(texts) + segment.closer)
    return "".join(pieces)


# --- statements as segments ------------------------------------------------------------------------


def item(node: ast.TopLevel | ast.Statement | ast.Arg) -> Item:
    """A statement as an item of the braces that it stands in."""
    return Item(node.span.start, node.span.end, tuple(segments(node)))


def segments(node: ast.TopLevel | ast.Statement | ast.Arg) -> list[Segment]:
    """The text of a statement, taken apart where it may be broken into lines."""
    match node:
        case ast.CallStatement(targets, call):
            names = ", ".join(target.name for target in targets)
            bound = f"({names}) = " if len(targets) > 1 else f"{names} = " if targets else ""
            return [bound, *_call(call)]
        case ast.LetStatement(name, value):
            return [f"let {name.name} = ", *_value(value)]
        case ast.ParamStatement(name, value):
            return [f"param {name.name} = ", *_value(value)]
        case ast.ChoiceStatement(name, options):
            return [f"choice {name.name} in ", *_value(options)]
        case ast.NormSetting(norm):
            return ["norm ", *_call(norm)]
        case ast.ConnectSetting(connection):
            return ["connect ", *_call(connection)]
        case ast.WidthSetting(mode, options, rounded):
            text = f"width {mode.name}" + (f" {phrase(options)}" if options is not None else "")
            return [text + (f" round {phrase(rounded, _SUM)}" if rounded is not None else "")]
        case ast.InputStatement(name, shape):
            return ["input ", f"{name.name} " if name else "", *_call(shape)]
        case ast.PredictsStatement(word, value, each):
            return [f"{word.name} {phrase(value)}" + (f" each {each.name}" if each else "")]
        case ast.Arg(name, value):
            return [f"{name.name}=" if name else "", *_value(value)]
        case ast.Import(name, path):
            return [f"import {phrase(each)}" for each in (name, path) if each is not None]
        case ast.Section(kind, call):
            return [f"{kind} ", *(_call(call) if call is not None else [_settings(node)])]
        case ast.LabelsStatement():
            return ["labels ", _labels(node)]
        case _:
            return _with_body(node)


def _with_body(node: ast.TopLevel | ast.Statement) -> list[Segment]:
    match node:
        case ast.Block(name, parameters, body):
            return [f"block {name.name}", *_parameters(name, parameters, body), " ", braces(body)]
        case ast.Supernet(name, body):
            return [f"supernet {name.name} ", braces(body)]
        case ast.Stage(kind, name, by, body):
            text = kind + (f" {name.name}" if name else "")
            text += f" by {', '.join(each.name for each in by)}" if by else ""
            return [f"{text} ", braces(body)]
        case ast.Repeat(count, index, body):
            return [f"repeat {phrase(count)} " + (f"as {index.name} " if index else ""), braces(body)]
        case ast.Skippable(name, body):
            return ["skippable " + (f"{name.name} " if name else ""), braces(body)]
        case ast.Exit(name, by, body):
            return [f"exit {name.name} " + (f"by {by.name} " if by else ""), braces(body)]
        case ast.Branches(count, by, merge, body):
            text = f"branches {phrase(count)} " + (f"by {phrase(by)} " if by is not None else "")
            return [f"{text}{merge.name} ", braces(body)]
        case ast.Residual(condition, body, shortcut, shortcut_condition):
            made: list[Segment] = [
                "residual" + (f"(when {phrase(condition)})" if condition else "") + " ",
                braces(body),
            ]
            if shortcut is not None:
                when = f"when {phrase(shortcut_condition)} " if shortcut_condition is not None else ""
                made += [Joint(body.span.end, shortcut.span.start, f" shortcut {when}"), braces(shortcut)]
            return made
        case ast.When():
            return _when(node)
    raise TypeError(f"{type(node).__name__} is no statement")


def _when(node: ast.When) -> list[Segment]:
    """`when`, every `else when` after it, and `else`, in a row."""
    made: list[Segment] = [f"when {phrase(node.condition)} ", braces(node.body)]
    end, otherwise = node.body.span.end, node.otherwise
    while otherwise is not None:
        only = otherwise.statements[0] if otherwise.statements else None
        # `else when` is a body that spans its one statement; `else { when ... }` has braces of its own around it.
        if isinstance(only, ast.When) and only.span.start == otherwise.span.start:
            made += [Joint(end, only.body.span.start, f" else when {phrase(only.condition)} "), braces(only.body)]
            end, otherwise = only.body.span.end, only.otherwise
        else:
            made += [Joint(end, otherwise.span.start, " else "), braces(otherwise)]
            otherwise = None
    return made


def braces(body: ast.Body) -> Braces:
    items = tuple(item(statement) for statement in body.statements)
    return Braces(body.span.start, body.span.end, items, "\n" not in body.span.text)


def _settings(node: ast.Section) -> Braces:
    return _braces_in(node.span, tuple(item(setting) for setting in node.settings))


def _labels(node: ast.LabelsStatement) -> Braces:
    items = []
    for name, count, file in node.levels:
        text = f"{name.name} = {phrase(count)}" + (f" from {phrase(file)}" if file else "")
        items.append(Item(name.span.start, (file or count).span.end, (text,)))
    return _braces_in(node.span, tuple(items))


def _braces_in(span: Span, items: tuple[Item, ...]) -> Braces:
    """The braces of a statement that is a keyword and braces."""
    start = span.start + span.text.index("{")
    return Braces(start, span.end, items, "\n" not in span.text)


def _parameters(name: ast.Name, parameters: tuple[ast.BlockParameter, ...], body: ast.Body) -> list[Segment]:
    items = []
    for parameter in parameters:
        value = ["=", *_value(parameter.default)] if parameter.default is not None else []
        items.append(Item(parameter.span.start, parameter.span.end, (parameter.name.name, *value)))
    return [Listed(name.span.end, body.span.start, "(", tuple(items), ")")] if items else []


def _call(call: ast.CallExpr) -> list[Segment]:
    """A call where a bare name is a call too."""
    return _value(call) if call.args else [call.name.name]


def _value(value: ast.Expression) -> list[Segment]:
    """A value; calls, sets and lists may be broken into lines."""
    match value:
        case ast.CallExpr(name, args) if args:
            made: tuple[Item, ...] = tuple(item(argument) for argument in args)
            return [name.name, Listed(name.span.end, value.span.end, "(", made, ")")]
        case ast.SetExpr(values) | ast.ListExpr(values) if values:
            opener, closer = "{}" if isinstance(value, ast.SetExpr) else "[]"
            made = tuple(Item(each.span.start, each.span.end, tuple(_value(each))) for each in values)
            return [Listed(value.span.start, value.span.end, opener, made, closer)]
    return [phrase(value)]
