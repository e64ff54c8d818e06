"""Graph -> the text of model.py."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Final

from specc.codegen.identity import identity
from specc.codegen.model.classes import class_lines, collect, prepare
from specc.codegen.model.context import Class, Context
from specc.codegen.model.merge import Merged, RoundsDiffer, classes
from specc.codegen.model.naming import class_names
from specc.codegen.model.network import input_names, network_lines, network_needs
from specc.codegen.model.outputs import flag_choices, is_rest, outputs_of, written_graph
from specc.codegen.model.plain import Layers, plain_layers
from specc.codegen.model.rounds import find_rounds, join_boundaries
from specc.codegen.model.shapes import peaks
from specc.codegen.model.single_sizes import SingleSizes
from specc.codegen.model.stages import is_chain
from specc.codegen.model.structure import Entry, Part, Region, Structure, completed, nesting, walk
from specc.codegen.names import MODEL_GLOBALS, class_name, comment
from specc.codegen.parts import module_file, place
from specc.ir.choice import Choice
from specc.ir.expr import Option, evaluate
from specc.ir.graph import Graph
from specc.ops import operator_package, operators
from specc.ops.writing import writers
from specc.passes.drop_dead import choices_read
from specc.python.layout import Import, import_from, import_statements
from specc.python.literals import inline, quoted

RUNTIME_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "net.elastic": ("Elastic", "Value", "when"),
    "net.network": ("ElasticNet", "resize", "sized"),
    "net.stage": ("Repeat", "Skippable", "Stage"),
    "net.plan": ("Part", "Plan"),
    "net.rounds": ("Round", "rounds"),
    "net.sizes": (
        "Condition", "OneOf", "Size", "ceil", "divisible", "exit_predictions", "floor", "greatest", "half_up", "named",
        "pick", "position", "smallest", "wanted",
    ),
    "net.slices": ("SlicedNet",),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ModelText:
    """model.py, and the parts that it imports: operators' `torch` modules and the runtime's, by dotted name."""

    text: str
    modules: tuple[str, ...]
    network: str


STATIC_ROUNDS: Final = (
    (
        "class Round:",
        '    """What a stage does once in each round of a repeat. Its modules are the stage\'s."""',
        "",
        "    stage: nn.Module",
        "    names: dict[str, str]",
        "",
        "    def __getattr__(self, name: str) -> nn.Module:",
        '        if name not in vars(self).get("names", {}):',
        "            raise AttributeError(name)",
        "        return getattr(self.stage, self.names[name])",
        "",
        "    def __call__(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:",
        "        return self.forward(*inputs)",
    ),
    (
        "def rounds(stage: nn.Module, *items: Round) -> list[Round]:",
        '    """Rounds whose modules become the stage\'s, under their names with the next free numbers."""',
        '    count = Counter(name.rstrip("0123456789") for name, _ in stage.named_children())',
        "    for item in items:",
        "        modules = {name: part for name, part in vars(item).items() if isinstance(part, nn.Module)}",
        "        item.names = {}",
        "        for name, module in modules.items():",
        '            base = name.rstrip("0123456789")',
        "            count[base] += 1",
        '            item.names[name] = f"{base}{count[base]}"',
        "            delattr(item, name)",
        "            stage.add_module(item.names[name], module)",
        "        item.stage = stage",
        "    return list(items)",
    ),
)
"""What `specc/runtime/net/rounds.py` is, in a network without choices, whose module needs torch alone."""


def model_text(graph: Graph) -> ModelText:
    """The module of the network and of all its parts, innermost first."""
    apart: frozenset[int] = frozenset()
    while True:
        try:
            return written(graph, apart)
        except RoundsDiffer as found:
            apart |= found.runs


