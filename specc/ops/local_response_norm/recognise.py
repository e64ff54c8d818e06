"""Local response norms in a trace, which torch writes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node

CHAIN: Final = ("aten.pow", "aten.add", "aten.mul", "aten.avg_pool3d", "aten.pad", "aten.mul")
"""What stands below the division, from there back to the square."""


def local_response_norm(node: Node, seen: Seen) -> Found | None:
    """`x / (k + alpha * avg_pool3d(x ^ 2)) ^ beta`."""
    read = seen.read(node["self"], "map")
    chain: list[Node] = []
    argument = node["other"]
    for target in CHAIN:
        step = seen.node(argument, target)
        if step is None:
            return None
        chain.append(step)
        argument = step["self"]
    power, added, weighed, mean, padded, square = chain
    if read is None or seen.view(square["self"]) != seen.view(square["other"]) or seen.view(argument) != read.view:
        return None
    size, *others = mean.ints("kernel_size")
    if others != [1, 1] or padded.ints("pad") != (0, 0, 0, 0, size // 2, (size - 1) // 2):
        return None
    numbers = {"size": size, "alpha": weighed["other"], "beta": power["exponent"], "k": added["other"]}
    return Found("local_response_norm", (read,), numbers, nodes=(*reversed(chain), node))


NODES: Final[Mapping[str, Recognise]] = {"aten.div": local_response_norm}
