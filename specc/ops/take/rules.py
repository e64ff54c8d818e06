"""From tokens to a vector: the class token, or the mean of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

from specc.diagnostics import Rule
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, OpCall, Operator
from specc.ir.parameter import Parameter, Signature, Words
from specc.ops.shapes import require_tokens

NO_CLASS_TOKEN = Rule(
    "E433",
    "no-class-token",
    "take(class_token) needs a class token",
    "`take(class_token)` goes on with the token that `class_token` put before the others.\n"
    "Wrong:  patch_embed(16, dim=768); take(class_token)\n"
    "Right:  patch_embed(16, dim=768); class_token; take(class_token)   or   take(mean)",
)


@dataclass(frozen=True, slots=True)
class TakeParams:
    """`which` token goes on."""

    which: Literal["class_token", "mean"]


class Take(Operator):
    """`take(class_token)`, `take(mean)`."""

    kind = "take"
    example = "patch_embed(8, 64); take(mean)"
    folds = True
    channelwise = True
    signature = Signature(
        "take",
        (Parameter("which", Words(("class_token", "mean")), doc="the class token, or the mean of all tokens"),),
        "Tokens to one vector.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "`take`")
        which = cast(Literal["class_token", "mean"], call.args["which"])
        if which == "class_token" and not call.follows("class_token"):
            call.report(NO_CLASS_TOKEN, "there is no class token here", help="put `class_token` before the first block")
        return Built(TakeParams(which), ((tensor.channels, ()),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias" if cast(TakeParams, op.params).which == "class_token" else "own")


OPERATORS = (Take(),)
