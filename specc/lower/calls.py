"""Calls of operators and blocks, the tensors they read, and the names of those they give."""

from __future__ import annotations

from collections.abc import Mapping

from specc.diagnostics import Rule
from specc.diagnostics.near import near
from specc.ir.expr import Var
from specc.ir.graph import Tensor
from specc.lower.bodies import lower_body
from specc.lower.builder import Builder
from specc.lower.items import Value
from specc.lower.operators import KINDS, call_operator
from specc.lower.values import LEAVES, Env, Place, evaluate
from specc.semantics.arithmetic import WRONG_TYPE
from specc.semantics.check import OPERATOR_EXTRAS, by_when, outside_operator, written_operator
from specc.semantics.meaning import BlockCall, HeldWord, OperatorCall
from specc.semantics.names import UNKNOWN_NAME
from specc.semantics.signature import bind_arguments
from specc.source import CallSite
from specc.syntax import ast

WRONG_RESULTS = Rule(
    "E333",
    "wrong-number-of-results",
    "an operation gives more or fewer tensors than are named",
    "An operation with several results names all of them; every other gives one tensor.\n"
    "Wrong:  (l, m, r) = split(2)\n"
    "Right:  (l, r) = split(2)",
)


def lower_call(b: Builder, statement: ast.CallStatement, env: Env) -> None:
    """A call as a statement: what it gives becomes the incoming tensor and gets the names on its left side."""
    names = statement.targets
    results = call(b, statement.call, names[0] if len(names) == 1 else None, env)
    if results and len(results) != max(len(names), 1):
        number = "1 tensor" if len(results) == 1 else f"{len(results)} tensors"
        message = f"this gives {number}, and {len(names) or 'none'} of them {'is' if len(names) < 2 else 'are'} named"
        help = "name every result: `(l, r) = split(2)`" if len(results) > 1 else "write `name = ...`"
        b.findings.report(WRONG_RESULTS, statement.span, message, help=help)
        b.here = b.guess(statement.span)
        return
    for name, tensor in zip(names, results):
        env.frame[name.name] = tensor
    if len(results) > 1:
        b.scatter(statement.span)


def call(b: Builder, node: ast.CallExpr, target: ast.Name | None, env: Env) -> tuple[Tensor, ...]:
    """The tensors that an operator or a block gives; a name that holds a word (`act=relu`) stands for that operator."""
    meaning = b.model.meanings[node.name]
    source = next((a for a in node.args if a.name is not None and a.name.name == "from"), None) if node.args else None
    if source is not None:
        b.here = tensor_of(b, source.value, env)
    if isinstance(meaning, BlockCall):
        return call_block(b, meaning, node, target, env)
    operation = held_operator(b, node, env) if isinstance(meaning, HeldWord) else meaning
    if operation is None:
        return ()
    tensors = None
    if operation.takes_tensors:
        before = b.here
        tensors = tuple(tensor_of(b, arg.value, env) for arg in node.args if arg.name is None)
        b.here = before
    return call_operator(b, operation, node, target, tensors, env)


def held_operator(b: Builder, node: ast.CallExpr, env: Env) -> OperatorCall | None:
    """The operator whose name a parameter or a `let` holds; None with a diagnostic where it holds something else."""
    name = node.name.name
    held = held_value(b, name, env)
    word = held.x if held is not None and isinstance(held.x, str) else ""
    signature = (written_operator(word) or outside_operator(word)) if word else None
    if signature is not None:
        bound = bind_arguments(signature, node.args, node.span, b.findings, OPERATOR_EXTRAS)
        return OperatorCall(word, signature, bound)
    message = f"`{name}` holds a value, and an operator or block must stand here"
    options = b.options.get(held.x.choice, ()) if held is not None and isinstance(held.x, Var) else ()
    chosen = any(isinstance(option, str) for option in options)
    help = by_when(name) if chosen else f"a word such as `{name}=relu` stands for an operator"
    b.findings.report(WRONG_TYPE, node.name.span, message, help=help)
    return None


def held_value(b: Builder, name: str, env: Env) -> Value | None:
    return env.names.get(name) or b.file_values[env.file].get(name)


