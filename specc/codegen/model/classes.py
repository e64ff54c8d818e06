"""Groups of equal parts as classes: `__init__` at the largest sizes, `plan` at the active ones, `forward`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from specc.codegen.model.forward import Branch, Select, Statement, Step, forward_body
from specc.codegen.model.layout import call, exploded, guarded, nested
from specc.codegen.model.render import condition, number
from specc.codegen.model.shapes import shape_comment
from specc.codegen.model.sizes import (
    Key,
    Namer,
    Need,
    Parameter,
    Sizes,
    choose_parameters,
    is_constant,
    peaks,
)
from specc.codegen.model.structure import Entry, OpEntry, Part, Region, Structure, site, walk
from specc.codegen.model.view import ClassView
from specc.codegen.names import choice_leaf, class_name, comment
from specc.ir.expr import Apply, Expr, Option, Var, free
from specc.ir.graph import Graph
from specc.ops.writing import Arg, Sites, Values, Written, varies, writers
from specc.source import Span

NESTING = frozenset(("add", "relu", "relu6", "hswish", "hsigmoid", "silu", "gelu", "sigmoid", "tanh", "flatten"))
INPUT_NAMES = ("x", "y", "z", "u", "v", "w")


@dataclass(slots=True, eq=False)
class Class:
    """A class being written: its instances, what stands in their places, and the numbers it takes."""

    name: str
    parts: Sequence[Part]
    namer: Namer
    written: dict[int, Written] = field(default_factory=dict)
    init: Sizes | None = None
    active: Sizes | None = None
    plan_fields: list[str] = field(default_factory=list)
    plan_name: str = ""
    choices: dict[str, str] = field(default_factory=dict)

    @property
    def first(self) -> Part:
        return self.parts[0]

    @property
    def has_plan(self) -> bool:
        return bool(self.plan_fields)


@dataclass(slots=True, eq=False)
class Context:
    """What all classes of a model are written with."""

    graph: Graph
    structure: Structure
    largest: Mapping[str, Option]
    classes: list[Class] = field(default_factory=list)
    sources: dict[str, set[str]] = field(default_factory=dict)
    plans: dict[tuple[str, ...], str] = field(default_factory=dict)

    def of(self, part: Part) -> Class:
        return self.classes[part.group]


def prepare(context: Context, name: str, parts: Sequence[Part]) -> Class:
    """Looks up how every op is written and settles which numbers are parameters."""
    attributes = {entry.attribute for entry in walk(parts[0].entries)}
    taken = {"self", "x", "p", *attributes}
    cls = Class(name, parts, Namer(parts, context.structure.tensors, context.largest, taken))
    rows = [list(walk(part.entries)) for part in parts]
    for place, entry in enumerate(rows[0]):
        if isinstance(entry, OpEntry) and entry.op.kind != "select":
            sites: Sites = tuple(site(context.structure, e.op) for row in rows if isinstance(e := row[place], OpEntry))
            cls.written[place] = writers()[entry.op.kind].write(sites, bool(context.graph.choices))
            written = cls.written[place]
            if written.source:
                context.sources.setdefault(written.source, set()).add(written.layer)
    active = active_needs(context, cls, rows)
    cls.active = choose_parameters(active, cls.namer, {})
    init = init_needs(context, cls, rows)
    cls.init = choose_parameters(init, cls.namer, literals(cls, init, context.largest))
    first = {p.values[0].choice: p.name for p in cls.active.parameters if isinstance(p.values[0], Var)}
    cls.choices = {choice: first[choice] for choice in guard_choices(parts[0])}
    cls.plan_fields = fields(context, cls, rows[0])
    # variants of a block whose plans hold the same are planned by one class
    block = parts[0].scope.block
    own = f"{class_name(block)}Plan" if block else f"{name}Plan"
    if own in context.plans.values():
        own = f"{name}Plan"
    cls.plan_name = context.plans.setdefault((block or name, *cls.plan_fields), own)
    return cls


def child_values(context: Context, row_entries: Sequence[Entry], parameter: Parameter) -> Values:
    """A child's number at the instances of its parent."""
    return tuple(parameter.values[e.index] for e in row_entries if isinstance(e, Part))


