"""The projection of tokens to queries, keys and values in a trace, and its weights in our order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

from specc.ops.attention.parts import Source, place_of_channels, source_of
from specc.ops.attention.scored import Attended
from specc.traced.found import Seen, taken
from specc.traced.graph import Node, Ref, Weight
from specc.traced.views import Digit, View

PROJECTIONS: Final = ("aten.linear", "aten.conv2d")


@dataclass(frozen=True, slots=True)
class Sizes:
    """Heads of queries, heads of keys and values, and features of each."""

    heads: int
    kv_heads: int
    head_dim: int


@dataclass(frozen=True, slots=True)
class Projected:
    """The projection to queries, keys and values: its nodes, its weights by our names, and what it reads. `parameters`
    say which offsets it adds, where they are not the usual ones."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Weight]
    source: Source
    parameters: Mapping[str, object] = field(default_factory=dict)


def projected(found: Attended, sizes: Sizes, seen: Seen) -> Projected | None:
    """One linear layer whose rows are those of Q, K and V, or three; or as many convolutions of one pixel."""
    nodes = [seen.node(Ref(view.base), *PROJECTIONS) for view in (found.q, found.k, found.v)]
    if any(node is None or not of_one_pixel(node, seen) for node in nodes):
        return None
    q, k, v = (node for node in nodes if node is not None)
    source = source_of(q["input"], seen)
    if source is None or not lie_as_heads(found, sizes):
        return None
    view = seen.view(q["input"])
    whole = (Digit("c", 1, source.read.channels),) if source.read.channels != 1 else ()
    if view is None or view.axes[place_of_channels(q.target)] != whole:
        return None
    nodes_before = source.nodes
    if q == k == v:
        return fused(q, found, sizes, source, seen)
    if not (q["input"] == k["input"] == v["input"]):
        return None
    three = [taken(seen, node) for node in (q, k, v)]
    if any(w is None for w in three) or any(has_picks(view) for view in (found.q, found.k, found.v)):
        return None
    if len({frozenset(w) for w in three if w is not None}) != 1:
        return None
    names = [name for name in ("weight", "bias") if all(w is not None and name in w for w in three)]
    joined = {
        f"qkv.{name}": Weight(tuple(w[name].sources[0] for w in three if w is not None), "join") for name in names
    }
    return Projected((*nodes_before, q, k, v), joined, source)


def fused(node: Node, found: Attended, sizes: Sizes, source: Source, seen: Seen) -> Projected | None:
    """One layer for queries, keys and values."""
    order = order_of(found, sizes)
    weights = taken(seen, node, ("weight",))
    if weights is None or order is None:
        return None
    rows = {"qkv.weight": Weight(weights["weight"].sources, order)}
    if node["bias"] is None:
        return Projected((*source.nodes, node), rows, source)
    state = seen.state(node["bias"])
    if state is not None:
        offset = Weight((state.name,), order)
        return Projected((*source.nodes, node), {**rows, "qkv.bias": offset}, source)
    other = offsets_without_keys(node["bias"], sizes, seen) if order == "same" else None
    if other is None:
        return None
    before, more, parameters = other
    return Projected((*source.nodes, *before, node), {**rows, **more}, source, parameters)


def offsets_without_keys(
    argument: object, sizes: Sizes, seen: Seen
) -> tuple[tuple[Node, ...], Mapping[str, Weight], Mapping[str, object]] | None:
    """An offset of queries and values alone: zeros between two parameters, or a part of one that is set to zero."""
    inner, shared = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    cat = seen.node(argument, "aten.cat", "aten.concat")
    if cat is not None:
        parts = cast("tuple[object, ...]", cat["tensors"])
        if len(parts) != 3 or [seen.shape(part) for part in parts] != [(inner,), (shared,), (shared,)]:
            return None
        q, zeros, v = (seen.state(part) for part in parts)
        if q is None or zeros is None or v is None or not q.trained or not v.trained:
            return None
        if zeros.trained or {*zeros.numbers} != {0}:
            return None
        return (cat,), {"q_bias": Weight((q.name,)), "v_bias": Weight((v.name,))}, {"key_bias": "none"}
    put = seen.node(argument, "aten.slice_scatter")
    zero = None if put is None else seen.node(put["src"], "aten.zero")
    state = None if put is None else seen.state(put["self"])
    if put is None or zero is None or state is None or put["dim"] != 0 or put["step"] not in (None, 1):
        return None
    if (put["start"], put["end"]) != (inner, inner + shared):
        return None
    return (zero, put), {"qkv.bias": Weight((state.name,))}, {"key_bias": "zero"}


def of_one_pixel(node: Node | None, seen: Seen) -> bool:
    """Whether a projection looks at each token alone."""
    if node is None or node.target == "aten.linear":
        return node is not None
    plain = {*node.ints("stride")} <= {1} and {*node.ints("padding")} <= {0} and node["groups"] == 1
    return plain and seen.shape(node["weight"])[2:] == (1, 1)


def has_picks(view: View) -> bool:
    return any(pick.axis == "c" for pick in view.picks)


def lie_as_heads(found: Attended, sizes: Sizes) -> bool:
    """Whether queries, keys and values are [parts, heads, T, d] of tokens."""
    heads = (sizes.heads, sizes.kv_heads, sizes.kv_heads)
    same = found.q.axes[0] == found.k.axes[0] == found.v.axes[0] and found.q.axes[2] == found.k.axes[2]
    return same and all(
        lies_as_heads(view) and view.shape[1] == count and view.shape[3] == sizes.head_dim
        for view, count in zip((found.q, found.k, found.v), heads, strict=True)
    )


def lies_as_heads(view: View) -> bool:
    """Whether a view is [parts, heads, T, d] of tokens."""
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
