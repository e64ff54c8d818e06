"""What each kind of statement becomes: scoped settings, residuals and stages here, the others in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from specc.ir.expr import Apply, Var
from specc.lower.bodies import lower_body
from specc.lower.branches import lower_branches
from specc.lower.builder import Builder, Lowering
from specc.lower.calls import lower_call
from specc.lower.choices import lower_choice
from specc.lower.connections import lower_connect_setting
from specc.lower.exits import HEAD_BY, lower_exit
from specc.lower.items import ScopeItem
from specc.lower.operators import plain_op
from specc.lower.regions import lower_repeat, lower_skippable, lower_when
from specc.lower.values import Env, decide
from specc.lower.widths import width_setting
from specc.semantics.reserved import refuse
from specc.syntax import ast


def lower_norm_setting(b: Builder, statement: ast.NormSetting, env: Env) -> None:
    b.settings = replace(b.settings, norm=statement, norm_env=env)


def lower_width_setting(b: Builder, statement: ast.WidthSetting, env: Env) -> None:
    b.settings = replace(b.settings, width=width_setting(b, statement, env))


def lower_residual(b: Builder, statement: ast.Residual, env: Env) -> None:
    """The body, then its sum with what came in - or with the shortcut of it. Conditions speak of the largest
    network."""
    before = b.incoming(statement.span)
    adds = fixed_condition(b, statement.condition, env)
    shortcut = statement.shortcut is not None and fixed_condition(b, statement.shortcut_condition, env)
    lower_body(b, statement.body, env)
    after = b.incoming(statement.span)
    if not adds:
        return
    other = before
    if shortcut and statement.shortcut is not None:
        b.here = before
        prefix = b.prefix
        b.prefix = prefix + "shortcut_"
        lower_body(b, statement.shortcut, env)
        b.prefix = prefix
        other = b.incoming(statement.span)
    plain_op(b, "add", b.prefix + "add", (after, other), statement.span)


def fixed_condition(b: Builder, condition: ast.Expression | None, env: Env) -> bool:
    if condition is None:
        return True
    x = decide(b, condition, env)
    if isinstance(x, (Var, Apply)):
        refuse(condition.span, "a residual whose sum depends on a choice", b.findings)
        return True
    return bool(x)


def lower_stage(b: Builder, statement: ast.Stage, env: Env, name: str) -> ScopeItem:
    """A stem or stage. Norm banks by skip look at the skippables of the stage they stand in."""
    if statement.by:
        message = f"a {statement.kind} does not stand by a choice; heads do"
        b.findings.report(HEAD_BY, statement.by[0].span, message, help="leave `by` out, or write a `head by ..`")
    kind = statement.kind
    assert kind in ("stem", "stage")
    with b.inside(kind, name, statement.span, given=True) as scope:  # type: ignore[arg-type]
        b.stage = scope
        lower_body(b, statement.body, env)
        b.stage = None
    return scope


STATEMENTS: Final[Mapping[type, Lowering]] = {
    ast.CallStatement: lower_call,
    ast.NormSetting: lower_norm_setting,
    ast.WidthSetting: lower_width_setting,
    ast.ConnectSetting: lower_connect_setting,
    ast.ChoiceStatement: lower_choice,
    ast.Repeat: lower_repeat,
    ast.Skippable: lower_skippable,
    ast.Residual: lower_residual,
    ast.When: lower_when,
    ast.Branches: lower_branches,
    ast.Exit: lower_exit,
}