def written(graph: Graph, apart: frozenset[int] | None) -> ModelText:
    """The module. The rounds of repeats are parts of their own, but for those `apart`, by number; None: none are.

    Raises RoundsDiffer where some cannot be.
    """
    of = identity(graph)
    outputs = outputs_of(graph)
    graph = written_graph(graph, outputs)
    found = nesting(graph)
    if apart is not None:
        find_rounds(found, apart)
    completed(found)
    join_boundaries(found)
    choices = {**graph.choice_table(), **flag_choices(outputs, graph.origin)}
    largest = {name: choice.largest for name, choice in choices.items()}
    context = Context(graph, found, choices, largest, readers_of(graph), reach_of(found, choices), outputs=outputs)
    reserved = MODEL_GLOBALS | layer_names(graph)
    network = class_name(graph.name, reserved)
    merged = classes(found)
    order = in_order(found, merged)
    names = dict(zip(order, class_names([merged[i].parts for i in order], network, reserved), strict=True))
    context.reserved = reserved.union(names.values())
    for number, group in enumerate(merged):
        if group is merged[-1]:
            break
        cls = prepare(context, names[number], group)
        cls.chain = is_chain(group)
        cls.has_plan = cls.has_plan or (cls.chain and context.elastic)
        context.classes.append(cls)
    root = prepare_network(context, names[len(merged) - 1], merged[-1])
    context.classes.append(root)
    texts = [
        network_lines(context, root, of) if number == len(merged) - 1 else class_lines(context, context.classes[number])
        for number in order
        if not context.classes[number].chain
    ]
    helpers = helper_lines(context, "\n".join(line for lines in texts for line in lines))
    text = "\n".join(line for lines in (*helpers, *texts) for line in lines)
    sources = used_sources(context, text)
    plain, parts = in_place(context, sources)
    layers = [definition.split("\n") for definition in plain.definitions.values()]
    body = [line for lines in (*helpers, *layers, *texts) for line in (*lines, "", "")]
    imports, modules = import_lines(parts, text, context.elastic, plain.imports)
    doc = '"""' + "\n".join(module_doc(context, network)) + '"""'
    whole = "\n".join([doc, "", *imports, "", "", *body, f"Model = {network}", ""])
    return ModelText(whole, modules, network)


def layer_names(graph: Graph) -> frozenset[str]:
    """The classes and functions of the layers that packages from outside bring to a graph."""
    kinds = sorted({op.kind for op in graph.ops} - {*operators()})
    files = (module_file(f"{operator_package(kind)}.torch") for kind in kinds)
    texts = (file.read_text(encoding="utf-8") for file in files if file.is_file())
    return frozenset(name for text in texts for name in re.findall(r"^(?:class|def) (\w+)", text, re.MULTILINE))


def prepare_network(context: Context, name: str, merged: Merged) -> Class:
    """The network's class, which also has numbers in what it says of its outputs."""
    cls = prepare(context, name, merged)
    sizes = SingleSizes(context.choices, context.largest, set(cls.sizes.taken))
    sizes.prepare([*collect(context, cls), *network_needs(context)])
    cls.sizes = sizes
    return cls


def readers_of(graph: Graph) -> dict[str, list[str]]:
    """The ops that read each choice."""
    tensors = graph.tensor_table()
    found: dict[str, list[str]] = {}
    for op in graph.ops:
        shapes = [tensors[name] for name in (*op.inputs, *op.outputs)]
        for choice in choices_read([op], shapes):
            found.setdefault(choice, []).append(op.name)
    return found


def reach_of(found: Structure, choices: Mapping[str, Choice]) -> dict[int, frozenset[Option]]:
    """The options of the choice of exits with which the network gets to each part."""
    exits = next((choice for choice in choices.values() if choice.kind == "exit"), None)
    reach: dict[int, frozenset[Option]] = {}

    def visit(entries: tuple[Entry, ...], there: frozenset[Option]) -> None:
        for entry in entries:
            if isinstance(entry, Region):
                inside = there
                if exits is not None and is_rest(choices, entry.guard):
                    inside = frozenset(o for o in there if evaluate(entry.guard, {exits.name: o}))
                visit(entry.entries, inside)
            elif isinstance(entry, Part):
                reach[id(entry)] = there
                visit(entry.entries, there)

    if exits is not None:
        reach[id(found.root)] = frozenset(exits.options)
        visit(found.root.entries, frozenset(exits.options))
    return reach


def in_order(found: Structure, merged: list[Merged]) -> list[int]:
    """The classes in the order in which the network first needs them, parts before wholes."""
    order: dict[int, None] = {}

    def visit(part: Part) -> None:
        if part.cls not in order:
            for other in merged[part.cls].parts:
                for entry in walk_parts(other):
                    visit(entry)
            order[part.cls] = None

    visit(found.root)
    return list(order)


