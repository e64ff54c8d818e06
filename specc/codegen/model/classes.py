"""Groups of equal parts as classes: `__init__` at the largest sizes, `plan` at the active ones, `forward`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from specc.codegen.model.answers import WANTED
from specc.codegen.model.context import Class, Context
from specc.codegen.model.lines import fields, init_lines, plan_lines
from specc.codegen.model.needs import active_needs, guard_choices, init_needs, literals
from specc.codegen.model.sizes import Namer, choose_parameters
from specc.codegen.model.steps import forward_lines
from specc.codegen.model.structure import OpEntry, Part, site, walk
from specc.codegen.model.view import ClassView
from specc.codegen.names import comment
from specc.ir.expr import Var
from specc.ops.writing import Sites, writers
from specc.source import Span


def prepare(context: Context, name: str, parts: Sequence[Part]) -> Class:
    """Looks up how every op is written and settles which numbers are parameters."""
    attributes = {entry.attribute for entry in walk(parts[0].entries)}
    taken = {"self", "x", "p", *attributes, *context.reserved}
    cls = Class(name, parts, Namer(parts, context.structure.tensors, context.largest, taken))
    cls.rows = [list(walk(part.entries)) for part in parts]
    for place, entry in enumerate(cls.rows[0]):
        if isinstance(entry, OpEntry) and entry.op.kind != "select":
            sites: Sites = tuple(site(context.structure, e.op) for e in cls.column(place) if isinstance(e, OpEntry))
            cls.written[place] = writers()[entry.op.kind].write(sites, bool(context.graph.choices))
            written = cls.written[place]
            if written.source:
                context.sources.setdefault(written.source, set()).add(written.layer)
    active = active_needs(context, cls)
    cls.active = choose_parameters(active, cls.namer, {})
    init = init_needs(context, cls)
    cls.init = choose_parameters(init, cls.namer, literals(cls, init, context.largest))
    first = {p.values[0].choice: p.name for p in cls.active.parameters if isinstance(p.values[0], Var)}
    read = guard_choices(parts[0])
    if parts[0].scope.kind == "network":  # which asks the plan's list of outputs instead
        read = tuple(choice for choice in read if not choice.startswith(WANTED))
    cls.choices = {choice: first[choice] for choice in read}
    return cls


def add_plans(context: Context) -> None:
    """Gives the classes the fields and names of their plans, parts before wholes.

    Variants of a block whose plans hold the same share one, called after the variant with the shortest name.
    """
    shared: dict[tuple[str, ...], list[Class]] = {}
    height = 0
    for cls in (*context.classes, None):
        if cls is None or cls.first.height != height:
            for classes in shared.values():
                name = min((c.name for c in classes), key=len)
                for c in classes:
                    c.plan_name = f"{name}Plan"
            shared.clear()
        if cls is not None:
            height = cls.first.height
            cls.plan_fields = fields(context, cls)
            shared.setdefault((cls.first.scope.block or cls.name, *cls.plan_fields), []).append(cls)


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
    elif len(cls.parts) > 1:
        paths = [part.scope.path for part in cls.parts]
        names = comment(", ".join(paths) if len(paths) < 4 else f"{paths[0]} to {paths[-1]}")
        doc = f"{scope.kind}s {names}, {comment(scope.origin.location())}."
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
