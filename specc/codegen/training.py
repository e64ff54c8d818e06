"""The scripts of a generated project: train.py, search.py, export.py, bench.py, settings.toml and README.md.

All decisions are made here, in a frozen view; the templates hold what is left: text, loops and simple ifs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePath
from typing import Final, Protocol, cast

from specc.codegen.backbone import pyramid_stages
from specc.codegen.parts import in_order, place
from specc.codegen.render import render
from specc.codegen.toml import toml
from specc.frozen import frozen
from specc.ir.expr import evaluate
from specc.ir.graph import Graph, Predicts
from specc.ir.parameter import Call, Signature
from specc.methods import find_method, method_folder, method_package
from specc.methods.protocol import HOOKS, Constant, Method
from specc.methods.settings import COSTS, DATASETS, USUAL
from specc.outputs import output_kind, task_module
from specc.outputs.protocol import OWN, OutputKind
from specc.passes.slices import separable
from specc.python.literals import literal
from specc.version import __version__


class Sections(Protocol):
    """What is needed of a checked spec: the sections beside its supernet."""

    @property
    def method(self) -> Call: ...

    @property
    def data(self) -> Call | None: ...

    @property
    def train(self) -> Call: ...

    @property
    def search(self) -> Call: ...


SCRIPTS: Final = ("train.py", "search.py", "finetune.py", "export.py", "bench.py", "settings.toml", "README.md")
STATIC_SCRIPTS: Final = tuple(script for script in SCRIPTS if script not in ("search.py", "finetune.py"))

CHANNELS: Final = "channels.json"
PLAIN: Final = Call("independent", (("subnets", ("max",)),))

BUILT_IN: Final[Mapping[str, str]] = {
    "digits": ", part of scikit-learn: nothing to fetch",
    "glyphs": ", characters rendered from Pillow's own font: nothing to fetch",
    **dict.fromkeys(("iris", "wine", "breast_cancer", "diabetes"), ", part of scikit-learn: nothing to fetch"),
    "sounds": ", synthesised words: nothing to fetch",
    "scenes": ", rendered shapes: nothing to fetch",
}
"""Where the data sets that lie in no folder come from."""


@frozen
class View:
    """All that the templates of one project read.

    step       the module with the method's step, as it is called in the project; "" where there is nothing to choose
    modules    what train.py imports of the files beside it, but for the model
    example    what the scripts call the shape of what the network takes: IMAGE, VECTOR or INPUTS
    shape      that shape as Python text, at the largest resolution
    shape_lines  its definition, with what the numbers are
    several    whether there are several inputs
    named_labels  whether a file of coarser labels names the data's classes
    task       what the network predicts, as Python text; its class, and the module that this is in
    metric     the key of what outputs are scored by, and metric_name, what people call it
    own_loss   the file of a loss of the user's, "" for none
    choices    how many choices the network has; 0 makes it static
    loop       the template with the method's lines in the training loop
    hooks      the method's other templates by name (`protocol.HOOKS`); "" for those it does not have
    constants  what train.py names at its top for the method
    values     the method's arguments as Python text, by name
    call       the method with the arguments that are not the usual ones, as Python text: checkpoints name it
    data       files with what the compiler found out for the method
    sorts      whether channels.json says which channels can be sorted
    validate_doc  the docstring of train.py's `validate`
    data_flag  the flag that says where the data lies, " --data-path DIR"; "" where nobody has to
    own        files of the user's that go with the project
    slices     the choice of how many slices are active, in a network of slices; "" in any other
    answers    the heads and exits of a network of several, "" for any other
    trained    the sub-networks that are trained, as Python text, where these are the same few in every step; else ""
    stages     the stages that torchvision's detectors would read, () for no backbone of theirs
    draws      whether the method draws sub-networks at random
    calibrated images for batch-norm calibration of a sub-network; 0 where nothing is calibrated
    blocks     whether the latencies of blocks can be tabulated
    method     the method whose step trains it; plain training where there is nothing to choose
    """

    name: str
    method: str
    step: str
    modules: tuple[str, ...]
    example: str
    shape: str
    shape_lines: str
    several: bool
    named_labels: bool
    input_names: str
    task: str
    task_class: str
    task_module: str
    metric: str
    metric_name: str
    own_loss: str
    choices: int
    loop: str
    hooks: Mapping[str, str]
    constants: tuple[Constant, ...]
    values: Mapping[str, str]
    call: str
    data: tuple[str, ...]
    sorts: bool
    validate_doc: str
    draws: bool
    calibrated: int
    blocks: bool
    method_text: str
    version: str
    slices: str
    outputs: str
    trained: str
    stages: tuple[str, ...]
    dataset: str
    dataset_from: str
    data_flag: str
    own: tuple[str, ...]
    settings: str

    @property
    def elastic(self) -> bool:
        return self.choices > 0


def training_files(
    graph: Graph, sections: Sections, data: tuple[str, ...] = (), own: tuple[str, ...] = ()
) -> dict[str, str]:
    """The scripts' texts by file name, in the order of SCRIPTS. `data` are the files that the method has written,
    `own` those of the user's that go with the project."""
    sorts = CHANNELS in data
    view = replace(
        training_view(graph, sections), data=tuple(name for name in data if name != CHANNELS), sorts=sorts, own=own
    )
    load = "" if sections.data is None else PurePath(str(dict(sections.data.values).get("path", ""))).as_posix()
    if load in own:
        view = replace(view, data_flag="", dataset_from=f", the function `load` of `{load}`")
    scripts = SCRIPTS if view.elastic else STATIC_SCRIPTS
    return {script: in_order(render(f"{script}.jinja", {"view": view})) for script in scripts}


