"""The end of lowering: everything gets its final name, and what the builder has becomes a graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from specc.diagnostics import Rule
from specc.diagnostics.near import near
from specc.frozen import frozen
from specc.ir.choice import Choice, Kind
from specc.ir.expr import Option, Var, free
from specc.ir.graph import (
    SHARED,
    SUBNET,
    Bank,
    Graph,
    ListedSubnet,
    Op,
    Output,
    Predicts,
    Scope,
    Tensor,
    WidthGroup,
    WidthRule,
)
from specc.ir.parameter import Call
from specc.ir.rewrite import Rewrite, rewrite_params, rewrite_value, shapes, substitution
from specc.ir.window import choices_of
from specc.lower.builder import BankRequest, Builder, ChoiceItem, Named, OpItem, ScopeItem
from specc.methods import find_method
from specc.semantics.names import DUPLICATE_NAME, UNKNOWN_NAME
from specc.source import Span

BANK_SKIP = Rule(
    "E351",
    "bank-needs-one-skippable",
    "bank=skip needs a stage with exactly one skippable",
    "`bank=skip` gives a norm one bank for each state of its stage's skippable sub-path.\n"
    "Wrong:  stem { conv(64, kernel=3); norm(bank=skip) }\n"
    "Right:  stem { conv(64, kernel=3); norm(bank=shared) }   or name a skippable: norm(bank=keep2)",
)
BANK_WIDTH = Rule(
    "E352",
    "bank-needs-one-width",
    "bank=width needs a single width choice",
    "`bank=width` gives a norm one bank for each option of the one width choice of `width uniform` or `width any`.\n"
    "Wrong:  width per_group 0.5..1.0 round 8; norm batch(bank=width)\n"
    "Right:  width uniform {0.25, 0.5, 1.0} round 8; norm batch(bank=width)",
)
BANK_SUBNET = Rule(
    "E353",
    "bank-needs-listed-subnets",
    "bank=subnet needs a method that lists sub-networks",
    "`bank=subnet` gives a norm one bank for each sub-network that the method lists: those of `independent`, the\n"
    "largest and the smallest of `adn` and of `us_net(subnets=2)`.\n"
    "Wrong:  norm batch(bank=subnet) ... method us_net(subnets=4)\n"
    "Right:  norm batch(bank=subnet) ... method independent(subnets=[max, at(width=0.5), min])",
)


@frozen
class Wanted:
    """An output whose tensor still goes by its provisional name."""

    name: str
    tensor: Tensor
    kind: Literal["head", "exit", "features"]
    level: str = ""


def finish(
    b: Builder, inputs: tuple[Tensor, ...], outputs: tuple[Wanted, ...], main: Tensor, predicts: Predicts
) -> Graph:
    """The graph of what was lowered, with its width groups still open. A plain call returns `main`."""
    name_everything(b.root)
    check_choice_names(b)
    names = {c.variable: c.name for c in b.choices}
    rewrite = substitution({variable: Var(name) for variable, name in names.items() if variable != name})
    tensors = {t.name: t.name for t in inputs}
    paths = [op.path for op in b.ops]
    for op, path in zip(b.ops, paths, strict=True):
        for index, tensor in enumerate(op.outputs):
            tensors[tensor.name] = path if len(op.outputs) == 1 else f"{path}#{index + 1}"
    rewrite_shape = shapes(rewrite)
    choices = {c.name: Choice(c.name, c.options, c.kind, c.origin) for c in sorted(b.choices, key=lambda c: c.serial)}
    graph = Graph(
        name=b.model.name,
        inputs=tuple(t.name for t in inputs),
        tensors=tuple(
            Tensor(tensors[t.name], rewrite_shape(t.channels), rewrite_shape(t.space), t.origin)
            for t in b.tensors
            if t.name in tensors
        ),
        ops=tuple(final_op(b, op, path, tensors, rewrite, names) for op, path in zip(b.ops, paths, strict=True)),
        choices=tuple(choices.values()),
        outputs=tuple(Output(o.name, tensors[o.tensor.name], o.kind, o.level) for o in outputs),
        root=final_scope(b.root, rewrite),
        predicts=predicts,
        origin=b.model.names.supernet.span,
        listed=listed_subnets(b.model.method),
        widths=tuple(
            WidthGroup(g.variable, g.maximum, g.multiple, final_rule(g.rule, names), g.owner.path, g.origin, g.part)
            for g in b.groups.values()
        ),
        ties=tuple(
            replace(t, left=rewrite(t.left), right=rewrite(t.right), meeting=tuple(tensors[name] for name in t.meeting))
            for t in b.ties
        ),
        cuts=tuple(
            replace(cut, size=rewrite(cut.size), pieces=tuple(rewrite(piece) for piece in cut.pieces)) for cut in b.cuts
        ),
        main=tensors[main.name] if sum(o.kind != "features" for o in outputs) > 1 else "",
        labels=b.levels,
        renamed=renamed(b),
    )
    rounds, slices = (frozenset(names.get(v, v) for v in noted) for noted in (b.rounds, b.slices))
    return with_kinds(graph, rounds, slices)


def renamed(b: Builder) -> tuple[tuple[str, str], ...]:
    """The operations and choices that the first version called otherwise: its name for each, and the name now."""
    pairs = [*((op.first_path, op.path) for op in b.ops), *((c.first_name, c.name) for c in b.choices)]
    return tuple((first, now) for first, now in pairs if first != now)


def name_everything(scope: ScopeItem) -> None:
    """Names for all that a scope holds, from the outside inwards: a path begins with its scope's."""
    outer = scope.scope.path if scope.scope is not None else ""
    scope.full_path = outer if scope.kind == "region" else f"{outer}.{scope.name}" if outer else scope.name
    first = scope.scope.first_path if scope.scope is not None else ""
    scope.full_first = first if scope.kind == "region" else f"{first}.{scope.first}" if first else scope.first
    if scope.site is not None:
        scope.site.path = scope.full_path
    give_names(scope)
    for item in scope.items:
        if isinstance(item, ScopeItem):
            name_everything(item)


