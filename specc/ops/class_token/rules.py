"""The class token: a learned token before all others, from which the classifier reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, OpCall, Operator, Weight
from specc.ir.parameter import Signature
from specc.ops.shapes import require_tokens

SECOND_CLASS_TOKEN = Rule(
    "E434",
    "second-class-token",
    "a class token is added a second time",
    "Tokens have one class token, the first of them.\n"
    "Wrong:  patch_embed(16, dim=768); class_token; position; class_token\n"
    "Right:  patch_embed(16, dim=768); class_token; position",
)


@dataclass(frozen=True, slots=True)
class ClassTokenParams:
    """`channels` are active, `full_channels` those of the largest sub-network."""

    channels: Expr
    full_channels: int


class ClassToken(Operator):
    """`class_token`."""

    kind = "class_token"
    example = "patch_embed(8, 64); class_token"
    drawn = Drawn(word="token")
    folds = True
    channelwise = True
    signature = Signature("class_token", (), "Puts a learned token before all others.")

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "a class token")
        if call.follows("class_token"):
            call.report(SECOND_CLASS_TOKEN, "these tokens have a class token already")
        params = ClassTokenParams(tensor.features, call.maximum(tensor.features))
        tokens = tensor.space[0] if tensor.space else 1
        return Built(params, ((tensor.channels, (apply("add", tokens, 1),)),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(ClassTokenParams, op.params)
        return (Weight("weight", (1, 1, p.full_channels), (1, 1, p.channels)),)


OPERATORS = (ClassToken(),)
