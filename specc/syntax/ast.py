"""The syntax tree: what a spec file says, before any name is looked up. Every node carries its span.

Nodes are compared by identity; `specc.syntax.format.same` compares two trees without their spans.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from specc.source import Source, Span
from specc.syntax.node import node

# --- expressions -----------------------------------------------------------------------------------


@node
class Number:
    """`6`, `0.25`, `1e-4`, `10M`, `1ms`: `value` is exact and has the unit's factor in it (10M is 10_000_000);
    `text` is as written; `unit` is "" or one of k, M, G, us, ms, s, MB, ..."""

    value: int | Fraction
    unit: str
    text: str
    span: Span


@node
class Text:
    """`"a string"`; `value` has its escapes resolved."""

    value: str
    span: Span


@node
class Flag:
    """`yes` or `no`."""

    value: bool
    span: Span


@node
class Name:
    """A name, dotted where it names a choice of another scope (`s1.keep`).

    `in`, `here`, `max`, `min` and `level` are names."""

    name: str
    span: Span


@node
class Unary:
    """`-x` or `not x`."""

    operator: str
    operand: Expression
    span: Span


@node
class Binary:
    """`+ - * /`, `== != < <= > >=`, `and or`."""

    operator: str
    left: Expression
    right: Expression
    span: Span


@node
class RangeExpr:
    """`lo..hi` with an optional `step s` and (in width settings) `round d`."""

    low: Expression
    high: Expression
    step: Expression | None
    span: Span


@node
class SetExpr:
    """`{a, b, c}`: ordered options."""

    items: tuple[Expression, ...]
    span: Span


@node
class ListExpr:
    """`[a, b]`, in settings."""

    items: tuple[Expression, ...]
    span: Span


@node
class CallExpr:
    """`name(args)`: a function in arithmetic, an operator or block where a tensor is meant, a variant in settings."""

    name: Name
    args: tuple[Arg, ...]
    span: Span


@node
class Arg:
    """An argument or a setting: `name=value` or, with `name` None, a positional value."""

    name: Name | None
    value: Expression
    span: Span


Expression: TypeAlias = Number | Text | Flag | Name | Unary | Binary | RangeExpr | SetExpr | ListExpr | CallExpr

# --- statements inside braces ----------------------------------------------------------------------


@node
class CallStatement:
    """`conv(64, kernel=3)`, `norm`, `a = conv(64)`, `(l, r) = split(2)`: an operator or block call.

    `targets` are the names it binds; `call.args` is empty for a bare name.
    """

    targets: tuple[Name, ...]
    call: CallExpr
    span: Span


@node
class LetStatement:
    """`let name = expression`, at the top of a file, in a supernet or in a block."""

    name: Name
    value: Expression
    span: Span


@node
class ChoiceStatement:
    """`choice name in options`."""

    name: Name
    options: Expression
    span: Span


@node
class NormSetting:
    """`norm batch(bank=skip)`: the norm used by bare `norm` statements from here to the closing brace."""

    norm: CallExpr
    span: Span


@node
class WidthSetting:
    """`width per_group 0.5..1.0 round 8`, `width uniform {..}`, `width any a..b`, `width fixed`, `width by k`.

    `mode` is the word; `options` the range or set (a Name for `by`); `round` the multiple, None where not given.
    """

    mode: Name
    options: Expression | None
    round: Expression | None
    span: Span


@node
class ConnectSetting:
    """`connect dense | triangular | triangular(K) | diagonal(K)`."""

    connection: CallExpr
    span: Span


@node
class Repeat:
    """`repeat n as i { }`; elastic where `count` is a range, a set or a choice."""

    count: Expression
    index: Name | None
    body: Body
    span: Span


@node
class Skippable:
    """`skippable name? { }`: a boolean choice around a shape-keeping sub-path."""

    name: Name | None
    body: Body
    span: Span


@node
class Residual:
    """`residual(when c) { body } shortcut when d { projection }`: the body plus the incoming tensor, if `condition`
    holds; the shortcut replaces the identity where `shortcut_condition` holds (always, where it is not given)."""

    condition: Expression | None
    body: Body
    shortcut: Body | None
    shortcut_condition: Expression | None
    span: Span


@node
class When:
    """`when c { } else when d { } else { }`: `otherwise` is a Body holding a single When for `else when`."""

    condition: Expression
    body: Body
    otherwise: Body | None
    span: Span


@node
class Branches:
    """`branches n by k sum|concat { }`."""

    count: Expression
    by: Expression | None
    merge: Name
    body: Body
    span: Span


@node
class Exit:
    """`exit name { }`, `exit name by level { }`."""

    name: Name
    by: Name | None
    body: Body
    span: Span


@node
class Body:
    """Statements in braces; `span` runs from brace to brace."""

    statements: tuple[Statement, ...]
    span: Span


# --- the supernet ----------------------------------------------------------------------------------


@node
class ParamStatement:
    """`param width_mult = 1.0`: static, overridable with `-p width_mult=1.4`."""

    name: Name
    value: Expression
    span: Span


@node
class InputStatement:
    """`input image(3, 224, 224)`; with `name`, one of several: `input left image(..)`."""

    name: Name | None
    shape: CallExpr
    span: Span


@node
class PredictsStatement:
    """`classes 1000`, `classes 21 each pixel`, `restores image(3)`: a word, how many, and for each of what."""

    word: Name
    value: Expression
    each: Name | None
    span: Span


@node
class LabelsStatement:
    """`labels { fine = classes; coarse = 20 from "file.csv" }`: (name, count, file) triples."""

    levels: tuple[tuple[Name, Expression, Text | None], ...]
    span: Span


@node
class Stage:
    """`stem { }`, `stage s1 { }`, `head by k, level { }`: `kind` says which.

    A stage without a name gets one by number."""

    kind: str
    name: Name | None
    by: tuple[Name, ...]
    body: Body
    span: Span


Statement: TypeAlias = (
    CallStatement
    | LetStatement
    | ChoiceStatement
    | NormSetting
    | WidthSetting
    | ConnectSetting
    | Repeat
    | Skippable
    | Residual
    | When
    | Branches
    | Exit
    | ParamStatement
    | InputStatement
    | PredictsStatement
    | LabelsStatement
    | Stage
)

# --- the file --------------------------------------------------------------------------------------


@node
class Import:
    """`import std.mobilenet` (dotted, `path` None) or `import "blocks/mine.specc"`."""

    name: Name | None
    path: Text | None
    span: Span


@node
class BlockParameter:
    """`out`, `stride=1`: a parameter of a block with its optional default."""

    name: Name
    default: Expression | None
    span: Span


@node
class Block:
    """`block bottleneck(width, out = 4 * width, stride = 1) { }`."""

    name: Name
    parameters: tuple[BlockParameter, ...]
    body: Body
    span: Span


@node
class Supernet:
    """`supernet name { }`."""

    name: Name
    body: Body
    span: Span


@node
class Section:
    """`method us_net(subnets=4)` and `data digits` set `call`; `train { a=b }` and `search { ... }` set `settings`."""

    kind: str
    call: CallExpr | None
    settings: tuple[Arg, ...]
    span: Span


TopLevel: TypeAlias = Import | Block | LetStatement | ChoiceStatement | ParamStatement | Supernet | Section


@node
class Comment:
    """`# ...` to the end of its line; `own_line` where nothing but blanks stands before it."""

    text: str
    own_line: bool
    span: Span


@node
class SpecFile:
    """A whole file. Comments stand beside the tree; the formatter puts them back by their positions."""

    source: Source
    items: tuple[TopLevel, ...]
    comments: tuple[Comment, ...]
