"""Self-attention in a trace: one projection to queries, keys and values, softmax(Q K^T * scale + biases) V, one back.

Of attention in windows what happens before and after is a part, too: zeros that fill the last windows, the shift of all
pixels, and the way back from both. So it is found at the projection back, at the `roll` that undoes a shift, or in a
view that leaves away what filled the windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isclose, log
from typing import Final

from specc.ops.attention.biases import Area, Biased, biases_of
from specc.ops.attention.parts import (
    Part,
    Source,
    goes_back,
    in_rows,
    is_cropped_to,
    part_of,
    place_of_channels,
    shifted,
)
from specc.ops.attention.projections import Sizes, projected
from specc.ops.attention.scored import Attended, attended
from specc.ops.rms_norm.recognise import SMALLEST
from specc.traced.found import Found, Kind, Reads, Recognise, Seen, pair, taken
from specc.traced.graph import Node, Ref, Weight
from specc.traced.views import Axis, Digit, View, joined

BACK: Final = ("aten.linear", "aten.conv2d")
"""What projects back."""


def attention(node: Node, seen: Seen) -> Found | None:
    """At the projection back, where nothing is to be undone behind it."""
    found = looked(node, seen)
    if found is None or found.source.filled or found.source.shift != (0, 0):
        return None
    return found.found


def moved_back(node: Node, seen: Seen) -> Found | None:
    """At the `roll` behind it."""
    back = seen.node(node["self"], *BACK)
    found = None if back is None else looked(back, seen)
    view = seen.view(node["self"])
    if found is None or view is None or found.source.filled or not goes_back(node, found.source, seen):
        return None
    return replace(found.found, nodes=(*found.found.nodes, node), axes=view.axes)


def cropped(view: View, kind: Kind | None, seen: Seen) -> Found | None:
    """In a view of either that has as many pixels as the map that came in."""
    if not view.picks or kind not in (None, "map"):
        return None
    roll = seen.node(Ref(view.base), "aten.roll")
    back = seen.node(Ref(view.base) if roll is None else roll["self"], *BACK)
    found = None if back is None else looked(back, seen)
    if found is None or not found.source.filled or not is_cropped_to(view, found.source):
        return None
    if (found.source.shift != (0, 0)) != (roll is not None) or (roll and not goes_back(roll, found.source, seen)):
        return None
    nodes = found.found.nodes if roll is None else (*found.found.nodes, roll)
    return replace(found.found, nodes=nodes, axes=view.axes)


@dataclass(frozen=True, slots=True)
class Looked:
    """An attention as far as its projection back, and what it reads."""

    found: Found
    source: Source


def looked(node: Node, seen: Seen) -> Looked | None:
    """The attention that a projection back ends."""
    found = attended(node["input"], seen)
    view = seen.view(node["input"])
    if found is None or view is None:
        return None
    heads, head_dim = found.q.shape[1], found.q.shape[3]
    at = place_of_channels(node.target)
    if view.axes[at] != joined((*found.q.axes[1], *found.q.axes[3])):
        return None
    norm = normalised(found, head_dim, seen)
    if norm is None:
        return None
    found, kv_heads = one_of_each(norm.attended, seen)
    projection = projected(found, Sizes(heads, kv_heads, head_dim), seen)
    back = taken(seen, node)
    if projection is None or back is None:
        return None
    placed = places(found, projection.source, seen)
    channels = projection.source.read.channels
    if placed is None or node.shape[at] != channels:
        return None
    part, bias = placed
    weights = {**projection.weights, **norm.weights, **bias.weights}
    weights |= {f"out.{name}": weight for name, weight in back.items()}
    parameters: dict[str, object] = {"heads": heads}
    if heads * head_dim != channels:
        parameters["head_dim"] = head_dim
    if kv_heads != heads:
        parameters["kv_heads"] = kv_heads
    if found.dropout:
        parameters["dropout"] = found.dropout
    offsets = {"qkv.bias", "q_bias"} & {*weights}
    parameters |= {} if offsets else {"bias": False}
    parameters |= {} if "out.bias" in weights else {"out_bias": False}
    parameters |= {**norm.parameters, **part.parameters, **bias.parameters, **projection.parameters}
    if norm.parameters.get("scores") != "cosine" and not isclose(found.scale, head_dim**-0.5, rel_tol=1e-4):
        parameters["scale"] = found.scale
    whole: Axis = (Digit("c", 1, channels),) if channels != 1 else ()
    axes = [*view.axes]
    axes[at] = whole
    nodes = (*projection.nodes, *norm.nodes, *bias.nodes, *found.nodes, node)
    read = projection.source.read
    others = otherwise(parameters, projection.source)
    whole_found = Found("attention", (read,), parameters, weights, read.kind, tuple(axes), nodes, otherwise=others)
    return Looked(whole_found, projection.source)


def places(found: Attended, source: Source, seen: Seen) -> tuple[Part, Biased] | None:
    """Which tokens look at each other, and what is added by how far they are apart."""
    part = part_of(found.q, source, seen.batch)
    part = None if part is None else shifted(part, source)
    if part is None:
        return None
    heads, tokens = found.q.shape[1:3]
    space = (source.space[0], source.space[1]) if len(source.space) == 2 else (0, 0)
    bias = biases_of(found.biases, Area(heads, tokens, part.area, space, source.shift), seen)
    if bias is None or bias.masked != (source.shift != (0, 0)):
        return None
    if bias.parameters and not in_rows(found.q, part):
        return None
    if bias.parameters and part.area is not None and not part.parameters:
        part = replace(part, parameters={"window": pair(*part.area)})
    return part, bias


def otherwise(parameters: Mapping[str, object], source: Source) -> tuple[Mapping[str, object], ...]:
    """One window that is the whole map is a grid of as many cells as pixels."""
    window = parameters.get("window")
    if window is None or source.filled or window != pair(*source.read.space):
        return ()
    return ({"grid" if name == "window" else name: value for name, value in parameters.items()},)


@dataclass(frozen=True, slots=True)
class Normalised:
    """An attention's views of queries and keys before their norms, and what says which norms these are."""

    attended: Attended
    parameters: Mapping[str, object]
    weights: Mapping[str, Weight]
    nodes: tuple[Node, ...]


NORMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "aten.layer_norm": ("layer", ("weight", "bias")),
    "aten.rms_norm": ("rms", ("weight",)),
}
"""How queries and keys may be normalised: what `qk_norm` calls it, and its weights."""


def normalised(found: Attended, head_dim: int, seen: Seen) -> Normalised | None:
    """The attention seen through the norms of its queries and keys; as it is where there are none, None where they are
    not those of `attention`."""
    if found.factor is not None:
        return cosines(found, seen)
    q, k = (seen.node(Ref(view.base), *NORMS) for view in (found.q, found.k))
    if q is None and k is None:
        return Normalised(found, {}, {}, ())
    if q is None or k is None or q.target != k.target or q["eps"] != k["eps"]:
        return None
    kind, names = NORMS[q.target]
    weights: dict[str, Weight] = {}
    views = []
    for of, node, view in (("q", q, found.q), ("k", k, found.k)):
        before, own = seen.view(node["input"]), taken(seen, node, names)
        if before is None or own is None or len(own) != len(names) or node.ints("normalized_shape") != (head_dim,):
            return None
        weights |= {f"{of}_norm.{name}": weight for name, weight in own.items()}
        views.append(View(before.base, view.axes, (*before.picks, *view.picks)))
    parameters = {"qk_norm": kind, "qk_eps": SMALLEST if q["eps"] is None else q["eps"]}
    return Normalised(replace(found, q=views[0], k=views[1]), parameters, weights, (q, k))


def cosines(found: Attended, seen: Seen) -> Normalised | None:
    """`normalize(q) @ normalize(k)^T * exp(min(scale, log 100))`, with a learned scale a head."""
    grown = seen.node(found.factor, "aten.exp")
    bound = None if grown is None else seen.node(grown["self"], "aten.clamp", "aten.clamp_max")
    state = None if bound is None else seen.state(bound["self"])
    view = seen.view(found.factor)
    if grown is None or bound is None or state is None or view is None or not state.trained:
        return None
    most = bound["max"]
    if bound["min"] is not None or not isinstance(most, float) or not isclose(most, log(100), rel_tol=1e-6):
        return None
    if [size for size in view.shape if size != 1] != [size for size in found.q.shape[1:2] if size != 1]:
        return None
    views, nodes = [], list[Node]()
    for side in (found.q, found.k):
        length = unit(Ref(side.base), seen)
        if length is None:
            return None
        before = seen.view(length[0]["self"])
        if before is None:
            return None
        views.append(View(before.base, side.axes, (*before.picks, *side.picks)))
        nodes += length
    if not isclose(found.scale, 1):
        return None
    weights = {"log_scale": Weight((state.name,))}
    return Normalised(replace(found, q=views[0], k=views[1]), {"scores": "cosine"}, weights, (*nodes, bound, grown))


def unit(argument: object, seen: Seen) -> tuple[Node, ...] | None:
    """What divides the last axis by its length: `F.normalize(x, dim=-1)`, the division first."""
    divided = seen.node(argument, "aten.div")
    bound = None if divided is None else seen.node(divided["other"], "aten.clamp_min", "aten.clamp")
    length = None if bound is None else seen.node(bound["self"], "aten.linalg_vector_norm", "aten.norm")
    if divided is None or bound is None or length is None or length["self"] != divided["self"]:
        return None
    order = length["ord"] if length.target == "aten.linalg_vector_norm" else length["p"]
    last = length.ints("dim") in ((-1,), (len(divided.shape) - 1,))
    return (divided, bound, length) if order == 2 and last and length["keepdim"] else None


def one_of_each(found: Attended, seen: Seen) -> tuple[Attended, int]:
    """The attention with each head of keys and values once, where several heads of queries share it, and how many
    there are. Heads may be repeated by an expansion, or by the operator itself."""
    k, v = (
        View(view.base, (view.axes[0], once(view.axes[1]), *view.axes[2:]), view.picks) for view in (found.k, found.v)
    )
    return replace(found, k=k, v=v), k.shape[1]


def once(axis: Axis) -> Axis:
    """Heads without their repetitions, which count fastest."""
    return axis[:-1] if axis and axis[-1].axis == "*" else axis


NODES: Final[Mapping[str, Recognise]] = {
    "aten.linear": attention,
    "aten.conv2d": attention,
    "aten.roll": moved_back,
}
VIEWS: Final[tuple[Reads, ...]] = (cropped,)
