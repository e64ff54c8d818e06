"""The pixels of a map become tokens, row by row, and tokens pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Var, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import product, require_map, require_tokens

NO_RECTANGLE = Rule(
    "E466",
    "tokens-are-no-map",
    "so many tokens can't be the pixels of a map",
    "`to_map` makes a square of tokens, or `height` equal rows: a class token is taken away before.\n"
    "Wrong:  input image(3, 32, 16) ... patch_embed(8, dim=64); to_map\n"
    "Right:  input image(3, 32, 16) ... patch_embed(8, dim=64); to_map(height=4)",
)


@dataclass(frozen=True, slots=True)
class ToMapParams:
    """Height and width of the map."""

    height: Expr
    width: Expr


class ToMap(Operator):
    """`to_map`, `to_map(height=4)`."""

    kind = "to_map"
    example = "patch_embed(8, 64); attention(4); to_map; conv(64, kernel=3); to_tokens"
    channelwise = True
    folds = True
    signature = Signature(
        "to_map",
        (Parameter("height", "integer", None, "rows of the map; it is a square if not given"),),
        "Tokens as the pixels of a map, row by row.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_tokens(call, "`to_map`")
        tokens = tensor.space[0] if len(tensor.space) == 1 else 1
        height, width = sides_of(call, tokens)
        return Built(ToMapParams(height, width), ((tensor.channels, (height, width)),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


def sides_of(call: OpCall, tokens: Expr) -> tuple[Expr, Expr]:
    """Height and width of the map that tokens make."""
    height = cast("int | None", call.args["height"])
    tokens = call.folded(tokens)
    count = call.maximum(tokens)
    if height is None:
        side = square_root(tokens)
        if side is not None:
            return side, side
        message = f"{count} tokens are no square"
        if isinstance(tokens, (Var, Apply)):
            message = "how many tokens there are depends on the resolution, and they are no square of it"
        call.report(NO_RECTANGLE, message, help="say how high the map is: `to_map(height=4)`")
        return 1, tokens
    width = apply("div", tokens, height)
    if call.folded(apply("sub", width, apply("floor", width))) != 0:
        call.report(NO_RECTANGLE, f"{count} tokens are not {height} equal rows", at="height")
        return 1, tokens
    return height, width


def square_root(tokens: Expr) -> Expr | None:
    """The number whose square so many are; None where there is none, or nobody sees it."""
    if isinstance(tokens, Apply):
        return tokens.args[0] if tokens.function == "mul" and tokens.args[0] == tokens.args[1] else None
    if not isinstance(tokens, int):
        return None
    side = isqrt(tokens)
    return side if side**2 == tokens else None


class ToTokens(Operator):
    """`to_tokens`."""

    kind = "to_tokens"
    example = "conv(64, kernel=8, stride=8, padding=0); to_tokens; attention(4); take(mean); linear(64)"
    channelwise = True
    folds = True
    signature = Signature("to_tokens", (), "The pixels of a map as tokens, row by row.")

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "`to_tokens`")
        return Built(NoParams(), ((tensor.channels, (product(*tensor.space),)),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory("alias")


OPERATORS = (ToMap(), ToTokens())
