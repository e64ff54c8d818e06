"""Multi-head self-attention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Branched, Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
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
        ),
        "Multi-head self-attention between tokens, with biases, and projections of its input and output.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "attention")
        inputs, full_inputs = tensor.features, call.maximum(tensor.features)
        heads = cast(Expr, call.args["heads"])
        full_heads = call.maximum(heads)
        if full_inputs % full_heads:
            call.report(HEADS_DIVIDE, f"{full_heads} heads do not divide {full_inputs} features", at="heads")
            heads = full_heads = 1
        rate = cast(Number, call.args["dropout"])
        if not 0 <= rate < 1:
            call.report(DROP_RATE, f"the drop rate is {float(rate):g}, outside [0, 1)", at="dropout")
        head_dim = full_inputs // full_heads
        if not isinstance(heads, (Var, Apply)):
            heads = call.whole_groups(inputs, head_dim)
        params = AttentionParams(inputs, heads, head_dim, rate, full_inputs, full_heads)
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(AttentionParams, op.params)
        inner, full_inner = product(p.heads, p.head_dim), p.full_heads * p.head_dim
        return (
            Weight("qkv.weight", (3 * full_inner, p.full_inputs), (apply("mul", 3, inner), p.inputs)),
            Weight("qkv.bias", (3 * full_inner,), (apply("mul", 3, inner),)),
            Weight("out.weight", (p.full_inputs, full_inner), (p.inputs, inner)),
            Weight("out.bias", (p.full_inputs,), (p.inputs,)),
        )

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        projections, attending = self.products(op, inputs, outputs)
        return apply("add", product(*projections), product(*attending))

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        """T (3 C I + I C) of the projections, and T T I each of the scores and of the values' weighted sum."""
        p = cast(AttentionParams, op.params)
        tokens = outputs[0].space[0]
        inner = product(p.heads, p.head_dim)
        return (4, tokens, inner, p.inputs), (2, tokens, tokens, inner)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        p = cast(AttentionParams, op.params)
        tokens = outputs[0].space[0]
        said = product(tokens, p.heads, p.head_dim)
        return Memory(summed=True, inner=(product(3, said), apply("add", said, product(p.heads, tokens)), said))


OPERATORS = (Attention(),)
