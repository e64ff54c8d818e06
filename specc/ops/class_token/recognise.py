"""Class tokens in a trace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, State, Weight
from specc.traced.views import Digit, arranged


def class_token(node: Node, seen: Seen) -> Found | None:
    """`torch.cat([token.expand(n, -1, -1), x], 1)`."""
    parts = cast("tuple[object, ...]", node["tensors"])
    if len(parts) != 2 or node["dim"] not in (1, -2):
        return None
    state = expanded_state(parts[0], seen)
    read = seen.read(parts[1], "tokens")
    if state is None or read is None or len(node.shape) != 3 or not read.channels_last:
        return None
    if read.view.shape[0] != seen.batch or seen.shape(parts[0]) != (seen.batch, 1, read.channels):
        return None
    weights = {"weight": Weight((state.name,))}
    return Found("class_token", (read,), {}, weights, axes=arranged("ntc", node.shape))


def expanded_state(argument: object, seen: Seen) -> State | None:
    """A parameter that is one token, repeated for every image."""
    view = seen.view(argument)
    node = seen.node(argument, "state")
    if view is None or node is None or node.state is None or not node.state.trained:
        return None
    axes = [axis for axis in view.axes if axis and axis[0].axis != "*"]
    last = str(len(node.shape) - 1)
    return node.state if axes == [(Digit(last, 1, node.shape[-1]),)] and not view.picks else None


NODES: Final[Mapping[str, Recognise]] = {"aten.cat": class_token, "aten.concat": class_token}
