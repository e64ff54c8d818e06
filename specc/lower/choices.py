"""Choices that a spec declares by name."""

from __future__ import annotations

from specc.diagnostics import Rule
from specc.ir.choice import Kind, Options
from specc.ir.expr import Var
from specc.lower.builder import Builder
from specc.lower.items import ChoiceItem, Value
from specc.lower.values import Env, evaluate_options
from specc.syntax import ast

READ_BEFORE = Rule(
    "E304",
    "choice-read-before",
    "a choice is used before it is declared, and its options depend on names that are known there alone",
    "A choice may be used anywhere in the supernet, also before the line that declares it. Its options are needed\n"
    "there already, so they are made of names at the top of the file, or of none.\n"
    "Wrong:  conv(8 * k, kernel=1); let n = 4; choice k in 1..n\n"
    "Right:  let n = 4; choice k in 1..n; conv(8 * k, kernel=1)",
)


def lower_choice(b: Builder, statement: ast.ChoiceStatement, env: Env) -> None:
    name, foreseen = statement.name.name, b.options.get(statement.name.name)
    options = evaluate_options(b, statement.options, env)
    seen = name not in b.ahead and foreseen is not None
    if seen and not b.findings and foreseen != options:
        message = f"`{name}` is used before it is declared, and has other options here"
        b.findings.report(READ_BEFORE, statement.options.span, message, help="declare it before it is used")
    b.ahead.pop(name, None)
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
