"""Local response norms in a trace: torch writes them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node


def local_response_norm(node: Node, seen: Seen) -> Found | None:
    """`x / (k + alpha * mean of neighbours' squares) ** beta`."""
    read = seen.read(node["self"], "map")
    power = seen.node(node["other"], "aten.pow")
    added = None if power is None else seen.node(power["self"], "aten.add")
    scaled = None if added is None else seen.node(added["self"], "aten.mul")
    mean = None if scaled is None else seen.node(scaled["self"], "aten.avg_pool3d")
    padded = None if mean is None else seen.node(mean["self"], "aten.pad", "aten.constant_pad_nd")
    square = None if padded is None else seen.node(padded["self"], "aten.mul")
    if read is None or power is None or added is None or scaled is None or mean is None or padded is None:
        return None
    if square is None or seen.view(square["self"]) != read.view or seen.view(square["other"]) != read.view:
        return None
    size = mean.ints("kernel_size")[0]
    if mean.ints("kernel_size") != (size, 1, 1) or padded.ints("pad") != (0, 0, 0, 0, size // 2, (size - 1) // 2):
        return None
    parameters = {"size": size, "alpha": scaled["other"], "beta": power["exponent"], "k": added["other"]}
    nodes = (square, padded, mean, scaled, added, power, node)
    return Found("local_response_norm", (read,), parameters, nodes=nodes)


NODES: Final[Mapping[str, Recognise]] = {"aten.div": local_response_norm}
