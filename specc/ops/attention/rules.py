"""Multi-head self-attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from typing import Final, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.dropout.rules import DROP_RATE
from specc.ops.shapes import product, require_tokens

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


Params: TypeAlias = AttentionParams | GroupedParams


def grouped(p: Params) -> GroupedParams:
    """The params with all that an attention can have, also those of the usual one."""
    if isinstance(p, GroupedParams):
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
        ),
        "Multi-head self-attention between tokens, with projections of its input and output.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "attention")
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
        inner, full_inner = product(p.heads, p.head_dim), p.full_heads * p.head_dim
        rows, full_rows = apply("mul", 3, inner), 3 * full_inner
        if not isinstance(p, GroupedParams):
            return (
                Weight("qkv.weight", (full_rows, p.full_inputs), (rows, p.inputs)),
                Weight("qkv.bias", (full_rows,), (rows,)),
                Weight("out.weight", (p.full_inputs, full_inner), (p.inputs, inner)),
                Weight("out.bias", (p.full_inputs,), (p.inputs,)),
            )
        rows, full_rows = projected(p), (p.full_heads + 2 * p.full_kv_heads) * p.head_dim
        norms = {"none": (), "layer": ("weight", "bias"), "rms": ("weight",)}[p.qk_norm]
        return (
            Weight("qkv.weight", (full_rows, p.full_inputs), (rows, p.inputs)),
            *((Weight("qkv.bias", (full_rows,), (rows,)),) if p.bias else ()),
            *(Weight(f"{of}_norm.{name}", (p.head_dim,), (p.head_dim,)) for of in "qk" for name in norms),
            Weight("out.weight", (p.full_inputs, full_inner), (p.inputs, inner)),
            *((Weight("out.bias", (p.full_inputs,), (p.inputs,)),) if p.out_bias else ()),
        )

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        terms = self.products(op, inputs, outputs)
        return reduce(lambda total, term: apply("add", total, term), (product(*factors) for factors in terms))

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        """T (3 C I + I C) of the projections, and T T I each of the scores and of the values' weighted sum."""
        p = cast(Params, op.params)
        tokens = outputs[0].space[0]
        inner = product(p.heads, p.head_dim)
        if isinstance(p, GroupedParams):
            return (tokens, projected(p), p.inputs), (tokens, inner, p.inputs), (2, tokens, tokens, inner)
        return (4, tokens, inner, p.inputs), (2, tokens, tokens, inner)

    def normalised(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(Params, op.params)
        if not isinstance(p, GroupedParams) or p.qk_norm == "none":
            return 0
        return product(outputs[0].space[0], apply("add", p.heads, p.kv_heads), p.head_dim)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        p = cast(Params, op.params)
        tokens = outputs[0].space[0]
        said = product(tokens, p.heads, p.head_dim)
        weighed = apply("add", said, product(p.heads, tokens))
        if not isinstance(p, GroupedParams):
            return Memory(summed=True, inner=(product(3, said), weighed, said))
        asked = product(tokens, projected(p))
        if p.full_kv_heads != p.full_heads:  # keys and values are repeated for the heads that share them
            asked = apply("add", asked, product(2, said))
        if p.qk_norm != "none":
            asked = apply("add", asked, product(2, said))
        return Memory(summed=True, inner=(asked, weighed, said))


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
    if (full_kv_heads, bias, out_bias, qk_norm) == (usual.full_heads, True, True, "none"):
        return usual
    return replace(
        grouped(usual),
        kv_heads=kv_heads,
        full_kv_heads=full_kv_heads,
        bias=bias,
        out_bias=out_bias,
        qk_norm=qk_norm,
        qk_eps=QK_EPS_DEFAULT if eps is None else eps,
    )


def projected(p: GroupedParams) -> Expr:
    """The features of a token's queries, keys and values together."""
    return product(apply("add", p.heads, product(2, p.kv_heads)), p.head_dim)


OPERATORS = (Attention(),)
