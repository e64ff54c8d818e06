"""Early exits: one pass, in which every exit and the head learn the labels (the shallow baseline of slicing)."""

from __future__ import annotations

from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Number
from specc.ir.graph import Graph
from specc.ir.parameter import Call, ListOf, Parameter, Signature
from specc.methods.protocol import Basics, Constant, Method, Report

SIGNATURE: Final = Signature(
    "early_exit",
    (Parameter("weights", ListOf("number"), (), "of the exits' losses in their order, the head's last; none: all 1"),),
    "every exit and the head on the labels, in one pass",
)

NO_EXITS: Final = Rule(
    "E641",
    "no-exits",
    "a method that trains exits needs exits, and no other choices",
    "`early_exit` runs the whole network and adds the losses of all its exits; what else is elastic would have\n"
    "options that no step trains.\n"
    "Wrong:  supernet a { .. no exit .. }   method early_exit\n"
    "Right:  stage s1 { conv(16, kernel=3); exit e1 { pool(avg); linear(classes) } } ..   method early_exit",
)
EXIT_WEIGHTS: Final = Rule(
    "E642",
    "exit-weights",
    "the number of loss weights is not the number of exits",
    "A weight for every exit in its order, and one for the head; not all may be 0.\n"
    "Wrong:  exit e1 { .. } exit e2 { .. } head { .. }   method early_exit(weights=[0.5, 1])\n"
    "Right:  exit e1 { .. } exit e2 { .. } head { .. }   method early_exit(weights=[0.3, 0.5, 1])",
)


class EarlyExit(Basics):
    """Each step: one forward through the whole network, the losses of all exits and levels, one backward."""

    __slots__ = ()

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return 1

    def listed(self, graph: Graph, call: Call) -> tuple[object, ...] | None:
        """All exits are trained, but those whose loss weighs nothing."""
        weights = cast("tuple[Number, ...]", call["weights"])
        if not weights or all(weights):
            return None
        exits = next(choice for choice in graph.choices if choice.kind == "exit")
        pairs = zip(exits.options, weights, strict=True)
        return tuple(Call("at", ((exits.name, option),)) for option, weight in pairs if weight)

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        if not call["weights"]:
            return ()
        return (Constant("WEIGHTS", call["weights"], "Of the exits' losses in their order, the head's last."),)

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        exits = next((choice for choice in graph.choices if choice.kind == "exit"), None)
        others = [choice.name for choice in graph.choices if choice.kind != "exit" and len(choice.options) > 1]
        if exits is None:
            help = "write `exit e1 { pool(avg); linear(classes) }` behind a stage"
            report(NO_EXITS, "`early_exit` trains exits, and this network has none", help=help)
            return
        if others:
            message = f"`early_exit` runs the whole network; `{others[0]}` would have options that no step trains"
            report(NO_EXITS, message, help="fix it, or write `method us_net`, which draws every choice")
        weights = call["weights"]
        assert isinstance(weights, tuple)
        if weights and (len(weights) != len(exits.options) or not any(weights)):
            names = ", ".join(str(option) for option in exits.options)
            message = f"{len(weights)} weights are given for {len(exits.options)} answers: {names}"
            report(EXIT_WEIGHTS, message if any(weights) else "all weights are 0", at="weights")


METHOD: Final[Method] = EarlyExit(SIGNATURE, draws=False, calibrates=False, learns_levels=True)