def init_needs(context: Context, cls: Class, rows: list[list[OpEntry | Part]]) -> list[Need]:
    """The numbers in `__init__`, in the order of the text."""
    needs: list[Need] = []
    for place, entry in enumerate(rows[0]):
        if isinstance(entry, Part):
            init = context.of(entry).init
            assert init is not None
            needs.extend(child_need(context, entry, [row[place] for row in rows], p) for p in init.parameters)
            continue
        written = cls.written.get(place)
        if written is None:
            continue
        needs.extend(op_need(arg) for arg in written.args if not left_out(arg))
        if written.number is not None and not varies(written.number.values):
            needs.append(op_need(written.number))
    return needs


def active_needs(context: Context, cls: Class, rows: list[list[OpEntry | Part]]) -> list[Need]:
    """The numbers in `plan`, in the order of the text: the choices that guards read, then the parts' sizes."""
    needs: list[Need] = []
    columns = zip(*(guard_choices(part) for part in cls.parts), strict=True)
    needs.extend(Need("choice", tuple(map(Var, column)), choice_leaf(column[0])) for column in columns)
    for place, entry in enumerate(rows[0]):
        if isinstance(entry, Part):
            active = context.of(entry).active
            assert active is not None
            needs.extend(child_need(context, entry, [row[place] for row in rows], p) for p in active.parameters)
            continue
        written = cls.written.get(place)
        if written is None:
            continue
        needs.extend(op_need(arg) for arg in written.cut or ())
        if written.number is not None and varies(written.number.values):
            needs.append(op_need(written.number))
    return needs


def guard_choices(part: Part) -> tuple[str, ...]:
    """The choices that the part's own regions and selects read, in the order of the text."""
    found: dict[str, None] = {}

    def visit(entries: Sequence[Entry]) -> None:
        for entry in entries:
            if isinstance(entry, Region):
                found.update(dict.fromkeys(sorted_free(entry.guard)))
                visit(entry.entries)
            elif isinstance(entry, OpEntry) and entry.op.kind == "select":
                for expr in getattr(entry.op.params, "conditions", ()):
                    found.update(dict.fromkeys(sorted_free(expr)))

    visit(part.entries)
    return tuple(found)


def sorted_free(expr: Expr) -> list[str]:
    """The choices of an expression in the order in which it reads them."""
    if isinstance(expr, Apply):
        return list(dict.fromkeys(name for arg in expr.args for name in sorted_free(arg)))
    return sorted(free(expr))


def op_need(arg: Arg) -> Need:
    return Need(role_of(arg.role, arg.values), arg.values, "hidden" if arg.role == "channels" else arg.role)


def child_need(context: Context, child: Part, column: Sequence[Entry], parameter: Parameter) -> Need:
    """A parameter of a child as a number of its parent, called after the choice it is or after both."""
    values = child_values(context, column, parameter)
    first = values[0]
    if parameter.role == "choice" and isinstance(first, Var):
        return Need("choice", values, choice_leaf(first.choice))
    return Need(parameter.role, values, f"{child.attribute}_{parameter.name}".rstrip("_"))


def role_of(role: str, values: Values) -> str:
    """A bank that is simply a choice is that choice."""
    return "choice" if role == "bank" and all(isinstance(v, Var) for v in values) else role


def left_out(arg: Arg) -> bool:
    """Whether an argument has its default at every instance."""
    return arg.default is not None and all(v == arg.default and type(v) is type(arg.default) for v in arg.values)


def literals(cls: Class, needs: Sequence[Need], largest: Mapping[str, Option]) -> dict[Key, str]:
    """The numbers that `__init__` writes out: all in a stage, which stands once; in a block what is no channel count."""
    block = cls.first.scope.kind == "block"
    found: dict[Key, str] = {}
    for need in needs:
        peak = peaks(need.values, largest)
        if not block or (need.role != "channels" and is_constant(peak)):
            found[(need.role, need.values)] = number(peak[0])
    return found


