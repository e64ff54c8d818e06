"""Parts that are one class as the text of that class: `__init__` with its layers and parts, `forward`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from specc.codegen.model.context import Class, Context, Flag
from specc.codegen.model.definitions import argument, definition_of, given, held_operator
from specc.codegen.model.guards import choices_in, present_text
from specc.codegen.model.merge import Arm, Guarded, Mask, Merged, Node, Place, RoundsDiffer, places
from specc.codegen.model.naming import tensor_names
from specc.codegen.model.needs import Need, Parameter, Vector, at_largest, is_constant, is_elastic, same
from specc.codegen.model.outputs import WANTED
from specc.codegen.model.rounds import local
from specc.codegen.model.single_sizes import SingleSizes
from specc.codegen.model.sizes import BlockSizes
from specc.codegen.model.stages import chain_items, chain_needs, options_text, repeated
from specc.codegen.model.steps import forward_lines, input_names
from specc.codegen.model.structure import OpEntry, Part, is_repeated, walk
from specc.codegen.names import choice_leaf, comment, fresh
from specc.ir.expr import Var
from specc.ops.writing import Arg, Site, Sites, Values, channel_values, numbers, writers
from specc.python.layout import call, guarded, lay_out
from specc.python.literals import inline
from specc.source import Span
from specc.syntax import ast


def prepare(context: Context, name: str, merged: Merged) -> Class:
    """Looks up how every op is written and settles which numbers are parameters."""
    first = merged.parts[0]
    taken = {"self", "x", "p", *context.reserved}
    if is_repeated(first.scope):
        definition = definition_of(first)
        tensors = context.structure.tensors
        sizes: BlockSizes | SingleSizes = BlockSizes(
            merged, definition, tensors, context.largest, taken, context.elastic
        )
    else:
        definition, sizes = None, SingleSizes(context.choices, context.largest, taken)
    cls = Class(name, merged, definition, sizes)
    for place in merged.places():
        if isinstance(place.first, OpEntry) and not place.first.op.operator.selects:
            write(context, cls, place)
    cls.has_plan = context.elastic and (
        any(has_plan(context, cls, place) for place in merged.places()) or any(True for _ in guards(merged.nodes))
    )
    cls.shown = shown(context, cls)
    cls.loops = loops(cls)
    if cls.loops:
        check_rounds(context, cls)
    if first.scope.kind == "round" and len(first.inputs) > 1 and isinstance(sizes, BlockSizes):
        sizes.enter_by(input_names(merged.inputs, tensor_names(context, cls)))
    needs = list(collect(context, cls))
    name_choices(cls)
    sizes.prepare(needs)
    if isinstance(sizes, BlockSizes):
        name_flags(context, cls, sizes)
        name_functions(context, cls, sizes)
        cls.parameters = read_parameters(cls, sizes, needs)
        cls.held = held(context, cls)
    return cls


def read_parameters(cls: Class, sizes: BlockSizes, needs: Sequence[Need]) -> tuple[Parameter, ...]:
    """The parameters that the class's own text reads."""
    texts = [sizes.text(need) for need in needs if any(value is not None for value in need.values)]
    texts += [flag.condition for flag in (*cls.flags.values(), *cls.arms.values())] + [text for _, text in sizes.locals]
    words = set(re.findall(r"\w+", " ".join([*texts, *cls.functions.values()])))
    return tuple(parameter for parameter in sizes.ordered() if parameter.name in words)


def write(context: Context, cls: Class, place: Place) -> None:
    kinds = {entry.op.kind for entry in place.column if isinstance(entry, OpEntry)}
    if len(kinds) > 1:
        return  # a function that the block is given
    sites: Sites = tuple(site_of(context, entry) for entry in place.column if isinstance(entry, OpEntry))
    written = writers()[next(iter(kinds))].write(sites, context.elastic)
    cls.written[id(place)] = written
    if written.source and written.layer:
        context.sources.setdefault(written.source, set()).add(written.layer)
        if written.plain and not context.elastic:
            context.plain.add((written.source, written.layer))


def site_of(context: Context, entry: OpEntry) -> Site:
    tensors = context.structure.tensors
    return Site(entry.op, tuple(tensors[t] for t in entry.op.inputs), tuple(tensors[t] for t in entry.op.outputs))