def give_names(scope: ScopeItem) -> None:
    """Names for what a scope holds: as they are, and as they were where nothing was reserved."""
    for item, name in zip(scope.names, numbered(scope.names), strict=True):
        item.name = item.first = name
    if any(item.reserved for item in scope.names):
        there = [item for item in scope.names if not item.reserved]
        for item, name in zip(there, numbered(there), strict=True):
            item.first = name


def numbered(items: Sequence[Named]) -> list[str]:
    """The items' names: a kind that stands once goes without a number, but blocks of a stage always have one. A name
    that the spec gives several times, as the rounds of a repeat do, is numbered like a kind."""
    count: dict[str, int] = {}
    given: dict[str, int] = {}
    for item in items:
        count[item.base] = count.get(item.base, 0) + 1
        if item.given:
            given[item.base] = given.get(item.base, 0) + 1
    taken = {base for base, times in given.items() if times == 1}
    # A sixth `relu` is no `relu6` where there is one.
    plain = {base for base, times in count.items() if times == 1 and base != "b"}
    number: dict[str, int] = {}
    names: list[str] = []
    for item in items:
        name = item.base
        if not (item.given and name in taken) and (count[name] > 1 or name == "b" or name in taken):
            while True:
                number[item.base] = number.get(item.base, 0) + 1
                joint = "_" if item.base[-1:].isdigit() else ""
                name = f"{item.base}{joint}{number[item.base]}"
                if name not in taken and name not in plain:
                    break
        names.append(name)
    return names


def check_choice_names(b: Builder) -> None:
    seen: dict[str, Span] = {}
    for choice in b.choices:
        if choice.name in seen:
            b.findings.report(
                DUPLICATE_NAME,
                choice.origin,
                f"two choices would be called `{choice.name}`",
                secondary=[(seen[choice.name], "the other is made here")],
                help="a named choice inside a block or a repeat is made anew each time; leave it unnamed there",
            )
        seen[choice.name] = choice.origin


def final_op(
    b: Builder, op: OpItem, path: str, tensors: Mapping[str, str], rewrite: Rewrite, names: Mapping[str, str]
) -> Op:
    inputs = tuple([tensors.get(name, name) for name in op.inputs])
    outputs = tuple([tensors[t.name] for t in op.outputs])
    params, guard = rewrite_params(op.params, rewrite), rewrite(op.guard)
    return Op(
        path, op.operator, params, inputs, outputs, guard, op.origin, op.connection, final_bank(b, op.bank, names)
    )


