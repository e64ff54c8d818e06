"""Slimmable training (Yu et al., 2019): every listed sub-network learns from the labels, their losses are summed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.ir.choice import Choice
from specc.ir.expr import show
from specc.ir.graph import Graph
from specc.ir.parameter import Call, ListOf, Parameter, Signature
from specc.methods.protocol import NO_SUCH_SUBNET, ONE_ALONE, ONE_SUBNET, SAME_SUBNET, Basics, Constant, Method, Report

SIGNATURE: Final = Signature(
    "independent",
    (
        Parameter(
            "subnets",
            ListOf("assignment"),
            ("max",),
            "the sub-networks of every step: max, min or at(choice=option, ...)",
        ),
    ),
    "the cross-entropies of listed sub-networks, summed",
)


class Independent(Basics):
    """Each step: the sum of the cross-entropies of the listed sub-networks. With `[max]` this is plain training."""

    __slots__ = ()

    def lists(self, call: Call) -> tuple[object, ...]:
        """The `subnets` argument."""
        subnets = call["subnets"]
        assert isinstance(subnets, tuple), subnets
        return subnets

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return len(self.lists(call))

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        comment = "The sub-networks of every step; what they leave out is at its largest."
        return (Constant("SUBNETS", self.lists(call), comment),) if graph.choices else ()

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        table = graph.choice_table()
        self.check_options(table, call, report)
        seen: list[dict[str, object]] = []
        for subnet in self.lists(call):
            full: dict[str, object] = {
                choice.name: choice.smallest if subnet == "min" else choice.largest for choice in graph.choices
            }
            full |= dict(subnet.values) if isinstance(subnet, Call) else {}
            if full in seen and graph.choices:
                report(SAME_SUBNET, f"`{spelled(subnet)}` is listed already", at="subnets", help="leave it out")
            seen.append(full)
        if len(self.lists(call)) == 1 and graph.choices:
            report(
                ONE_SUBNET, ONE_ALONE, help="list more, or write `method us_net(subnets=4)`, which draws every choice"
            )

    def check_options(self, table: Mapping[str, Choice], call: Call, report: Report) -> None:
        """Reports listed options that the network does not have."""
        for subnet in self.lists(call):
            if not isinstance(subnet, Call):
                continue
            for name, option in subnet.values:
                if name not in table:
                    report(
                        NO_SUCH_SUBNET,
                        f"the network has no choice `{name}`",
                        at="subnets",
                        help="its choices: " + (", ".join(sorted(table)) or "none"),
                    )
                elif option not in table[name].options:
                    options = ", ".join(show(o) for o in table[name].options[:12])
                    more = ", ..." if len(table[name].options) > 12 else ""
                    report(
                        NO_SUCH_SUBNET,
                        f"the choice `{name}` has no option {show(option)}",  # type: ignore[arg-type]
                        at="subnets",
                        help=f"its options: {options}{more}",
                    )


def spelled(subnet: object) -> str:
    """A listed sub-network as a spec writes it."""
    if not isinstance(subnet, Call):
        return str(subnet)
    return f"at({', '.join(f'{name}={show(option)}' for name, option in subnet.values)})"  # type: ignore[arg-type]


METHOD: Final[Method] = Independent(SIGNATURE, draws=False)
