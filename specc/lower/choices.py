"""Choices that a spec declares by name."""

from __future__ import annotations

from specc.ir.choice import Kind, Options
from specc.lower.builder import Builder
from specc.lower.items import ChoiceItem
from specc.lower.values import Env, evaluate_options
from specc.syntax import ast


def lower_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> None:
    options = evaluate_options(b, statement.options, env)
    declare_choice(b, statement.name, options)


def declare_choice(b: Builder, name: ast.Name, options: Options, kind: Kind | None = None) -> str:
    """A choice with a name of its own, which is its variable too. One among words chooses operators."""
    b.serial += 1
    words = any(isinstance(option, str) for option in options)
    item = ChoiceItem(
        name.name, None, name.name, options, kind or ("operator" if words else "value"), name.span, b.serial
    )
    return b.add_choice(item)
