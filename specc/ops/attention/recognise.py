"""Self-attention in a trace: one projection to queries, keys and values, softmax(Q K^T / sqrt(d)) V, one back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isclose
from typing import Final

from specc.ops.rms_norm.recognise import SMALLEST
from specc.traced.found import Found, Read, Recognise, Seen, taken
from specc.traced.graph import Node, Ref, Weight
from specc.traced.views import Axis, Digit, View, joined


@dataclass(frozen=True, slots=True)
class Attended:
    """softmax(Q K^T * scale) V: its views of queries, keys and values as [N, heads, T, d], and its nodes."""

    q: View
    k: View
    v: View
    dropout: float
    nodes: tuple[Node, ...]
    scale: float


def attention(node: Node, seen: Seen) -> Found | None:
    """Found at the projection back, which reads what the heads say."""
    found = attended(node["input"], seen)
    if found is None or len(found.q.axes) != 4:
        return None
    heads, head_dim = found.q.shape[1], found.q.shape[3]
    view = seen.view(node["input"])
    if not isclose(found.scale, head_dim**-0.5, rel_tol=1e-4) or view is None:
        return None
    if view.axes[-1] != joined((*found.q.axes[1], *found.q.axes[3])):
        return None
    norm = normalised(found, head_dim, seen)
    if norm is None:
        return None
    found, kv_heads = one_of_each(norm.attended, seen)
    projection, qkv, read = projected(found, Sizes(heads, kv_heads, head_dim), seen)
    back = taken(seen, node)
    if read is None or back is None or node.shape[-1] != read.channels:
        return None
    weights = {**qkv, **norm.weights, **{f"out.{name}": weight for name, weight in back.items()}}
    parameters: dict[str, object] = {"heads": heads}
    if heads * head_dim != read.channels:
        parameters["head_dim"] = head_dim
    if kv_heads != heads:
        parameters["kv_heads"] = kv_heads
    if found.dropout:
        parameters["dropout"] = found.dropout
    parameters |= {name: False for name, at in (("bias", "qkv.bias"), ("out_bias", "out.bias")) if at not in weights}
    axes = (*view.axes[:-1], (Digit("c", 1, node.shape[-1]),))
    nodes = (*projection, *norm.nodes, *found.nodes, node)
    return Found("attention", (read,), {**parameters, **norm.parameters}, weights, "tokens", axes, nodes)


@dataclass(frozen=True, slots=True)
class Sizes:
    """Heads of queries, heads of keys and values, and features of each."""

    heads: int
    kv_heads: int
    head_dim: int


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


def attended(argument: object, seen: Seen) -> Attended | None:
    """The attention whose result an argument is, as one ATen operator or written out."""
    fused = seen.node(argument, "aten.scaled_dot_product_attention")
    if fused is not None:
        views = [seen.view(fused[name]) for name in ("query", "key", "value")]
        if None in views or fused["attn_mask"] is not None or fused["is_causal"]:
            return None
        q, k, v = (view for view in views if view is not None)
        scale = fused["scale"] if isinstance(fused["scale"], float) else fused.shape[-1] ** -0.5
        rate = fused["dropout_p"]
        return Attended(q, k, v, rate if isinstance(rate, float) else 0.0, (fused,), scale)
    return written_out(argument, seen)


def written_out(argument: object, seen: Seen) -> Attended | None:
    """`softmax((q * scale) @ k.transpose(-2, -1)) @ v`, the scale wherever it stands."""
    last = seen.node(argument, "aten.matmul", "aten.bmm")
    if last is None:
        return None
    nodes, rate = [last], 0.0
    v = seen.view(second(last))
    inner = last["self"]
    dropped = seen.node(inner, "aten.dropout")
    if dropped is not None:
        nodes.append(dropped)
        rate, inner = float(str(dropped["p"])), dropped["input"]
    soft = seen.node(inner, "aten.softmax")
    if soft is None or soft["dim"] not in (-1, len(soft.shape) - 1):
        return None
    scores, scale, more = unscaled(soft["self"], seen)
    product = seen.node(scores, "aten.matmul", "aten.bmm")
    if product is None:
        return None
    left, by, left_nodes = unscaled(product["self"], seen)
    right, by_too, right_nodes = unscaled(second(product), seen)
    q, k = seen.view(left), seen.view(right)
    if q is None or k is None or v is None or len(k.axes) < 2:
        return None
    k = View(k.base, (*k.axes[:-2], k.axes[-1], k.axes[-2]), k.picks)
    found = (*right_nodes, *left_nodes, product, *more, soft, *nodes)
    return Attended(q, k, v, rate, found, scale * by * by_too)


def second(node: Node) -> object:
    return node["other"] if node.target == "aten.matmul" else node["mat2"]


def unscaled(argument: object, seen: Seen) -> tuple[object, float, tuple[Node, ...]]:
    """An argument without the number that it is multiplied with or divided by."""
    node = seen.node(argument, "aten.mul", "aten.div")
    if node is None or not isinstance(node["other"], (int, float)) or isinstance(node["other"], bool):
        return argument, 1.0, ()
    by = float(node["other"]) if node.target == "aten.mul" else 1 / float(node["other"])
    return node["self"], by, (node,)


def projected(found: Attended, sizes: Sizes, seen: Seen) -> tuple[tuple[Node, ...], Mapping[str, Weight], Read | None]:
    """The projection to queries, keys and values, its weights in our order, and what it reads.

    It is one linear layer whose rows are those of Q, K and V, or three.
    """
    nodes = [seen.node(Ref(view.base), "aten.linear") for view in (found.q, found.k, found.v)]
    if any(node is None for node in nodes):
        return (), {}, None
    q, k, v = (node for node in nodes if node is not None)
    read = seen.read(q["input"], "tokens")
    if read is None or not read.channels_last or not lie_as_heads(found, sizes):
        return (), {}, None
    if q == k == v:
        weights = taken(seen, q)
        order = order_of(found, sizes)
        if weights is None or order is None:
            return (), {}, None
        return (q,), {f"qkv.{name}": Weight(w.sources, order) for name, w in weights.items()}, read
    if not (q["input"] == k["input"] == v["input"]):
        return (), {}, None
    three = [taken(seen, node) for node in (q, k, v)]
    if any(w is None for w in three) or any(has_picks(view) for view in (found.q, found.k, found.v)):
        return (), {}, None
    if len({frozenset(w) for w in three if w is not None}) != 1:
        return (), {}, None
    names = [name for name in ("weight", "bias") if all(w is not None and name in w for w in three)]
    joined = {
        f"qkv.{name}": Weight(tuple(w[name].sources[0] for w in three if w is not None), "join") for name in names
    }
    return (q, k, v), joined, read


def has_picks(view: View) -> bool:
    return any(pick.axis == "c" for pick in view.picks)


def lie_as_heads(found: Attended, sizes: Sizes) -> bool:
    """Whether queries, keys and values are [N, heads, T, d] of tokens."""
    heads = (sizes.heads, sizes.kv_heads, sizes.kv_heads)
    return all(
        lies_as_heads(view) and view.shape[1] == count and view.shape[3] == sizes.head_dim
        for view, count in zip((found.q, found.k, found.v), heads, strict=True)
    )


def lies_as_heads(view: View) -> bool:
    """Whether a view is [N, heads, T, d] of tokens."""
    channels = [digit for axis in (view.axes[1], view.axes[3]) for digit in axis]
    return all(digit.axis == "c" for digit in channels) and all(
        digit.axis != "c" for axis in (view.axes[0], view.axes[2]) for digit in axis
    )


def order_of(found: Attended, sizes: Sizes) -> str | None:
    """How the rows of a fused projection become ours, in which the digits of a row are (q k v, head, feature)."""
    picks = [[pick for pick in view.picks if pick.axis == "c"] for view in (found.q, found.k, found.v)]
    if any(len(pick) != 1 for pick in picks):
        return None
    heads, kv_heads, head_dim = sizes.heads, sizes.kv_heads, sizes.head_dim
    inner, shared = heads * head_dim, kv_heads * head_dim
    starts = [(pick[0].low * pick[0].start, pick[0].low * pick[0].length) for pick in picks]
    rows = {pick[0].low * pick[0].size for pick in picks}
    plain = is_plain(found.q, heads, head_dim) and is_plain(found.k, kv_heads, head_dim)
    if starts == [(0, inner), (inner, shared), (inner + shared, shared)] and rows == {inner + 2 * shared}:
        return "same" if plain and is_plain(found.v, kv_heads, head_dim) else None
    if starts == [(i * head_dim, head_dim) for i in range(3)] and rows == {3 * head_dim}:
        return f"rows {heads},3,{head_dim} by 1,0,2"  # every head has its own queries, keys and values
    return None


def is_plain(view: View, heads: int, head_dim: int) -> bool:
    """Whether the heads stand one after another, the features of each together."""
    wanted_head = (Digit("c", head_dim, heads),) if heads != 1 else ()
    return view.axes[1] == wanted_head and view.axes[3] == ((Digit("c", 1, head_dim),) if head_dim != 1 else ())


NODES: Final[Mapping[str, Recognise]] = {"aten.linear": attention}