def has_plan(context: Context, cls: Class, place: Place) -> bool:
    """Whether a plan says something about an op or part."""
    if isinstance(place.first, Part):
        return context.of(place.first).has_plan
    written = cls.written.get(id(place))
    return written is not None and (
        written.planned or (written.number is not None and is_elastic(written.number.values))
    )


def guards(nodes: Iterable[Node]) -> Iterator[Guarded]:
    for node in nodes:
        if isinstance(node, Guarded):
            yield node
        if isinstance(node, (Guarded, Arm)):
            yield from guards(node.nodes)


def shown(context: Context, cls: Class) -> dict[str, str]:
    """The heads and exits that stand under a flag of their own, by the flag."""
    found: dict[str, str] = {}
    for node in guards(cls.merged.nodes):
        guard, inner = node.guard, node.nodes
        if isinstance(guard, Var) and guard.choice.startswith(WANTED) and len(inner) == 1:
            place = inner[0]
            if isinstance(place, Place) and isinstance(place.first, Part) and "|" not in guard.choice:
                found[guard.choice] = place.attribute
    return found


# --- numbers ---


def collect(context: Context, cls: Class) -> Iterator[Need]:
    """The numbers of `__init__`, in the order of the text; notes them in the class."""
    count = len(cls.merged.parts)
    for column in choice_columns(cls):
        need = Need(
            "choice", tuple(None if c is None else Var(c) for c in column), choice_leaf(next(c for c in column if c))
        )
        for choice in column:
            if choice is not None:
                cls.choices.setdefault(choice, ("", need))
        yield need
    for place, around in with_guards(cls.merged.nodes):
        for node in around:
            if node.partial and id(node) not in cls.presence:
                cls.presence[id(node)] = Need("condition", node.guards, presence_name(context, cls, node))
                yield cls.presence[id(node)]
        if around and not cls.chain:
            yield from (Need("choice", (Var(c),) * count, c) for c in present_choices(context, around))
        found: list[tuple[str, Need]] = []
        if isinstance(place.first, Part):
            found = part_needs(context, cls, place)
        else:
            written = cls.written.get(id(place))
            if written is not None:
                found = [
                    (arg.name, need_of(context, cls, place, arg, count)) for arg in written.args if not left_out(arg)
                ]
                if written.number is not None:
                    found.append(("", need_of(context, cls, place, written.number, count)))
        cls.needs[id(place)] = found
        yield from (need for _, need in found)


def with_guards(nodes: Iterable[Node], around: tuple[Guarded, ...] = ()) -> Iterator[tuple[Place, tuple[Guarded, ...]]]:
    """Places with the conditions that they stand under."""
    for node in nodes:
        if isinstance(node, Place):
            yield node, around
        elif isinstance(node, Guarded):
            yield from with_guards(node.nodes, (*around, node))
        elif isinstance(node, Arm):
            yield from with_guards(node.nodes, around)


def present_choices(context: Context, around: Sequence[Guarded]) -> list[str]:
    """The choices that `when(..)` reads for what stands under conditions, in a class that stands once."""
    guards = [node.guard for node in around]
    if any(isinstance(g, Var) and g.choice.startswith(WANTED) for g in guards):
        return []
    if len(around[0].guards) > 1 or around[0].partial:
        return []
    return list(dict.fromkeys(c for g in guards for c in choices_in(g)))


def spread(place: Place, values: Values) -> Vector:
    """The values at the instances that have a place, None at the others."""
    given = iter(values)
    return tuple(None if entry is None else next(given) for entry in place.column)


