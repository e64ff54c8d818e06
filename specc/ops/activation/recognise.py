"""Pointwise activations in a trace: under their own names, and written out."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node, Ref
from specc.traced.views import View


def plain(kind: str) -> Recognise:
    """The recogniser of an activation that ATen has, too."""

    def recognise(node: Node, seen: Seen) -> Found | None:
        read = seen.read(node["self"])
        return None if read is None else Found(kind, (read,))

    return recognise


def curve(kind: str, **names: str) -> Recognise:
    """The recogniser of an activation with numbers, by our names and ATen's."""

    def recognise(node: Node, seen: Seen) -> Found | None:
        read = seen.read(node["self"])
        return None if read is None else Found(kind, (read,), {ours: node[theirs] for ours, theirs in names.items()})

    return recognise


def elu(node: Node, seen: Seen) -> Found | None:
    """`aten.elu`, which is also what selu and celu are where they are written with it."""
    read = seen.read(node["self"])
    if read is None or node["scale"] not in (None, 1) or node["input_scale"] not in (None, 1):
        return None
    return Found("elu", (read,), {"alpha": node["alpha"]})


def gelu(node: Node, seen: Seen) -> Found | View | None:
    """The exact one, or that with a tanh."""
    return plain("gelu" if node["approximate"] == "none" else "gelu_tanh")(node, seen)


def clamped(node: Node, seen: Seen) -> Found | None:
    """`relu6` as a clamp, and hsigmoid, which is relu6(x + 3) / 6, begins with it."""
    low, high = bounds_of(node)
    read = seen.read(node["self"])
    if read is None or (low is None and high is None) or any(isinstance(node[end], Ref) for end in ("min", "max")):
        return None
    if (low, high) == (0, 6):
        return Found("relu6", (read,))
    if (low, high) == (0, None):
        return Found("relu", (read,))
    if low is not None and high is not None:
        return Found("hardtanh", (read,), {"low": low, "high": high}) if low < high else None
    return Found("clamp", (read,), {"high": high} if low is None else {"low": low})


def gated(node: Node, seen: Seen) -> Found | None:
    """`x * sigmoid(x)` and `x * hardsigmoid(x)`, in either order; `x * relu6(x + 3) / 6` is divided first or last."""
    for one, other in (("self", "other"), ("other", "self")):
        gate = seen.node(node[other], *GATES)
        if gate is not None and same(gate["self"], node[one], seen):
            read = seen.read(node[one])
            if read is not None:
                return Found(GATES[gate.target], (read,), nodes=(gate, node))
        quick = quick_gate(node[other], node[one], seen)
        if quick is not None:
            read = seen.read(node[one])
            return None if read is None else Found("quick_gelu", (read,), nodes=(*quick, node))
        inner = shifted_relu6(node[other], seen, divided=True)
        if inner is not None and same(inner[0], node[one], seen):
            read = seen.read(node[one])
            if read is not None:
                return Found("hswish", (read,), nodes=(*inner[1], node))
    return sixth(node, seen) if is_sixth(node) else None


def quick_gate(argument: object, x: object, seen: Seen) -> tuple[Node, ...] | None:
    """The nodes of `sigmoid(1.702 x)`."""
    gate = seen.node(argument, "aten.sigmoid")
    inner = None if gate is None else seen.node(gate["self"], "aten.mul")
    if gate is None or inner is None or not same(inner["self"], x, seen):
        return None
    by = inner["other"]
    return (inner, gate) if isinstance(by, float) and abs(by - 1.702) < 1e-6 else None


def sixth(node: Node, seen: Seen) -> Found | None:
    """`relu6(x + 3) / 6`, and `x * relu6(x + 3) / 6` divided at the end."""
    inner = shifted_relu6(node["self"], seen, divided=False)
    if inner is not None:
        read = seen.read(inner[0])
        return None if read is None else Found("hsigmoid", (read,), nodes=(*inner[1], node))
    product = seen.node(node["self"], "aten.mul")
    if product is None:
        return None
    for one, other in (("self", "other"), ("other", "self")):
        inner = shifted_relu6(product[other], seen, divided=False)
        if inner is not None and same(inner[0], product[one], seen):
            read = seen.read(product[one])
            return None if read is None else Found("hswish", (read,), nodes=(*inner[1], product, node))
    return None


def is_sixth(node: Node) -> bool:
    other = node["other"]
    if not isinstance(other, (int, float)):
        return False
    return other == 6 if node.target == "aten.div" else abs(other - 1 / 6) < 1e-7


def shifted_relu6(argument: object, seen: Seen, divided: bool) -> tuple[object, tuple[Node, ...]] | None:
    """What x is in `relu6(x + 3)`, or in a sixth of it, with the nodes of that."""
    nodes: list[Node] = []
    if divided:
        share = seen.node(argument, "aten.div", "aten.mul")
        if share is None or not is_sixth(share):
            return None
        nodes.append(share)
        argument = share["self"]
    clamp = seen.node(argument, "aten.relu6", "aten.hardtanh", "aten.clamp")
    if clamp is None or bounds_of(clamp) != (0, 6):
        return None
    added = seen.node(clamp["self"], "aten.add")
    if added is None or added["other"] != 3:
        return None
    return added["self"], (added, clamp, *nodes)


def bounds_of(node: Node) -> tuple[float | None, float | None]:
    """Between which numbers a node keeps what it reads; None where there is no bound, or none that is a number."""
    if node.target == "aten.relu6":
        return 0, 6
    if node.target == "aten.relu":
        return 0, None
    low, high = ("min_val", "max_val") if node.target == "aten.hardtanh" else ("min", "max")
    return bound(node[low]), bound(node[high])


def bound(value: object) -> float | None:
    return value if isinstance(value, (int, float)) and isfinite(value) else None


def same(one: object, other: object, seen: Seen) -> bool:
    """Whether two arguments are one tensor that lies alike."""
    return isinstance(one, Ref) and isinstance(other, Ref) and seen.view(one) == seen.view(other)


GATES: Final[Mapping[str, str]] = {"aten.sigmoid": "silu", "aten.hardsigmoid": "hswish"}
NODES: Final[Mapping[str, Recognise]] = {
    "aten.relu": plain("relu"),
    "aten.relu6": plain("relu6"),
    "aten.hardtanh": clamped,
    "aten.clamp": clamped,
    "aten.clamp_min": clamped,
    "aten.clamp_max": clamped,
    "aten.hardswish": plain("hswish"),
    "aten.hardsigmoid": plain("hsigmoid"),
    "aten.silu": plain("silu"),
    "aten.gelu": gelu,
    "aten.sigmoid": plain("sigmoid"),
    "aten.tanh": plain("tanh"),
    "aten.leaky_relu": curve("leaky_relu", slope="negative_slope"),
    "aten.elu": elu,
    "aten.celu": curve("celu", alpha="alpha"),
    "aten.selu": plain("selu"),
    "aten.mish": plain("mish"),
    "aten.softplus": curve("softplus", beta="beta", threshold="threshold"),
    "aten.mul": gated,
    "aten.div": lambda node, seen: sixth(node, seen) if is_sixth(node) else None,
}
