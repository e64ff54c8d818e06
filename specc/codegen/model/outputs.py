"""Several answers in generated code: which outputs there are, when a sub-network computes them, which one it gives.

The select that ends the graph is no statement of forward: each answer is noted in a dict as it is made, and the plan
says which one a plain call returns. A head or exit is computed where the plan wants it; in the graph that is written
this is a flag, `outputs.with_e1`, which the network's plan sets and the parts read like any choice of yes or no.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Option, Var, evaluate, free
from specc.ir.graph import Graph, Op, Output, Scope
from specc.outputs import output_kind
from specc.passes.slices import separable
from specc.python.literals import inline, quoted
from specc.source import Span

WANTED: Final = "outputs.with_"


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """The answers of a network that has several.

    flags       the flags, as the names of choices; a stage that no answer needs has one for all outputs that need it
    candidates  the outputs that a plain call may return, each under its condition, in their order
    together    whether a plain call returns them all, by name: outputs of the user's own, of which there are several
    reached     for every output: the exits at which the network gets there (None: at all), and its head's own condition
    """

    flags: tuple[str, ...]
    candidates: tuple[tuple[Expr, Output], ...]
    reached: Mapping[str, tuple[frozenset[Option] | None, Expr]]
    together: bool = False


def several_heads(graph: Graph) -> tuple[str, ...]:
    """The outputs that a plain call returns together, by name: several of the user's own; () where it returns one."""
    heads = tuple(o.name for o in graph.outputs if o.kind == "head")
    return heads if output_kind(graph.predicts.kind).space == "free" and len(heads) > 1 else ()


def outputs_of(graph: Graph) -> Outputs | None:
    """What forward has to note; None for a network with one answer, or with nothing to choose."""
    outputs = [o for o in graph.outputs if o.kind != "features"]
    beside = by_products(graph)
    if not graph.choices or not (len(outputs) > 1 or beside):
        return None
    flags = [f"{WANTED}{s.output}" for s in graph.root.scopes() if s.output]
    together = bool(several_heads(graph))
    return Outputs((*flags, *dict.fromkeys(beside.values())), candidates(graph), reached(graph), together)


def by_products(graph: Graph) -> dict[str, str]:
    """The stages that no head or exit depends on, by their paths, each with its flag: who asks for what needs them."""
    writers = {name: op for op in graph.ops for name in op.outputs}
    predicting = needed_by([output for output in graph.outputs if output.kind != "features"], writers)
    stages = {
        scope.path: ops
        for scope in graph.root.scopes()
        if scope.kind == "stage" and (ops := set(scope.ops())) and not ops & predicting
    }
    if not stages:
        return {}
    ends = {output.name: needed_by([output], writers) for output in graph.outputs if output.kind == "features"}
    wanted = {path: [name for name, needed in ends.items() if needed & ops] for path, ops in stages.items()}
    return {path: WANTED + "|".join(names) for path, names in wanted.items() if names}


def needed_by(outputs: Iterable[Output], writers: Mapping[str, Op]) -> set[str]:
    """The ops that some outputs depend on."""
    found: set[str] = set()
    waiting = [output.tensor for output in outputs]
    while waiting:
        op = writers.get(waiting.pop())
        if op is not None and op.name not in found:
            found.add(op.name)
            waiting.extend(op.inputs)
    return found


def written_graph(graph: Graph, outputs: Outputs | None) -> Graph:
    """The graph without the select that ends it, and with flags instead of the conditions of heads and exits."""
    if outputs is None:
        return replace(graph, root=unflagged(graph.root)) if any(s.output for s in graph.root.scopes()) else graph
    last = next((op.name for op in graph.ops if op.output == graph.main and op.operator.selects), "")
    return replace(
        graph,
        ops=tuple(op for op in graph.ops if op.name != last),
        root=flagged(graph.root, last, by_products(graph)),
        main=outputs.candidates[-1][1].tensor,
    )


def flagged(scope: Scope, last: str, beside: Mapping[str, str]) -> Scope:
    items = tuple(flagged(i, last, beside) if isinstance(i, Scope) else i for i in scope.items if i != last)
    flag = f"{WANTED}{scope.output}" if scope.output else beside.get(scope.path, "") if scope.kind == "stage" else ""
    return replace(scope, items=items, guard=Var(flag) if flag else scope.guard)


def unflagged(scope: Scope) -> Scope:
    items = tuple(unflagged(i) if isinstance(i, Scope) else i for i in scope.items)
    return replace(scope, items=items, output="")


def flag_choices(outputs: Outputs | None, origin: Span) -> dict[str, Choice]:
    """The flags as the choices that parts take them for."""
    names = outputs.flags if outputs is not None else ()
    return {name: Choice(name, (0, 1), "skip", origin) for name in names}


def candidates(graph: Graph) -> tuple[tuple[Expr, Output], ...]:
    """The outputs that a plain call may return, with the conditions of the select that joins them."""
    outputs = {o.tensor: o for o in graph.outputs if o.kind != "features"}
    for op in graph.ops:
        if op.output == graph.prediction() and op.operator.selects and op.output not in outputs:
            conditions: tuple[Expr, ...] = op.params.conditions  # type: ignore[attr-defined]
            return tuple((c, outputs[name]) for c, name in zip(conditions, op.inputs, strict=True))
    return ((1, outputs[graph.prediction()]),)