def final_bank(b: Builder, request: BankRequest | None, names: Mapping[str, str]) -> Bank:
    """The choice that selects the bank; how many there are is found when all choices are final."""
    if request is None or request.word == "shared":
        return SHARED
    match request.word:
        case "skip":
            skippables: list[ChoiceItem] = b.skippables.get(id(request.stage), [])
            if len(skippables) == 1:
                return Bank(Var(skippables[0].name), 0)
            b.findings.report(
                BANK_SKIP,
                request.origin,
                f"this is in a stage with {len(skippables) or 'no'} skippable sub-paths, and `bank=skip` "
                f"needs exactly one",
                secondary=[(s.origin, "one is here") for s in skippables[:3]],
                help="write norm(bank=shared) here, or name a skippable and write norm(bank=its_name)",
            )
        case "width":
            if request.rule is not None and request.rule.choice:
                return Bank(Var(names.get(request.rule.choice, request.rule.choice)), 0)
            b.findings.report(
                BANK_WIDTH, request.origin, "there is no single width choice here that could select a bank"
            )
        case "subnet":
            if len(listed_subnets(b.model.method)) > 1:
                return Bank(SUBNET, 0)
            b.findings.report(
                BANK_SUBNET,
                request.origin,
                "the method does not list several sub-networks, so none can have a bank of its own",
                help="write `method independent(subnets=[max, at(...), min])`",
            )
        case word if word in b.options:
            return Bank(Var(names.get(word, word)), 0)
        case word:
            known = ("shared", "skip", "width", "subnet", *b.model.names.choices)
            b.findings.report(
                UNKNOWN_NAME,
                request.origin,
                f"there is no choice `{word}` that could select a bank",
                help=near(word, known) or f"it may be {', '.join(known)}",
            )
    return SHARED


def final_rule(rule: WidthRule, names: Mapping[str, str]) -> WidthRule:
    choice = names.get(rule.choice, rule.choice)
    return (
        rule
        if choice == rule.choice
        else WidthRule(rule.kind, rule.ratios, rule.stepless, rule.round, choice, rule.origin)
    )


def final_scope(scope: ScopeItem, rewrite: Rewrite) -> Scope:
    args = [(name, rewrite_value(value, rewrite)) for name, value in scope.args]
    items: list[str | Scope] = []
    for item in scope.items:
        if isinstance(item, OpItem):
            items.append(item.path)
        elif (inner := final_scope(item, rewrite)).items:  # a scope without operations leaves no trace
            items.append(inner)
    return Scope(
        scope.name,
        scope.path,
        scope.kind,
        rewrite(scope.guard),
        tuple(items),
        scope.origin,
        scope.block,
        tuple(args),
        scope.output,
    )


def listed_subnets(method: Call) -> tuple[ListedSubnet, ...]:
    """The sub-networks that the method lists, in its order."""
    found = find_method(method.name)
    return tuple(
        ListedSubnet("max", cast("tuple[tuple[str, Option], ...]", item.values))
        if isinstance(item, Call)
        else ListedSubnet(cast('Literal["max", "min"]', item), ())
        for item in (() if found is None else found.lists(method))
    )


def with_kinds(graph: Graph, rounds: frozenset[str], slices: frozenset[str]) -> Graph:
    """The graph, in which a choice that decides one kind of thing alone is of that kind.

    `rounds` are the choices that count the rounds of a repeat, `slices` those that cut widths or branches, which
    decide several things at once. What has a kind keeps it.
    """
    decided: dict[str, set[Kind]] = {}
    noted: tuple[tuple[str, Kind], ...] = (*((name, "depth") for name in rounds), *((name, "value") for name in slices))
    for name, kind in (*noted, *decisions(graph)):
        decided.setdefault(name, set()).add(kind)
    return graph.with_(choices=tuple(of_kind(choice, decided.get(choice.name, set())) for choice in graph.choices))


def of_kind(choice: Choice, kinds: set[Kind]) -> Choice:
    return replace(choice, kind=next(iter(kinds))) if choice.kind == "value" and len(kinds) == 1 else choice


def decisions(graph: Graph) -> Iterator[tuple[str, Kind]]:
    """Choices that sizes depend on, and what they decide there: a kernel, a width, or by how much it is multiplied."""
    for op in graph.ops:
        for name in choices_of(getattr(op.params, "kernel", 0)):
            yield name, "kernel"
    for segment in (segment for tensor in graph.tensors for segment in tensor.channels):
        if isinstance(segment.size, Var):
            yield segment.size.choice, "width"
            continue
        for name in free(segment.size):
            yield name, "expand"
