"""Calls of operators and blocks."""

from __future__ import annotations

from specc.lower.bodies import lower_body
from specc.lower.builder import Builder
from specc.lower.operators import KINDS, call_operator
from specc.lower.values import Env, Place, evaluate
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import block_signature, written_operator
from specc.semantics.names import UNKNOWN_NAME
from specc.semantics.reserved import refuse
from specc.semantics.signature import bind_arguments
from specc.syntax import ast


def lower_call(b: Builder, statement: ast.CallStatement, env: Env) -> None:
    """An operator or a block; a name that holds a word (`act=relu`) stands for that operator."""
    name, call = statement.call.name.name, statement.call
    target = statement.targets[0] if len(statement.targets) == 1 else None
    held = env.names.get(name)
    if held is not None:
        if isinstance(held.x, str) and written_operator(held.x) is not None:
            call_operator(b, held.x, call, target, env)
        else:
            b.findings.report(
                WRONG_TYPE, call.name.span, f"`{name}` holds a value, and an operator or block must stand here"
            )
    elif written_operator(name) is not None:
        call_operator(b, name, call, target, env)
    elif name in b.model.names.files[env.file].blocks:
        call_block(b, call, target, env)
    else:
        b.findings.report(UNKNOWN_NAME, call.name.span, f"there is no operator or block `{name}` here")


def call_block(b: Builder, call: ast.CallExpr, target: ast.Name | None, env: Env) -> None:
    """Writes out a block where it is called: arguments in the caller's names, defaults in its own."""
    block, home = b.model.names.files[env.file].blocks[call.name.name]
    if "from" in (bound := bind_arguments(block_signature(block), call.args, call.span, b.findings, also=("from",))):
        refuse(bound["from"].span, "`from=`, reading a named tensor", b.findings)
    in_stage = b.naming_scope().kind in ("stem", "stage", "head")
    base = target.name if target is not None else b.prefix + ("b" if in_stage else block.name.name)
    if target is not None:
        b.take_name(b.naming_scope(), target)
    with b.inside("block", base, call.span, given=target is not None) as scope:
        scope.block = block.name.name
        inner = Env({}, home)
        for parameter in block.parameters:
            name = parameter.name.name
            place = Place(scope, name, KINDS.get(name, "value"))
            if name in bound:
                value = evaluate(b, bound[name].value, env, place)
            elif parameter.default is not None:
                value = evaluate(b, parameter.default, inner, place)
            else:
                return
            inner.names[name] = value
        scope.args = tuple((n, v.x) for n, v in inner.names.items())
        lower_body(b, block.body, inner)
