"""Triangular and diagonal connections: which widths they join, and so which weights they have.

An output channel must be a function of inputs that are active wherever it is. With K blocks both sides keep whole
blocks, equally many. Channel by channel both sides are the nearest integers to one share of their largest sizes. A
fixed input is seen wholly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from specc.assignments import show_option
from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Option, Var, apply, evaluate, free, show
from specc.ir.graph import DENSE, Connection, Graph, Op, Tensor
from specc.ir.values import ValueTable, value_at
from specc.ops.runs import is_elastic

CONNECTED_WIDTHS = Rule(
    "E521",
    "triangular-widths",
    "a triangular or diagonal connection joins widths that do not grow together",
    "`connect triangular` needs `width any` on both sides: nearest integers to a share of each, by one choice.\n"
    "`connect triangular(K)` needs whole blocks on both sides: `width by k` with K slices, or fixed widths.\n"
    "Wrong:  width per_group 0.5..1.0 round 8; connect triangular\n"
    "Right:  width any 0.25..1.0; connect triangular",
)


def check_connections(graph: Graph, findings: Findings) -> Graph:
    """Settles every connection: a triangle where that goes by channels, dense where the input of one is fixed."""
    if all(op.connection.kind == "dense" for op in graph.ops):
        return graph
    tensors, choices = graph.tensor_table(), graph.choice_table()
    ops = tuple(
        op if op.connection.kind == "dense" else replace(op, connection=settled(op, tensors, choices, findings))
        for op in graph.ops
    )
    return replace(graph, ops=ops)


def settled(op: Op, tensors: Mapping[str, Tensor], choices: Mapping[str, Choice], findings: Findings) -> Connection:
    """The connection of one op; a dense one, with a diagnostic, where its widths do not allow it."""
    params = cast(Any, op.params)
    inputs: Expr = params.inputs
    out: Expr = params.out
    blocks, full = op.connection.blocks, (params.full_inputs, params.full_out)
    if op.connection.kind == "triangular" and not is_elastic(inputs) and is_elastic(out):
        return DENSE
    if blocks is not None:
        broken = cut_block(kept(inputs, full[0], blocks), choices)
        if broken is not None:
            count, where = broken
            message = f"{count} of the {blocks} blocks of this connection would be active at {where}"
            help = "write `width by k` with slices that are whole blocks, or `connect=dense` here"
        elif op.connection.kind == "diagonal" or kept(inputs, full[0], blocks) == kept(out, full[1], blocks):
            return op.connection
        else:
            message = f"the two sides of this connection do not keep the same of its {blocks} blocks"
            help = "write `width by k` around both, with as many slices, or `connect=dense`"
    else:
        (segment, *others) = tensors[op.inputs[0]].channels
        names = sorted(free(inputs) | free(out))
        help = "write `width any` around both, or `connect=dense` here"
        if others or segment.spread != 1:
            message = "what this reads is not one run of channels, so they do not come in one order"
        elif len(names) == 1 and (inputs, out) == tuple(nearest(c, choices[names[0]]) for c in full):
            least = {names[0]: choices[names[0]].smallest}
            return replace(op.connection, least=(at(inputs, least), at(out, least)), most=full)
        else:
            message = "the two sides of this connection are not nearest integers to one share of their widths"
    findings.report(CONNECTED_WIDTHS, op.origin, message, help=help)
    return DENSE


def cut_block(active: Expr, choices: Mapping[str, Choice]) -> tuple[str, str] | None:
    """A number of active blocks that is not whole, and where; None where all are."""
    table = ValueTable({choice.name: choice.options for choice in choices.values()})
    found = table.of(active)
    if found is not None and all(isinstance(value, int) for value in found.options):
        return None
    names = table.witness(active, lambda value: not isinstance(value, int))
    if names is None:
        return None
    where = ", ".join(f"{name}={show_option(choices[name], option)}" for name, option in names.items())
    return show(value_at(active, names)), where


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
