"""Learned positions: what tells a token where in the image it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Var
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator, Weight
from specc.ir.parameter import Signature
from specc.ops.shapes import require_tokens

ELASTIC_POSITIONS = Rule(
    "E435",
    "position-elastic-tokens",
    "learned positions need a fixed number of tokens",
    "Every token has a position of its own, so there must be one number of tokens at every resolution.\n"
    "Wrong:  input image(3, resolution=192..224 step 32) ... patch_embed(32, dim=768); position\n"
    "Right:  input image(3, 224, 224) ... patch_embed(32, dim=768); position",
)


@dataclass(frozen=True, slots=True)
class PositionParams:
    """`channels` are active, `full_channels` those of the largest sub-network; there are `tokens` positions."""

    channels: Expr
    tokens: int
    full_channels: int


class Position(Operator):
    """`position`."""

    kind = "position"
    example = "patch_embed(8, 64); position"
    folds = True
    channelwise = True
    signature = Signature("position", (), "Adds a learned position to every token.")

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "`position`")
        tokens = call.folded(tensor.space[0]) if tensor.space else 1
        if isinstance(tokens, (Var, Apply)):
            call.report(
                ELASTIC_POSITIONS,
                "how many tokens arrive depends on the resolution",
                help="give the image one size: `input image(3, 224, 224)`",
            )
        params = PositionParams(tensor.features, call.maximum(tokens), call.maximum(tensor.features))
        return Built(params, ((tensor.channels, tensor.space),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(PositionParams, op.params)
        return (Weight("weight", (1, p.tokens, p.full_channels), (1, p.tokens, p.channels)),)

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (Position(),)
