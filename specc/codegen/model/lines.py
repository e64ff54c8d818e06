"""The lines of a class's `__init__` and `plan`, and the fields of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specc.codegen.model.answers import WANTED, exit_test, is_rest
from specc.codegen.model.context import Class, Context
from specc.codegen.model.layout import WIDTH, call, exploded, guarded, nested
from specc.codegen.model.needs import child_need, left_out, op_need, sorted_free
from specc.codegen.model.render import condition
from specc.codegen.model.sizes import Parameter
from specc.codegen.model.structure import Entry, Part, Region
from specc.ir.choice import Choice
from specc.ir.expr import Expr, Var, evaluate
from specc.ops.writing import Values, varies


def fields(context: Context, cls: Class) -> list[str]:
    """The fields of the class's plan with their types: choices that guards read, then cuts and plans of parts."""
    assert cls.active is not None
    lines: list[str] = []
    lines.extend(f"{name}: {option_type(context.choices[choice])}" for choice, name in cls.choices.items())
    optional = in_regions(cls.first)
    for place, entry in enumerate(cls.rows[0]):
        maybe = " | None" if place in optional else ""
        if isinstance(entry, Part):
            if context.of(entry).has_plan:
                lines.append(f"{entry.attribute}: {context.of(entry).plan_name}{maybe}")
            continue
        written = cls.written.get(place)
        if written is not None and written.cut is not None:
            cut = cut_type(written.layer)
            context.sources[written.source].add(cut)
            never = (cut in ("NormCut", "SegmentedNormCut") or written.layer.startswith("Banked")) and not maybe
            lines.append(f"{entry.attribute}: {cut}" if never else f"{entry.attribute}: {cut} | None")
        elif written is not None and written.number is not None and varies(written.number.values):
            lines.append(f"{entry.attribute}: {counts_type(written.number.values)}{maybe}")
    return lines


def cut_type(layer: str) -> str:
    """The class of what `layer.cut` returns."""
    if "BatchNorm" in layer:
        return "SegmentedNormCut" if "Segmented" in layer else "NormCut"
    return layer.removeprefix("Elastic").removeprefix("Banked").removesuffix("2d") + "Cut"


def option_type(choice: Choice) -> str:
    """The type of a choice's options in generated code."""
    if choice.kind == "skip":
        return "bool"
    types = sorted({type(option).__name__ for option in choice.options})
    return " | ".join(types)


def in_regions(part: Part) -> dict[int, tuple[Expr, ...]]:
    """For the places of entries inside regions: the guards they stand under, outermost first."""
    found: dict[int, tuple[Expr, ...]] = {}
    place = 0

    def visit(entries: Sequence[Entry], guards: tuple[Expr, ...]) -> None:
        nonlocal place
        for entry in entries:
            if isinstance(entry, Region):
                visit(entry.entries, (*guards, entry.guard))
            else:
                if guards:
                    found[place] = guards
                place += 1

    visit(part.entries, ())
    return found


def init_lines(context: Context, cls: Class) -> tuple[str, ...]:
    """`__init__`: a layer or part a line, in the order of the graph's ops."""
    assert cls.init is not None
    parameters = [f"{p.name}: {parameter_type(p)}" for p in cls.init.parameters]
    lines = list(guarded(call("def __init__", ["self", *parameters], ") -> None:", indent=4)))
    lines.append("        super().__init__()")
    lines.extend(line for name, text in cls.init.locals for line in guarded([f"        {name} = {text}"]))
    for place, entry in enumerate(cls.rows[0]):
        if isinstance(entry, Part):
            child = context.of(entry)
            assert child.init is not None
            args = []
            for p in child.init.parameters:
                text = cls.init.text(child_need(context, entry, cls.column(place), p))
                args.append(text if p.role == "channels" else f"{p.name}={text}")
            lines.extend(guarded(call(f"self.{entry.attribute} = {child.name}", args, indent=8)))
            continue
        written = cls.written.get(place)
        if written is None:
            continue
        if written.layer:
            args = [
                f"{a.name}={cls.init.text(op_need(a))}" if a.name else cls.init.text(op_need(a))
                for a in written.args
                if not left_out(a)
            ]
            lines.extend(guarded(call(f"self.{entry.attribute} = {written.layer}", args, indent=8)))
        elif written.number is not None and not varies(written.number.values):
            lines.extend(guarded([f"        self.{entry.attribute} = {cls.init.text(op_need(written.number))}"]))
    return tuple(lines)


