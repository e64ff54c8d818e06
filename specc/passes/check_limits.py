"""Limits: choices that can be listed, norm banks that can be kept, costs that are counted exactly.

Everything that looks at a network later may then list the options of a choice, and count in 64 bits and in floating
point without losing a unit.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm, prod

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Options, Range
from specc.ir.expr import Expr, evaluate, free
from specc.ir.graph import Graph
from specc.space.functions import LARGEST_DENOMINATOR

BEYOND_LIMITS = Rule(
    "E513",
    "beyond-limits",
    "a choice has too many options, or a network costs too much to be counted",
    "A choice has at most 100,000 options, also one that a `width` setting makes; a norm has at most 1,000 banks; and\n"
    "parameters, multiply-accumulates and values of a feature map are counted exactly, up to 2^53.\n"
    "Wrong:  conv(16, kernel=99999999)          width any 0.1..1.0 ... conv(10M, kernel=1)\n"
    "Right:  conv(16, kernel=9)                 width any 0.1..1.0 ... conv(512, kernel=1)",
)
MOST_OPTIONS = 100_000
MOST_BANKS = 1_000
MOST_COUNTED = 2**53


def check_options(graph: Graph, findings: Findings) -> Graph:
    """Reports choices with too many options, and norms with too many banks; the graph stays as it is."""
    for choice in graph.choices:
        if len(choice.options) > MOST_OPTIONS:
            message = (
                f"the choice `{choice.name}` has {len(choice.options):,} options, and {MOST_OPTIONS:,} are the most"
            )
            findings.report(BEYOND_LIMITS, choice.origin, message, help="give its range a larger step")
        elif (denominator := finest(choice.options)) > LARGEST_DENOMINATOR:
            message = f"an option of `{choice.name}` is a fraction with the denominator {denominator:,}"
            help = f"{LARGEST_DENOMINATOR:,} is the most: seven digits behind the point"
            findings.report(BEYOND_LIMITS, choice.origin, message, help=help)
    if findings:
        return graph
    tables = {choice.name: choice for choice in graph.choices}
    for op in graph.ops:
        for name in free(op.bank.index):
            count = len(tables[name].options) if name in tables else 1
            if op.bank.count == 0 and count > MOST_BANKS:
                message = f"this norm would have {count:,} banks, one for each option of `{name}`"
                help = f"{MOST_BANKS:,} are the most; `norm(bank=shared)` has one"
                findings.report(BEYOND_LIMITS, op.origin, message, help=help)
    return graph


def finest(options: Options) -> int:
    """The largest denominator of options that are numbers; of a range the one that all of them have."""
    if isinstance(options, Range):
        return lcm(Fraction(options.start).denominator, Fraction(options.step).denominator)
    return max(1 if isinstance(option, str) else Fraction(option).denominator for option in options)


def check_totals(graph: Graph, findings: Findings) -> Graph:
    """Reports a network that costs too much: adds up the largest one's sizes, in numbers that have no limit."""
    largest = {choice.name: choice.largest for choice in graph.choices}
    tensors = graph.tensor_table()
    known: dict[Expr, int] = {}

    def value(expr: Expr) -> int:
        if isinstance(expr, int):
            return expr
        if expr not in known:
            found = evaluate(expr, largest)
            known[expr] = 0 if isinstance(found, str) else int(found)
        return known[expr]

    total = {"parameters": 0, "multiply-accumulates": 0, "values of feature maps": 0}
    for op in graph.ops:
        inputs, outputs = [tensors[name] for name in op.inputs], [tensors[name] for name in op.outputs]
        weights = op.operator.weights(op, inputs, outputs)
        total["parameters"] += sum(prod(weight.full) * max(weight.copies, 1) for weight in weights)
        total["multiply-accumulates"] += value(op.operator.macs(op, inputs, outputs))
        total["values of feature maps"] += sum(prod(map(value, tensor.shape)) for tensor in (*inputs, *outputs))
        beyond = next((name for name, count in total.items() if count > MOST_COUNTED), None)
        if beyond is not None:
            message = f"up to here the network has {total[beyond]:.1e} {beyond}, and {MOST_COUNTED:.1e} are the most"
            findings.report(BEYOND_LIMITS, op.origin, message, help="are its sizes meant so?")
            break
    return graph
