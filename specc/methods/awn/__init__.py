"""AWN (Vu et al., 2020): a network of any width, whose triangular connections let one norm fit all widths."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Final

from specc.diagnostics import Rule
from specc.ir.expr import Apply, Expr, Number, Var, free, round_half_up
from specc.ir.graph import Graph, Op, Scope
from specc.ir.parameter import Call, ListOf, Parameter, Signature
from specc.methods.protocol import Basics, Constant, Method, Report

SIGNATURE: Final = Signature(
    "awn",
    (
        Parameter(
            "widths",
            ListOf("number"),
            (4,),
            "how many widths a step: the widest, the narrowest, the others drawn; or a list of them, as shares",
        ),
        Parameter("judged", "integer", 10, "evenly spaced widths that are evaluated; their mean accuracy is the AUC"),
    ),
    "every width, cross-entropy at each of a few",
)

NO_ANY_WIDTH: Final = Rule(
    "E621",
    "no-any-width",
    "any-width training needs one choice of any width, and no other",
    "`awn` draws widths from the one choice of a `width any` setting; what else is elastic would never be trained.\n"
    "Wrong:  width uniform {0.25, 0.5, 1.0} .. method awn\n"
    "Right:  width any 0.25..1.0; connect triangular .. method awn",
)
NOT_TRIANGULAR: Final = Rule(
    "E622",
    "not-triangular",
    "a channel of an any-width network would be another function at another width",
    "One norm fits all widths only where every channel sees the same inputs at all of them: triangular connections,\n"
    "and operators that work channel by channel. Norms have one bank.\n"
    "Wrong:  width any 0.25..1.0 .. stage s1 { conv(64, kernel=3); norm }                     method awn\n"
    "Right:  width any 0.25..1.0; connect triangular .. stage s1 { conv(64, kernel=3); norm } method awn",
)
BAD_WIDTHS: Final = Rule(
    "E623",
    "bad-widths",
    "the widths of a step are no count and no shares",
    "One whole number from 2 is a count: the widest, the narrowest, and so many less two drawn evenly. Several are\n"
    "the widths themselves, as shares of the widest.\n"
    "Wrong:  method awn(widths=1)     method awn(widths=[0.5, 2])\n"
    "Right:  method awn(widths=4)     method awn(widths=[1.0, 0.75, 0.5, 0.25])",
)


class Awn(Basics):
    """Each step: a few widths, each on the labels. Norms are shared, and nothing is calibrated."""

    __slots__ = ()

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        widths = listed(call)
        return len(widths) if len(widths) > 1 else int(widths[0])

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        widths = listed(call)
        judged = Constant("JUDGED", call["judged"], "Evenly spaced widths that are evaluated; their mean is the AUC.")
        if len(widths) == 1:
            return (
                Constant("WIDTHS", int(widths[0]), "Widths a step, the widest and the narrowest among them."),
                judged,
            )
        counts = tuple(channels(graph, share) for share in widths)
        return Constant("WIDTHS", counts, "The widths of every step: channels of the widest layer."), judged

    def check(self, graph: Graph, call: Call, report: Report) -> None:
        any_width = width_choice(graph)
        if any_width is None:
            report(
                NO_ANY_WIDTH,
                "`awn` trains one choice of any width, and this network "
                + (f"has {len(graph.choices)} choices" if graph.choices else "has nothing to choose"),
                help="write `width any 0.25..1.0`, and leave other elastic dimensions out",
            )
            return
        widths = listed(call)
        if len(widths) == 1 and (widths[0] < 2 or widths[0] != int(widths[0])):
            report(BAD_WIDTHS, "this is no count from 2", at="widths", help="4 is the paper's")
        if len(widths) > 1 and not all(0 < share <= 1 for share in widths):
            report(BAD_WIDTHS, "a share is not in (0, 1]", at="widths", help="1.0 is the widest")
        for op, reason in varying(graph, any_width):
            message = f"`{op.name}` ({op.origin.location()}) {reason}"
            report(NOT_TRIANGULAR, message, help="write `connect triangular` around the stages, and `norm batch`")


def listed(call: Call) -> tuple[Number, ...]:
    """The `widths` argument."""
    widths = call["widths"]
    assert isinstance(widths, tuple), widths
    return widths or (4,)


def width_choice(graph: Graph) -> str | None:
    """The one choice of any width; None in a network with other choices, or with none."""
    (choice, *others) = graph.choices or (None,)
    if choice is None or others or choice.kind != "width" or not all(isinstance(o, int) for o in choice.options):
        return None
    return choice.name


def channels(graph: Graph, share: Number) -> int:
    """The option nearest to a share of the widest."""
    options = [option for option in graph.choices[0].options if isinstance(option, int)]
    return min(max(round_half_up(Fraction(share) * options[-1]), options[0]), options[-1])


def varying(graph: Graph, choice: str) -> Iterator[tuple[Op, str]]:
    """The ops outside heads by which a channel would depend on the width, and how."""
    tensors = graph.tensor_table()
    answers = {name for scope in heads(graph.root) for name in scope.ops()}

    def elastic(expr: Expr) -> bool:
        return isinstance(expr, (Var, Apply)) and choice in free(expr)

    for op in graph.ops:
        if choice in free(op.bank.index):
            yield op, "has a norm bank for each width"
        reads = any(elastic(tensors[name].features) for name in op.inputs)
        if not reads or op.name in answers or getattr(op.operator, "channelwise", False):
            continue
        if op.kind not in ("conv", "linear"):
            yield op, f"mixes the channels of all widths, as every `{op.kind}` does"
        elif op.connection.kind == "dense" and getattr(op.params, "groups", 1) == 1:
            yield op, "is dense: at a smaller width its channels would see fewer inputs"


def heads(root: Scope) -> Iterator[Scope]:
    return (item for item in root.items if isinstance(item, Scope) and item.kind in ("head", "exit"))


METHOD: Final[Method] = Awn(SIGNATURE, calibrates=False)