def walk_parts(part: Part) -> list[Part]:
    return [entry for entry in walk(part.entries) if isinstance(entry, Part)]


def helper_lines(context: Context, body: str) -> list[list[str]]:
    """The functions that blocks are given, and what names the blocks of a static stage."""
    found: list[list[str]] = []
    for kind in sorted(context.functions):
        written = writers()[kind].write((), context.elastic)
        text = (written.inplace or written.call).format("x")
        found.append([f"def {kind}(x: Tensor) -> Tensor:", f"    return {text}"])
    if not context.elastic and re.search(r"(?<![\w.])rounds\(", body):
        found += [list(lines) for lines in STATIC_ROUNDS]
    if re.search(r"(?<![\w.])stage\(", body):
        found.append(
            [
                "def stage(*blocks: nn.Module) -> nn.Sequential:",
                '    """Blocks one after another, called b1, b2, .."""',
                '    return nn.Sequential(OrderedDict((f"b{i}", block) for i, block in enumerate(blocks, 1)))',
            ]
        )
    return found


def used_sources(context: Context, text: str) -> dict[str, set[str]]:
    """The layers that the text names, by the operator that brings them."""
    found: dict[str, set[str]] = {}
    for source, names in context.sources.items():
        used = {name for name in names if re.search(rf"(?<![\w.]){name}\(", text)}
        if used:
            found[source] = used
    return found


def in_place(context: Context, sources: Mapping[str, set[str]]) -> tuple[Layers, dict[str, set[str]]]:
    """The layers whose text stands in the module, and the others, by the operator that brings them."""
    folders = {f"{operator_package(folder)}.torch": folder for folder, _ in context.plain}
    wanted = [(module, name) for module, folder in folders.items() for name in sources.get(folder, ())]
    wanted = [(module, name) for module, name in wanted if (folders[module], name) in context.plain]
    layers, kept = plain_layers(wanted, MODEL_GLOBALS | context.reserved | context.functions.keys())
    written = {(folders[module], name) for module, name in wanted if (module, name) not in kept}
    parts = {folder: {n for n in found if (folder, n) not in written} for folder, found in sources.items()}
    return layers, {folder: found for folder, found in parts.items() if found}


def import_lines(
    sources: Mapping[str, set[str]], body: str, elastic: bool, more: Set[Import]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The imports that the classes need, in the order of import sorters, and the parts among them. `more` are those of
    layers whose text stands in the module."""
    python: set[Import] = {("collections", name) for name in ("Counter", "OrderedDict") if f"{name}(" in body}
    python |= {("collections.abc", "Callable")} if "Callable[" in body else set()
    python |= {("fractions", "Fraction")} if "Fraction(" in body else set()
    third: set[Import] = {("torch", "")} if "torch." in body else set()
    third |= {("torch.nn.functional as F", "")} if re.search(r"(?<![\w.])F\.", body) else set()
    names = (("Tensor", r"\bTensor\b"), ("nn", r"(?<![\w.])nn\."))
    third |= {("torch", name) for name, used in names if re.search(used, body)}
    for module, name in more:
        (third if re.match(r"torch\b", module) else python).add((module, name))
    first: list[str] = []
    runtime: dict[str, list[str]] = {}
    if elastic:
        first.append("import space")
        for part, candidates in RUNTIME_NAMES.items():
            used = [n for n in candidates if re.search(rf"(?<![\w.\"]){n}\b(?!\"|=[^=])", body)]
            if used:
                runtime[part] = used
    modules = {f"{operator_package(folder)}.torch": sorted(found) for folder, found in sources.items()}
    modules |= {f"specc.runtime.{part}": used for part, used in runtime.items()}
    first += [line for module in sorted(modules, key=place) for line in import_from(place(module), modules[module])]
    if elastic and re.search(r"(?<![\w.])choice\(", body):
        first.append("from space import choice")
    blocks = [["from __future__ import annotations"], import_statements(python), import_statements(third), first]
    text = "\n\n".join("\n".join(block) for block in blocks if block)
    return tuple(text.split("\n")), tuple(modules)


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
    first = [o if isinstance(o, str) else inline(o) for o in asked.options[:1]]
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
        "Sizes are expressions over choices, and shapes in comments those of the largest sub-network.",
    )
