"""Convolutions in a trace whose weight is a parameter that is standardised before every use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
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
    elif found.factor != 1:
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
    product = seen.node(argument, "aten.mul")
    if product is None:
        gain = seen.node(argument, "state")
        return None if gain is None or not trained(gain) else replace(found, gain=gain.state)
    for one, other in (("self", "other"), ("other", "self")):
        gain, factor = seen.node(product[one], "state"), constant(product[other], seen)
        if gain is not None and factor is not None and trained(gain):
            return replace(found, gain=gain.state, factor=factor, nodes=(*found.nodes, product))
    return None


def written_out(argument: object, seen: Seen) -> Standardised | None:
    """`(w - mean) / sqrt(var + eps)`, of `torch.var_mean(w, (1, 2, 3), unbiased=False)`."""
    share = seen.node(argument, "aten.div")
    less = None if share is None else seen.node(share["self"], "aten.sub")
    root = None if share is None else seen.node(share["other"], "aten.sqrt")
    more = None if root is None else seen.node(root["self"], "aten.add")
    if share is None or less is None or root is None or more is None:
        return None
    state, eps = filters(less["self"], argument, seen), constant(more["other"], seen)
    var, mean = seen.node(more["self"], "item"), seen.node(less["other"], "item")
    if state is None or eps is None or var is None or mean is None:
        return None
    both = seen.node(var["self"], "aten.var_mean")
    if both is None or seen.node(mean["self"], "aten.var_mean") is not both or not over_filters(both):
        return None
    if filters(both["self"], argument, seen) != state:
        return None
    return Standardised(state, eps, (both, mean, var, less, more, root, share))


def over_filters(node: Node) -> bool:
    """Whether mean and variance are those of whole filters, of the weights that there are."""
    biased = node["correction"] == 0 or node["unbiased"] is False
    return biased and {axis % 4 for axis in node.ints("dim")} == {1, 2, 3}


def filters(argument: object, weight: object, seen: Seen) -> State | None:
    """The parameter of as many numbers as the weight has that an argument is, in whatever shape."""
    node = seen.node(argument, "state")
    if node is None or not trained(node) or node.shape != seen.shape(weight):
        return None
    return node.state


def trained(node: Node) -> bool:
    return node.state is not None and node.state.trained


NODES: Final[Mapping[str, Recognise]] = {"aten.conv2d": convolution}