def call_block(
    b: Builder, called: BlockCall, node: ast.CallExpr, target: ast.Name | None, env: Env
) -> tuple[Tensor, ...]:
    """Writes out a block where it is called: arguments in the caller's names, defaults in its own."""
    block, home, bound = called.block, called.home, called.bound
    in_stage = b.naming_scope().kind in ("stem", "stage", "head", "exit")
    base = target.name if target is not None else b.prefix + ("b" if in_stage else block.name.name)
    tensors = {
        name: tensor_of(b, arg.value, env) for name, arg in bound.items() if name != "from" and is_tensor(b, arg, env)
    }
    with b.inside("block", base, node.span, given=target is not None) as scope:
        scope.block = block.name.name
        scope.site = CallSite(node.span, block.name.name, cures=cures(block, bound))
        b.calls = (*b.calls, scope.site)
        inner = Env({}, home)
        for parameter in block.parameters:
            name = parameter.name.name
            if name in tensors:
                inner.frame[name] = tensors[name]
                continue
            given, names = (bound[name].value, env) if name in bound else (parameter.default, inner)
            assert given is not None, "checking has seen that it is given"
            place = None if isinstance(given, LEAVES) else Place(scope, name, KINDS.get(name, "value"))
            inner.names[name] = evaluate(b, given, names, place, pairs=True)
        scope.args = tuple((n, v.x) for n, v in inner.names.items())
        lower_body(b, block.body, inner)
        b.calls = b.calls[:-1]
    return () if b.here is None else (b.here,)


def cures(block: ast.Block, bound: Mapping[str, ast.Arg]) -> tuple[str, ...]:
    """Arguments that would give widths in a block a choice of their own: `hidden=own`, where it follows by default."""
    modes = (
        parameter.name.name
        for parameter in block.parameters
        if isinstance(parameter.default, ast.Name) and parameter.default.name == "follow"
    )
    return tuple(f"{name}=own" for name in modes if name not in bound)


def tensor_of(b: Builder, node: ast.Expression, env: Env) -> Tensor:
    """The tensor that a name, `here` or a call stands for. A call reads what arrives, and leaves it as it was."""
    match node:
        case ast.Name("here"):
            return b.incoming(node.span)
        case ast.Name(name) if name in env.frame and name not in env.names:
            return env.frame[name]
        case ast.Name() if stands_for_call(b, node, env):
            return tensor_of(b, ast.CallExpr(node, (), node.span), env)
        case ast.Name(name) if name in env.lost and name not in env.names:
            b.findings.report(
                UNKNOWN_NAME,
                node.span,
                f"the tensor `{name}` may not be there",
                secondary=[(env.lost[name], "it is made here, in what a choice may leave out")],
                help="give it the name before, so that there is always one",
            )
        case ast.Name(name) if name not in env.names and name not in b.model.names.choices:
            help = near(name, env.frame) or "a tensor is named where it is made: `a = conv(64, kernel=3)`"
            b.findings.report(UNKNOWN_NAME, node.span, f"there is no tensor `{name}` yet", help=help)
        case ast.CallExpr() if node.name in b.model.meanings:
            before, scattered = b.here, b.scattered
            results = call(b, node, None, env)
            b.here, b.scattered = before, scattered
            if len(results) == 1:
                return results[0]
            if results:
                message = f"this gives {len(results)} tensors, and one must stand here"
                b.findings.report(WRONG_RESULTS, node.span, message, help="name them first: `(l, r) = split(2)`")
        case _:
            help = "it is a name, `here` or a call: `concat(here, conv(64, kernel=3))`"
            b.findings.report(WRONG_TYPE, node.span, "this is a value, and a tensor must stand here", help=help)
    return b.guess(node.span)


def stands_for_call(b: Builder, node: ast.Name, env: Env) -> bool:
    """Whether a bare name in a tensor's place is a call without arguments: `concat(relu, here)`."""
    meaning = b.model.meanings.get(node)
    if isinstance(meaning, HeldWord):
        held = held_value(b, node.name, env)
        return held is not None and isinstance(held.x, str)
    return meaning is not None


def is_tensor(b: Builder, arg: ast.Arg, env: Env) -> bool:
    """Whether an argument of a block is a tensor rather than a value."""
    match arg.value:
        case ast.Name(name):
            return name not in env.names and (name == "here" or name in env.frame)
        case ast.CallExpr():
            return arg.value.name in b.model.meanings
    return False
