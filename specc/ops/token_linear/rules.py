"""A fully connected layer along the tokens, the same for every channel, as in MLP-Mixer (Tolstikhin et al., 2021),
ResMLP and gMLP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product, require_tokens

ELASTIC_TOKENS = Rule(
    "E471",
    "mixer-elastic-tokens",
    "a layer along the tokens needs a fixed number of them",
    "`token_linear` has a weight for each pair of tokens, so there must be one number of tokens at every resolution.\n"
    "Wrong:  input image(3, resolution=192..224 step 32) ... patch_embed(32, dim=64); token_linear\n"
    "Right:  input image(3, 224, 224) ... patch_embed(32, dim=64); token_linear",
)


@dataclass(frozen=True, slots=True)
class TokenLinearParams:
    """So many tokens become `out`."""

    tokens: int
    out: int
    bias: bool


class TokenLinear(Operator):
    """`token_linear`, `token_linear(384)`. No weight belongs to a channel, so that channels may be elastic."""

    kind = "token_linear"
    example = "patch_embed(8, 64); residual { norm layer; norm; token_linear(32); gelu; token_linear(16) }"
    channelwise = True
    layer = True
    drawn = Drawn(family="linear", word="along tokens")
    signature = Signature(
        "token_linear",
        (
            Parameter("out", "integer", None, "tokens that it makes; as many as arrive if not given"),
            Parameter("bias", "flag", True, "add a learned offset per token"),
        ),
        "A fully connected layer along the tokens: what each channel has at all of them.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "`token_linear`")
        tokens = call.folded(tensor.space[0]) if len(tensor.space) == 1 else 1
        if isinstance(tokens, (Var, Apply)):
            call.report(
                ELASTIC_TOKENS,
                "how many tokens arrive depends on the resolution",
                help="give the image one size: `input image(3, 224, 224)`",
            )
        count = call.maximum(tokens)
        out = cast("int | None", call.args["out"]) or count
        params = TokenLinearParams(count, out, cast(bool, call.args["bias"]))
        return Built(params, ((tensor.channels, (out,)),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(TokenLinearParams, op.params)
        weight = Weight("weight", (p.out, p.tokens), (p.out, p.tokens))
        return (weight, Weight("bias", (p.out,), (p.out,))) if p.bias else (weight,)

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(TokenLinearParams, op.params)
        return product(outputs[0].features, p.tokens, p.out)

    def products(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[tuple[Expr, ...], ...]:
        p = cast(TokenLinearParams, op.params)
        return ((outputs[0].features, p.tokens, p.out),)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (TokenLinear(),)