def step_modules(graph: Graph, sections: Sections) -> tuple[str, ...]:
    """The module of the method's training step, by dotted name; none where there is nothing to choose."""
    return (f"{method_package(sections.method.name)}.step",) if graph.choices else ()


def training_view(graph: Graph, sections: Sections) -> View:
    """Everything decided."""
    call = trained(graph, sections.method)
    method = method_named(call.name)
    kind = output_kind(graph.predicts.kind)
    usual = "folder" if len(graph.inputs) == 1 and kind.name == "classes" else "own"
    data = sections.data or default_call(next(s for s in DATASETS if s.name == usual))
    shapes = tuple(input_shapes(graph))
    step = "".join(map(place, step_modules(graph, sections)))
    objectives = cast(tuple[str, ...], sections.search["objectives"])
    metric = next(name for name in objectives if name not in COSTS)
    example = "INPUTS" if len(shapes) > 1 else "IMAGE" if len(shapes[0]) == 3 else "VECTOR"
    return View(
        name=graph.name,
        method=call.name,
        step=step,
        modules=tuple(sorted(["space", step])) if graph.choices else (),
        example=example,
        shape=repr(shapes if len(shapes) > 1 else shapes[0]),
        shape_lines=shape_lines(example, shapes),
        several=len(graph.inputs) > 1,
        named_labels=any(level.names for level in graph.labels),
        input_names=literal([*graph.inputs] if len(graph.inputs) > 1 else ["images"]),
        task=task_text(kind, graph.predicts, own_loss(sections.train)),
        task_class=kind.task,
        metric=metric,
        metric_name=kind.scored if metric == kind.metrics[0] else metric,
        own_loss=own_loss(sections.train),
        task_module=place(task_module(kind.name)),
        choices=len(graph.choices),
        loop=f"{call.name}/loop.jinja" if graph.choices else "plain_loop.jinja",
        hooks={hook: hook_template(call.name, hook) for hook in HOOKS},
        constants=tuple(
            replace(c, value=literal(subnets(c.value, graph), used=len(f"{c.name} = ")))
            for c in method.constants(graph, call)
        ),
        values={name: literal(plain(value)) for name, value in call.values},
        call=literal(call_text(call, method.signature)),
        data=(),
        sorts=False,
        validate_doc=validate_doc(graph, method),
        slices=separable(graph) or "",
        outputs=several_outputs(graph),
        trained=listed_text(graph, method, call),
        stages=pyramid_stages(graph),
        draws=method.draws,
        calibrated=calibrated(graph, sections),
        blocks=has_table(graph),
        method_text=method.signature.doc if graph.choices else "plain training on the labels",
        version=__version__,
        dataset=data.name,
        dataset_from=BUILT_IN.get(data.name, ""),
        data_flag=data_flag(data.name),
        own=(),
        settings=settings_text(data, method.recipe(graph, call, sections.train), sections.search),
    )


def own_loss(train: Call) -> str:
    """The file of a loss of the user's; "" where there is none."""
    loss = train["loss"]
    return str(loss["path"]) if isinstance(loss, Call) and loss.name == OWN.name else ""


def task_text(kind: OutputKind, predicts: Predicts, own: str = "") -> str:
    """What the network predicts, as Python text."""
    scale = f", scale={predicts.scale}" if predicts.scale > 1 else ""
    task = f"{kind.task}({predicts.count}{scale})"
    return f"Own({task}, {literal(own)})" if own else task


def call_text(call: Call, signature: Signature) -> str:
    """A method's call as a spec would write it, without the arguments that have their defaults."""
    usual = {parameter.name: parameter.default for parameter in signature.parameters}
    given = [f"{name}={value_text(value)}" for name, value in call.values if value != usual[name]]
    return f"{call.name}({', '.join(given)})" if given else call.name


def value_text(value: object) -> str:
    match value:
        case Call(name, values):
            inner = ", ".join(f"{key}={value_text(item)}" for key, item in values)
            return f"{name}({inner})" if values else name
        case tuple():
            return f"[{', '.join(map(value_text, value))}]"
        case bool():
            return "yes" if value else "no"
        case Fraction():
            return f"{float(value):g}"
    return str(value)


def listed_text(graph: Graph, method: Method, call: Call) -> str:
    """The sub-networks that the method trains, laid out for their constant; "" where it draws from all there are."""
    listed = method.listed(graph, call) if graph.choices else None
    return "" if listed is None else literal(subnets(listed, graph), used=len("TRAINED = "))


