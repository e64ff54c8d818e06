"""What each kind of statement becomes: scoped settings, residuals and stages here, the others in files of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from specc.ir.expr import Expr
from specc.ir.graph import Tensor
from specc.lower.bodies import lower_body
from specc.lower.branches import lower_branches
from specc.lower.builder import Builder, Lowering
from specc.lower.calls import lower_call
from specc.lower.choices import lower_choice
from specc.lower.connections import lower_connect_setting
from specc.lower.exits import HEAD_BY, lower_exit
from specc.lower.items import ScopeItem
from specc.lower.operators import plain_op
from specc.lower.regions import join, lower_repeat, lower_skippable, lower_when, optional
from specc.lower.reserve import reserve
from specc.lower.values import Env, decide
from specc.lower.widths import width_setting
from specc.syntax import ast


def lower_norm_setting(b: Builder, statement: ast.NormSetting, env: Env) -> None:
    b.make_setting(statement)
    b.settings = replace(b.settings, norm=statement, norm_env=env)


def lower_width_setting(b: Builder, statement: ast.WidthSetting, env: Env) -> None:
    rule = width_setting(b, statement, env)
    if rule is not None:
        b.make_setting(statement)
    b.settings = replace(b.settings, width=rule)


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
