"""Of tokens the class token or the mean of all, as a vector, or all but the class token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from specc.diagnostics import Rule
from specc.ir.expr import apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.shapes import require_tokens

NO_CLASS_TOKEN = Rule(
    "E433",
    "no-class-token",
    "take(class_token) and take(patches) need a class token",
    "`take(class_token)` goes on with the token that `class_token` put before the others, `take(patches)` with the "
    "others.\n"
    "Wrong:  patch_embed(16, dim=768); take(class_token)\n"
    "Right:  patch_embed(16, dim=768); class_token; take(class_token)   or   take(mean)",
)


Which: TypeAlias = Literal["class_token", "mean", "patches"]


@dataclass(frozen=True, slots=True)
class TakeParams:
    """`which` tokens go on."""

    which: Which


class Take(Operator):
    """`take(class_token)`, `take(mean)`, `take(patches)`."""

    kind = "take"
    example = "patch_embed(8, 64); take(mean)"
    folds = True
    channelwise = True
    signature = Signature(
        "take",
        (
            Parameter(
                "which",
                Words(("class_token", "mean", "patches")),
                doc="the class token, the mean of all tokens, or all tokens but the class token",
            ),
        ),
        "Tokens to one vector, or to those of the patches.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "`take`")
        which = cast(Which, call.args["which"])
        if which != "mean" and not call.follows("class_token"):
            call.report(NO_CLASS_TOKEN, "there is no class token here", help="put `class_token` before the first block")
        tokens = tensor.space[0] if tensor.space else 2
        left = (apply("add", tokens, -1),) if which == "patches" else ()
        return Built(TakeParams(which), ((tensor.channels, left),))

    def ends(self, params: object) -> str:
        return "class_token" if cast(TakeParams, params).which == "patches" else ""

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("own" if cast(TakeParams, op.params).which == "mean" else "alias")


OPERATORS = (Take(),)
