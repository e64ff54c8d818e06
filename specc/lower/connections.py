"""`connect`: as a setting, and as an argument of one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from specc.diagnostics import Rule
from specc.diagnostics.near import near
from specc.ir.graph import DENSE, Connection
from specc.ir.operator import Operator
from specc.lower.builder import Builder
from specc.lower.values import Env, evaluate
from specc.semantics.check import CONNECT_WORDS
from specc.syntax import ast

BAD_CONNECTION = Rule(
    "E371",
    "bad-connection",
    "a connection that does not exist",
    "`connect` is dense, triangular, triangular(K) or diagonal(K), for a convolution or a linear layer. K is the\n"
    "number of blocks, and fixed. `triangular` without K goes channel by channel and needs `width any`.\n"
    "Wrong:  connect diagonal\n"
    "Right:  connect diagonal(6)",
)


def lower_connect_setting(b: Builder, statement: ast.ConnectSetting, env: Env) -> None:
    found = connection(b, statement.connection, env)
    if found is not DENSE:
        b.make_setting(statement)
    b.settings = replace(b.settings, connect=found, connect_origin=statement.span)


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
