"""Convolutions in a trace whose weight is a parameter that is standardised before every use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Final, cast

from specc.ops.constant.recognise import constant
from specc.ops.conv.recognise import window_arguments, zeros_around
from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, State, Weight
from specc.traced.views import arranged


@dataclass(frozen=True, slots=True)
class Standardised:
    """A parameter of filters, how it is standardised, and the nodes that do so."""

    state: State
    eps: float
    nodes: tuple[Node, ...]
    gain: State | None = None
    factor: float = 1.0


def convolution(node: Node, seen: Seen) -> Found | None:
    """`aten.conv2d` with such a weight."""
    found = by_norm(node["weight"], seen) or written_out(node["weight"], seen)
    padded, border = zeros_around(node["input"], seen)
    read = seen.read(node["input"] if padded is None else padded["self"], "map")
    shape = seen.shape(node["weight"])
    if found is None or read is None or len(shape) != 4:
        return None
    weights = {"weight": Weight((found.state.name,))}
    bias = None if node["bias"] is None else seen.state(node["bias"])
    if bias is not None:
        weights["bias"] = Weight((bias.name,))
    elif node["bias"] is not None:
        return None
    parameters: dict[str, object] = {"out": shape[0], **window_arguments(node, shape[2:], border)}
    if node["groups"] != 1:
        parameters["groups"] = node["groups"]
    if bias is not None:
        parameters["bias"] = True
    if found.eps != 1e-6:
        parameters["eps"] = found.eps
    if found.gain is not None:
        weights["gain"] = Weight((found.gain.name,))
        parameters["gain"] = True
        gamma = found.factor * (shape[1] * shape[2] * shape[3]) ** 0.5
        if abs(gamma - 1) > 1e-9:
            parameters["gamma"] = gamma
    elif abs(found.factor - 1) > 1e-9:
        return None
    nodes = (*found.nodes, *(() if padded is None else (padded,)), node)
    return Found("standardized_conv", (read,), parameters, weights, axes=arranged("nchw", node.shape), nodes=nodes)


def by_norm(argument: object, seen: Seen) -> Standardised | None:
    """`F.batch_norm(weight.reshape(1, out, -1), training=True)`, with a gain times a constant as its weight, if any."""
    norm = seen.node(argument, "aten.batch_norm")
    if norm is None or not norm["training"] or norm["running_mean"] is not None or norm["bias"] is not None:
        return None
    state = filters(norm["input"], argument, seen)
    if state is None or norm.shape[:2] != (1, seen.shape(argument)[0]):
        return None
    found = Standardised(state, cast(float, norm["eps"]), (norm,))
    return found if norm["weight"] is None else with_gain(found, norm["weight"], seen)


def with_gain(found: Standardised, argument: object, seen: Seen) -> Standardised | None:
    """The filters times a parameter, which may be times a constant."""
    split = factors(argument, seen)
    gains = [node for each in split.above if (node := seen.node(each, "state")) is not None and trained(node)]
    if len(gains) != 1 or len(split.above) != 1 or split.below:
        return None
    return replace(found, gain=gains[0].state, factor=split.number, nodes=(*found.nodes, *split.nodes))


def written_out(argument: object, seen: Seen) -> Standardised | None:
    """`(w - mean) / sqrt(var + eps)`, however it is multiplied, with a gain and constants among the factors."""
    split = factors(argument, seen)
    gains = [node.state for each in split.above if (node := seen.node(each, "state")) is not None and trained(node)]
    less = [node for each in split.above if (node := seen.node(each, "aten.sub")) is not None]
    roots = [
        *(node for each in split.above if (node := seen.node(each, "aten.rsqrt")) is not None),
        *(node for each in split.below if (node := seen.node(each, "aten.sqrt")) is not None),
    ]
    others = len(split.above) + len(split.below) - len(gains) - len(less) - len(roots)
    if len(less) != 1 or len(roots) != 1 or len(gains) > 1 or others:
        return None
    state, centring = centred_filters(less[0], argument, seen)
    spread = spread_of(roots[0], state, argument, seen)
    if state is None or spread is None:
        return None
    eps, corrected, spreading = spread
    nodes = (*spreading, *centring, roots[0], *split.nodes)
    return Standardised(state, eps, nodes, gains[0] if gains else None, split.number * corrected)


@dataclass(frozen=True, slots=True)
class Factors:
    """`number * (product of above) / (product of below)`, and the nodes that compute it."""

    above: tuple[object, ...] = ()
    below: tuple[object, ...] = ()
    number: float = 1.0
    nodes: tuple[Node, ...] = ()


def factors(argument: object, seen: Seen) -> Factors:
    """What is multiplied with each other, and what that is divided by."""
    number = constant(argument, seen)
    node = seen.node(argument, "aten.mul", "aten.div")
    if number:
        return Factors(number=number)
    if node is None or node["rounding_mode"] is not None:
        return Factors((argument,))
    one, other = factors(node["self"], seen), factors(node["other"], seen)
    if node.target == "aten.div":
        other = Factors(other.below, other.above, 1 / other.number, other.nodes)
    nodes = (*one.nodes, *other.nodes, node)
    return Factors((*one.above, *other.above), (*one.below, *other.below), one.number * other.number, nodes)


def centred_filters(less: Node, weight: object, seen: Seen) -> tuple[State | None, tuple[Node, ...]]:
    """The parameter of filters of which their mean is taken, and the nodes that do so."""
    state = filters(less["self"], weight, seen)
    mean, item = seen.node(less["other"], "aten.mean"), seen.node(less["other"], "item")
    both = None if item is None else seen.node(item["self"], "aten.var_mean")
    found = mean or both
    if found is None or filters(found["self"], weight, seen) != state or not over_filters(found):
        return None, ()
    return state, (found, *(() if item is None else (item,)), less)


def spread_of(
    root: Node, state: State | None, weight: object, seen: Seen
) -> tuple[float, float, tuple[Node, ...]] | None:
    """Of `sqrt(var + eps)`: eps, a factor, and the nodes. A variance with Bessel's correction is n / (n - 1) times
    ours, for n weights in a filter."""
    more = seen.node(root["self"], "aten.add")
    eps = None if more is None else constant(more["other"], seen)
    var = None if more is None else seen.node(more["self"], "aten.var", "aten.var_mean")
    if more is None or eps is None or var is None or not over_filters(var):
        return None
    if filters(var["self"], weight, seen) != state:
        return None
    n = prod(seen.shape(weight)[1:])
    correction = var["correction"] if var["unbiased"] is None else int(bool(var["unbiased"]))
    correction = 1 if correction is None else correction
    if correction == 0:
        return eps, 1.0, (var, more)
    if correction != 1 or n == 1:
        return None
    return eps * (n - 1) / n, ((n - 1) / n) ** 0.5, (var, more)


def over_filters(node: Node) -> bool:
    """Whether mean or variance are those of whole filters."""
    return {axis % 4 for axis in node.ints("dim")} == {1, 2, 3}


def filters(argument: object, weight: object, seen: Seen) -> State | None:
    """The parameter of as many numbers as the weight has that an argument is, in whatever shape."""
    node = seen.node(argument, "state")
    if node is None or not trained(node) or node.shape != seen.shape(weight):
        return None
    return node.state


def trained(node: Node) -> bool:
    return node.state is not None and node.state.trained


NODES: Final[Mapping[str, Recognise]] = {"aten.conv2d": convolution}
