"""Whether a network is one of slices: slice i of every feature map depends on slices up to i only.

Then the sub-network of k slices is the first part of every larger one: all answers come from one pass, and each can be
had by adding one slice to what is there already (slicing networks vertically, section 3.2). Heads are exempt: they
read all slices that are active.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal, TypeAlias, cast

from specc.diagnostics import Findings, Rule
from specc.frozen import frozen
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Var, free
from specc.ir.graph import Graph, Op, Scope, Tensor
from specc.passes.drop_dead import choices_read

LATER_SLICE = Rule(
    "E522",
    "later-slice",
    "a slice depends on a later one, or on how many there are",
    "`inclusive_sparse` takes the answers of all sub-networks from one pass. So slice i of every feature map outside\n"
    "the heads depends on slices up to i only: triangular or diagonal connections in K blocks, groups, norms that\n"
    "all share, and what works channel by channel.\n"
    "Wrong:  width by k .. conv(96, kernel=1); norm(bank=k)                  method inclusive_sparse\n"
    "Right:  width by k .. conv(96, kernel=1, connect=triangular(6)); norm   method inclusive_sparse",
)
State: TypeAlias = Literal["fixed", "sliced", "mixed"]
"""Of a feature map: the same for every k, cut in slices that depend on earlier ones only, or a problem already."""


@frozen
class Problem:
    """An op because of which a slice depends on a later one, or on how many there are."""

    op: Op
    reason: str


@frozen
class Slices:
    """How a network is cut: the choice of how many slices are active, and what stands in the way of its promise."""

    choice: str
    problems: tuple[Problem, ...]


@lru_cache(maxsize=8)
def slices_of(graph: Graph) -> Slices | None:
    """The slices of a finished graph; None where no choice cuts its widths in equal slices."""
    factors = {name for tensor in graph.tensors for name in factors_of(tensor)}
    choice = next((c for c in graph.choices if c.name in factors and isinstance(c.largest, int)), None)
    return None if choice is None else Slices(choice.name, tuple(problems(graph, choice)))


def factors_of(tensor: Tensor) -> tuple[str, ...]:
    """The choices that a tensor's channels may be so many times."""
    count = tensor.channels[0].size if len(tensor.channels) == 1 else 0
    if isinstance(count, Apply) and count.function == "mul" and any(isinstance(factor, int) for factor in count.args):
        return tuple(factor.choice for factor in count.args if isinstance(factor, Var))
    return (count.choice,) if isinstance(count, Var) else ()


def separable(graph: Graph) -> str | None:
    """The choice of how many slices are active, in a network that keeps the promise; None in any other."""
    found = slices_of(graph)
    return found.choice if found is not None and not found.problems else None


def check_slices(graph: Graph, method: str, findings: Findings) -> None:
    """Reports what breaks the promise, for a method that relies on it."""
    found = slices_of(graph)
    if found is None:
        message = f"`{method}` needs a network of slices, and no width of this one is cut by a choice"
        help = "declare `choice k in 1..6`, and write `width by k` before the stem"
        findings.report(LATER_SLICE, graph.origin, message, help=help)
        return
    for problem in found.problems:
        message = f"`{problem.op.name}` breaks the slices that `{method}` needs: {problem.reason}"
        findings.report(LATER_SLICE, problem.op.origin, message, help="`specc explain E522` lists what is allowed")


def sliced_by(tensor: Tensor, choice: Choice) -> bool:
    """Whether a tensor's channels are the first k of K equal slices."""
    most = choice.largest
    if len(tensor.channels) != 1 or not isinstance(most, int):
        return False
    return whole_slices(tensor.channels[0].size, choice)


def whole_slices(count: Expr, choice: Choice) -> bool:
    """Whether a count is so many times k."""
    variable = Var(choice.name)
    if isinstance(count, Apply) and count.function == "mul":
        return variable in count.args and any(isinstance(factor, int) for factor in count.args)
    return count == variable


def problems(graph: Graph, choice: Choice) -> Iterator[Problem]:
    """Every op of the body that breaks the promise, each once; what follows from one is not another."""
    tensors = graph.tensor_table()
    states: dict[str, State] = dict.fromkeys(graph.inputs, "fixed")
    body = set(body_ops(graph.root))
    for op in graph.ops:
        if op.name not in body:
            states.update(dict.fromkeys(op.outputs, "mixed"))
            continue
        reason = reads_count(op, choice) or (
            "" if any(states[name] == "mixed" for name in op.inputs) else broken(op, tensors, states, choice)
        )
        if reason:
            yield Problem(op, reason)
        bad = bool(reason) or any(states[name] == "mixed" for name in op.inputs)
        for name in op.outputs:
            states[name] = "mixed" if bad else "sliced" if sliced_by(tensors[name], choice) else "fixed"


def body_ops(root: Scope) -> Iterator[str]:
    """The ops that are in no head and no exit, and that do not choose among their answers."""
    for item in root.items:
        if isinstance(item, Scope):
            if item.kind not in ("head", "exit") and not item.output:
                yield from (body_ops(item) if item.kind == "region" else item.ops())


def reads_count(op: Op, choice: Choice) -> str:
    """Why an op is not the same in every sub-network, if it is not."""
    if choice.name in free(op.bank.index):
        return f"it has a norm bank for each {choice.name}, so a slice would depend on how many there are"
    if choice.name in free(op.guard):
        return f"whether it is there depends on {choice.name}"
    for name in ("kernel", "conditions"):
        value = getattr(op.params, name, ())
        values = value if isinstance(value, tuple) else (value,)
        if any(choice.name in free(v) for v in values):
            return f"what it does depends on {choice.name}"
    return ""


def broken(op: Op, tensors: Mapping[str, Tensor], states: Mapping[str, State], choice: Choice) -> str:
    """Why an output slice would depend on a later input slice, or have none of its own; "" where neither is so."""
    slices = cast(int, choice.largest)
    after = [tensors[name] for name in op.outputs]
    cut = [sliced_by(tensor, choice) for tensor in after]
    loose = [t for t in after if choice.name in choices_read((), (t,)) and not sliced_by(t, choice)]
    if loose:
        return f"its output does not come in {slices} equal slices"
    if all(states[name] == "fixed" for name in op.inputs):
        writes = op.operator.layer and not op.operator.channelwise
        return "" if writes or not any(cut) else "it makes slices of what has none"
    own = op.operator.own_slices(op)
    if own is not None:
        return "" if whole_slices(own, choice) else f"it needs slices={slices}: each is padded on its own"
    if op.operator.channelwise:
        return "" if all(cut) else "its output is not cut in slices"
    if op.operator.connects:
        return weighted(op, slices)
    return f"`{op.kind}` mixes the channels of all slices"


def weighted(op: Op, slices: int) -> str:
    """Why a convolution or linear layer over slices breaks the promise, if it does."""
    blocks = op.connection.blocks
    if op.connection.kind != "dense":
        if blocks is not None and blocks % slices == 0:
            return ""
        return f"its {blocks or 'channel by channel'} blocks are not {slices} slices"
    if getattr(op.params, "groups", 1) != 1:
        return ""  # as many whole groups as come in; `broken` has seen that the output comes in slices
    return f"every output reads all slices; write connect=triangular({slices}) or connect=diagonal({slices})"
