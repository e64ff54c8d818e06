"""RMS norms in a trace: ATen's, and written out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.channels import per_channel
from specc.traced.found import Found, Recognise, Seen, taken
from specc.traced.graph import Node, Weight

SMALLEST: Final = 2.0**-23
"""What torch adds where no eps is given: the distance of 1 from the next number of single precision."""


def rms_norm(node: Node, seen: Seen) -> Found | None:
    """`aten.rms_norm` over the channels alone, which come last."""
    read, weights = seen.read(node["input"]), taken(seen, node, ("weight",))
    if read is None or weights is None:
        return None
    if not read.channels_last or node.ints("normalized_shape") != (read.channels,):
        return None
    affine = {} if weights else {"affine": False}
    eps = SMALLEST if node["eps"] is None else node["eps"]
    return Found("rms_norm", (read,), {"eps": eps, **affine}, weights)


def written_out(node: Node, seen: Seen) -> Found | None:
    """`x * rsqrt(mean(x ^ 2) + eps) * weight`."""
    for one, other in (("self", "other"), ("other", "self")):
        product = seen.node(node[one], "aten.mul")
        inner = None if product is None else divided(product, seen)
        if product is None or inner is None:
            continue
        argument, eps, nodes = inner
        read = seen.read(argument)
        state = None if read is None else per_channel(node[other], read, seen)
        if read is not None and state is not None and read.channels_last:
            return Found(
                "rms_norm", (read,), {"eps": eps}, {"weight": Weight((state.name,))}, nodes=(*nodes, product, node)
            )
    return None


def divided(product: Node, seen: Seen) -> tuple[object, float, tuple[Node, ...]] | None:
    """The x, eps and nodes of `x * rsqrt(mean(x ^ 2) + eps)`."""
    for one, other in (("self", "other"), ("other", "self")):
        root = seen.node(product[other], "aten.rsqrt")
        added = None if root is None else seen.node(root["self"], "aten.add")
        mean = None if added is None else seen.node(added["self"], "aten.mean")
        square = None if mean is None else seen.node(mean["self"], "aten.pow", "aten.square", "aten.mul")
        if root is None or added is None or mean is None or square is None:
            continue
        last = mean.ints("dim") in ((-1,), (len(seen.shape(mean["self"])) - 1,))
        squares = {"aten.pow": square["exponent"] == 2, "aten.mul": square["self"] == square["other"]}
        eps = added["other"]
        if last and squares.get(square.target, True) and isinstance(eps, float):
            if seen.view(square["self"]) == seen.view(product[one]):
                return product[one], eps, (square, mean, added, root)
    return None


NODES: Final[Mapping[str, Recognise]] = {"aten.rms_norm": rms_norm, "aten.mul": written_out}
