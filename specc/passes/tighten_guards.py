"""Guards of what only an optional part reads: `a = conv(..); skippable { concat(here, a); .. }` needs `a` where the
skippable is kept. Such operations get a region of their own, so that a sub-network without their readers leaves them
out.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, product
from math import prod

from specc.diagnostics import Findings
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Var, apply, both, evaluate, free
from specc.ir.graph import Graph, Op, Scope

MOST_COMBINATIONS = 4096
"""Of options that are tried to see whether some reader is always there. Beyond them a guard stays as it is."""


def tighten_guards(graph: Graph, findings: Findings) -> Graph:
    """Every operation present only where something present reads it."""
    if all(op.guard == 1 for op in graph.ops):
        return graph
    extra = missing_guards(graph)
    if not extra:
        return graph
    ops = tuple(replace(op, guard=both(op.guard, extra[op.name])) if op.name in extra else op for op in graph.ops)
    return replace(graph, ops=ops, root=replace(graph.root, items=wrapped(graph.root, extra)))


def missing_guards(graph: Graph) -> dict[str, Expr]:
    """What the guard of an operation lacks, for those that are not always read where they are present."""
    choices = graph.choice_table()
    predictions = {output.tensor for output in graph.outputs if output.kind != "features"}
    ends = {output.tensor for output in graph.outputs} - predictions
    kept = predictions | {graph.prediction()} | asked(graph.root, graph.ops)
    wanted: dict[str, list[Expr]] = {}
    extra: dict[str, Expr] = {}
    covered: dict[tuple[Expr, tuple[Expr, ...]], bool] = {}
    for op in reversed(graph.ops):
        guard = op.guard
        if not any(name in kept for name in op.outputs):
            readers = tuple(dict.fromkeys(expr for name in op.outputs for expr in wanted.get(name, ())))
            if not readers and not any(name in ends for name in op.outputs):  # dead code
                continue
            if any(name in ends for name in op.outputs) and not among_exits(guard, readers, choices):
                readers = (*readers, guard)  # whoever asks for a stage's end has it, unless an exit comes before
            if not any(implies(guard, reader) for reader in readers):
                if (guard, readers) not in covered:
                    covered[guard, readers] = covers(guard, readers, choices)
                if not covered[guard, readers]:
                    extra[op.name] = among_exits(guard, readers, choices) or any_of(readers)
                    guard = both(guard, extra[op.name])
        if guard == 1 and not op.operator.selects:
            kept.update(op.inputs)
            continue
        for name, condition in conditions(op):
            wanted.setdefault(name, []).append(both(guard, condition))
    return extra


def conditions(op: Op) -> list[tuple[str, Expr]]:
    """The inputs of an operation, each with the condition under which it reads it where it is present."""
    if not op.operator.selects:
        return [(name, 1) for name in op.inputs]
    found: list[tuple[str, Expr]] = []
    before: Expr = 1
    for name, condition in zip(op.inputs, op.params.conditions, strict=True):  # type: ignore[attr-defined]
        found.append((name, both(before, condition)))
        before = both(before, apply("not", condition))
    return found


def asked(scope: Scope, ops: Iterable[Op]) -> set[str]:
    """The tensors that are read in scopes which asking for their output makes present, whatever their guard."""
    inside: set[str] = set()
    collect(scope, False, inside)
    return {name for op in ops if op.name in inside for name in op.inputs} if inside else set()


def collect(scope: Scope, within: bool, found: set[str]) -> None:
    for item in scope.items:
        if isinstance(item, Scope):
            collect(item, within or bool(item.output), found)
        elif within:
            found.add(item)


def implies(guard: Expr, other: Expr) -> bool:
    """Whether every part of one conjunction is a part of the other."""
    return other in (1, guard) or set(parts(other)) <= set(parts(guard))


def parts(guard: Expr) -> tuple[Expr, ...]:
    if isinstance(guard, Apply) and guard.function == "and":
        return tuple(part for arg in guard.args for part in parts(arg))
    return (guard,)


def any_of(guards: Iterable[Expr]) -> Expr:
    """The disjunction."""
    found: Expr = 0
    for guard in guards:
        found = apply("or", found, guard)
    return found


def among_exits(guard: Expr, readers: tuple[Expr, ...], choices: Mapping[str, Choice]) -> Expr:
    """The disjunction of guards that read the choice of exits alone, in its shortest form where `guard` holds; else 0.

    What a network's later layers read is needed by many of them; equal guards share a region.
    """
    names = free(guard).union(*map(free, readers))
    if len(names) != 1 or choices[min(names)].kind != "exit":
        return 0
    (choice,) = (choices[name] for name in names)
    base = [o for o in choice.options if evaluate(guard, {choice.name: o})]
    taken = [o for o in base if any(evaluate(reader, {choice.name: o}) for reader in readers)]
    without = [o for o in base if o not in taken]
    found: Expr = 1
    for option in without:
        found = both(found, apply("ne", Var(choice.name), option))
    return found if len(without) <= len(taken) else any_of(apply("eq", Var(choice.name), o) for o in taken)


def covers(guard: Expr, readers: tuple[Expr, ...], choices: Mapping[str, Choice]) -> bool:
    """Whether some reader is present wherever the guard holds."""
    names = sorted(free(guard).union(*map(free, readers)))
    if prod(len(choices[name].options) for name in names) > MOST_COMBINATIONS:
        return True
    if len(names) == 1:
        (choice,) = (choices[name] for name in names)
        there = 0
        for reader in readers:
            there |= where(reader, choice)
        return not where(guard, choice) & ~there
    for options in product(*(tuple(choices[name].options) for name in names)):
        values = dict(zip(names, options, strict=True))
        if evaluate(guard, values) and not any(evaluate(reader, values) for reader in readers):
            return False
    return True


def where(guard: Expr, choice: Choice) -> int:
    """The positions of the options of the one choice that a guard reads at which it holds, as bits: rounds of a long
    repeat are guarded by its depth, which has as many options."""
    match guard:
        case int():
            return (1 << len(choice.options)) - 1 if guard else 0
        case Apply("and", (a, b)):
            return where(a, choice) & where(b, choice)
        case Apply("or", (a, b)):
            return where(a, choice) | where(b, choice)
        case Apply("not", (a,)):
            return (1 << len(choice.options)) - 1 & ~where(a, choice)
        case Apply("ge", (Var(), int() | Fraction() as bound)):
            # Numbers are ordered by value.
            return (1 << len(choice.options)) - (1 << bisect_left(choice.options, bound))
    return sum(1 << at for at, option in enumerate(choice.options) if evaluate(guard, {choice.name: option}))


def wrapped(scope: Scope, extra: Mapping[str, Expr]) -> tuple[str | Scope, ...]:
    """The items of a scope with regions around those whose guard grew; neighbours of one guard share a region."""
    items: list[str | Scope] = []
    for lacking, run in groupby(scope.items, lambda item: shared(item, extra)):
        if lacking != 1:
            items.append(Scope("", scope.path, "region", lacking, tuple(run), scope.origin))
            continue
        for item in run:
            items.append(replace(item, items=wrapped(item, extra)) if isinstance(item, Scope) else item)
    return tuple(items)


def shared(item: str | Scope, extra: Mapping[str, Expr]) -> Expr:
    """What the guards of all operations in an item lack alike; 1 where it is not the same for all."""
    if not isinstance(item, Scope):
        return extra.get(item, 1)
    lacking = {shared(inner, extra) for inner in item.items}
    return lacking.pop() if len(lacking) == 1 else 1
