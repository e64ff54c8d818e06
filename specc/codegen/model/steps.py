"""A class's forward: its entries as statements, and the lines they become."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from specc.codegen.literals import quoted
from specc.codegen.model.answers import exit_test, is_rest, wanted_text
from specc.codegen.model.context import Class, Context
from specc.codegen.model.flow import Branch, Select, Statement, Step
from specc.codegen.model.forward import forward_body
from specc.codegen.model.layout import call, guarded
from specc.codegen.model.needs import sorted_free
from specc.codegen.model.render import condition
from specc.codegen.model.shapes import shape_comment
from specc.codegen.model.structure import Entry, OpEntry, Part, Region
from specc.ir.expr import Expr, evaluate
from specc.ops.writing import Written, varies

NESTING: Final = frozenset(("add", "relu", "relu6", "hswish", "hsigmoid", "silu", "gelu", "sigmoid", "tanh", "flatten"))
"""Functions that may be written around the expression before them."""

INPUT_NAMES: Final = ("x", "y", "z", "u", "v", "w")


def statements(context: Context, cls: Class) -> list[Statement]:
    """A part's entries as statements of its forward."""
    places = iter(range(len(cls.rows[0])))

    def called(choice: str) -> str:
        return f"p.{cls.choices[choice]}" if choice in cls.choices else wanted_text(choice, "p.wanted")

    def text_of(guard: Expr, opposite: bool = False) -> str:
        if not is_rest(context.choices, guard):
            return condition(guard, called)
        exits = context.choices[sorted_free(guard)[0]]
        at = frozenset(o for o in exits.options if bool(evaluate(guard, {exits.name: o})) is not opposite)
        return exit_test(at, exits, called(exits.name))

    def convert(entries: Sequence[Entry], last: bool) -> list[Statement]:
        """`last` says that nothing follows these entries in the forward."""
        found: list[Statement] = []
        for number, entry in enumerate(entries, 1):
            if isinstance(entry, Region):
                rest = last and number == len(entries) and is_rest(context.choices, entry.guard)
                body = tuple(convert(entry.entries, rest))
                unless = text_of(entry.guard, True) if rest else ""
                found.append(Branch(text_of(entry.guard), entry.guard, body, unless))
                continue
            place = next(places)
            if isinstance(entry, OpEntry) and entry.op.kind == "select":
                guards = getattr(entry.op.params, "conditions", ())
                found.append(Select(entry.op.inputs, entry.op.output, tuple(map(text_of, guards)), guards))
                continue
            shape = shape_comment(context.structure, cls, cls.column(place), context.largest)
            if isinstance(entry, Part):
                child = context.of(entry)
                inputs = [f"{{{i}}}" for i in range(len(entry.inputs))]
                more = [f"p.{entry.attribute}"] if child.has_plan else []
                args = ", ".join([*inputs, *more, *(["outputs"] if entry.notes and context.answers else [])])
                found.append(Step(f"self.{entry.attribute}({args})", entry.inputs, entry.outputs, shape=shape))
            else:
                found.append(step(entry, cls.written[place], shape))
        return found

    return convert(cls.first.entries, True)


def step(entry: OpEntry, written: Written, shape: str) -> Step:
    """An op as a call: of its layer, or of a function."""
    op = entry.op
    template, inplace = written.call, written.inplace
    if written.layer:
        cut = f", p.{entry.attribute}" if written.cut is not None else ""
        template = (written.call or "{layer}({0}{cut})").replace("{layer}", f"self.{entry.attribute}")
        template = template.replace("{cut}", cut)
    if written.number is not None:
        value = f"{'p' if varies(written.number.values) else 'self'}.{entry.attribute}"
        template, inplace = template.replace("{number}", value), inplace.replace("{number}", value)
    nests = op.kind in NESTING and not written.layer
    return Step(template, op.inputs, op.outputs, inplace, written.update, written.overwritable, nests, shape)


def noted_here(context: Context, cls: Class) -> dict[str, str]:
    """The outputs that a part notes: those of the heads and exits that stand in it, for the network those of stages."""
    own = {entry.scope.output for entry in cls.rows[0] if isinstance(entry, Part)}
    others = {part.scope.output for part in context.structure.parts} - own
    root = cls.first.scope.kind == "network"
    names: dict[str, list[str]] = {}
    for output in context.graph.outputs:
        if output.name in own or (root and (output.kind == "features" or output.name not in others)):
            names.setdefault(output.tensor, []).append(output.name)
    return {tensor: "".join(f"outputs[{quoted(name)}] = " for name in those) for tensor, those in names.items()}


def forward_lines(context: Context, cls: Class) -> tuple[str, ...]:
    first = cls.first
    names = [*INPUT_NAMES, *(f"t{i}" for i in range(2, len(first.inputs)))][: len(first.inputs)]
    parameters = [f"{name}: Tensor" for name in names]
    if cls.has_plan:
        parameters.append(f"p: {cls.plan_name}")
    noting = first.notes and context.answers is not None
    if noting:
        parameters.append("outputs: dict[str, Tensor]")
    several = f"tuple[{', '.join(['Tensor'] * len(first.outputs))}]"
    result = {0: "None", 1: "Tensor"}.get(len(first.outputs), several)
    head = guarded(call("def forward", ["self", *parameters], f") -> {result}:", indent=4))
    noted = noted_here(context, cls) if noting else None
    body = forward_body(statements(context, cls), first.inputs, first.outputs, names, 8, noted)
    return (*head, *body)
