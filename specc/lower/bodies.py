"""Bodies: statements one after another, each lowered by the function that the builder has for its kind."""

from __future__ import annotations

from specc.ir.expr import Var
from specc.lower.builder import Builder
from specc.lower.choices import block_choice
from specc.lower.items import Value
from specc.lower.values import Env, Place, evaluate
from specc.syntax import ast


def lower_body(b: Builder, body: ast.Body, env: Env) -> Env:
    """The statements of a body in their order. Settings made in it end with it."""
    settings = b.settings
    b.enter(body.span, len(body.statements))
    env = lower_statements(b, body.statements, env)
    b.depth -= 1
    b.settings = settings
    return env


def lower_statements(b: Builder, statements: tuple[ast.Statement, ...], env: Env) -> Env:
    for statement in statements:
        if isinstance(statement, ast.LetStatement):
            place = Place(b.naming_scope(), statement.name.name)
            env = env.with_(statement.name.name, evaluate(b, statement.value, env, place, pairs=True))
        elif isinstance(statement, ast.ChoiceStatement) and in_block(b, statement.name):
            env = env.with_(statement.name.name, block_choice(b, statement, env))
        else:
            b.lowerings[type(statement)](b, statement, env)
            if isinstance(statement, ast.Skippable) and statement.name is not None and in_block(b, statement.name):
                env = env.with_(statement.name.name, Value(Var(statement.name.name)))
    return env


def in_block(b: Builder, name: ast.Name) -> bool:
    """Whether a choice is declared in a block, not in the supernet, whose choices all of it sees."""
    return b.model.names.choices.get(name.name) is not name.span
