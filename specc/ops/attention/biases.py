"""What is added to the scores of an attention in a trace: learned numbers for distances, and masks of windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isqrt
from typing import cast

from specc.ops.attention.distances import distances_between, is_mask, log_distances
from specc.ops.attention.places import HIDDEN, Pair
from specc.ops.attention.scored import expanded_away
from specc.traced.found import Seen, taken
from specc.traced.graph import Node, State, Weight
from specc.traced.views import Digit, View, joined, unknown


@dataclass(frozen=True, slots=True)
class Area:
    """Where the tokens of an attention stand, as far as biases need it.

    area   height and width of the part that they fill; None for tokens of which nobody knows
    space  height and width of the map that is cut into windows of that size, which were moved by `shift`
    """

    heads: int
    tokens: int
    area: Pair | None = None
    space: Pair = (0, 0)
    shift: Pair = (0, 0)


@dataclass(frozen=True, slots=True)
class Biased:
    """What was found: arguments of the call, our weights, and the nodes that compute it. `masked`: windows' regions
    are kept apart."""

    parameters: Mapping[str, object] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=dict)
    nodes: tuple[Node, ...] = ()
    masked: bool = False


def biases_of(terms: tuple[object, ...], at: Area, seen: Seen) -> Biased | None:
    """What all terms are together; None where one of them is something else."""
    found = Biased()
    for term in terms:
        if not found.masked and masks(term, at, seen):
            found = Biased(found.parameters, found.weights, found.nodes, True)
            continue
        position = relative(term, at, seen) or continuous(term, at, seen)
        if position is None or found.weights:
            return None
        found = Biased(position.parameters, position.weights, position.nodes, found.masked)
    return found


def masks(term: object, at: Area, seen: Seen) -> bool:
    """A constant that keeps the regions of shifted windows apart."""
    node = seen.node(term, "state")
    if node is None or node.state is None or node.state.trained or at.area is None:
        return False
    windows = at.space[0] * at.space[1] // at.tokens
    shape = tuple(size for size in seen.shape(term) if size != 1)
    wanted = tuple(size for size in (windows, at.tokens, at.tokens) if size != 1)
    if shape != wanted or at.shift == (0, 0):
        return False
    numbers = node.state.numbers
    return not numbers or is_mask(numbers, at.space, at.area, at.shift)  # too many to be looked at: outputs decide


def relative(term: object, at: Area, seen: Seen) -> Biased | None:
    """`table[index]` with a learned number a distance and head."""
    indexed = looked_up(term, at, seen)
    if indexed is None:
        return None
    index, view = indexed
    state = seen.state(index["self"])
    area = area_of(seen.shape(index["self"])[0], at)
    if state is None or not state.trained or area is None:
        return None
    if not by_distance(index, area, seen) or not lies_as_scores(view, at):
        return None
    return Biased({"position": "relative"}, {"positions.weight": Weight((state.name,))}, (index,))


def area_of(distances: int, at: Area) -> tuple[Pair, bool] | None:
    """The part in which tokens have so many distances, and whether a class token stands before them."""
    area = at.area
    if area is None:
        side = isqrt(at.tokens)
        area = (side, side)
    count = (2 * area[0] - 1) * (2 * area[1] - 1)
    found = {(area[0] * area[1], count): False, (area[0] * area[1] + 1, count + 3): True}
    token = found.get((at.tokens, distances))
    return None if token is None else (area, token)


def looked_up(term: object, at: Area, seen: Seen) -> tuple[Node, View] | None:
    """The node that looks distances up in a table, and how a term looks at its result."""
    view, index = seen.view(term), seen.node(term, "aten.index")
    if view is None or index is None:
        return None
    return index, expanded_away(view)


def by_distance(index: Node, area: tuple[Pair, bool], seen: Seen) -> bool:
    """Whether a look-up is that of each pair of tokens by their distance."""
    indices = cast("tuple[object, ...]", index["indices"])
    if len(indices) != 1:
        return False
    node = seen.node(indices[0], "state")
    if node is None or node.state is None:
        return False
    view = seen.view(indices[0])
    digits = () if view is None else tuple(digit for axis in view.axes for digit in axis)
    if joined(digits) != joined(digit for axis in unknown(node.shape) for digit in axis):
        return False
    return tuple(node.state.numbers) == distances_between(*area)


def lies_as_scores(view: View, at: Area) -> bool:
    """Whether a view of looked up numbers, [T * T, heads] or [T, T, heads], is [heads, T, T]."""
    if view.picks or view.shape != tuple(size for size in (at.heads, at.tokens, at.tokens) if size != 1):
        return False
    heads = [axis for axis in view.axes if axis[0].axis != "0" and axis == axis_of_heads(view, at)]
    if at.heads != 1 and view.axes[0] not in heads:
        return False
    pairs = view.axes[1:] if at.heads != 1 else view.axes
    flat = (Digit("0", at.tokens, at.tokens),), (Digit("0", 1, at.tokens),)
    square = (Digit("0", 1, at.tokens),), (Digit("1", 1, at.tokens),)
    return pairs in (flat, square)


def axis_of_heads(view: View, at: Area) -> tuple[Digit, ...]:
    """The last axis of what was looked up."""
    last = "2" if any(digit.axis == "1" for axis in view.axes[1:] for digit in axis) else "1"
    return (Digit(last, 1, at.heads),)


def continuous(term: object, at: Area, seen: Seen) -> Biased | None:
    """`16 * sigmoid(network(log distances)[index])`."""
    scaled = seen.node(term, "aten.mul")
    if scaled is None:
        return None
    sides = ((scaled["self"], scaled["other"]), (scaled["other"], scaled["self"]))
    soft = next((seen.node(one, "aten.sigmoid") for one, other in sides if other == 16), None)
    index = None if soft is None else seen.node(soft["self"], "aten.index")
    network = None if index is None else network_of(index["self"], seen)
    view = seen.view(term)
    if soft is None or index is None or network is None or view is None:
        return None
    area = area_of(seen.shape(index["self"])[0], at)
    if area is None or area[1] or not by_distance(index, area, seen):
        return None
    if not close(network.distances, log_distances(area[0])) or not lies_as_scores(expanded_away(view), at):
        return None
    parameters: dict[str, object] = {"position": "continuous"}
    if network.hidden != HIDDEN:
        parameters["position_hidden"] = network.hidden
    return Biased(parameters, network.weights, (*network.nodes, index, soft, scaled))


@dataclass(frozen=True, slots=True)
class Network:
    """Two layers that make a number a head of each distance."""

    distances: State
    hidden: int
    weights: Mapping[str, Weight]
    nodes: tuple[Node, ...]


def network_of(argument: object, seen: Seen) -> Network | None:
    """`linear(relu(linear(distances)))`, a row a distance."""
    last = seen.node(argument, "aten.linear")
    curve = None if last is None else seen.node(last["input"], "aten.relu")
    first = None if curve is None else seen.node(curve["self"], "aten.linear")
    table = None if first is None else seen.node(first["input"], "state")
    if last is None or curve is None or first is None or table is None or table.state is None:
        return None
    before, after, view = taken(seen, first), taken(seen, last), seen.view(argument)
    if before is None or after is None or view is None or [*before, *after] != ["weight", "bias", "weight"]:
        return None
    rows = tuple(digit for axis in unknown(table.shape[:-1]) for digit in axis)
    if table.state.trained or view.axes[0] != rows or view.picks:
        return None
    weights = {f"positions.hidden.{name}": weight for name, weight in before.items()}
    weights["positions.out.weight"] = after["weight"]
    return Network(table.state, first.shape[-1], weights, (first, curve, last))


def close(state: State, wanted: list[float]) -> bool:
    """Whether a constant has these numbers, but for rounding."""
    return len(state.numbers) == len(wanted) and all(
        abs(number - other) < 1e-5 for number, other in zip(state.numbers, wanted, strict=True)
    )
