"""Channels in runs, where a concatenation joins elastic tensors: what must be in the same places, and who can tell them
apart.

A sub-network uses the first channels of every run. Tensors that are added must have the same runs, or a channel would
meet another one in each sub-network; and an operator whose weights are those of the first channels needs one run.
"""

from __future__ import annotations

from specc.diagnostics import Findings, Rule
from specc.ir.expr import Option, evaluate
from specc.ir.graph import Graph, Op, Tensor, of_channels
from specc.ops.runs import runs

RUNS_DIFFER = Rule(
    "E503",
    "runs-differ",
    "tensors that must agree are concatenated from different elastic runs",
    "A narrow sub-network keeps the first channels of every part of a concatenation. Added to channels that are cut\n"
    "otherwise, they would meet different ones in each sub-network. A convolution or linear layer writes its channels\n"
    "in the runs that they meet, one in groups does not, and what is shuffled or padded has runs of its own.\n"
    "Wrong:  width per_group 0.5..1.0 ... add(concat(a, b), conv(64, kernel=1, groups=4))   where a and b are elastic\n"
    "Right:  width per_group 0.5..1.0 ... add(concat(a, b), conv(64, kernel=1))",
)
NEEDS_ONE_RUN = Rule(
    "E504",
    "needs-one-run",
    "an operator that needs one run of channels gets a concatenation of elastic tensors",
    "A narrow sub-network keeps the first channels of every part of a concatenation. Convolutions, linear layers and\n"
    "norms find the weights of each; other operators have weights or zeros for the first channels only.\n"
    "Wrong:  width per_group 0.5..1.0 ... concat(a, b); pad_channels(128)\n"
    "Right:  width per_group 0.5..1.0 ... concat(a, b); conv(64, kernel=1); pad_channels(128)",
)


def check_runs(graph: Graph, findings: Findings) -> Graph:
    """Reports what cannot read channels in several runs; the graph stays as it is."""
    tensors = graph.tensor_table()
    if all(len(runs(tensor.channels)) == 1 for tensor in graph.tensors):
        return graph
    largest = {choice.name: choice.largest for choice in graph.choices}
    for op in graph.ops:
        inputs = [tensors[name] for name in op.inputs]
        if len(inputs) > 1 and op.operator.channelwise:
            check_alike(op, of_channels(inputs, tensors[op.output]), largest, findings)
        elif len(runs(inputs[0].channels)) > 1 and not reads_runs(op, inputs, [tensors[name] for name in op.outputs]):
            findings.report(
                NEEDS_ONE_RUN,
                op.origin,
                f"`{op.kind}` needs the first channels, and runs of {listed(inputs[0], largest)} arrive",
                secondary=[(inputs[0].origin, "they are joined here")],
                help="put `conv(.., kernel=1)` between the two, or fix the channels with `width=fixed`",
            )
    return graph


def reads_runs(op: Op, inputs: list[Tensor], outputs: list[Tensor]) -> bool:
    """Whether an operator finds its way in several runs: it says so, or it has no weights and nothing against it."""
    if op.connection.kind != "dense" or op.operator.needs_one_run:
        return False
    return op.operator.reads_runs or not op.operator.weights(op, inputs, outputs)


def check_alike(op: Op, inputs: list[Tensor], largest: dict[str, Option], findings: Findings) -> None:
    """The runs of all inputs must be alike at the largest sub-network; at the others unification sees to it."""
    first = inputs[0]
    for other in inputs[1:]:
        if sizes(first, largest) != sizes(other, largest):
            mixed = "conv(.., kernel=1)" if len(first.space) == 2 else "linear(..)"
            findings.report(
                RUNS_DIFFER,
                op.origin,
                "what meets here has different elastic parts",
                secondary=[
                    (first.origin, f"this has runs of {listed(first, largest)}"),
                    (other.origin, f"this has runs of {listed(other, largest)}"),
                ],
                help=f"put `{mixed}` after the concatenation, or fix its parts with `width=fixed`",
            )
            return


def sizes(tensor: Tensor, largest: dict[str, Option]) -> list[Option]:
    return [evaluate(run, largest) for run in runs(tensor.channels)]


def listed(tensor: Tensor, largest: dict[str, Option]) -> str:
    return " and ".join(map(str, sizes(tensor, largest)))
