"""Names of what a block leaves out where it is called: an operation is numbered over all of its block's definition.

`inverted_residual(expand=1)` has no first convolution, and its last one is `conv2` all the same: what a block's parts
are called does not depend on the arguments of a call.
"""

from __future__ import annotations

from specc.lower.builder import Builder
from specc.lower.items import Named
from specc.lower.values import Env
from specc.ops import norms
from specc.semantics.check import written_operator
from specc.syntax import ast


def reserve(b: Builder, body: ast.Body | None, env: Env, prefix: str = "") -> None:
    """Takes the names that the statements of a body would have, where it stands in a block and is left out."""
    scope = b.naming_scope()
    if body is None or scope.kind != "block":
        return
    found = names_in(b, body, env, b.prefix + prefix)
    scope.names.extend(Named(scope, base, given, reserved=True) for base, given in found)


def names_in(b: Builder, body: ast.Body, env: Env, prefix: str) -> list[tuple[str, bool]]:
    """What a body's operations are called, each with whether the spec gives the name, in the order of lowering."""
    found: list[tuple[str, bool]] = []
    for statement in body.statements:
        match statement:
            case ast.CallStatement():
                target = statement.targets[0].name if len(statement.targets) == 1 else ""
                found += names_of_call(b, statement.call, env, prefix, target)
            case ast.Residual():
                found += names_in(b, statement.body, env, prefix)
                if statement.shortcut is not None:
                    found += names_in(b, statement.shortcut, env, prefix + "shortcut_")
                found.append((prefix + "add", False))
            case ast.When():
                found += names_in(b, statement.body, env, prefix)
                found += names_in(b, statement.otherwise, env, prefix) if statement.otherwise is not None else []
            case ast.Repeat():
                elastic = isinstance(statement.count, (ast.RangeExpr, ast.SetExpr))
                found += [(prefix + "depth", False)] if elastic else []
                found += names_in(b, statement.body, env, prefix) * rounds(statement, env)
            case ast.Skippable():
                found += [(prefix + "keep", False)] if statement.name is None else []
                found += names_in(b, statement.body, env, prefix)
            case ast.Branches():
                found += names_in(b, statement.body, env, prefix)
    return found


def rounds(statement: ast.Repeat, env: Env) -> int:
    """The rounds of a repeat that is left out; 1 where they are no plain number."""
    node = statement.count
    value: object = 1
    if isinstance(node, ast.Number):
        value = node.value
    elif isinstance(node, ast.Name) and node.name in env.names:
        value = env.names[node.name].x
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 100 else 1


def names_of_call(b: Builder, node: ast.CallExpr, env: Env, prefix: str, target: str) -> list[tuple[str, bool]]:
    """A call's name, after those of the calls among its arguments."""
    found: list[tuple[str, bool]] = []
    for arg in node.args:
        if isinstance(arg.value, ast.CallExpr):
            found += names_of_call(b, arg.value, env, prefix, "")
    name = node.name.name
    if written_operator(name) is None and name in env.names and isinstance(env.names[name].x, str):
        name = str(env.names[name].x)  # `act=relu`
    blocks = b.model.names.files[env.file].blocks
    base = "norm" if name in norms().values() else name
    if target:
        found.append((target, True))
    elif written_operator(name) is not None or name in blocks:
        found.append((prefix + base, False))
    return found
