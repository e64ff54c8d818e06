"""`branches n by k sum|concat { }`: equal parallel branches, of which a sub-network keeps the first share."""

from __future__ import annotations

from specc.diagnostics import Rule
from specc.ir.expr import Expr, Var, apply
from specc.lower.bodies import lower_body
from specc.lower.branching import NOT_IN_BRANCHES, Branching
from specc.lower.builder import Builder
from specc.lower.operators import BAD_SIZE, plain_op
from specc.lower.values import Env, static_number
from specc.lower.widths import BY_SLICES, slice_choice
from specc.ops import find_operator
from specc.syntax import ast

ONE_BRANCH_BODY = Rule(
    "E374",
    "branches-without-convolution",
    "branches contain no convolution",
    "Branches differ in the weights of their convolutions. Without a convolution they would all be equal.\n"
    "Wrong:  branches 8 sum { relu }\n"
    "Right:  branches 8 sum { conv(4, kernel=1); relu; conv(64, kernel=1) }",
)


def lower_branches(b: Builder, statement: ast.Branches, env: Env) -> None:
    """The body once, for all branches at once; then, for a sum that no convolution takes in, the sum.

    A convolution without bias and groups at the end of a summed branch is dense from all branches' channels:
    sum_i W_i x_i is [W_1 .. W_n] [x_1; ..; x_n].
    """
    before = b.incoming(statement.span)
    if b.branches is not None:
        b.findings.report(NOT_IN_BRANCHES, statement.span, "branches can't stand in branches")
        return
    count = branch_count(b, statement.count, env)
    branches = Branching(count, active_branches(b, statement, count, env), joining_call(statement))
    branches.common.add(before.name)
    b.branches = branches
    settings, earlier = b.settings, len(b.findings.diagnostics)
    lower_body(b, statement.body, env)
    b.branches, b.settings = None, settings
    after = b.incoming(statement.span)
    if len(b.findings.diagnostics) > earlier:
        b.broken.add(after.name)
    elif not branches.begun:
        b.findings.report(ONE_BRANCH_BODY, statement.span, "these branches have no convolution")
    elif statement.merge.name == "sum" and not branches.joined:
        size = b.maximum(after.features) // count
        plain_op(b, "branch_sum", b.prefix + "branch_sum", (after,), statement.span, size=size)


def branch_count(b: Builder, node: ast.Expression, env: Env) -> int:
    count = static_number(b, node, env)
    if not isinstance(count, int) or count < 1:
        b.findings.report(BAD_SIZE, node.span, "the number of branches is a whole number from 1")
        return 1
    return count


def active_branches(b: Builder, statement: ast.Branches, count: int, env: Env) -> Expr | None:
    """How many branches a sub-network keeps: n * k / K; None where the width setting decides."""
    if statement.by is None:
        return None
    choice = slice_choice(b, statement.by, env)
    if choice is None:
        return None
    slices = b.maximum(Var(choice))
    if count % slices:
        message = f"{slices} sub-networks do not divide {count} branches"
        help = f"use a multiple of {slices} branches, so that each sub-network adds as many"
        b.findings.report(BY_SLICES, statement.by.span, message, help=help)
        return None
    return apply("mul", Var(choice), count // slices)


def joining_call(statement: ast.Branches) -> ast.CallExpr | None:
    """The convolution at the end of a summed body, if it has no bias of its own in every branch."""
    last = statement.body.statements[-1] if statement.body.statements else None
    if statement.merge.name != "sum" or not isinstance(last, ast.CallStatement):
        return None
    operator = find_operator(last.call.name.name)
    if operator is None or not operator.branched.grouped:
        return None
    biased = any(arg.name is not None and arg.name.name == "bias" and not is_no(arg.value) for arg in last.call.args)
    return None if biased else last.call


def is_no(value: ast.Expression) -> bool:
    return isinstance(value, ast.Flag) and not value.value
