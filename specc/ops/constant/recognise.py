"""Tensors with a constant in a trace: `x * 0.2`, `x / 2`, `-x`, `x + 1`, `1 - x`."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import isfinite
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node


def product(node: Node, seen: Seen) -> Found | None:
    """`x * c` and `c * x`."""
    for one, other in (("self", "other"), ("other", "self")):
        number = constant(node[other], seen)
        if number is not None:
            return with_constant("scale_by", "factor", node, node[one], number, seen)
    return None


def share(node: Node, seen: Seen) -> Found | None:
    """`x / c`."""
    number = constant(node["other"], seen)
    if not number or node["rounding_mode"] is not None:
        return None
    return with_constant("scale_by", "factor", node, node["self"], float(1 / Fraction(number)), seen)


def negative(node: Node, seen: Seen) -> Found | None:
    """`-x`."""
    return with_constant("scale_by", "factor", node, node["self"], -1, seen)


def total(node: Node, seen: Seen) -> Found | None:
    """`x + c`, `c + x` and `x - c`."""
    sign = -1 if node.target == "aten.sub" else 1
    for one, other in (("self", "other"), ("other", "self")):
        number = constant(node[other], seen)
        if number is None or (other == "self" and sign == -1):
            continue
        by = node["alpha"] if isinstance(node["alpha"], (int, float)) else 1
        if other == "self" and by != 1:
            return None
        return with_constant("shift_by", "offset", node, node[one], sign * by * number, seen)
    return None


def from_constant(node: Node, seen: Seen) -> Found | None:
    """`c - x`, as `aten.rsub` or with a constant tensor."""
    number = constant(node["other" if node.target == "aten.rsub" else "self"], seen)
    x = node["self" if node.target == "aten.rsub" else "other"]
    if number is None or node["alpha"] not in (None, 1):
        return None
    return with_constant("subtract_from", "number", node, x, number, seen)


def with_constant(kind: str, parameter: str, node: Node, argument: object, number: float, seen: Seen) -> Found | None:
    read = seen.read(argument)
    if read is None or node.shape != read.view.shape:
        return None
    return Found(kind, (read,), {parameter: number})


def constant(argument: object, seen: Seen) -> float | None:
    """The number that an argument is: itself, or a constant tensor with that one number."""
    if isinstance(argument, bool):
        return None
    if isinstance(argument, (int, float)):
        return argument if isfinite(argument) else None
    node = seen.node(argument, "state")
    if node is None or node.state is None or node.state.trained or node.state.kept:
        return None
    if len(set(node.state.numbers)) != 1:
        return None
    number = node.state.numbers[0]
    return number if isfinite(number) and all(size == 1 for size in node.shape) else None


NODES: Final[Mapping[str, Recognise]] = {
    "aten.mul": product,
    "aten.div": share,
    "aten.neg": negative,
    "aten.add": total,
    "aten.sub": lambda node, seen: total(node, seen) or from_constant(node, seen),
    "aten.rsub": from_constant,
}