def fields(context: Context, cls: Class, row: Sequence[OpEntry | Part]) -> list[str]:
    """The fields of the class's plan with their types: choices that guards read, then cuts and plans of parts."""
    assert cls.active is not None
    lines: list[str] = []
    lines.extend(f"{name}: {option_type(context.graph, choice)}" for choice, name in cls.choices.items())
    optional = in_regions(cls.first)
    for place, entry in enumerate(row):
        maybe = " | None" if place in optional else ""
        if isinstance(entry, Part):
            if context.of(entry).has_plan:
                lines.append(f"{entry.attribute}: {context.of(entry).plan_name}{maybe}")
            continue
        written = cls.written.get(place)
        if written is not None and written.cut is not None:
            cut = cut_type(written.layer)
            context.sources[written.source].add(cut)
            never = cut == "NormCut" and not maybe
            lines.append(f"{entry.attribute}: {cut}" if never else f"{entry.attribute}: {cut} | None")
        elif written is not None and written.number is not None and varies(written.number.values):
            lines.append(f"{entry.attribute}: int{maybe}")
    return lines


def cut_type(layer: str) -> str:
    """The class of what `layer.cut` returns."""
    return "NormCut" if "Norm" in layer else layer.removeprefix("Elastic").removesuffix("2d") + "Cut"


def option_type(graph: Graph, choice: str) -> str:
    found = graph.choice_table()[choice]
    if found.kind == "skip":
        return "bool"
    types = sorted({type(option).__name__ for option in found.options})
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
    rows = [list(walk(part.entries)) for part in cls.parts]
    for place, entry in enumerate(rows[0]):
        if isinstance(entry, Part):
            child = context.of(entry)
            assert child.init is not None
            args = []
            for p in child.init.parameters:
                text = cls.init.text(child_need(context, entry, [row[place] for row in rows], p))
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
    return "float" if parameter.role in ("extra", "rate") else "int"


def plan_items(context: Context, cls: Class, indent: int) -> list[str]:
    """The arguments of the plan's constructor: `conv1=self.conv1.cut(in_, hidden)`."""
    assert cls.active is not None
    sizes = cls.active
    items = [f"{name}={name}" for name in cls.choices.values()]
    regions = in_regions(cls.first)
    rows = [list(walk(part.entries)) for part in cls.parts]
    for place, entry in enumerate(rows[0]):
        if isinstance(entry, Part):
            child = context.of(entry)
            if not child.has_plan:
                continue
            assert child.active is not None
            args = []
            for p in child.active.parameters:
                text = sizes.text(child_need(context, entry, [row[place] for row in rows], p))
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
            present = " and ".join(parenthesised_guard(cls, g) for g in regions[place])
            made = f"{made} if {present} else None"
        items.append(f"{entry.attribute}={made}")
    return items


def parenthesised_guard(cls: Class, guard: Expr) -> str:
    text = condition(guard, cls.choices.__getitem__)
    return f"({text})" if " or " in text else text


def plan_lines(context: Context, cls: Class) -> tuple[str, ...]:
    """`plan`: the active sizes in, the part's plan out."""
    assert cls.active is not None
    parameters = [f"{p.name}: {active_type(context, p)}" for p in cls.active.parameters]
    lines = list(guarded(call("def plan", ["self", *parameters], f") -> {cls.plan_name}:", indent=4)))
    lines.extend(line for name, text in cls.active.locals for line in guarded([f"        {name} = {text}"]))
    items = plan_items(context, cls, 12)
    return (*lines, *guarded(exploded(f"return {cls.plan_name}", items, indent=8)))


def active_type(context: Context, parameter: Parameter) -> str:
    first = parameter.values[0]
    if parameter.role == "choice" and isinstance(first, Var):
        return option_type(context.graph, first.choice)
    return "int"


