"""TIPS (Li et al., 2023): the operations that matter, by the topology of the network, are sampled wider."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Number
from specc.ir.graph import Graph
from specc.ir.parameter import Call, Parameter, Signature, Variants, Words
from specc.methods.protocol import Basics, Constant, Found, Method, Report, needs_choices
from specc.methods.tips.groups import drawn_groups, drawn_paths, importance_json, width_groups
from specc.methods.tips.ranges import DAMPING_HELP, DAMPING_HIDES, hidden, out_of_range

IMPORTANCE: Final = Signature(
    "importance",
    (
        Parameter("subnets", "integer", 8, "sampled sub-networks (T)"),
        Parameter("coupling", "number", 1, "between the copies of a feature map (lambda, Eq. 4)"),
        Parameter("damping", "number", Fraction(1, 100_000), "probability of a jump between any two states (kappa)"),
        Parameter("directed", "flag", False, "whether edges lead from input to output only"),
        Parameter("expected", "flag", False, "whether to use expected degrees instead of samples"),
        Parameter("nodes", "count", 0, "mark only the best path of this many feature maps; 0: the best of all lengths"),
        Parameter("seed", "count", 0, "decides the samples"),
    ),
    "the TAS and TPS of the network's graph",
)
IMPORTANCE_DEFAULTS: Final = tuple((parameter.name, parameter.default) for parameter in IMPORTANCE.parameters)
NO_ANALYSIS: Final = Signature("none", (), "all operations alike")

SIGNATURE: Final = Signature(
    "tips",
    (
        Parameter("subnets", "integer", 3, "sub-networks a step beside the super-network"),
        Parameter("boost", "number", Fraction(3, 2), "how much wider important groups are drawn; 1: all alike"),
        Parameter("keep", "number", Fraction(1, 2), "how often a skippable sub-path is kept; important ones boosted"),
        Parameter("groups", Words(("together", "apart")), "together", "whether a sub-network's groups share one draw"),
        Parameter("distill", "number", 1, "weight of distillation from the super-network, beside the labels (Eq. 21)"),
        Parameter("analysis", Variants((IMPORTANCE, NO_ANALYSIS)), Call("importance", IMPORTANCE_DEFAULTS)),
    ),
    "topologically important paths, sampled wider",
)

ONE_WIDTH: Final = Rule(
    "E631",
    "one-width-for-all",
    "under one width for all, important operations cannot be wider than others",
    "`tips` draws the channels of important groups `boost` times as wide as those of other groups, so each group\n"
    "needs a width of its own.\n"
    "Wrong:  width uniform 0.5..1.0 step 0.25 .. method tips\n"
    "Right:  width per_group 0.5..1.0 round 8 .. method tips",
)
BAD_DRAW: Final = Rule(
    "E632",
    "draw-out-of-range",
    "a boost is under 1, or a probability is not in (0, 1)",
    "Important groups are drawn `boost` times as wide as the others, and never wider than they are; a skippable\n"
    "sub-path is kept with the probability `keep`, an important one `boost` times as often. Where that is 1, no step\n"
    "would train the network without it.\n"
    "Wrong:  method tips(boost=0.5)\n"
    "Right:  method tips(boost=1.5)",
)
NOTHING_FAVOURED: Final = Rule(
    "E636",
    "nothing-favoured",
    "every width group is important, or none: training could favour nothing",
    "`tips` draws the width groups that important operations write wider than the others. Important is what no\n"
    "sub-network may drop, and what is on the path of the highest TPS; so a network without `skippable` sub-paths\n"
    "has important groups alone, and one without elastic widths has none. `boost=1` draws all groups alike.\n"
    "Wrong:  stage s1 { conv(32, kernel=3); norm; relu } .. method tips\n"
    "Right:  stage s1 { conv(32, kernel=3); norm; relu; skippable { basic(32) } } .. method tips",
)
ALIKE: Final = "write `boost=1`, which draws all groups alike"


class Tips(Basics):
    """Each step: the super-network on the labels, drawn sub-networks on the labels and on its answers."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return bool(call["distill"])

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return subnets(call) + 1

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        return (Constant("SUBNETS", subnets(call), "Sub-networks a step, beside the super-network."),)

    def asks(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        return self.requests(graph, call)

    def check_found(self, graph: Graph, call: Call, found: Found, report: Report) -> None:
        answer = found["importance"]
        warning = hidden(answer["damping_share"])
        if warning is not None:
            report(DAMPING_HIDES, warning, at="analysis", help=DAMPING_HELP)
        if call["boost"] == 1:
            return
        important = {op["name"] for op in answer["ops"] if op["important"]}
        groups = [group for group in drawn_groups(graph, {}, important) if len(group.choice.options) > 1]
        if not groups:
            message = "`tips` draws important width groups wider, and no group of this network has a width to choose"
            report(NOTHING_FAVOURED, message, help=f"write `width per_group 0.4..1.0 round 8`, or {ALIKE}")
        elif all(group.important for group in groups):
            message = "every width group is important, so none can be drawn wider than others"
            help = f"put blocks that keep their shape into `skippable {{ }}`, or {ALIKE}"
            report(NOTHING_FAVOURED, message, help=help)
        elif not any(group.important for group in groups):
            message = "no width group is important, so none can be drawn wider than others"
            shorter = "leave `nodes` out, or give another number; " if answer["nodes"] else ""
            report(NOTHING_FAVOURED, message, at="analysis", help=f"{shorter}or {ALIKE}" if shorter else ALIKE)
        keep = cast(Number, call["boost"]) * cast(Number, call["keep"])
        kept = [path.choice.name for path in drawn_paths(graph, {}, important) if path.important]
        if keep >= 1 and kept:
            message = f"`{kept[0]}` is important, and would be kept in {min(100, float(100 * keep)):g} % of the draws"
            report(BAD_DRAW, message, at="keep", help="choose `boost` and `keep` whose product is below 1")

    def requests(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        analysis = cast(Call, call["analysis"])
        return (analysis,) if analysis.name == "importance" else ()

    def files(self, graph: Graph, call: Call, found: Found) -> Mapping[str, str]:
        return {"importance.json": importance_json(graph, found.get("importance", {}))}

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        needs_choices(graph, self.name, report)
        analysis = cast(Call, call["analysis"])
        boost, keep = cast(Number, call["boost"]), cast(Number, call["keep"])
        if boost < 1:
            report(BAD_DRAW, f"the boost is {float(boost):g}, below 1", at="boost", help="1.5 is the paper's")
        if not 0 < keep < 1:
            report(BAD_DRAW, f"`keep` is {float(keep):g}, outside (0, 1)", at="keep", help="write `keep=0.5`")
        if analysis.name != "importance":
            return
        widths = [choice for choice in graph.choices if choice.kind == "width" and len(choice.options) > 1]
        if boost > 1 and widths and not width_groups(graph):
            report(
                ONE_WIDTH,
                f"all groups have the width `{widths[0].name}`, so important ones cannot be wider",
                help="write `width per_group ..`, or `boost=1` for uniform sampling",
            )
        coupling, damping = (float(cast(Number, analysis[name])) for name in ("coupling", "damping"))
        wrong = out_of_range(coupling, damping)
        if wrong is not None:
            rule, message, help = wrong
            report(rule, message, at="analysis", help=help)


def subnets(call: Call) -> int:
    """The `subnets` argument."""
    return cast(int, call["subnets"])


METHOD: Final[Method] = Tips(SIGNATURE, elastic="width per_group 0.5..1.0 round 8; skippable")
