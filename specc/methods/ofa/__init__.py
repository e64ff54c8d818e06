"""Once-for-all (Cai et al., 2020): the largest network first, then kernels, depths and widths are let go in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Final, cast

from specc.diagnostics import Rule
from specc.ir.choice import Kind
from specc.ir.expr import Expr, evaluate, free
from specc.ir.graph import DENSE, Graph, Op
from specc.ir.parameter import Call, ListOf, Parameter, Signature, Words
from specc.ir.window import choices_of
from specc.methods.ofa.phases import RELEASES, restarting, shrinking_json, stages_of
from specc.methods.protocol import Basics, Found, Method, Report, needs_choices
from specc.ops.conv.rules import ConvParams
from specc.ops.runs import runs

SIGNATURE: Final = Signature(
    "ofa",
    (
        Parameter(
            "subnets", ListOf("integer"), (), "sub-networks a step in each phase after `full`, or in all; none: 1, 2, 4"
        ),
        Parameter(
            "phases",
            ListOf(Words(("full", *RELEASES))),
            ("full", "kernel", "depth", "expand"),
            "which choices are let go, one kind after another",
        ),
        Parameter("epochs", ListOf("number"), (), "the phases' shares of the epochs; none: once-for-all's"),
        Parameter(
            "peaks",
            ListOf("number"),
            (),
            "the highest rate of each phase after `full`, as a share of `full`'s; none: once-for-all's",
        ),
        Parameter("distill", "number", 1, "weight of distillation from the largest network, beside the labels"),
        Parameter("transforms", "flag", True, "smaller kernels are learned transforms of larger ones; `no`: centres"),
    ),
    "progressive shrinking",
)

FIRST: Final = "begin with `full`, which trains the largest network"
ONCE: Final = "write each phase once: what it lets go stays so"
NO_SHARE: Final = "what a phase lets go is trained in it: give it a share, or leave it out"
PHASE_ORDER: Final = Rule(
    "E633",
    "phase-order",
    "the phases of progressive shrinking are out of order",
    "The largest network is trained first, in the phase `full`, and teaches the others after it. Each kind of choice\n"
    "is let go once.\n"
    "Wrong:  method ofa(phases=[kernel, full])\n"
    "Right:  method ofa(phases=[full, kernel, depth, expand])",
)
NEVER_RELEASED: Final = Rule(
    "E634",
    "never-released",
    "no phase releases a choice",
    "A choice stays at its largest option until the phase of its kind: `depth` also lets `skippable` sub-paths go,\n"
    "and `kernel`, `expand`, `width` and `resolution` their own. A resolution that no phase names is drawn from the\n"
    "start.\n"
    "Wrong:  width per_group 0.5..1.0 round 8 .. method ofa(phases=[full, kernel, depth])\n"
    "Right:  width per_group 0.5..1.0 round 8 .. method ofa(phases=[full, kernel, depth, width])",
)
PHASE_SHARES: Final = Rule(
    "E635",
    "phase-shares",
    "a list of numbers does not have one for each phase",
    "`epochs` has a share for each phase, of any scale: `[6, 4, 5, 5]` and `[0.3, 0.2, 0.25, 0.25]` are the same.\n"
    "`subnets` and `peaks` have one number for each phase after `full`, or one for all of these.\n"
    "Wrong:  method ofa(phases=[full, depth], epochs=[1, 1, 1])\n"
    "Right:  method ofa(phases=[full, depth], epochs=[2, 1])",
)

SQUARE_TRANSFORMS: Final = Rule(
    "E637",
    "square-transforms",
    "learned kernel transforms need square kernels",
    "Once-for-all learns a matrix for each smaller kernel of a square one. Kernels of other shapes are cut out of the\n"
    "centre of the largest, as all are with `transforms=no`.\n"
    "Wrong:  conv(64, kernel=[{3, 5}, 1]) .. method ofa\n"
    "Right:  conv(64, kernel=[{3, 5}, 1]) .. method ofa(transforms=no)",
)


class Ofa(Basics):
    """First the largest network on the labels; then drawn sub-networks on the labels and on its answers."""

    __slots__ = ()

    def distils(self, graph: Graph, call: Call) -> bool:
        return bool(call["distill"])

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        return max(stage.subnets for stage in stages_of(graph, call))

    def recipe(self, graph: Graph, call: Call, train: Call) -> Call:
        """The rate restarts with each stage, unless the spec's schedule says where it does."""
        schedule = restarting(graph, call, cast(Call, train["schedule"]))
        return replace(train, values=tuple((k, schedule if k == "schedule" else v) for k, v in train.values))

    def prepared(self, graph: Graph, call: Call) -> Graph:
        if not call["transforms"]:
            return graph
        # what reads or writes elastic tensors that are joined keeps the centres of its kernels
        in_runs = {tensor.name for tensor in graph.tensors if len(runs(tensor.channels)) > 1}
        ops = (op if {op.inputs[0], op.output} & in_runs else transformed(graph, op) for op in graph.ops)
        return graph.with_(ops=tuple(ops))

    def requests(self, graph: Graph, call: Call) -> tuple[Call, ...]:
        return (Call("channels"),)

    def files(self, graph: Graph, call: Call, found: Found) -> Mapping[str, str]:
        return {"shrinking.json": shrinking_json(graph, call, found["channels"]["sets"])}

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        needs_choices(graph, self.name, report)
        phases = cast("tuple[str, ...]", call["phases"])
        shares = cast("tuple[Fraction | int, ...]", call["epochs"])
        if phases[:1] != ("full",):
            first = phases[0] if phases else "none"
            report(
                PHASE_ORDER,
                f"the first phase is {first}: no trained network can be the teacher yet",
                at="phases",
                help=FIRST,
            )
        twice = [phase for phase in dict.fromkeys(phases) if phases.count(phase) > 1]
        if twice:
            report(PHASE_ORDER, f"the phase `{twice[0]}` is listed more than once", at="phases", help=ONCE)
        if shares and len(shares) == len(phases) and 0 in shares:
            idle = phases[shares.index(0)]
            report(PHASE_SHARES, f"the phase `{idle}` has no share of the epochs", at="epochs", help=NO_SHARE)
        elif shares and len(shares) != len(phases):
            report(
                PHASE_SHARES,
                f"there are {len(phases)} phases and {len(shares)} shares of the epochs",
                at="epochs",
                help=f"write one number for each of {', '.join(phases)}",
            )
        for name in ("subnets", "peaks"):
            given = cast("tuple[object, ...]", call[name])
            if len(given) not in (0, 1, len(phases) - 1):
                report(
                    PHASE_SHARES,
                    f"there are {len(phases) - 1} phases after `full`, and {len(given)} numbers in `{name}`",
                    at=name,
                    help="write one number for each, or one for all",
                )
        if 0 in cast("tuple[object, ...]", call["peaks"]):
            report(PHASE_SHARES, "a phase with a highest rate of 0 trains nothing", at="peaks", help="0.1 is usual")
        oblong = next((op for op in graph.ops if has_oblong_kernel(op)), None) if call["transforms"] else None
        if oblong is not None:
            report(
                SQUARE_TRANSFORMS,
                f"the kernel of `{oblong.name}` ({oblong.origin.location()}) is not square, and the transforms of "
                "smaller kernels are learned for square ones",
                at="transforms",
                help="write `transforms=no`: smaller kernels are then the centres of larger ones",
            )
        kinds: tuple[Kind, ...] = tuple(kind for phase in phases for kind in RELEASES.get(phase, ()))
        for choice in graph.choices:
            if choice.kind not in (*kinds, "resolution") and len(choice.options) > 1:
                wanted = [phase for phase, released in RELEASES.items() if choice.kind in released]
                report(
                    NEVER_RELEASED,
                    f"no phase lets `{choice.name}` go, so its smaller options would not be trained",
                    at="phases",
                    help=f"add `{wanted[0]}` to the phases" if wanted else "write `method us_net`, which draws it",
                )
                return