def need_of(context: Context, cls: Class, place: Place, arg: Arg, count: int) -> Need:
    values = spread(place, arg.values)
    if arg.whole:
        values = tuple(at_largest(value, context.largest) for value in values)
    template = None
    if cls.definition is not None and isinstance(place.first, OpEntry):
        written = cls.definition.at(place.first.op.origin)
        if written is not None and written.node is not None and arg.parameter:
            template = argument(written.node, written.node.name.name, arg.parameter)
            if arg.parameter == "connect" and isinstance(template, ast.CallExpr):
                template = template.args[0].value if template.args else None  # `connect=triangular(slices)`
    half = spread(place, arg.half) if arg.half else ()
    half_template = None
    if half and cls.definition is not None and isinstance(place.first, OpEntry):
        written = cls.definition.at(place.first.op.origin)
        if written is not None and written.node is not None:
            half_template = argument(written.node, written.node.name.name, "kernel")
    inward = arriving(context, place) if template is not None or half_template is not None else ()
    difference = None
    if arg.difference and (cls.definition is not None or not is_constant(values)):
        whole, less = (Need("channels", spread(place, part), "out") for part in arg.difference)
        difference = whole, less
    role: str = "choice" if arg.role == "bank" and all(v is None or isinstance(v, Var) for v in values) else arg.role
    fallback: str = "hidden" if arg.role == "channels" else arg.role
    if role == "choice":
        fallback = choice_leaf(next(v.choice for v in values if isinstance(v, Var)))
    return Need(role, values, fallback, template, inward, half, half_template, difference)


def arriving(context: Context, place: Place) -> Vector:
    """The channels that arrive at an op or part, at every instance."""
    entries = [entry for entry in place.column if entry is not None]
    if not all(entry.inputs for entry in entries):
        return ()
    return spread(place, channel_values([context.structure.tensors[entry.inputs[0]] for entry in entries]))


def part_needs(context: Context, cls: Class, place: Place) -> list[tuple[str, Need]]:
    """The numbers that a part's class takes, by its parameters."""
    child = context.of(place.first) if isinstance(place.first, Part) else None
    assert child is not None
    assert isinstance(place.first, Part)
    if child.chain:
        return [("", need) for need in chain_needs(context, child)]
    node = None
    if cls.definition is not None:
        written = cls.definition.at(place.first.scope.origin)
        node = None if written is None else written.node
    found: list[tuple[str, Need]] = []
    for parameter in child.parameters:
        values: Vector = tuple(None if e is None else parameter.at(e.index) for e in place.column)  # type: ignore[union-attr]
        template = None
        if node is not None and child.definition is not None and parameter.name in child.definition.parameters:
            template = given(node, child.definition, parameter.name)
        first = next(v for v in values if v is not None)
        leaf = (
            choice_leaf(first.choice) if isinstance(first, Var) else f"{place.attribute}_{parameter.name}".rstrip("_")
        )
        if cls.first.scope.kind == "round" and parameter.role != "condition":
            leaf = parameter.name
        inward = arriving(context, place) if template is not None else ()
        found.append((parameter.name, Need(parameter.role, values, leaf, template, inward)))
    return found


def left_out(arg: Arg) -> bool:
    """Whether an argument has its default at every instance."""
    return arg.default is not None and all(same(v, arg.default) for v in arg.values)


def choice_columns(cls: Class) -> list[tuple[str | None, ...]]:
    """The choices that the class's own conditions read, each at every instance, in the order of the text."""
    columns: dict[tuple[str | None, ...], None] = {}

    def add(exprs: Sequence[object]) -> None:
        rows = [None if e is None else choices_in(e) for e in exprs]  # type: ignore[arg-type]
        length = max((len(row) for row in rows if row is not None), default=0)
        for i in range(length):
            columns.setdefault(tuple(None if row is None else row[i] for row in rows))

    for node in guards(cls.merged.nodes):
        if not node.partial:
            add(node.guards)
    for place in cls.merged.places():
        if isinstance(place.first, OpEntry) and place.first.op.operator.selects:
            for i in range(len(conditions(place.first))):
                add([None if e is None else conditions(e)[i] for e in place.column])
    root = cls.first.scope.kind == "network"
    return [c for c in columns if not (str(c[0]).startswith(WANTED) and (root or str(c[0]) in cls.shown))]


def conditions(entry: OpEntry | Part) -> tuple[object, ...]:
    assert isinstance(entry, OpEntry)
    found: tuple[object, ...] = getattr(entry.op.params, "conditions", ())
    return found


# --- variants ---


