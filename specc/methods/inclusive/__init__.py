"""I-ResNeXt (slicing, section 3.1): nested sub-networks, each with norms and classifiers of its own."""

from __future__ import annotations

from typing import Final

from specc.diagnostics import Rule
from specc.ir.choice import Choice
from specc.ir.expr import Apply, free
from specc.ir.graph import Graph, Scope
from specc.ir.parameter import Call, Signature
from specc.methods.protocol import Basics, Constant, Method, Report

SIGNATURE: Final = Signature("inclusive", (), "the losses of K nested sub-networks, one pass each")

NOT_NESTED: Final = Rule(
    "E643",
    "not-nested",
    "a method that trains nested sub-networks needs a classifier for each of them",
    "`inclusive` runs the network once for every option of one choice, and each of these sub-networks has a\n"
    "classifier of its own: `head by k`. What else is elastic would have options that no step trains.\n"
    "Wrong:  choice k in 1..8 .. head { pool(avg); linear(classes) }        method inclusive\n"
    "Right:  choice k in 1..8 .. head by k { pool(avg); linear(classes) }   method inclusive",
)


class Inclusive(Basics):
    """Each step: every nested sub-network in a pass of its own, with its norms and classifiers; one update."""

    __slots__ = ()

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        choice = nested_choice(graph)
        return 1 if choice is None else len(choice.options)

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        choice = nested_choice(graph)
        assert choice is not None
        return (Constant("CHOICE", choice.name, "Its options are the nested sub-networks."),)

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        nested_only(graph, self.name, report)


def nested_choice(graph: Graph) -> Choice | None:
    """The choice for whose options the network has heads."""
    table = graph.choice_table()
    for item in graph.root.items:
        if isinstance(item, Scope) and item.kind == "head" and isinstance(item.guard, Apply):
            return table[min(free(item.guard))]
    return None


def nested_only(graph: Graph, method: str, report: Report) -> None:
    """Reports a network without heads by a choice, and choices beside that one."""
    choice = nested_choice(graph)
    if choice is None:
        message = f"`{method}` trains nested sub-networks with a classifier each, and this network has one head"
        report(NOT_NESTED, message, help="declare `choice k in 1..8`, and write `head by k { .. }`")
        return
    others = [other.name for other in graph.choices if other is not choice and len(other.options) > 1]
    if others:
        message = f"`{method}` trains the options of `{choice.name}`; those of `{others[0]}` no step would train"
        report(NOT_NESTED, message, help=f"fix it, or let it follow `{choice.name}`")


METHOD: Final[Method] = Inclusive(SIGNATURE, draws=False, calibrates=False, learns_levels=True)
