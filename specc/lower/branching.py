"""What an operator becomes inside `branches n by k`: equal parallel branches are one grouped operation.

The first convolution of a branch reads the common input, so that of n branches is one dense convolution to n * c
channels; every later one has a group for each branch. What works channel by channel is the same for all branches at
once. So the code that is generated runs no loop over branches, and a sub-network of fewer keeps the first ones.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Tensor
from specc.ir.operator import Operator
from specc.lower.items import Value
from specc.syntax import ast

NOT_IN_BRANCHES = Rule(
    "E375",
    "not-in-branches",
    "an operator that can't stand in branches",
    "Branches that look alike are computed together, as convolutions with groups. So a branch holds convolutions and\n"
    "what works channel by channel: batch norm, activations, pooling, dropout. What all branches do alike before\n"
    "their first convolution stands before the braces.\n"
    "Wrong:  branches 8 sum { conv(4, kernel=1); flatten; linear(64) }\n"
    "Right:  branches 8 sum { conv(4, kernel=1); relu; conv(64, kernel=1) }",
)


class Call(Protocol):
    """What is used of an operator's call. `node` is None where no one wrote one, as for the sum of a residual."""

    args: dict[str, object]
    values: dict[str, Value]
    inputs: tuple[Tensor, ...]
    operator: Operator
    node: ast.CallExpr | None

    def maximum(self, expr: Expr) -> int: ...

    def report(self, rule: Rule, message: str, *, at: str | None = None, help: str = "") -> None: ...


@dataclass(slots=True, eq=False)
class Branching:
    """The branches being lowered.

    count    how many there are; `active` is how many a sub-network keeps, None where the width setting says that
    begun    whether a convolution has given each branch channels of its own; `joined` whether one has summed them
    joining  the call whose convolution sums the branches, where there is one
    common   the tensors that all branches share: what comes in, and what is made of it before they part
    """

    count: int
    active: Expr | None
    joining: ast.CallExpr | None
    common: set[str] = field(default_factory=set)
    begun: bool = False
    joined: bool = False

    def own_channels(self, maximum: int) -> int:
        """The channels of one branch, `in` inside the braces."""
        return maximum // self.count if self.begun else maximum


def adapt(branches: Branching, call: Call) -> int:
    """Turns a branch's operator into that of all branches. Returns the multiple that its output's width must keep."""
    operator = call.operator
    if operator.branched.grouped:
        return adapt_convolution(branches, call)
    if not operator.channelwise:
        call.report(NOT_IN_BRANCHES, f"`{operator.kind}` can't stand in branches: {operator.branched.refused}")
    elif operator.branched.first and not branches.begun:
        message, help = operator.branched.first
        call.report(NOT_IN_BRANCHES, message, help=help)
    elif len({tensor.name in branches.common for tensor in call.inputs}) > 1:
        message = "this joins a tensor of one branch with what all branches read, and that has other channels"
        call.report(NOT_IN_BRANCHES, message, help="begin the branch with a convolution, and join after it")
    return 1


def adapt_convolution(branches: Branching, call: Call) -> int:
    """Groups for the branches, and channels for all of them: c becomes n * c, or as many as are active."""
    groups, width = cast(int, call.args["groups"]), call.values["out"].x
    if branches.begun and call.node is branches.joining and groups == 1:
        branches.joined = True
        return 1
    if not isinstance(width, int) or isinstance(width, bool):
        message = "the channels of a branch are fixed: a sub-network has fewer branches, not narrower ones"
        call.report(NOT_IN_BRANCHES, message, at="out")
        return 1
    call.values["out"] = Value(width * branches.count)
    if branches.begun:
        call.args["groups"] = groups * branches.count
    elif groups != 1:
        message = "the first convolution of a branch reads what all branches read, and has no groups"
        call.report(NOT_IN_BRANCHES, message, at="groups")
    elif branches.active is not None:
        call.values["out"] = Value(apply("mul", branches.active, width), follows=True)
    call.args["out"] = call.values["out"].x
    branches.begun = True
    return width
