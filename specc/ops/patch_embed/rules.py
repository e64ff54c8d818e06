"""The patch embedding: an image or map, cut into square patches, as tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from specc.diagnostics import Rule
from specc.ir.expr import Expr, apply
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, OpCall, Operator, Weight
from specc.ir.parameter import Parameter, Signature
from specc.ops.shapes import one, product, require_map

PATCH_DIVIDES = Rule(
    "E432",
    "patch-does-not-divide",
    "the size of a patch does not divide the image",
    "Patches cover the image without overlap and without a rest, at every resolution.\n"
    "Wrong:  input image(3, 224, 224) ... patch_embed(30, dim=768)\n"
    "Right:  input image(3, 224, 224) ... patch_embed(32, dim=768)",
)


@dataclass(frozen=True, slots=True)
class PatchEmbedParams:
    """`inputs` and `out` count active channels, `full_*` those of the largest sub-network. Patches are `size` x
    `size`."""

    inputs: Expr
    out: Expr
    size: int
    full_inputs: int
    full_out: int


class PatchEmbed(Operator):
    """`patch_embed(16, dim=768)`."""

    kind = "patch_embed"
    example = "patch_embed(8, 64)"
    layer = True
    drawn = Drawn(family="conv", word="patches")
    signature = Signature(
        "patch_embed",
        (
            Parameter("size", "integer", doc="height and width of a patch"),
            Parameter("dim", "channels", doc="features of a token"),
        ),
        "Cuts a feature map into patches, row by row, and maps each to a token: a convolution as wide as its stride.",
    )

    def build(self, call: OpCall) -> Built:
        tensor = require_map(call, "a patch embedding")
        size, out = cast(int, call.args["size"]), call.out_channels("dim")
        for side in dict.fromkeys(map(call.maximum, tensor.space)):
            if side % size:
                call.report(PATCH_DIVIDES, f"patches of {size} do not divide {side} pixels", at="size")
                return Built(patches(call, tensor, out, size), ((one(out), (1,)),))
        tokens = product(*(apply("div", side, size) for side in tensor.space))
        return Built(patches(call, tensor, out, size), ((one(out), (tokens,)),))

    def weights(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> tuple[Weight, ...]:
        p = cast(PatchEmbedParams, op.params)
        weight = Weight("weight", (p.full_out, p.full_inputs, p.size, p.size), (p.out, p.inputs, p.size, p.size))
        return weight, Weight("bias", (p.full_out,), (p.out,))

    def macs(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Expr:
        p = cast(PatchEmbedParams, op.params)
        return product(p.out, p.inputs, p.size, p.size, *outputs[0].space)


def patches(call: OpCall, tensor: Tensor, out: Expr, size: int) -> PatchEmbedParams:
    return PatchEmbedParams(tensor.features, out, size, call.maximum(tensor.features), call.maximum(out))


OPERATORS = (PatchEmbed(),)
