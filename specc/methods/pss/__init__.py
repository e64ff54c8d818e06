"""PSS-Net (Chen et al., "Prioritized Subnet Sampling for Resource-Adaptive Supernet Training"): pools by priority."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.expr import Number
from specc.ir.graph import Graph
from specc.ir.parameter import Call, ListOf, Parameter, Signature, Variants, Words
from specc.methods.protocol import Basics, Constant, Method, Report, needs_choices

BUDGETS: Final = (
    Signature(
        "macs",
        (Parameter("step", "number", 10_000_000, "multiply-accumulates from one constraint to the next"),),
        "constraints on the multiply-accumulates of one image",
    ),
    Signature(
        "params",
        (Parameter("step", "number", 100_000, "parameters from one constraint to the next"),),
        "constraints on the parameters in use",
    ),
    Signature(
        "latency",
        (
            Parameter("device", "text", "cpu", "read from latency.<device>.json beside train.py, or from a .json file"),
            Parameter("step", "seconds", Fraction(1, 1000), "seconds from one constraint to the next, as in 1ms"),
        ),
        "constraints on the summed latencies of measured blocks",
    ),
)

SIGNATURE: Final = Signature(
    "pss",
    (
        Parameter("pool", "integer", 50, "sub-networks kept for each constraint, at most"),
        Parameter(
            "budgets",
            ListOf(Variants(BUDGETS)),
            (Call("macs", (("step", 10_000_000),)),),
            "what is limited: constraints from the smallest sub-network's cost to the largest's, a step apart",
        ),
        Parameter(
            "space_share_end", "number", Fraction(1, 100), "what the probability of sampling the space falls to (p)"
        ),
        Parameter("temperature_end", "number", Fraction(1, 100), "what that of the softmax over a pool falls to (eta)"),
        Parameter(
            "smoothing", "number", Fraction(9, 10), "share that a score keeps when its sub-network comes again", below=1
        ),
        Parameter("calibrate_top", "integer", 5, "sub-networks of each pool that are calibrated at the end"),
        Parameter(
            "sampler",
            Words(("uniform", "paper")),
            "uniform",
            "how the space is sampled within a constraint: exactly, or by the paper's marginals (Eq. 4)",
        ),
    ),
    "prioritised sampling from a pool for every constraint; runs/constraints.json has the best of each",
)

BAD_BUDGET: Final = Rule(
    "E662",
    "bad-budget",
    "pss cannot make constraints of a budget",
    "A budget is a kind of cost and a step: there is a constraint every step, from the smallest sub-network's cost to\n"
    "the largest's. Steps are whole MACs or parameters, or seconds of latency; each kind of cost is named once.\n"
    "Wrong:  method pss(budgets=[macs(step=0)])\n"
    "Right:  method pss(budgets=[macs(step=10M), params(step=500k)])",
)
BAD_ANNEALING: Final = Rule(
    "E663",
    "bad-annealing",
    "a share or a temperature of pss is not in (0, 1]",
    "The probability of sampling the space and the temperature of a pool start at 1 and fall, epoch by epoch, to what\n"
    "`space_share_end` and `temperature_end` say; both are powers of these, so 0 cannot be reached.\n"
    "Wrong:  method pss(space_share_end=0)\n"
    "Right:  method pss(space_share_end=0.01)",
)


class Pss(Basics):
    """Each step: the largest sub-network on the labels; one within a constraint, and the smallest, on its answers."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return True

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return 3

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        pools = Call(
            "at",
            (
                ("capacity", call["pool"]),
                ("sampler", call["sampler"]),
                ("space_share_end", call["space_share_end"]),
                ("temperature_end", call["temperature_end"]),
                ("smoothing", call["smoothing"]),
            ),
        )
        return (
            Constant("BUDGETS", call["budgets"], "There is a constraint every step, from the smallest's cost up."),
            Constant("POOLS", pools, "The size of each constraint's pool of sub-networks, and how to draw from it."),
            Constant("CALIBRATE_TOP", call["calibrate_top"], "How many of each pool are calibrated at the end."),
        )

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        needs_choices(graph, self.name, report)
        for name in ("space_share_end", "temperature_end"):
            if not 0 < number(call, name) <= 1:
                value = float(number(call, name))
                report(BAD_ANNEALING, f"`{name}` is {value:g}, outside (0, 1]", at=name, help="0.01 is the paper's")
        check_budgets(cast("tuple[Call, ...]", call["budgets"]), report)


def check_budgets(budgets: tuple[Call, ...], report: Report) -> None:
    """Reports steps that lead nowhere and costs that are named twice."""
    if not budgets:
        report(BAD_BUDGET, "there is no budget", at="budgets", help="write `budgets=[macs(step=10M)]`")
    seen: set[tuple[object, ...]] = set()
    for budget in budgets:
        step = number(budget, "step")
        whole = budget.name == "latency" or step % 1 == 0
        if step <= 0 or not whole:
            wanted = "positive" if budget.name == "latency" else "a positive whole number"
            message = f"the step of `{budget.name}` is {float(step):g}, which is not {wanted}"
            report(BAD_BUDGET, message, at="budgets", help="as in `macs(step=10M)`, `latency(step=1ms)`")
        key = (budget.name, budget["device"] if budget.name == "latency" else "")
        if key in seen:
            report(BAD_BUDGET, f"`{budget.name}` is limited twice", at="budgets", help="leave one of the two out")
        seen.add(key)


def number(call: Call, name: str) -> Number:
    return cast(Number, call[name])


METHOD: Final[Method] = Pss(SIGNATURE, elastic="width per_group 0.5..1.0 round 8; resolution")