def calibrated(graph: Graph, sections: Sections) -> int:
    """Number of images for batch-norm calibration: that of `train { }`; 0 without batch norms."""
    images = sections.train["calibrate"] if any(op.operator.keeps_statistics for op in graph.ops) else 0
    assert isinstance(images, int)
    return images


def data_flag(dataset: str) -> str:
    """What train.py has to be told for a data set that lies somewhere."""
    return "" if dataset in BUILT_IN else " --data-path FILE" if dataset == "own" else " --data-path DIR"


def has_table(graph: Graph) -> bool:
    """Whether bench.py can tabulate the latencies of blocks: where there are choices, and one image comes in."""
    return bool(graph.choices) and len(graph.inputs) == 1


def several_outputs(graph: Graph) -> str:
    """The heads and exits of a network, in a few words; "" where it has one."""
    names = [output.name for output in graph.outputs if output.kind != "features"]
    shown = names if len(names) <= 4 else [names[0], names[1], "...", names[-1]]
    return ", ".join(shown) if len(names) > 1 and graph.choices else ""


def trained(graph: Graph, call: Call) -> Call:
    """The call of the method whose step the project runs; plain training where there is nothing to choose."""
    return call if graph.choices else PLAIN


def method_named(name: str) -> Method:
    method = find_method(name)
    assert method is not None, name
    return method


def hook_template(method: str, hook: str) -> str:
    """The name of a method's template; "" where it has none for this place."""
    return f"{method}/{hook}.jinja" if (method_folder(method) / f"{hook}.jinja").is_file() else ""


def validate_doc(graph: Graph, method: Method) -> str:
    """What is evaluated, in a line."""
    if not graph.choices:
        return "The network's score."
    calibrated = ", each with its norms calibrated" if method.calibrates else ""
    hooks = [hook for hook in ("validate", "validated") if hook_template(method.name, hook)]
    which = "those that represent all sub-networks" if hooks else "the largest and the smallest sub-network"
    return f"Scores of {which}{calibrated}."


def shape_lines(name: str, shapes: tuple[tuple[int, ...], ...]) -> str:
    """The definition of the shape of what the network takes."""
    if len(shapes) == 1:
        doc = "channels, height, width" if len(shapes[0]) == 3 else "how many numbers"
        return f"{name} = {shapes[0]!r}  # {doc}"
    docs = {3: "channels, height and width of an image", 1: "how many numbers a vector has"}
    kinds = {len(shape) for shape in shapes}
    doc = "; ".join(text for kind, text in docs.items() if kind in kinds)
    text = f"{name} = {shapes!r}"
    if len(text) > 100:
        text = "\n".join([f"{name} = (", *(f"    {shape!r}," for shape in shapes), ")"])
    return f"# Of each input, in the order of Model.forward: {doc}.\n{text}"


def input_shapes(graph: Graph) -> Iterator[tuple[int, ...]]:
    """(channels, height, width) of every image where every choice is at its last option, (numbers,) of every vector."""
    largest = {choice.name: choice.largest for choice in graph.choices}
    for name in graph.inputs:
        tensor = graph.tensor_table()[name]
        sizes = tuple(evaluate(size, largest) for size in (tensor.features, *tensor.space))
        assert all(isinstance(size, int) for size in sizes)
        yield sizes  # type: ignore[misc]


def default_call(signature: Signature) -> Call:
    """A call in which every parameter has its default."""
    return Call(signature.name, tuple((parameter.name, parameter.default) for parameter in signature.parameters))


def settings_text(data: Call, train: Call, search: Call) -> str:
    """settings.toml's tables: [data], [train] and [search], each with its sub-tables."""
    tables = {"data": plain(data), "train": without_name(train), "search": without_name(search)}
    return toml(tables)


def subnets(value: object, graph: Graph) -> object:
    """A constant's value as plain data; in assignments a skippable is kept (True) or not."""
    match value:
        case Call("at", options):
            skips = {choice.name for choice in graph.choices if choice.kind == "skip"}
            return {name: bool(option) if name in skips else plain(option) for name, option in options}
        case tuple():
            return [subnets(item, graph) for item in value]
    return plain(value)


def without_name(call: Call) -> dict[str, object]:
    return {name: plain(value) for name, value in call.values if name != "loss" or is_named(value)}


def is_named(loss: object) -> bool:
    """Whether settings.toml says the loss: not where it is the usual one, nor where a file of the user's has it."""
    return isinstance(loss, Call) and loss.name not in (USUAL.name, OWN.name)


def plain(value: object) -> object:
    """A setting as plain data: calls become dicts, `at(...)` and variants alike, and exact numbers become floats."""
    match value:
        case Call("at", values):
            return {name: plain(option) for name, option in values}
        case Call(name, values):
            # an empty list says nothing: a schedule without restarts
            return {"name": name} | {key: plain(item) for key, item in values if item != ()}
        case tuple():
            return [plain(item) for item in value]
        case Fraction():
            return float(value)
        case bool() | int() | str():
            return value
    raise TypeError(f"a setting cannot be {value!r}")
