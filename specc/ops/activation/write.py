"""Activations in generated code: functions. Only those whose derivative the output tells overwrite their input."""

from __future__ import annotations

from specc.ops.writing import Sites, Writer, Written


def function(kind: str, call: str, inplace: str = "") -> Writer:
    def write(sites: Sites, elastic: bool) -> Written:
        return Written(call=call, inplace=inplace)

    return Writer(kind, write, function=True)


WRITERS = (
    function("relu", "F.relu({0})", "F.relu({0}, inplace=True)"),
    function("relu6", "F.relu6({0})", "F.relu6({0}, inplace=True)"),
    function("hswish", "F.hardswish({0})"),
    function("hsigmoid", "F.hardsigmoid({0})"),
    function("silu", "F.silu({0})"),
    function("gelu", "F.gelu({0})"),
    function("sigmoid", "torch.sigmoid({0})"),
    function("tanh", "torch.tanh({0})"),
)