def parameter_type(parameter: Parameter) -> str:
    if any(isinstance(value, tuple) for value in parameter.values):
        return counts_type(parameter.values)
    return "float" if parameter.role in ("extra", "rate") else "int"


def counts_type(values: Values) -> str:
    """The type of numbers, of which some or all may be those of several runs."""
    in_runs = [isinstance(value, tuple) for value in values]
    return "tuple[int, ...]" if all(in_runs) else "int | tuple[int, ...]" if any(in_runs) else "int"


def plan_items(context: Context, cls: Class, indent: int, texts: Mapping[str, str] | None = None) -> list[str]:
    """The arguments of the plan's constructor: `conv1=self.conv1.cut(in_, hidden)`.

    `texts` says how the choices that guards read are called; by the parameters' names, where it is not given.
    """
    assert cls.active is not None
    sizes = cls.active
    called = cls.choices if texts is None else texts
    items = [f"{name}={called[choice]}" for choice, name in cls.choices.items()]
    regions = in_regions(cls.first)
    for place, entry in enumerate(cls.rows[0]):
        if isinstance(entry, Part):
            child = context.of(entry)
            if not child.has_plan:
                continue
            assert child.active is not None
            args = []
            for p in child.active.parameters:
                text = sizes.text(child_need(context, entry, cls.column(place), p))
                args.append(text if p.role == "channels" else f"{p.name}={text}")
            made = nested(f"self.{entry.attribute}.plan", args, indent + len(entry.attribute) + 1)
        else:
            written = cls.written.get(place)
            if written is not None and written.cut is not None:
                args = [sizes.text(op_need(a)) for a in written.cut]
                made = nested(f"self.{entry.attribute}.cut", args, indent + len(entry.attribute) + 1)
            elif written is not None and written.number is not None and varies(written.number.values):
                made = sizes.text(op_need(written.number))
            else:
                continue
        if place in regions:
            test = presence(context, regions[place], called)
            line = f"{made} if {test} else None"
            fits = "\n" not in made and indent + len(f"{entry.attribute}={line},") <= WIDTH
            made = line if fits else f"{made}\nif {test}\nelse None"
        items.append(f"{entry.attribute}={made}")
    return items


def presence(context: Context, guards: Sequence[Expr], called: Mapping[str, str]) -> str:
    """When something under several guards is there. A head or exit is wanted only where the network gets to it."""
    for guard in guards:
        if isinstance(guard, Var) and guard.choice.startswith(WANTED):
            return called[guard.choice]
    rests = [guard for guard in guards if is_rest(context.choices, guard)]
    texts = [parenthesised(condition(guard, called.__getitem__)) for guard in guards if guard not in rests]
    if rests:
        exits = context.choices[sorted_free(rests[0])[0]]
        at = frozenset(o for o in exits.options if all(evaluate(guard, {exits.name: o}) for guard in rests))
        texts.insert(0, exit_test(at, exits, called[exits.name]))
    return " and ".join(texts)


def parenthesised(text: str) -> str:
    return f"({text})" if " or " in text else text


def plan_lines(context: Context, cls: Class) -> tuple[str, ...]:
    """`plan`: the active sizes in, the part's plan out."""
    assert cls.active is not None
    parameters = [f"{p.name}: {active_type(context, cls, p)}" for p in cls.active.parameters]
    lines = list(guarded(call("def plan", ["self", *parameters], f") -> {cls.plan_name}:", indent=4)))
    lines.extend(line for name, text in cls.active.locals for line in guarded([f"        {name} = {text}"]))
    items = plan_items(context, cls, 12)
    return (*lines, *guarded(exploded(f"return {cls.plan_name}", items, indent=8)))


def active_type(context: Context, cls: Class, parameter: Parameter) -> str:
    """The type of a parameter of `plan`: of the choice, where a guard reads one, else a count or a bank's index."""
    first = parameter.values[0]
    if parameter.role == "choice" and isinstance(first, Var) and first.choice in cls.choices:
        return option_type(context.choices[first.choice])
    return counts_type(parameter.values)
