"""The statements of a forward, where each of their tensors is made and read, and the variables that these share."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from specc.codegen.names import fresh
from specc.ir.expr import Expr, apply

VARIABLES: Final = ("x", "y", "z", "u", "v", "w")


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call in forward.

    call          the expression, with `{0}`, `{1}` for its inputs
    inplace       the expression that overwrites its first input, "" where that is not safe for autograd
    update        the statement that does so and gives no new tensor, "" for none
    overwritable  whether a later step may overwrite its output
    nests         whether its first input may be written into it: `F.relu(self.norm(x))`
    shape         a comment about the output's shape
    folds         whether it may be written as an argument of the step that reads it; `absorbs` whether it takes such
    """

    call: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    inplace: str = ""
    update: str = ""
    overwritable: bool = False
    nests: bool = False
    shape: str = ""
    folds: bool = False
    absorbs: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Select:
    """Where alternatives meet: the first input whose condition holds. `conditions` are the text of `guards`."""

    inputs: tuple[str, ...]
    output: str
    conditions: tuple[str, ...]
    guards: tuple[Expr, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Branch:
    """Statements under a condition. With `unless`, its opposite, they are all that is left to do: forward ends where it
    holds."""

    condition: str
    guard: Expr
    body: tuple[Statement, ...]
    unless: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """Rounds of a repeat one after another: `for layer in self.rounds: x = layer(x, p)`.

    `args` is what a round is given, with `{0}`, `{1}` for the inputs; `carried` says which input is which output of the
    round before; `shape` is a comment about what the last puts out.
    """

    rounds: str
    args: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    carried: tuple[tuple[int, int], ...]
    shape: str = ""


Statement: TypeAlias = Step | Select | Branch | Loop


@dataclass(slots=True, eq=False)
class Flow:
    """Where every tensor of a body is made and read, as positions in the order of the text, and under which guards."""

    made: dict[str, int] = field(default_factory=dict)
    reads: dict[str, list[int]] = field(default_factory=dict)
    maker: dict[str, Step] = field(default_factory=dict)
    under: dict[str, tuple[Expr, ...]] = field(default_factory=dict)
    selects: list[tuple[int, Select]] = field(default_factory=list)
    joins: dict[int, Select] = field(default_factory=dict)
    loops: list[tuple[int, Loop]] = field(default_factory=list)
    at: dict[int, tuple[Expr, ...]] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    length: int = 0


def read_flow(statements: Sequence[Statement], inputs: Sequence[str], outputs: Sequence[str]) -> Flow:
    flow = Flow()
    for tensor in inputs:
        flow.made[tensor] = 0
        flow.under[tensor] = ()
    visit(flow, statements, ())
    flow.length += 1
    for tensor in outputs:
        flow.reads.setdefault(tensor, []).append(flow.length)
    return flow


def visit(flow: Flow, statements: Sequence[Statement], under: tuple[Expr, ...]) -> None:
    for statement in statements:
        if isinstance(statement, Branch):
            visit(flow, statement.body, (*under, statement.guard))
            continue
        flow.length += 1
        flow.at[flow.length] = under
        for tensor in statement.inputs:
            flow.reads.setdefault(tensor, []).append(flow.length)
        for tensor in (statement.output,) if isinstance(statement, Select) else statement.outputs:
            flow.made[tensor] = flow.length
            flow.under[tensor] = under
            if isinstance(statement, Step):
                flow.maker[tensor] = statement
        if isinstance(statement, Loop):  # its inputs live on while it makes its outputs
            flow.length += 1
            flow.at[flow.length] = under
            for tensor in statement.inputs:
                flow.reads[tensor].append(flow.length)
            flow.loops.append((flow.length, statement))
        if isinstance(statement, Select):
            flow.selects.append((flow.length, statement))
            flow.joins[flow.length] = statement


def coalesce(flow: Flow) -> dict[str, str]:
    """Which tensors share a variable because a select joins them: every tensor with the one that stands for its web.

    A tensor that goes on where a region is left out can share with the region's result if nothing reads it later;
    results of regions that exclude each other can always share.
    """
    web = {tensor: tensor for tensor in flow.made}
    members: dict[str, list[str]] = {tensor: [tensor] for tensor in flow.made}
    for place, select in flow.selects:
        inputs = select.inputs
        pairs = [(a, b) for i, a in enumerate(inputs) for b in inputs[i + 1 :] if web[a] != web[b]]
        joinable = all(flow.reads[t][-1] <= place for t in inputs)
        if joinable and all(can_share(flow, web, members, a, b, place) for a, b in pairs):
            heads = {web[t] for t in (*inputs, select.output)}
            head = min(heads, key=lambda t: flow.made[t])
            for other in sorted(heads - {head}, key=lambda t: flow.made[t]):
                for tensor in members[other]:
                    web[tensor] = head
                members[head].extend(members.pop(other))
    join_loops(flow, web, members)
    join_regions(flow, web, members)
    alone = {head for head, group in members.items() if len(group) == 1}
    for tensor, step in flow.maker.items():
        if tensor in alone and updates(flow, step) and web[step.inputs[0]] in alone:
            alone.discard(tensor)
            web[tensor] = web[step.inputs[0]]
    return web


def join_loops(flow: Flow, web: dict[str, str], members: dict[str, list[str]]) -> None:
    """Lets a loop go on in the variables that it begins with, where nothing reads these later."""
    for place, loop in flow.loops:
        for i, j in loop.carried:
            before, after = web[loop.inputs[i]], web[loop.outputs[j]]
            ended = all(max(flow.reads.get(t, [0])) <= place for t in members[before])
            begins = all(flow.made[t] >= place - 1 for t in members[after])
            if before != after and ended and begins and loop.inputs.count(loop.inputs[i]) == 1:
                for tensor in members[after]:
                    web[tensor] = before
                members[before].extend(members.pop(after))


def join_regions(flow: Flow, web: dict[str, str], members: dict[str, list[str]]) -> None:
    """Lets the steps inside a region go on in the variable in which the region's result will stand.

    What that variable held before the region is read again only where the region is left out. One sweep over the text;
    `coming` and `live` are the members of each web that are still to be made, and those that are read later.
    """
    in_order = flow.made.__getitem__
    coming = {head: deque(sorted(group, key=in_order)) for head, group in members.items() if len(group) > 1}
    live: dict[str, list[str]] = {head: [] for head in coming}
    for tensor in sorted(flow.made, key=in_order):
        if web[tensor] in coming:
            coming[web[tensor]].popleft()
            live[web[tensor]].append(tensor)
            continue
        step = flow.maker.get(tensor)
        target = web[step.inputs[0]] if step is not None and step.inputs else ""
        if target not in coming or not flow.under[tensor]:
            continue
        start, stop = flow.made[tensor], flow.reads.get(tensor, [0])[-1]
        live[target] = [m for m in live[target] if flow.reads.get(m, [0])[-1] > start]
        needed = any(r > start and not skips(flow, m, r, tensor) for m in live[target] for r in flow.reads[m])
        if not needed and (not coming[target] or flow.made[coming[target][0]] >= stop):
            members[target].extend(members.pop(tensor))
            web[tensor] = target
            live[target].append(tensor)


def skips(flow: Flow, member: str, place: int, tensor: str) -> bool:
    """Whether what stands at `place` is a select that does not take `member` wherever `tensor` is made."""
    select = flow.joins.get(place)
    if select is None or member not in select.inputs:
        return False
    before = select.guards[: select.inputs.index(member)]
    return any(guard in flow.under[tensor] for guard in before)


def updates(flow: Flow, step: Step) -> bool:
    """Whether a step adds to its first input in place: autograd lets it, and another step in the body reads on."""
    if not step.update or not overwrites(flow, step):
        return False
    return all(read < flow.length and read not in flow.joins for read in flow.reads.get(step.outputs[0], ()))


def overwrites(flow: Flow, step: Step) -> bool:
    """Whether a step may overwrite its first input: made here by a step that allows it, and read by nothing else."""
    first = step.inputs[0] if step.inputs else ""
    maker = flow.maker.get(first)
    return maker is not None and maker.overwritable and len(flow.reads[first]) == 1 and first not in flow.kept


def can_share(flow: Flow, web: Mapping[str, str], members: Mapping[str, list[str]], a: str, b: str, place: int) -> bool:
    """Whether two inputs of the select at `place` never need a value each at one time."""
    for g in flow.under[a]:
        for h in flow.under[b]:
            if apply("not", g) == h or apply("not", h) == g:
                first, second = members[web[a]], members[web[b]]
                return stays_out(flow, first, g, second, h) and stays_out(flow, second, h, first, g)
    earlier, later = sorted((a, b), key=lambda t: flow.made[t])
    if flow.under[earlier] != flow.under[later][: len(flow.under[earlier])]:
        return False
    start = flow.made[web[later]]
    return flow.made[earlier] < start and all(read <= start or read == place for read in flow.reads[earlier])


def stays_out(flow: Flow, web: Sequence[str], guard: Expr, other: Sequence[str], against: Expr) -> bool:
    """Whether no member of `web` that is made outside the region of `guard` is read, where the guard `against` holds,
    after the web that is made there begins."""
    begins = min((flow.made[t] for t in other if against in flow.under[t]), default=flow.length + 1)
    for tensor in web:
        if guard not in flow.under[tensor] and flow.reads[tensor][-1] > begins:
            if any(read > begins and guard not in flow.at.get(read, ()) for read in flow.reads[tensor]):
                return False
    return True


def allocate(flow: Flow, web: Mapping[str, str], given: Mapping[str, str], called: Mapping[str, str]) -> dict[str, str]:
    """A variable for every web: what the spec calls one of its tensors, the one its maker's first input leaves free, or
    else the first that is free. Two webs that live at one time never share."""
    start: dict[str, int] = {}
    stop: dict[str, int] = {}
    for tensor, head in web.items():
        start[head] = min(start.get(head, flow.made[tensor]), flow.made[tensor])
        stop[head] = max(stop.get(head, 0), flow.made[tensor], *flow.reads.get(tensor, [0]))
    variables: dict[str, str] = {web[tensor]: name for tensor, name in given.items()}
    names: dict[str, list[str]] = {}
    for tensor, head in web.items():
        if tensor in called:
            names.setdefault(head, []).append(called[tensor])
    busy: dict[str, int] = {}
    for tensor, name in given.items():
        busy[name] = max(busy.get(name, 0), stop[web[tensor]])
    taken = {"x", "y", "p", *given.values()}
    for head in sorted((h for h in start if h not in variables), key=lambda h: start[h]):
        maker = flow.maker.get(head)
        wanted = [variables[web[t]] for t in maker.inputs] if maker is not None else []
        wanted.sort(key=lambda name: VARIABLES.index(name) if name in VARIABLES else len(VARIABLES))
        candidates = (*names.get(head, ()), *(name for name in wanted if name in VARIABLES), *VARIABLES)
        free = [name for name in candidates if busy.get(name, -1) <= start[head]]
        name = free[0] if free else fresh("t", taken)
        variables[head] = name
        busy[name] = stop[head]
    return variables