def name_flags(context: Context, cls: Class, sizes: BlockSizes) -> None:
    """A name and a condition for all that only some instances have."""
    taken = {entry.attribute for part in cls.merged.parts for entry in walk(part.entries)}
    named: dict[tuple[Mask, tuple[tuple[int, bool], ...]], Flag] = {}

    def visit(nodes: Sequence[Node], length: int) -> None:
        for node in nodes:
            if isinstance(node, Arm):
                first = next(places(node.nodes), None)
                assert first is not None
                around: tuple = ()  # type: ignore[type-arg]
                opposite = tuple(not m for m in node.mask)
                key: tuple[tuple[int, bool], ...] = ()
                if cls.definition is not None:
                    origin = first.first.op.origin if isinstance(first.first, OpEntry) else first.first.scope.origin
                    written = cls.definition.at(origin)
                    around = () if written is None else written.conditions
                    key = tuple((condition.span.start, positive) for condition, positive in around)
                if (node.mask, key) in named:
                    cls.arms[id(node)] = named[node.mask, key]
                    visit(node.nodes, length)
                    continue
                if opposite in cls.flags and not around:
                    continue
                sums = isinstance(first.first, OpEntry) and first.first.op.operator.sums and len(node.nodes) == 1
                shortcut = first.attribute.startswith("shortcut_")
                wanted = "residual" if sums else "with_shortcut" if shortcut else f"with_{first.attribute}"
                text = sizes.flag(around, node.mask, wanted)[0]
                parameter = sizes.parameters.get(text)
                if parameter is not None and text not in taken:
                    name = text
                    taken.add(name)
                else:
                    name = fresh(wanted, taken)
                flag = cls.arms[id(node)] = named[node.mask, key] = Flag(name, text)
                cls.flags.setdefault(node.mask, flag)
            if isinstance(node, (Arm, Guarded)):
                visit(node.nodes, length)

    visit(cls.merged.nodes, len(cls.merged.parts))


def name_functions(context: Context, cls: Class, sizes: BlockSizes) -> None:
    """Functions that a block is given, as `act=relu`: parameters that hold functions of model.py."""
    for place in cls.merged.places():
        if not isinstance(place.first, OpEntry) or place.first.op.operator.selects or id(place) in cls.written:
            continue
        kinds: Vector = tuple(None if e is None else e.op.kind for e in place.column)  # type: ignore[union-attr]
        name = "act"
        if cls.definition is not None:
            written = cls.definition.at(place.first.op.origin)
            if written is not None and written.node is not None:
                name = held_operator(written.node, cls.definition) or name
        vector = sizes.arguments.get(name)
        if vector is not None and all(k is None or k == v for k, v in zip(kinds, vector, strict=True)):
            text = sizes.argument(name, "function")[0]
        else:
            text = (sizes.lookup("function", kinds) or sizes.add("function", filled(kinds), name, ""))[0]
        cls.functions[id(place)] = text


def filled(values: Vector) -> Vector:
    first = next(v for v in values if v is not None)
    return tuple(first if v is None else v for v in values)


def held(context: Context, cls: Class) -> dict[str, None]:
    """The parameters for which some instance is given an unnamed choice, which is then called after the attribute."""
    found: dict[str, None] = {}
    for parameter in cls.parameters:
        for part, value in zip(cls.merged.parts, parameter.values, strict=True):
            if is_unnamed(context, part, parameter, value):
                found[parameter.name] = None
    return found


def is_unnamed(context: Context, part: Part, parameter: Parameter, value: object) -> bool:
    """Whether a part's choice is called after the part and the parameter, is read in the part alone and has few
    options, so that it can be written in the parameter's place."""
    if not isinstance(value, Var) or value.choice != f"{part.scope.path}.{parameter.name}":
        return False
    choice = context.choices[value.choice]
    inside = all(name.startswith(f"{part.scope.path}.") for name in context.readers.get(value.choice, ()))
    return inside and options_text(choice.options) != ""


# --- text ---


def block_origin(part: Part) -> Span:
    """Where a block is defined: the `block` line above its first operator, in the same source."""
    first = next((e.op.origin for e in walk(part.entries) if isinstance(e, OpEntry)), part.scope.origin)
    found = re.search(rf"^[ \t]*block[ \t]+{re.escape(part.scope.block)}\b", first.source.text, re.MULTILINE)
    return first if found is None else Span(first.source, found.start(), found.end())