def reached(graph: Graph) -> dict[str, tuple[frozenset[Option] | None, Expr]]:
    """When the network gets to each output, as its scopes and the cuts of its heads say."""
    exits = next((c for c in graph.choices if c.kind == "exit"), None)
    slices = separable(graph)
    places = dict(places_of(graph.root, ()))
    ops = {op.output: op.name for op in graph.ops}
    table = graph.choice_table()
    narrowed = {scope_of(op.name) for op in graph.ops if op.operator.narrows}
    found: dict[str, tuple[frozenset[Option] | None, Expr]] = {}
    for output in graph.outputs:
        name = ops.get(output.tensor, "")
        rests, own = places.get(name, ((), None))
        at = None
        if exits is not None and rests:
            at = frozenset(o for o in exits.options if all(evaluate(g, {exits.name: o}) for g in rests))
        condition: Expr = 1
        if own is not None and output.kind == "head" and isinstance(own.guard, Apply):
            condition = own.guard
            choice = table[next(iter(free(own.guard)))]
            if own.path in narrowed and choice.name == slices:  # its slices are there in every larger sub-network
                options = choice.options[choice.position(own.guard.args[1]) :]  # type: ignore[arg-type]
                condition = one_of(Var(choice.name), tuple(options), len(choice.options))
        found[output.name] = (at, condition)
    return found


def one_of(choice: Var, options: tuple[Option, ...], number_of_all: int) -> Expr:
    """The condition that a choice stands at one of its last options."""
    if len(options) == number_of_all:
        return 1
    return Apply("eq", (choice, options[0])) if len(options) == 1 else Apply("ge", (choice, options[0]))


def scope_of(name: str) -> str:
    return name.rpartition(".")[0]


def places_of(
    scope: Scope, rests: tuple[Expr, ...], own: Scope | None = None
) -> Iterator[tuple[str, tuple[tuple[Expr, ...], Scope | None]]]:
    """For every op the conditions that it stands behind exits, and the head or exit in which it is."""
    if scope.output:
        own = scope
    elif scope.guard != 1 and isinstance(scope.guard, Apply) and free(scope.guard) == {"exit"}:
        rests = (*rests, scope.guard)
    for item in scope.items:
        if isinstance(item, Scope):
            yield from places_of(item, rests, own)
        else:
            yield item, (rests, own)


def is_rest(choices: Mapping[str, Choice], guard: Expr) -> bool:
    """Whether a region is what follows an exit: it stands under the choice of exits alone, and ends its scope."""
    return bool(free(guard)) and all(choices[name].kind == "exit" for name in free(guard))


# --- as text ---------------------------------------------------------------------------------------


def wanted_text(flag: str, names: str) -> str:
    """The network itself asks the plan's list of outputs where its parts have a flag."""
    outputs = flag.removeprefix(WANTED).split("|")
    return " or ".join(f"{quoted(output)} in {names}" for output in outputs)


def exit_test(at: frozenset[Option], choice: Choice, text: str) -> str:
    """The condition that the network ends at one of some exits."""
    inside = [o for o in choice.options if o in at]
    without = [o for o in choice.options if o not in at]
    if not without:
        return "True"
    few, sign = (inside, ("==", "in")) if len(inside) <= len(without) else (without, ("!=", "not in"))
    if len(few) == 1:
        return f"{text} {sign[0]} {inline(few[0])}"
    return f"{text} {sign[1]} ({', '.join(map(inline, few))})"


def prediction_text(outputs: Outputs, text: Mapping[str, str], choices: Mapping[str, Choice]) -> str:
    """The name of the output that a plain call returns, as an expression over the choices' variables."""
    if outputs.together:
        return quoted("all")
    exits = [(c, o) for c, o in outputs.candidates if isinstance(c, Apply) and free(c) == {"exit"}]
    heads = [(c, o) for c, o in outputs.candidates if (c, o) not in exits]
    head = head_text(heads, text, choices)
    if not exits:
        return head
    suffix = exits[0][1].name.removeprefix(str(exits[0][0].args[1]))
    plain = f'f"{{{text["exit"]}}}{suffix}"' if suffix else text["exit"]
    if len(heads) == 1 and heads[0][1].name == f"head{suffix}":
        return plain
    return f'{plain} if {text["exit"]} != "head" else {head}'


def head_text(heads: list[tuple[Expr, Output]], text: Mapping[str, str], choices: Mapping[str, Choice]) -> str:
    """The name of the head that answers: one name, `f"head{k}"`, or looked up where names do not say the option."""
    if len(heads) == 1:
        return quoted(heads[0][1].name)
    first = heads[0][0]
    assert isinstance(first, Apply)
    (choice,) = free(first)
    options = choices[choice].options
    names = [o.name for _, o in heads]
    start, _, suffix = names[0].partition(str(options[0]))
    if all(name == f"{start}{option}{suffix}" for name, option in zip(names, options, strict=True)):
        return f'f"{start}{{{text[choice]}}}{suffix}"'
    pairs = ", ".join(f"{inline(option)}: {quoted(name)}" for option, name in zip(options, names, strict=True))
    return f"{{{pairs}}}[{text[choice]}]"
