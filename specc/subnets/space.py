"""The space of sub-networks of a graph: when a choice matters, how many sub-networks there are, what they cost, draws.

The work is done by `specc.space`, which generated projects use too; here a graph becomes its `Space`.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, cast

from specc.activity.entangled import ENTANGLED, refused
from specc.diagnostics import Diagnostic, Findings, Rule
from specc.frozen import frozen
from specc.ir.choice import Assignment
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.space import choices as portable
from specc.space.choices import Space
from specc.subnets.conditions import activity, conditions, count_of, space_of
from specc.subnets.module import costs_module, space_module

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from specc.space.window import Draws

__all__ = [
    "Ranges",
    "activity",
    "approximate_range",
    "canonical",
    "complete",
    "costs_module",
    "doubts",
    "draw",
    "enumerate_space",
    "range_of_costs",
    "size",
    "space_module",
    "space_of",
]

Distribution: TypeAlias = Literal["uniform", "independent"]
Found = TypeVar("Found")
Interval: TypeAlias = tuple[float, float]
ANY: Interval = (-inf, inf)

EMPTY_WINDOW = Rule(
    "E611",
    "empty-window",
    "no sub-network costs what was asked for",
    "A budget such as `--macs 60M..100M` keeps the sub-networks whose cost is between its ends, both included.\n"
    "Where there is none, the nearest costs that can be reached are named: move an end to one of them.\n"
    "Wrong:  specc sample specs/mobilenet_v2_us.specc --macs 10M..20M   (the smallest sub-network has 59 M)\n"
    "Right:  specc sample specs/mobilenet_v2_us.specc --macs 60M..100M",
)
NOTHING_FOUND = Rule(
    "E615",
    "nothing-found",
    "no sub-network within a budget was found, though there may be some",
    "In spaces that are too large to list, sub-networks within a budget are looked for; a budget that hardly any of\n"
    "them keeps can be missed. The nearest costs that were found are named: widen the window to one of them.\n"
    "Wrong:  specc sample specs/mobilenet_v2_tips.specc --macs 150000001..150000001 --params 2000000..2000001\n"
    "Right:  specc sample specs/mobilenet_v2_tips.specc --macs 150M..151M --params 2M..2.1M",
)
APPROXIMATE_DRAWS = Rule(
    "W611",
    "approximate-draws",
    "samples within a budget are not exactly uniform",
    "Uniform sampling within a budget counts the sub-networks within it. When choices are too interdependent for\n"
    "exact counting, each choice is drawn independently until all costs satisfy the budgets, or only the ends of the\n"
    "range are found.\n"
    "Wrong:  statistics of such draws as those of the sub-networks within the budget\n"
    "Right:  fewer choices that depend on one another, or options further apart.",
)
FEWER_DRAWS = Rule(
    "W612",
    "fewer-draws",
    "fewer sub-networks were sampled than asked for",
    "In a space that is too large to list, a narrow budget takes many tries per draw. The number of tries is bounded;\n"
    "what was drawn is still uniform.\n"
    "Wrong:  specc sample SPEC -n 1000 --macs 150000001..150000001\n"
    "Right:  specc sample SPEC -n 1000 --macs 150M..151M",
)
APPROXIMATE_RANGE = Rule(
    "W613",
    "approximate-range",
    "the range of costs is that of the smallest and the largest sub-network",
    "The range of costs is found by variable elimination. When choices are too interdependent for that, the range is\n"
    "that of the smallest and the largest sub-network.\n"
    "Wrong:  a width that falls where another choice rises, among very many choices that are read together\n"
    "Right:  fewer choices that depend on one another, or options further apart.",
)
TOO_LARGE = Rule(
    "E612",
    "space-too-large",
    "a space has too many sub-networks to list them all",
    "Listing is for small spaces; larger ones are counted, drawn from and searched without listing them.\n"
    "Wrong:  an exhaustive search of 10^12 sub-networks\n"
    "Right:  strategy=evolution(evaluations=256), or fewer choices.",
)


@frozen
class Ranges:
    """The least and the most that any sub-network costs, and the peak activation bytes of the smallest and the largest.

    `exact` is false where the choices are too interdependent, and the smallest's and largest's costs stand instead.
    """

    macs: tuple[int, int]
    params: tuple[int, int]
    peak_bytes: tuple[int, int]
    exact: bool


def canonical(graph: Graph, assignment: Assignment) -> dict[str, Option]:
    """The assignment without the choices that nothing present reads. Those not given read as their first option."""
    return cast("dict[str, Option]", portable.canonical(conditions(graph), assignment))


def complete(graph: Graph, partial: Assignment, default: Literal["max", "min"] = "max") -> dict[str, Option]:
    """The canonical assignment in which choices not given stand at their last or first option."""
    space = conditions(graph)
    return cast("dict[str, Option]", portable.canonical(space, portable.complete(space, partial, default == "max")))


def size(graph: Graph) -> int:
    """The exact number of sub-networks: canonical assignments. Raises SpecError where choices are too entangled."""
    count = count_of(conditions(graph))
    if count is None:
        raise refused(ENTANGLED, graph.origin, "the choices decide together, in no order, what else matters")
    return count


def enumerate_space(graph: Graph, limit: int = 100_000) -> list[dict[str, Option]]:
    """Every sub-network once. Raises SpecError where there are more than `limit`."""
    count = size(graph)
    if count > limit:
        message = f"there are {count:,} sub-networks, and only up to {limit:,} are listed"
        help = "draw some with `specc sample`, or give the network fewer choices"
        raise refused(TOO_LARGE, graph.origin, message, help)
    return cast("list[dict[str, Option]]", list(portable.every(conditions(graph))))


def range_of_costs(graph: Graph) -> Ranges:
    """What the sub-networks of a graph cost, from the least to the most."""
    from specc.cost.report import cost
    from specc.space.conditioned import ranges_of
    from specc.space.elimination import TooEntangled

    ends = [cost(graph, complete(graph, {}, end)) for end in cast("tuple[Literal['min', 'max'], ...]", ("min", "max"))]
    peaks = (ends[0].peak_bytes, ends[1].peak_bytes)
    try:
        macs, params = ranges_of(space_of(graph))
    except TooEntangled:
        return Ranges((ends[0].macs, ends[1].macs), (ends[0].params, ends[1].params), peaks, exact=False)
    return Ranges(macs, params, peaks, exact=True)


def approximate_range(graph: Graph) -> tuple[Diagnostic, ...]:
    """The warning for ranges that are not exact."""
    findings = Findings()
    message = "the choices are too interdependent: the costs are those of the smallest and the largest sub-network"
    findings.report(APPROXIMATE_RANGE, graph.origin, message)
    return tuple(findings.warnings)


def draw(
    graph: Graph,
    number: int,
    seed: int,
    distribution: Distribution = "uniform",
    macs: Interval = ANY,
    params: Interval = ANY,
) -> Draws:
    """`number` independent draws, the same for the same seed everywhere.

    Without limits by the distribution named; with limits uniform over the sub-networks inside them. Raises SpecError
    where there are none.
    """
    from specc.space.tilting import true_costs
    from specc.space.window import Draws, draw_in_window

    space = space_of(graph)
    rng = random.Random(seed)
    if (macs, params) == (ANY, ANY):
        rows = drawn(graph, space, number, rng, distribution)
        costs = tuple(tuple(column) for column in true_costs(space, rows).T.tolist())
        return Draws(tuple(portable.assignments_at(space, rows)), costs, number)
    return found_by(graph, lambda: draw_in_window(space, number, rng, macs, params))


def found_by(graph: Graph, action: Callable[[], Found]) -> Found:
    """What draws within a window give. Raises SpecError where there are none, or none was found."""
    from specc.space.window import EmptyWindow, NothingFound

    try:
        return action()
    except EmptyWindow as error:
        help = "move an end of the window to a cost that can be reached"
        raise refused(EMPTY_WINDOW, graph.origin, str(error), help) from None
    except NothingFound as error:
        raise refused(NOTHING_FOUND, graph.origin, str(error), "widen the window") from None


def doubts(graph: Graph, draws: Draws, wanted: int) -> tuple[Diagnostic, ...]:
    """Warnings of draws that are not what one would expect: not exactly uniform, or fewer than asked for."""
    findings = Findings()
    if draws.why:
        findings.report(APPROXIMATE_DRAWS, graph.origin, f"the draws are approximate: {draws.why}")
    found = len(draws.assignments)
    if found < wanted:
        message = f"only {found:,} of {wanted:,} sub-networks were found in {draws.tries:,} tries"
        findings.report(FEWER_DRAWS, graph.origin, message, help="widen the window for more")
    return tuple(findings.warnings)


def drawn(graph: Graph, space: Space, number: int, rng: random.Random, distribution: Distribution) -> NDArray[np.int64]:
    """Draws without limits, as rows of option positions [number, choices]."""
    from specc.space.elimination import TooEntangled
    from specc.space.tilting import by_chance, whole_space

    if distribution == "independent":
        return by_chance(space)(rng, number)
    try:
        return whole_space(space, number, rng)
    except TooEntangled:
        message = "the choices decide together, in no order, what else matters"
        help = "draws within a budget are made all the same, and those of `--distribution independent`"
        raise refused(ENTANGLED, graph.origin, message, help) from None
