"""What `connect` means for convolutions and linear layers: how many weights there are, and where K blocks are exact.

There is no operator of this name; `conv` and `linear` share these rules, and the layers in `torch.py` beside them.
"""

from __future__ import annotations

from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import DENSE, Connection, Tensor
from specc.ir.operator import OpCall, Operator
from specc.ops.runs import is_elastic

BLOCKS_DIVIDE = Rule(
    "E372",
    "blocks-do-not-divide",
    "the blocks of a connection do not divide its channels or groups",
    "`connect triangular(K)` and `connect diagonal(K)` cut input and output channels into K equal parts. A\n"
    "convolution with groups keeps to these parts where K divides its groups.\n"
    "Wrong:  conv(64, kernel=1, connect=triangular(6))\n"
    "Right:  conv(96, kernel=1, connect=triangular(6))      where 48 channels arrive",
)

OPERATORS: Final[tuple[Operator, ...]] = ()


def connected(call: OpCall, tensor: Tensor, out: Expr, groups: int = 1) -> Connection:
    """The connection of a layer from `tensor` to `out` channels: what is asked for, where it has a meaning.

    The network's own input is seen wholly. A layer with groups has its structure already; K has to fit it.
    """
    asked, inputs = call.connection, call.maximum(tensor.features)
    if asked.kind == "dense" or (call.reads_input and not call.connects):
        return DENSE
    if groups != 1:
        if asked.blocks is not None and groups % asked.blocks and (call.connects or groups != inputs):
            refuse(call, asked, f"{groups} groups")
        elif asked.kind == "triangular" and call.connects:
            message = "a triangular connection has no groups; the groups of a convolution are blocks of their own"
            call.report(BLOCKS_DIVIDE, message, at="groups", help="leave `groups` or `connect` out")
        return DENSE
    if asked.blocks is None:
        return asked
    for channels, which in ((inputs, "input"), (call.maximum(out), "output")):
        if channels % asked.blocks:
            refuse(call, asked, f"{channels} {which} channels")
            return DENSE
    return asked if asked.blocks > 1 else DENSE


def connected_channels(call: OpCall, tensor: Tensor, parameter: str, connection: Connection) -> Expr:
    """The output channels of a layer. Where a triangular connection joins blocks, both sides keep whole ones."""
    if connection.kind != "triangular" or connection.blocks is None or not is_elastic(tensor.features):
        return call.out_channels(parameter)
    active_blocks(call, tensor, connection.blocks)
    return call.out_channels(parameter, call.maximum(cast(Expr, call.args[parameter])) // connection.blocks)


def blocks_of(call: OpCall, tensor: Tensor, connection: Connection, out: int) -> Expr:
    """The output channels of a diagonal connection: of as many blocks as come in."""
    assert connection.blocks is not None
    return apply("mul", active_blocks(call, tensor, connection.blocks), out // connection.blocks)


def active_blocks(call: OpCall, tensor: Tensor, blocks: int) -> Expr:
    """How many blocks of a tensor are active; its widths become multiples of one, those of a flattened map too."""
    size = call.maximum(tensor.features) // blocks
    first, *others = tensor.channels
    spread = call.maximum(first.spread)
    if not others and size % spread == 0:
        return call.whole_groups(first.size, size // spread)
    return call.whole_groups(tensor.features, size)


def refuse(call: OpCall, asked: Connection, what: str) -> None:
    call.report(
        BLOCKS_DIVIDE,
        f"the {asked.blocks} blocks of `connect {asked.kind}({asked.blocks})` do not divide {what}",
        help="write `connect=dense` here, or numbers that can be divided",
    )


def pairs(connection: Connection, inputs: Expr, out: Expr, full_inputs: int, full_out: int) -> Expr:
    """The pairs of an active input and an active output channel that a connection joins."""
    if connection.kind == "dense":
        return apply("mul", out, inputs)
    if connection.blocks is None:
        (least_in, least_out), (most_in, most_out) = connection.least, connection.most
        return apply("support", out, most_in, most_out, least_in, least_out)
    block_in, block_out = full_inputs // connection.blocks, full_out // connection.blocks
    active = apply("div", out, block_out)
    if connection.kind == "diagonal":
        return apply("mul", active, block_in * block_out)
    both = apply("mul", active, apply("add", active, 1))
    return apply("mul", apply("div", both, 2), block_in * block_out)