def class_doc(cls: Class) -> str:
    scope = cls.first.scope
    if scope.kind == "block":
        definition = cls.definition
        span = definition.span if definition is not None else block_origin(cls.first)
        return f"{comment(scope.block)}, {comment(span.location())}."
    parts = cls.merged.parts
    if len(parts) > 1:
        paths = list(dict.fromkeys(part.scope.path for part in parts))
        names = comment(", ".join(paths) if len(paths) < 4 else f"{paths[0]} to {paths[-1]}")
        if scope.kind == "round":
            return f"A round of {names}, {comment(scope.origin.location())}."
        return f"{scope.kind}s {names}, {comment(scope.origin.location())}."
    title = comment(scope.path) if scope.path == scope.kind else f"{scope.kind} {comment(scope.path)}"
    return f"{title}, {comment(scope.origin.location())}."


def class_lines(context: Context, cls: Class) -> list[str]:
    """The whole class."""
    base = "Round" if cls.first.scope.kind == "round" else "Elastic" if cls.has_plan else "nn.Module"
    lines = [f"class {cls.name}({base}):", f'    """{class_doc(cls)}"""', ""]
    lines += init_lines(context, cls)
    lines += ["", *forward_lines(context, cls)]
    return lines


def init_lines(context: Context, cls: Class, before: Sequence[str] = (), after: Sequence[str] = ()) -> list[str]:
    """`__init__`: a layer or part a line, in the order of the graph's ops."""
    body = nodes_lines(context, cls, cls.merged.nodes, 8, ())
    values: list[str] = []
    for choice, (_, need) in cls.choices.items():
        name = attribute_of(cls, choice)
        line = f"        self.{name} = Value({cls.sizes.text(need)})"
        if line not in values and not choice.startswith(WANTED):
            values.append(line)
        elif choice.startswith(WANTED):
            values.append(f"        self.{name} = Value({wanted_call(choice)})")
    values = list(dict.fromkeys(values))
    for parameter in cls.parameters:
        if parameter.role == "function" and parameter.default:
            context.functions.setdefault(parameter.default, "")
    parameters = [f"{p.name}: {parameter_type(p)}{f' = {p.default}' if p.default else ''}" for p in cls.parameters]
    lines = list(guarded(call("def __init__", ["self", *parameters], ") -> None:", indent=4)))
    if cls.first.scope.kind != "round":
        lines.append("        super().__init__()")
    lines += before
    lines += [line for name, text in cls.sizes.locals for line in guarded([f"        {name} = {text}"])]
    names = [name for name in cls.held if not any(line.startswith(f"        self.{name} = ") for line in values)]
    if names:
        targets = ", ".join(f"self.{name}" for name in names)
        lines.append(f"        {targets} = {', '.join(names)}  # choices are called after these")
    for name in dict.fromkeys(cls.functions.values()):
        lines.append(f"        self.{name} = {name}")
    return [*lines, *values, *body, *after]


def wanted_call(choice: str) -> str:
    outputs = choice.removeprefix(WANTED).split("|")
    return " | ".join(f'wanted("{output}")' for output in outputs)


def attribute_of(cls: Class, choice: str) -> str:
    """The attribute, and so the field of the plan, that holds a choice read by a condition."""
    return cls.choices[choice][0]


def name_choices(cls: Class) -> None:
    """Gives every choice that a condition reads its attribute: one for the choices of all instances at one place."""
    taken = {place.attribute for place in cls.merged.places()}
    names: dict[int, str] = {}
    for choice, (_, need) in cls.choices.items():
        if id(need) not in names:
            names[id(need)] = fresh(need.fallback, taken)
        cls.choices[choice] = names[id(need)], need


def nodes_lines(
    context: Context, cls: Class, nodes: Sequence[Node], indent: int, around: tuple[Guarded, ...]
) -> list[str]:
    """Layers and parts, the rounds of a repeat as one list."""
    found: list[str] = []
    for run, group in groupby(nodes, run_of):
        if run:
            items = [one_line(*construction(context, cls, place, around)) for place in group]  # type: ignore[arg-type]
            there = [f"present={presence_text(context, cls, around)}"] if around and context.elastic else []
            text = f"self.{cls.loops[run]} = rounds({', '.join(['self', *repeated(items), *there])})"
            found += guarded(lay_out(text, indent))
        else:
            found += [line for node in group for line in node_lines(context, cls, node, indent, around)]
    return found


def run_of(node: Node) -> int:
    """The loop that a node is a round of, 0 for none."""
    return node.first.run if isinstance(node, Place) and isinstance(node.first, Part) else 0


