"""Multi-head self-attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Final, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.attention.places import PARAMETERS, Places, learned_offsets, offsets, places_of, tokens_seen
from specc.ops.dropout.rules import DROP_RATE
from specc.ops.shapes import NEEDS_TOKENS, described, product

HEADS_DIVIDE = Rule(
    "E436",
    "heads-do-not-divide",
    "the heads of an attention do not divide its features",
    "Every head looks at an equal share of a token's features, so the number of heads must divide them.\n"
    "Wrong:  patch_embed(16, dim=768) ... attention(heads=10)\n"
    "Right:  patch_embed(16, dim=768) ... attention(heads=12)",
)
KV_HEADS_DIVIDE = Rule(
    "E438",
    "kv-heads-do-not-divide",
    "the heads of keys and values do not divide the heads of an attention",
    "Equally many heads of queries share each head of keys and values, so `kv_heads` must divide `heads`.\n"
    "Wrong:  attention(heads=8, kv_heads=3)\n"
    "Right:  attention(heads=8, kv_heads=2)",
)
QK_EPS = Rule(
    "E439",
    "qk-eps-without-norm",
    "an attention without a norm of its queries and keys is given that norm's eps",
    "`qk_eps` is what `qk_norm` adds to a variance, so it needs a `qk_norm`.\n"
    "Wrong:  attention(heads=8, qk_eps=1e-5)\n"
    "Right:  attention(heads=8, qk_norm=layer, qk_eps=1e-5)",
)
CAUSAL = Rule(
    "E440",
    "causal-needs-a-sequence",
    "a causal attention has no order of its tokens",
    "With `causal=yes` a token looks at itself and those before it, so tokens must stand in a row: the pixels of a\n"
    "map and positions by distance in it have no order. Cosine scores, `scale` and `key_bias` do not go with it.\n"
    "Wrong:  conv(64, kernel=3); attention(heads=4, causal=yes)\n"
    "Right:  conv(64, kernel=3); to_tokens; attention(heads=4, causal=yes)",
)
QK_EPS_DEFAULT: Final = Fraction(1, 1_000_000)


@dataclass(frozen=True, slots=True)
class AttentionParams:
    """`inputs` and `heads` are active, `full_*` those of the largest sub-network.

    A head has `head_dim` features in every sub-network, so `heads` * `head_dim` features stand between the projections:
    as many as come in and go out, unless the heads are elastic by themselves.
    """

    inputs: Expr
    heads: Expr
    head_dim: int
    dropout: Number
    full_inputs: int
    full_heads: int


@dataclass(frozen=True, slots=True)
class GroupedParams:
    """Those of an attention that is not the usual one, with as many heads of keys and values as of queries, all biases
    and no norm of queries and keys.

    `kv_heads` are active, `full_kv_heads` those of the largest sub-network; `bias` is that of queries, keys and values.
    With `causal` a token looks at itself and at those before it.
    """

    inputs: Expr
    heads: Expr
    head_dim: int
    dropout: Number
    full_inputs: int
    full_heads: int
    kv_heads: Expr
    full_kv_heads: int
    bias: bool
    out_bias: bool
    qk_norm: str
    qk_eps: Number
    causal: bool = False


@dataclass(frozen=True, slots=True)
class PlacedParams:
    """Those of an attention that knows where its tokens stand, or scores them otherwise; else as `GroupedParams`."""

    inputs: Expr
    heads: Expr
    head_dim: int
    dropout: Number
    full_inputs: int
    full_heads: int
    kv_heads: Expr
    full_kv_heads: int
    bias: bool
    out_bias: bool
    qk_norm: str
    qk_eps: Number
    places: Places


Full: TypeAlias = GroupedParams | PlacedParams
"""The params with all that an attention can have wherever its tokens stand."""
Params: TypeAlias = AttentionParams | Full


def grouped(p: Params) -> Full:
    """The params with all that an attention can have, also those of the usual one."""
    if not isinstance(p, AttentionParams):
        return p
    return GroupedParams(
        p.inputs,
        p.heads,
        p.head_dim,
        p.dropout,
        p.full_inputs,
        p.full_heads,
        kv_heads=p.heads,
        full_kv_heads=p.full_heads,
        bias=True,
        out_bias=True,
        qk_norm="none",
        qk_eps=QK_EPS_DEFAULT,
    )


class Attention(Operator):
    """`attention(heads=12)`."""

    kind = "attention"
    example = "patch_embed(8, 64); attention(4)"
    branched = Branched(refused="it mixes all channels")
    drawn = Drawn(family="attention")
    signature = Signature(
        "attention",
        (
            Parameter("heads", "integer", doc="heads; widths become multiples of a head's features", elastic=True),
            Parameter("dropout", "number", 0, "probability of leaving a token unattended, while training"),
            Parameter("head_dim", "integer", None, "features of a head; an equal share of a token's if not given"),
            Parameter(
                "kv_heads",
                "integer",
                None,
                "heads of keys and values in the largest network, each for equally many heads of queries; `heads` if "
                "not given",
            ),
            Parameter("bias", "flag", True, "add a learned offset to queries, keys and values"),
            Parameter("out_bias", "flag", True, "add a learned offset to the output"),
            Parameter(
                "qk_norm", Words(("none", "layer", "rms")), "none", "how every query and every key is normalised"
            ),
            Parameter("qk_eps", "number", None, "added to that norm's variance; 1e-6 if not given", above=0, below=1),
            *PARAMETERS,
            Parameter("causal", "flag", False, "let a token look at itself and those before it alone"),
        ),
        "Multi-head self-attention between tokens or the pixels of a map, with projections of its input and output.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = call.inputs[0]
        if not tensor.space:
            message = f"attention needs tokens or a map, but {described(call, tensor)} here"
            call.report(NEEDS_TOKENS, message, help="move it before the vector is made")
        inputs, full_inputs = tensor.features, call.maximum(tensor.features)
        heads = cast(Expr, call.args["heads"])
        full_heads = call.maximum(heads)
        head_dim = cast("int | None", call.args["head_dim"])
        if head_dim is None and full_inputs % full_heads:
            call.report(HEADS_DIVIDE, f"{full_heads} heads do not divide {full_inputs} features", at="heads")
            heads = full_heads = 1
        rate = cast(Number, call.args["dropout"])
        if not 0 <= rate < 1:
            call.report(DROP_RATE, f"the drop rate is {float(rate):g}, outside [0, 1)", at="dropout")
        if head_dim is None:
            head_dim = full_inputs // full_heads
        shared = sharing(call, full_heads)
        alone = call.args["kv_heads"] == 1  # then any number of heads can share it
        if not isinstance(heads, (Var, Apply)) and full_heads * head_dim == full_inputs:
            together = 1 if alone else shared
            heads = product(call.whole_groups(inputs, head_dim * together), together)
        kv_heads: Expr = 1 if alone else apply("div", heads, shared)
        return Built(
            params_of(call, AttentionParams(inputs, heads, head_dim, rate, full_inputs, full_heads), kv_heads),
            ((tensor.channels, tensor.space),),
        )

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(Params, op.params)
        if isinstance(p, AttentionParams):
            inner, full_inner = product(p.heads, p.head_dim), p.full_heads * p.head_dim
            rows, full_rows = apply("mul", 3, inner), 3 * full_inner
            return (
                Weight("qkv.weight", (full_rows, p.full_inputs), (rows, p.inputs)),
                Weight("qkv.bias", (full_rows,), (rows,)),
                Weight("out.weight", (p.full_inputs, full_inner), (p.inputs, inner)),
                Weight("out.bias", (p.full_inputs,), (p.inputs,)),
            )
        if isinstance(p, PlacedParams):
            return (*own_weights(p), *projections(p, asks_all=p.places.key_bias != "none"), *of_distances(p))
        return projections(p, asks_all=True)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        terms = self.products(op, inputs, outputs)
        return reduce(lambda total, term: apply("add", total, term), (product(*factors) for factors in terms))

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        """T (3 C I + I C) of the projections, and T W I each of the scores and of the values' weighted sum, where T
        tokens look at W each: at all of them, or at those of their window."""
        p = cast(Params, op.params)
        if isinstance(p, AttentionParams):
            tokens, inner = outputs[0].space[0], product(p.heads, p.head_dim)
            return (4, tokens, inner, p.inputs), (2, tokens, tokens, inner)
        of = grouped(p)
        places = p.places if isinstance(p, PlacedParams) else Places()
        tokens, seen = tokens_seen(places, outputs[0].space)
        inner = product(of.heads, of.head_dim)
        terms = (tokens, projected(of), of.inputs), (tokens, inner, of.inputs), (2, tokens, seen, inner)
        if places.position != "continuous":
            return terms
        return (*terms, (2 * offsets(places), places.hidden), (offsets(places), places.hidden, of.heads))

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(Params, op.params)
        of = grouped(p)
        if of.qk_norm == "none":
            return 0
        places = p.places if isinstance(p, PlacedParams) else Places()
        return product(tokens_seen(places, outputs[0].space)[0], apply("add", of.heads, of.kv_heads), of.head_dim)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        p = cast(Params, op.params)
        if isinstance(p, AttentionParams):
            tokens = outputs[0].space[0]
            said = product(tokens, p.heads, p.head_dim)
            weighed = apply("add", said, product(p.heads, tokens))
            return Memory(summed=True, inner=(product(3, said), weighed, said))
        of = grouped(p)
        places = p.places if isinstance(p, PlacedParams) else Places()
        tokens, seen = tokens_seen(places, outputs[0].space)
        said = product(tokens, of.heads, of.head_dim)
        weighed = apply("add", said, product(of.heads, tokens))
        asked = product(tokens, projected(of))
        if of.full_kv_heads != of.full_heads:  # keys and values are repeated for the heads that share them
            asked = apply("add", asked, product(2, said))
        if of.qk_norm != "none" or places.scores == "cosine":
            asked = apply("add", asked, product(2, said))
        if places.position != "none" or places.shift != (0, 0):  # what is added to the scores
            asked = apply("add", asked, product(of.heads, tokens if places.shift != (0, 0) else seen, seen))
        return Memory(summed=True, inner=(asked, weighed, said))


def projections(p: Full, asks_all: bool) -> tuple[Weight, ...]:
    """The weights of both projections and of the norms between them. `asks_all`: the first has an offset for keys, too,
    if any."""
    inner, full_inner = product(p.heads, p.head_dim), p.full_heads * p.head_dim
    rows, full_rows = projected(p), (p.full_heads + 2 * p.full_kv_heads) * p.head_dim
    norms = {"none": (), "layer": ("weight", "bias"), "rms": ("weight",)}[p.qk_norm]
    return (
        Weight("qkv.weight", (full_rows, p.full_inputs), (rows, p.inputs)),
        *((Weight("qkv.bias", (full_rows,), (rows,)),) if p.bias and asks_all else ()),
        *(Weight(f"{of}_norm.{name}", (p.head_dim,), (p.head_dim,)) for of in "qk" for name in norms),
        Weight("out.weight", (p.full_inputs, full_inner), (p.inputs, inner)),
        *((Weight("out.bias", (p.full_inputs,), (p.inputs,)),) if p.out_bias else ()),
    )


def own_weights(p: PlacedParams) -> tuple[Weight, ...]:
    """What stands in the attention itself: offsets of queries and values without those of keys, and the scale that
    cosines are multiplied with, as its logarithm."""
    found = []
    if p.bias and p.places.key_bias == "none":
        for name, heads, full in (("q_bias", p.heads, p.full_heads), ("v_bias", p.kv_heads, p.full_kv_heads)):
            found.append(Weight(name, (full * p.head_dim,), (product(heads, p.head_dim),)))
    if p.places.scores == "cosine":
        found.append(Weight("log_scale", (p.full_heads,), (p.heads,)))
    return tuple(found)


def of_distances(p: PlacedParams) -> tuple[Weight, ...]:
    """The learned numbers of each distance and head, or the small network that makes them."""
    hidden = p.places.hidden
    if p.places.position == "none":
        return ()
    if p.places.position == "relative":
        count = learned_offsets(p.places)
        return (Weight("positions.weight", (count, p.full_heads), (count, p.heads)),)
    return (
        Weight("positions.hidden.weight", (hidden, 2), (hidden, 2)),
        Weight("positions.hidden.bias", (hidden,), (hidden,)),
        Weight("positions.out.weight", (p.full_heads, hidden), (p.heads, hidden)),
    )


def sharing(call: OpCall, full_heads: int) -> int:
    """How many heads of queries share a head of keys and values."""
    kv_heads = cast("int | None", call.args["kv_heads"])
    if kv_heads is None:
        return 1
    if full_heads % kv_heads:
        message = f"{kv_heads} heads of keys and values do not divide {full_heads} heads"
        call.report(KV_HEADS_DIVIDE, message, at="kv_heads")
        return 1
    return full_heads // kv_heads


def params_of(call: OpCall, usual: AttentionParams, kv_heads: Expr) -> Params:
    """The params with what is not usual, where anything is not."""
    bias, out_bias = cast(bool, call.args["bias"]), cast(bool, call.args["out_bias"])
    qk_norm, eps = cast(str, call.args["qk_norm"]), cast("Number | None", call.args["qk_eps"])
    if eps is not None and qk_norm == "none":
        call.report(QK_EPS, "`qk_eps` belongs to a norm, and there is no `qk_norm`", at="qk_eps")
    full_kv_heads = call.maximum(kv_heads)
    places = places_of(call, call.inputs[0])
    causal = cast(bool, call.args["causal"])
    if causal and places != Places():
        what = "the pixels of a map have no order" if places.on_map else "it takes no scores or key biases of its own"
        call.report(CAUSAL, f"this attention is causal, but {what}", at="causal")
    if (
        (full_kv_heads, bias, out_bias, qk_norm) == (usual.full_heads, True, True, "none")
        and places == Places()
        and not causal
    ):
        return usual
    rest = full_kv_heads, bias, out_bias, qk_norm, QK_EPS_DEFAULT if eps is None else eps
    first = usual.inputs, usual.heads, usual.head_dim, usual.dropout, usual.full_inputs, usual.full_heads
    if places == Places():
        return GroupedParams(*first, kv_heads, *rest, causal)
    return PlacedParams(*first, kv_heads, *rest, places)


def projected(p: Full) -> Expr:
    """The features of a token's queries, keys and values together."""
    return product(apply("add", p.heads, product(2, p.kv_heads)), p.head_dim)


OPERATORS = (Attention(),)
