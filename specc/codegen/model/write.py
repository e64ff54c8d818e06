"""Graph -> the text of model.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from specc.codegen.fingerprint import fingerprint
from specc.codegen.literals import quoted
from specc.codegen.model.answers import answers_of, flag_choices, written_graph
from specc.codegen.model.classes import add_plans, class_view, prepare
from specc.codegen.model.context import Context
from specc.codegen.model.layout import WIDTH
from specc.codegen.model.naming import class_names
from specc.codegen.model.network import input_names, network_view
from specc.codegen.model.render import number as literal
from specc.codegen.model.sizes import peaks
from specc.codegen.model.structure import Part, Structure, structure, walk
from specc.codegen.model.view import ClassView, ModelView
from specc.codegen.names import MODEL_GLOBALS, class_name, comment
from specc.codegen.parts import place
from specc.codegen.render import render
from specc.ir.graph import Graph
from specc.ops import operator_package

RUNTIME_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "net.network": ("ElasticNet", "resize", "sized"),
    "net.plan": ("Option", "Plan", "complete", "known_outputs", "resolve", "wanted_outputs"),
    "layers.sizes": ("divisible", "half_up", "position"),
    "net.slices": ("SlicedNet",),
}


@dataclass(frozen=True, slots=True, eq=False)
class ModelText:
    """model.py, and the parts that it imports: operators' `torch` modules and the runtime's, by dotted name."""

    text: str
    modules: tuple[str, ...]
    network: str


def model_text(graph: Graph) -> ModelText:
    """The module of the network and of all its parts, innermost first."""
    of = fingerprint(graph)
    answers = answers_of(graph)
    graph = written_graph(graph, answers)
    found = structure(graph)
    choices = {**graph.choice_table(), **flag_choices(answers, graph.origin)}
    largest = {name: choice.largest for name, choice in choices.items()}
    context = Context(graph, found, choices, largest, answers=answers)
    network = class_name(graph.name)
    order = in_order(found)
    names = dict(zip(order, class_names([found.groups[group] for group in order], network), strict=True))
    context.reserved = MODEL_GLOBALS.union(names.values())
    for group, parts in enumerate(found.groups):
        context.classes.append(prepare(context, names[group], parts))
    add_plans(context)
    network_class = context.classes[-1]
    views = [
        network_view(context, cls, of) if cls is network_class else class_view(context, cls)
        for cls in (context.classes[group] for group in order)
    ]
    body = "\n".join(line for view in views for line in code_lines(view))
    imports, modules = import_lines(context.sources, body, bool(graph.choices))
    view = ModelView(module_doc(context, network), imports, plans_once(views), network)
    return ModelText(render("model.py.jinja", {"view": view}), modules, network)


def in_order(found: Structure) -> list[int]:
    """The groups of parts in the order in which the network first needs them, parts before wholes."""
    order: dict[int, None] = {}

    def visit(part: Part) -> None:
        if part.group not in order:
            for entry in walk(part.entries):
                if isinstance(entry, Part):
                    visit(entry)
            order[part.group] = None

    visit(found.root)
    return list(order)


def plans_once(views: Sequence[ClassView]) -> tuple[ClassView, ...]:
    """Variants of a block share a plan, which stands before the first of them."""
    seen: set[str] = set()
    found: list[ClassView] = []
    for view in views:
        found.append(replace(view, fields=()) if view.plan_name in seen else view)
        seen.add(view.plan_name)
    return tuple(found)


def code_lines(view: ClassView) -> tuple[str, ...]:
    return (f"class ({view.base})", *view.init_lines, *view.plan_lines, *view.forward_lines, *view.fields)


def import_lines(sources: Mapping[str, set[str]], body: str, elastic: bool) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The imports that the classes need, in the order of import sorters, and the parts among them."""
    standard = ["from __future__ import annotations"]
    lines: list[str] = []
    runtime: dict[str, list[str]] = {}
    if elastic:
        lines += ["from collections.abc import Mapping, Sequence", "from dataclasses import dataclass"]
        if "Fraction(" in body:
            lines.append("from fractions import Fraction")
        base = "SlicedNet" if "class (SlicedNet)" in body else "ElasticNet"
        always = (base, "Option", "Plan")
        for part, names in RUNTIME_NAMES.items():
            used = [n for n in names if n in always or re.search(rf"(?<![\w.]){n}\(", body)]
            if used:
                runtime[part] = used
    third = ["import torch"] if "torch." in body else []
    third += ["import torch.nn.functional as F"] if "F." in body else []
    third.append("from torch import Tensor, nn" if "nn." in body or not elastic else "from torch import Tensor")
    first = ["import space"] if elastic else []
    modules = {f"{operator_package(folder)}.torch": sorted(names) for folder, names in sources.items()}
    modules |= {f"specc.runtime.{part}": names for part, names in runtime.items()}
    first += [line for module in sorted(modules, key=place) for line in import_from(place(module), modules[module])]
    blocks = [standard, lines, third, first]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return tuple(text.split("\n")), tuple(modules)


def import_from(module: str, names: Sequence[str]) -> tuple[str, ...]:
    """`from module import names` as import sorters lay it out."""
    line = f"from {module} import {', '.join(names)}"
    return (line,) if len(line) <= WIDTH else (f"from {module} import (", *(f"    {name}," for name in names), ")")


def module_doc(context: Context, network: str) -> tuple[str, ...]:
    """What the module is and how it is called."""
    graph = context.graph
    names = input_names(context)
    images = {name: context.structure.tensors[input] for input, name in names.items()}
    shapes = {
        name: ", ".join(map(str, peaks((image.features, *image.space), context.largest)))
        for name, image in images.items()
    }
    shape = next(iter(shapes.values()))
    origin = comment(graph.origin.location())
    if not graph.choices and len(names) > 1:
        inputs = ", ".join(f"{name} [N, {shape}]" for name, shape in shapes.items())
        return (f"{network}, written by specc from {origin}.", "", f"Inputs: {inputs}.", "")
    if not graph.choices:
        return (f"{network}, written by specc from {origin}. Images are [N, {shape}].",)
    asked = next((c for c in graph.choices if c.name == "width"), graph.choices[0])
    first = [o if isinstance(o, str) else literal(o) for o in asked.options[:1]]
    option = quoted(first[0]) if isinstance(asked.options[0], str) else first[0]
    option = {"0": "False", "1": "True"}[option] if asked.kind == "skip" else option
    return (
        f"{network}, an elastic network, written by specc from {origin}.",
        "",
        "    net = Model()",
        f"    plan = net.plan({{{quoted(asked.name)}: {option}}})  # what is left out stays at its largest",
        f"    logits = net(images, plan)  # images are [N, {shape}]"
        if len(names) == 1
        else f"    logits = net({', '.join(names.values())}, plan)",
        "",
        "A plan says which channels, layers and norm banks a sub-network uses. Shapes in comments are those",
        "of the largest one.",
        "",
    )