def loops(cls: Class) -> dict[int, str]:
    """The attributes for the rounds of a class's repeats."""
    runs = list(dict.fromkeys(run for place in cls.merged.places() if (run := run_of(place))))
    taken = {place.attribute for place in cls.merged.places()}
    names = ["rounds"] if len(runs) == 1 else [f"rounds{i}" for i in range(1, len(runs) + 1)]
    return {run: fresh(name, taken) for run, name in zip(runs, names, strict=True)}


def check_rounds(context: Context, cls: Class) -> None:
    """Raises RoundsDiffer where `rounds(self, ..)` would give modules other names than the graph's, or a round would
    read a number of the plan."""
    count: Counter[str] = Counter()
    for place in cls.merged.places():
        if not run_of(place):
            count[local(place.attribute)] += is_module(cls, place)
            continue
        assert isinstance(place.first, Part)
        child = context.of(place.first)
        if any(written.number is not None and is_elastic(written.number.values) for written in child.written.values()):
            raise RoundsDiffer(frozenset({run_of(place)}))
        for inner in child.merged.places():
            entry = inner.column[place.first.index]
            if entry is not None and is_module(child, inner):
                base = local(entry.attribute)
                count[base] += 1
                if entry.stage_name != f"{base}{count[base]}":
                    raise RoundsDiffer(frozenset({run_of(place)}))


def is_module(cls: Class, place: Place) -> bool:
    """Whether a place has a module."""
    return isinstance(place.first, Part) or (id(place) in cls.written and bool(cls.written[id(place)].layer))


def presence_name(context: Context, cls: Class, node: Guarded) -> str:
    """What to call the condition of something: after the last tensor that it makes, if the spec names that."""
    made = [tensor for place in places(node.nodes) for tensor in place.outputs]
    names = tensor_names(context, cls)
    named = [names[tensor] for tensor in made if tensor in names]
    return f"with_{named[-1]}" if named else "present"


def made_text(context: Context, cls: Class, name: str, args: Sequence[str], around: tuple[Guarded, ...]) -> str:
    """A layer or part, under the condition of its presence."""
    if not around or not context.elastic:
        return one_line(name, args)
    return f"when({presence_text(context, cls, around)}, {one_line(name, args)})"


def presence_text(context: Context, cls: Class, around: tuple[Guarded, ...]) -> str:
    """The condition of all that stands under some conditions."""
    if around[-1].partial:
        return cls.sizes.text(cls.presence[id(around[-1])])
    return present_text(context, cls, [node.guard for node in around])


def node_lines(context: Context, cls: Class, node: Node, indent: int, around: tuple[Guarded, ...]) -> list[str]:
    match node:
        case Place():
            return place_lines(context, cls, node, indent, around)
        case Guarded():
            return nodes_lines(context, cls, node.nodes, indent, (*around, node))
        case Arm():
            return arm_lines(context, cls, node, indent, around)
    return []


def arm_lines(context: Context, cls: Class, arm: Arm, indent: int, around: tuple[Guarded, ...]) -> list[str]:
    """`if self.residual:` and the layers that stand there."""
    pad = " " * indent
    flag, opposite = flag_of(cls, arm)
    inner = [line for n in arm.nodes for line in node_lines(context, cls, n, indent + 4, around)]
    lines: list[str] = []
    if not opposite and cls.first_arms.setdefault(flag.name, id(arm)) == id(arm):
        lines += guarded([f"{pad}self.{flag.name} = {flag.condition}"])
    test = f"not self.{flag.name}" if opposite else f"self.{flag.name}"
    return [*lines, f"{pad}if {test}:", *inner] if inner else lines


def flag_of(cls: Class, arm: Arm) -> tuple[Flag, bool]:
    """The flag of an arm, and whether it stands where the flag does not hold."""
    if id(arm) in cls.arms:
        return cls.arms[id(arm)], False
    if arm.mask in cls.flags:
        return cls.flags[arm.mask], False
    return cls.flags[tuple(not m for m in arm.mask)], True


