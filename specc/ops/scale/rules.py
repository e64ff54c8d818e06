"""A feature map scaled channel by channel, as by the gate of squeeze-excite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from specc.diagnostics import Rule
from specc.ir.graph import Op, Tensor
from specc.ir.operator import Built, Drawn, Memory, NoParams, OpCall, Operator
from specc.ir.parameter import Parameter, Signature

NEEDS_GATE = Rule(
    "E417",
    "needs-gate",
    "`scale` has no gate that fits",
    "`scale(x, gate)` multiplies x by a vector with a number for each of its channels.\n"
    "Wrong:  scale(here, conv(64, kernel=1))\n"
    "Right:  scale(here, gate)        where gate = pool(avg); linear(64); sigmoid",
)


class Scale(Operator):
    """`scale(x, gate)`: a map, tokens or a vector times a vector of as many channels."""

    kind = "scale"
    example = "import std.squeeze_excite    # at the top\nscale(here, excitation(in))"
    drawn = Drawn("join")
    channelwise = True
    folds = True
    signature = Signature(
        "scale",
        (Parameter("inputs", "tensors", doc="what is scaled, and a vector with a factor for each channel"),),
        "Multiplies every channel by a number of its own.",
    )

    def build(self, call: OpCall) -> Built:
        if len(call.inputs) != 2:
            message = f"`scale` takes a tensor and its gate, and {len(call.inputs) or 'none'} are given"
            call.report(NEEDS_GATE, message, help="the incoming tensor is `here`: `scale(here, gate)`")
            return Built(NoParams(), ((call.inputs[0].channels, call.inputs[0].space),))
        tensor, gate = call.inputs
        if gate.space:
            shown = " x ".join(str(call.maximum(size)) for size in gate.space)
            message = f"the gate is {shown} in size, and must be a vector"
            call.report(NEEDS_GATE, message, help="put `pool(avg)` before it: a number for each channel")
        else:
            call.tie(replace(tensor, space=()), gate, "what is scaled and its gate")
        return Built(NoParams(), ((tensor.channels, tensor.space),))

    def memory(self, op: Op, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Memory:
        return Memory(summed=True)


OPERATORS = (Scale(),)
