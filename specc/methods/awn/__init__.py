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
            ListOf("number", alone="integer"),
            4,
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
    "a channel would compute another function at another width",
    "One norm fits all widths only where every channel sees the same inputs at all of them: triangular connections,\n"
    "and operators that work channel by channel. Norms have one bank.\n"
    "Wrong:  width any 0.25..1.0 .. stage s1 { conv(64, kernel=3); norm }                     method awn\n"
    "Right:  width any 0.25..1.0; connect triangular .. stage s1 { conv(64, kernel=3); norm } method awn",
)
BAD_WIDTHS: Final = Rule(
    "E623",
    "bad-widths",
    "the widths of a step are neither a count nor shares",
    "A whole number from 2 is a count: the widest, the narrowest, and the rest drawn evenly between them.\n"
    "Brackets hold the widths themselves, as shares of the widest.\n"
    "Wrong:  method awn(widths=1)     method awn(widths=[0.5, 2])\n"
    "Right:  method awn(widths=4)     method awn(widths=[1.0, 0.75, 0.5, 0.25])",
)


class Awn(Basics):
    """Each step: a few widths, each on the labels. Norms are shared, and nothing is calibrated."""

    __slots__ = ()

    def subnets_per_step(self, graph: Graph, call: Call) -> int:
        widths = widths_of(call)
        return widths if isinstance(widths, int) else len(widths)

    def listed(self, graph: Graph, call: Call) -> tuple[object, ...] | None:
        widths = widths_of(call)
        if isinstance(widths, int):
            return ("max", "min") if widths == 2 else None
        (choice,) = graph.choices
        return tuple(Call("at", ((choice.name, nearest(graph, share)),)) for share in widths)

    def constants(self, graph: Graph, call: Call) -> tuple[Constant, ...]:
        widths = widths_of(call)
        judged = Constant("JUDGED", call["judged"], "Evenly spaced widths that are evaluated; their mean is the AUC.")
        if isinstance(widths, int):
            return Constant("WIDTHS", widths, "Widths a step, the widest and the narrowest among them."), judged
        counts = tuple(nearest(graph, share) for share in widths)
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
        widths = widths_of(call)
        if isinstance(widths, int):
            if widths < 2:
                help = "4 is the paper's; `[1.0]` is the widest alone"
                report(BAD_WIDTHS, "this must be a whole number from 2", at="widths", help=help)
        elif not widths:
            report(BAD_WIDTHS, "no width is listed", at="widths", help="write `widths=4`, or shares of the widest")
        elif not all(0 < share <= 1 for share in widths):
            report(BAD_WIDTHS, "a share is not in (0, 1]", at="widths", help="1.0 is the widest")
        elif narrow := [share for share in widths if nearest(graph, share) < options_of(graph)[0]]:
            message = f"{float(narrow[0]):g} of the widest is less than the network's narrowest"
            report(BAD_WIDTHS, message, at="widths", help="write `width any` with a lower end, or a larger share")
        for op, reason in varying(graph, any_width):
            message = f"`{op.name}` ({op.origin.location()}) {reason}"
            report(NOT_TRIANGULAR, message, help="write `connect triangular` around the stages, and `norm batch`")


def widths_of(call: Call) -> int | tuple[Number, ...]:
    """The `widths` argument: how many, or the shares themselves."""
    widths = call["widths"]
    assert isinstance(widths, (int, tuple)), widths
    return widths


def width_choice(graph: Graph) -> str | None:
    """The one choice of any width; None in a network with other choices, or with none."""
    (choice, *others) = graph.choices or (None,)
    if choice is None or others or choice.kind != "width" or not all(isinstance(o, int) for o in choice.options):
        return None
    return choice.name


def options_of(graph: Graph) -> tuple[int, ...]:
    """The channels of the widest layer at each width."""
    return tuple(option for option in graph.choices[0].options if isinstance(option, int))


def nearest(graph: Graph, share: Number) -> int:
    """A share of the widest layer's channels, to the nearest whole number."""
    return round_half_up(Fraction(share) * options_of(graph)[-1])


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
        if not reads or op.name in answers or op.operator.channelwise:
            continue
        if not op.operator.connects:
            yield op, f"mixes the channels of all widths, as every `{op.kind}` does"
        elif op.connection.kind == "dense" and getattr(op.params, "groups", 1) == 1:
            yield op, "is dense: at a smaller width its channels would see fewer inputs"


def heads(root: Scope) -> Iterator[Scope]:
    return (item for item in root.items if isinstance(item, Scope) and item.kind in ("head", "exit"))


METHOD: Final[Method] = Awn(SIGNATURE, calibrates=False)