def place_lines(context: Context, cls: Class, place: Place, indent: int, around: tuple[Guarded, ...]) -> list[str]:
    pad = " " * indent
    made: tuple[str, list[str]] | None = None
    written = cls.written.get(id(place))
    if isinstance(place.first, Part):
        made = construction(context, cls, place)
    elif written is not None and written.layer:
        needs = cls.needs[id(place)]
        args = [f"{name}={cls.sizes.text(n)}" if name else cls.sizes.text(n) for name, n in needs]
        made = written.layer, args
    elif written is not None and written.number is not None:
        need = cls.needs[id(place)][-1][1]
        text = cls.sizes.text(need)
        if is_elastic(need.values):
            return list(guarded([f"{pad}self.{place.attribute} = Value({text})"]))
        if text != literal_of(need):
            return list(guarded([f"{pad}self.{place.attribute} = {text}"]))
    if made is None:
        return []
    name, args = made
    text = made_text(context, cls, name, args, around)
    return list(guarded(lay_out(f"self.{place.attribute} = {text}", indent)))


def literal_of(need: Need) -> str:
    """A number as it stands where it is one literal; "" where it is none."""
    return inline(next(v for v in need.values if v is not None)) if is_constant(need.values) else ""


def one_line(name: str, args: Sequence[str]) -> str:
    return f"{name}({', '.join(args)})"


def construction(context: Context, cls: Class, place: Place, around: tuple[Guarded, ...] = ()) -> tuple[str, list[str]]:
    """The class of a part and the arguments that it is made with."""
    part = place.first
    assert isinstance(part, Part)
    child = context.of(part)
    if child.chain:
        return ("Stage" if child.has_plan else "stage"), chain_items(context, cls, child, construction)
    args: list[str] = []
    needs = dict(cls.needs[id(place)])
    started = False
    for parameter in child.parameters:
        need = needs[parameter.name]
        text = argument_text(context, cls, part, parameter, need, around)
        if parameter.default and text == parameter.default and is_constant_default(need):
            started = True
            continue
        own = child.definition is not None and parameter.name in child.definition.parameters
        plain = parameter.role == "channels" or (own and parameter.role == "argument")
        positional = plain and not parameter.default and not started
        started = started or not positional
        args.append(text if positional else f"{parameter.name}={text}")
    return child.name, args


def is_constant_default(need: Need) -> bool:
    return (is_constant(need.values) and None not in need.values) or all(v is not None for v in need.values)


def argument_text(
    context: Context, cls: Class, entry: Part, parameter: Parameter, need: Need, around: tuple[Guarded, ...]
) -> str:
    """An argument of a part: an unnamed choice, or a number in the class's own terms."""
    if parameter.role == "function":
        return function_text(context, cls, need)
    if parameter.role == "condition":
        (value,) = need.values
        assert value is not None
        assert not isinstance(value, tuple)
        return "True" if value == 1 else present_text(context, cls, [*(node.guard for node in around), value])
    if len(cls.merged.parts) == 1 and is_unnamed(context, entry, parameter, need.values[0]):
        value = need.values[0]
        assert isinstance(value, Var)
        return f"OneOf({options_text(context.choices[value.choice].options)})"
    return cls.sizes.text(need)


def function_text(context: Context, cls: Class, need: Need) -> str:
    """A function's name: of model.py, or of the parameter that holds it."""
    if isinstance(cls.sizes, BlockSizes) and not is_constant(need.values):
        for name, vector in cls.sizes.arguments.items():
            if all(k is None or k == v for k, v in zip(need.values, vector, strict=True)):
                return cls.sizes.argument(name, "function")[0]
        return cls.sizes.spell(need)[0]
    word = next(v for v in need.values if v is not None)
    assert isinstance(word, str)
    context.functions.setdefault(word, "")
    return word


def parameter_type(parameter: Parameter) -> str:
    if parameter.role == "function":
        return "Callable[[Tensor], Tensor]"
    if parameter.role == "condition":
        return "Condition"
    given = [v for v in parameter.values if v is not None]
    if parameter.role != "channels" and any(isinstance(v, tuple) for v in given) and not is_elastic(tuple(given)):
        return "int | tuple[int, ...]" if any(isinstance(v, int) for v in given) else "tuple[int, ...]"
    if is_elastic(tuple(given)) or any(isinstance(v, tuple) for v in given):
        return "Size"
    if all(isinstance(v, bool) for v in given):
        return "bool"
    if all(isinstance(n, int) for v in given for n in numbers(v)):
        return "int"
    return "str" if all(isinstance(v, str) for v in given) else "float"
