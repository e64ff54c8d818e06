"""softmax(Q K^T * scale + bias) V in a trace: as one ATen operator, or written out with any product of matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from specc.traced.found import Seen
from specc.traced.graph import Node
from specc.traced.products import Product, product_of
from specc.traced.views import Digit, View, joined


@dataclass(frozen=True, slots=True)
class Attended:
    """softmax(Q K^T * scale + biases) V: its views of queries, keys and values as [parts of an image, heads, T, d].

    nodes    what computes it
    biases   the arguments that are added to the scores
    factor   the argument that the scores are multiplied with beside `scale`, where it is no number
    """

    q: View
    k: View
    v: View
    dropout: float
    nodes: tuple[Node, ...]
    scale: float
    biases: tuple[object, ...] = ()
    factor: object = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Q K^T * scale + biases."""

    product: Product
    scale: float
    nodes: tuple[Node, ...]
    biases: tuple[object, ...] = ()
    factor: object = None


SOFTMAXES: Final = ("aten.softmax", "aten._softmax")


def attended(argument: object, seen: Seen) -> Attended | None:
    """The attention whose result an argument is."""
    found = fused(argument, seen) or written_out(argument, seen)
    if found is None or min(len(view.axes) for view in (found.q, found.k, found.v)) < 4:
        return None
    return replace(found, q=of_four_axes(found.q), k=of_four_axes(found.k), v=of_four_axes(found.v))


def of_four_axes(view: View) -> View:
    """The view with one axis for images and their parts."""
    before = joined(digit for axis in view.axes[:-3] for digit in axis)
    return View(view.base, (before, *view.axes[-3:]), view.picks)


def fused(argument: object, seen: Seen) -> Attended | None:
    """`scaled_dot_product_attention`."""
    node = seen.node(argument, "aten.scaled_dot_product_attention")
    if node is None or node["is_causal"]:
        return None
    views = [seen.view(node[name]) for name in ("query", "key", "value")]
    if None in views:
        return None
    q, k, v = (view for view in views if view is not None)
    scale = node["scale"] if isinstance(node["scale"], float) else node.shape[-1] ** -0.5
    rate = node["dropout_p"]
    terms, nodes = ((), ()) if node["attn_mask"] is None else addends(node["attn_mask"], seen)
    return Attended(q, k, v, rate if isinstance(rate, float) else 0.0, (*nodes, node), scale, terms)


def written_out(argument: object, seen: Seen) -> Attended | None:
    """`softmax(q @ k.transpose(-2, -1)) @ v`, the scale wherever it stands; or `v @ softmax(..)`, both transposed."""
    last = product_of(argument, seen)
    if last is None:
        return None
    for inner, other, turned in ((last.first, last.right, False), (last.second, last.left, True)):
        nodes, rate = [last.node], 0.0
        dropped = seen.node(inner, "aten.dropout")
        if dropped is not None:
            nodes.append(dropped)
            rate, inner = float(str(dropped["p"])), dropped["input"]
        soft = seen.node(inner, *SOFTMAXES)
        if soft is None or soft["dim"] not in (-1, len(soft.shape) - 1):
            continue
        scores = scored(soft["self"], seen)
        if scores is None:
            return None
        q, k, before = unscaled_sides(scores, seen)
        v = transposed(other) if turned else other
        if q is None or k is None:
            return None
        scale = scores.scale * before[0]
        found = (*before[1], *scores.nodes, soft, *nodes)
        return Attended(q, transposed(k), v, rate, found, scale, scores.biases, scores.factor)
    return None


def transposed(view: View) -> View:
    return View(view.base, (*view.axes[:-2], view.axes[-1], view.axes[-2]), view.picks)


def scored(argument: object, seen: Seen) -> Scores | None:
    """What the scores of an attention are: a product of matrices, scaled, and what is added to it."""
    product = product_of(argument, seen)
    if product is not None and product.plain:
        return Scores(product, 1.0, (product.node,))
    node = seen.node(argument, "aten.add", "aten.mul", "aten.div")
    if node is None:
        return None
    if node.target == "aten.add":
        return biased(node, seen)
    for one, other in (("self", "other"), ("other", "self")):
        number = number_of(node[other])
        inner = scored(node[one], seen) if one == "self" or node.target == "aten.mul" else None
        if inner is None or inner.biases:
            continue
        if number is not None:
            by = number if node.target == "aten.mul" else 1 / number
            return replace(inner, scale=inner.scale * by, nodes=(*inner.nodes, node))
        if node.target == "aten.mul" and inner.factor is None:
            return replace(inner, factor=node[other], nodes=(*inner.nodes, node))
    return None


def biased(node: Node, seen: Seen) -> Scores | None:
    """Scores and what is added to them."""
    if node["alpha"] not in (None, 1):
        return None
    for one, other in (("self", "other"), ("other", "self")):
        inner = scored(node[one], seen)
        if inner is not None:
            terms, nodes = addends(node[other], seen)
            return replace(inner, biases=(*inner.biases, *terms), nodes=(*inner.nodes, *nodes, node))
    return None


def addends(argument: object, seen: Seen) -> tuple[tuple[object, ...], tuple[Node, ...]]:
    """The terms of a sum, and the nodes that add them."""
    node = seen.node(argument, "aten.add")
    if node is None or node["alpha"] not in (None, 1):
        return (argument,), ()
    sides = [addends(node[name], seen) for name in ("self", "other")]
    return (*sides[0][0], *sides[1][0]), (*sides[0][1], *sides[1][1], node)


def unscaled_sides(scores: Scores, seen: Seen) -> tuple[View | None, View | None, tuple[float, tuple[Node, ...]]]:
    """Queries as [.., T, d] and keys as [.., d, T] before either was scaled; by how much, and where."""
    by, nodes, views = 1.0, list[Node](), list[View | None]()
    for argument, view in ((scores.product.first, scores.product.left), (scores.product.second, scores.product.right)):
        before, factor, more = unscaled(argument, seen)
        inner = seen.view(before)
        by, nodes = by * factor, [*more, *nodes]
        views.append(None if inner is None else View(inner.base, view.axes, inner.picks) if more else view)
    return views[0], views[1], (by, tuple(nodes))


def unscaled(argument: object, seen: Seen) -> tuple[object, float, tuple[Node, ...]]:
    """An argument without the number that it is multiplied with or divided by."""
    node = seen.node(argument, "aten.mul", "aten.div")
    number = None if node is None else number_of(node["other"])
    if node is None or number is None:
        return argument, 1.0, ()
    return node["self"], number if node.target == "aten.mul" else 1 / number, (node,)


def number_of(argument: object) -> float | None:
    """The number, not 0, that an argument is."""
    plain = isinstance(argument, (int, float)) and not isinstance(argument, bool) and argument != 0
    return float(argument) if plain else None  # type: ignore[arg-type]


def expanded_away(view: View) -> View:
    """The view without axes that repeat what is there, and without those of size 1."""
    axes = (tuple(digit for digit in axis if digit.axis != "*") for axis in view.axes)
    return View(view.base, tuple(axis for axis in axes if axis), view.picks)


def counts(axis: tuple[Digit, ...], name: str) -> int:
    """How many values of the axis `name` an axis of a view counts."""
    size = 1
    for digit in axis:
        size *= digit.size if digit.axis == name else 1
    return size
