"""Choices that a spec declares by name."""

from __future__ import annotations

from specc.ir.choice import Kind, Options
from specc.ir.expr import Var
from specc.lower.builder import Builder
from specc.lower.items import ChoiceItem, Value
from specc.lower.values import Env, evaluate_options
from specc.syntax import ast


def lower_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> None:
    options = evaluate_options(b, statement.options, env)
    declare_choice(b, statement.name, options)


def block_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> Value:
    """A choice that a block declares: every call makes one of its own, called `s1.b1.k` after the call."""
    options = evaluate_options(b, statement.options, env)
    if len(options) == 1:
        return Value(options[0])
    return Value(
        Var(b.new_choice(b.naming_scope(), statement.name.name, options, kind_of(options), statement.name.span))
    )


def kind_of(options: Options) -> Kind:
    """The kind of a choice by its options: one among words chooses operators."""
    return "operator" if any(isinstance(option, str) for option in options) else "value"


def declare_choice(b: Builder, name: ast.Name, options: Options, kind: Kind | None = None) -> str:
    """A choice with a name of its own, which is its variable too."""
    b.serial += 1
    item = ChoiceItem(name.name, None, name.name, options, kind or kind_of(options), name.span, b.serial)
    return b.add_choice(item)