def statements(context: Context, cls: Class) -> list[Statement]:
    """A part's entries as statements of its forward."""
    rows = [list(walk(part.entries)) for part in cls.parts]
    places = iter(range(len(rows[0])))

    def text_of(guard: Expr) -> str:
        return condition(guard, lambda choice: f"p.{cls.choices[choice]}")

    def convert(entries: Sequence[Entry]) -> list[Statement]:
        found: list[Statement] = []
        for entry in entries:
            if isinstance(entry, Region):
                found.append(Branch(text_of(entry.guard), entry.guard, tuple(convert(entry.entries))))
                continue
            place = next(places)
            if isinstance(entry, OpEntry) and entry.op.kind == "select":
                guards = getattr(entry.op.params, "conditions", ())
                found.append(Select(entry.op.inputs, entry.op.output, tuple(map(text_of, guards)), guards))
                continue
            shape = shape_comment(context.structure, cls, [row[place] for row in rows], context.largest)
            if isinstance(entry, Part):
                child = context.of(entry)
                inputs = [f"{{{i}}}" for i in range(len(entry.inputs))]
                args = ", ".join([*inputs, *([f"p.{entry.attribute}"] if child.has_plan else [])])
                found.append(Step(f"self.{entry.attribute}({args})", entry.inputs, entry.outputs, shape=shape))
            else:
                found.append(step(entry, cls.written[place], shape))
        return found

    return convert(cls.first.entries)


def step(entry: OpEntry, written: Written, shape: str) -> Step:
    """An op as a call: of its layer, or of a function."""
    op = entry.op
    template, inplace = written.call, written.inplace
    if written.layer:
        template = f"self.{entry.attribute}({{0}}{f', p.{entry.attribute}' if written.cut is not None else ''})"
    if written.number is not None:
        value = f"{'p' if varies(written.number.values) else 'self'}.{entry.attribute}"
        template, inplace = template.replace("{number}", value), inplace.replace("{number}", value)
    nests = op.kind in NESTING and not written.layer
    return Step(template, op.inputs, op.outputs, inplace, written.overwritable, nests, shape)


def forward_lines(context: Context, cls: Class) -> tuple[str, ...]:
    first = cls.first
    names = list(INPUT_NAMES[: len(first.inputs)])
    parameters = [f"{name}: Tensor" for name in names]
    if cls.has_plan:
        parameters.append(f"p: {cls.plan_name}")
    result = "Tensor" if len(first.outputs) == 1 else f"tuple[{', '.join(['Tensor'] * len(first.outputs))}]"
    head = guarded(call("def forward", ["self", *parameters], f") -> {result}:", indent=4))
    body = forward_body(statements(context, cls), first.inputs, first.outputs, names, 8)
    return (*head, *body)


def block_origin(part: Part) -> Span:
    """Where a block is defined: the `block` line above its first operator, in the same source."""
    first = next((e.op.origin for e in walk(part.entries) if isinstance(e, OpEntry)), part.scope.origin)
    found = re.search(rf"^[ \t]*block[ \t]+{re.escape(part.scope.block)}\b", first.source.text, re.MULTILINE)
    return first if found is None else Span(first.source, found.start(), found.end())


def class_view(context: Context, cls: Class) -> ClassView:
    """A block's, stage's, stem's or head's class."""
    scope = cls.first.scope
    if scope.kind == "block":
        doc = f"{comment(scope.block)}, {comment(block_origin(cls.first).location())}."
    else:
        title = comment(scope.path) if scope.path == scope.kind else f"{scope.kind} {comment(scope.path)}"
        doc = f"{title}, {comment(scope.origin.location())}."
    return ClassView(
        name=cls.name,
        base="nn.Module",
        doc=(doc,),
        init_lines=init_lines(context, cls),
        forward_lines=forward_lines(context, cls),
        plan_name=cls.plan_name,
        plan_base="",
        plan_doc=(),
        fields=tuple(cls.plan_fields),
        plan_lines=plan_lines(context, cls) if cls.has_plan else (),
    )
