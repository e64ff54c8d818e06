"""Triangular connections: which widths they join, and so which weights they have.

An output channel must be a function of inputs that are active wherever it is. With K blocks both sides keep whole
blocks, equally many. Channel by channel both sides are the nearest integers to one share of their largest sizes. A
fixed input is seen wholly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, Var, apply, evaluate, free
from specc.ir.graph import DENSE, Connection, Graph, Op, Tensor

TRIANGULAR_WIDTHS = Rule(
    "E521",
    "triangular-widths",
    "a triangular connection joins widths that do not grow together",
    "`connect triangular` needs `width any` on both sides: nearest integers to a share of each, by one choice.\n"
    "`connect triangular(K)` needs whole blocks on both sides: `width by k` with K slices, or fixed widths.\n"
    "Wrong:  width per_group 0.5..1.0 round 8; connect triangular\n"
    "Right:  width any 0.25..1.0; connect triangular",
)


def check_connections(graph: Graph, findings: Findings) -> Graph:
    """Settles every triangular connection: its triangle where that goes by channels, dense where the input is fixed."""
    if all(op.connection.kind != "triangular" for op in graph.ops):
        return graph
    tensors, choices = graph.tensor_table(), graph.choice_table()
    ops = tuple(
        replace(op, connection=settled(op, tensors, choices, findings)) if op.connection.kind == "triangular" else op
        for op in graph.ops
    )
    return replace(graph, ops=ops)


def settled(op: Op, tensors: Mapping[str, Tensor], choices: Mapping[str, Choice], findings: Findings) -> Connection:
    """The connection of one op; a dense one, with a diagnostic, where its widths allow no triangle."""
    params = cast(Any, op.params)
    inputs: Expr = params.inputs
    out: Expr = params.out
    blocks, full = op.connection.blocks, (params.full_inputs, params.full_out)
    if not isinstance(inputs, (Var, Apply)) and isinstance(out, (Var, Apply)):
        return DENSE
    if blocks is not None:
        if kept(inputs, full[0], blocks) == kept(out, full[1], blocks):
            return op.connection
        message = f"the two sides of this connection do not keep the same of its {blocks} blocks"
        help = "write `width by k` around both, with as many slices, or `connect=dense`"
    else:
        (segment, *others) = tensors[op.inputs[0]].channels
        names = sorted(free(inputs) | free(out))
        if others or segment.spread != 1:
            message = "what this reads is not one run of channels, so they do not come in one order"
        elif len(names) == 1 and (inputs, out) == tuple(nearest(c, choices[names[0]]) for c in full):
            least = {names[0]: choices[names[0]].smallest}
            return replace(op.connection, least=(at(inputs, least), at(out, least)), most=full)
        else:
            message = "the two sides of this connection are not nearest integers to one share of their widths"
        help = "write `width any` around both, or `connect=dense` here"
    findings.report(TRIANGULAR_WIDTHS, op.origin, message, help=help)
    return DENSE


def kept(channels: Expr, full: int, blocks: int) -> Expr:
    """How many blocks of a width are active."""
    return apply("div", apply("mul", channels, blocks), full)


def nearest(full: int, choice: Choice) -> Expr:
    """The width that `width any` gives to a group: max(1, round(n C / N)), N the last option."""
    share = apply("div", apply("mul", Var(choice.name), full), choice.largest)
    return apply("max", 1, apply("round", share))


def at(size: Expr, values: Mapping[str, Option]) -> int:
    value = evaluate(size, values)
    return value if isinstance(value, int) else 0
