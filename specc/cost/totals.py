"""MACs and parameters as polynomials: op by op, and of the whole network.

MACs and parameters of an op are its presence times a product of sizes, so those of the network are a polynomial over
functions of choices, which `specc.cost.program` turns into straight-line Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import prod
from typing import Literal, TypeAlias

from specc.activity.entangled import ENTANGLED, TooManyOptions, refused
from specc.activity.presence import Presence, presence
from specc.activity.symbols import Monomial, Poly, Symbols, add, multiply, scale
from specc.frozen import frozen
from specc.ir.expr import Expr, Number
from specc.ir.graph import Graph, Op, Tensor
from specc.ir.operator import Weight

Count: TypeAlias = Literal["macs", "with_norms"]


@frozen
class OpCost:
    """One op's share where it is present; `total` counts all norm banks at full size."""

    macs: Poly
    params: Poly
    normalised: Poly
    total: int


@frozen
class Costs:
    """The shares of every op of a graph, in its order, and when each is present."""

    presence: Presence
    ops: tuple[OpCost, ...]


@lru_cache(maxsize=4)
def costs_of(graph: Graph) -> Costs:
    """The polynomials of every op. Linear in the size of the graph."""
    where = presence(graph)
    tensors = graph.tensor_table()
    return Costs(where, tuple(op_cost(where.symbols, op, tensors) for op in graph.ops))


def op_cost(symbols: Symbols, op: Op, tensors: Mapping[str, Tensor]) -> OpCost:
    """The share of one op. Raises SpecError where a size in it reads too many choices."""
    try:
        return shares(symbols, op, tensors)
    except TooManyOptions as error:
        raise refused(ENTANGLED, op.origin, str(error)) from None


def shares(symbols: Symbols, op: Op, tensors: Mapping[str, Tensor]) -> OpCost:
    """`op_cost` without a diagnostic."""
    inputs, outputs = [tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs]
    weights = op.operator.weights(op, inputs, outputs)
    params: Poly = {}
    for weight in weights:
        params = add(params, volume(symbols, weight.active))
    return OpCost(
        macs=symbols.poly(op.operator.macs(op, inputs, outputs)),
        params=params,
        normalised=symbols.poly(op.operator.normalised(op, inputs, outputs)),
        total=sum(allocated(weight) for weight in weights),
    )


def volume(symbols: Symbols, sizes: tuple[Expr, ...]) -> Poly:
    """The product of some sizes."""
    result: Poly = {(): 1}
    for size in sizes:
        result = multiply(result, symbols.poly(size))
    return result


def allocated(weight: Weight) -> int:
    return prod(weight.full) * weight.copies


def totals(graph: Graph, count: Count = "macs") -> tuple[Poly, Poly]:
    """(MACs, parameters) of any sub-network: the sum over ops of presence times share."""
    costs = costs_of(graph)
    macs: dict[Monomial, Number] = {}
    params: dict[Monomial, Number] = {}
    for node, op in zip(costs.presence.present, costs.ops, strict=True):
        if not (op.macs or op.params or op.normalised):
            continue
        here = costs.presence.symbols.of_node(node)
        add_to(macs, multiply(here, with_norms(op) if count == "with_norms" else op.macs))
        add_to(params, multiply(here, op.params))
    return macs, params


def with_norms(op: OpCost) -> Poly:
    """The second convention: 2 for every element that is normalised."""
    return add(op.macs, scale(op.normalised, 2))


def add_to(total: dict[Monomial, Number], poly: Poly) -> None:
    """`add` in place, for long sums."""
    for monomial, factor in poly.items():
        total[monomial] = total.get(monomial, 0) + factor