def has_oblong_kernel(op: Op) -> bool:
    """Whether an operation is a convolution with an elastic kernel that is not square."""
    p = op.params
    return isinstance(p, ConvParams) and isinstance(p.kernel, tuple) and bool(choices_of(p.kernel))


def transformed(graph: Graph, op: Op) -> Op:
    """A convolution of elastic kernel with a learned transform for each of its smaller kernels."""
    p = op.params
    if not isinstance(p, ConvParams) or not choices_of(p.kernel) or op.connection != DENSE:
        return op
    if isinstance(p.kernel, tuple):  # which is reported by `check`
        return op
    sizes = tuple(size for size in sizes_of(graph, p.kernel) if size != p.full_kernel)
    return replace(op, params=replace(p, transforms=sizes))


def sizes_of(graph: Graph, kernel: Expr) -> tuple[int, ...]:
    """The kernel sizes that an expression takes, rising."""
    names = sorted(free(kernel))
    options = [tuple(graph.choice_table()[name].options) for name in names]
    return tuple(sorted({cast(int, evaluate(kernel, dict(zip(names, at)))) for at in product(*options)}))


METHOD: Final[Method] = Ofa(
    SIGNATURE,
    elastic="kernel {3, 5}; skippable; width per_group {0.5, 0.75, 1.0} round 8; resolution",
    elastic_call="ofa(phases=[full, kernel, depth, width])",
)
