"""Generated projects for tests: written to a folder, imported, and forgotten again by the import system."""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

from specc.codegen.project import project_files
from specc.ir.expr import Option, evaluate
from specc.ir.graph import Graph
from specc.pipeline import Compiled, load, own_files
from specc.source import Source
from specc.subnets.module import costs_module, space_module
from tests.helpers.folders import SPECS, spec_names

STATIC = (
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v1",
    "mobilenet_v2",
    "repvgg_a0",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext50_32x4d",
    "swin_t",
    "vit_b_32",
    "wide_resnet50_2",
)
"""The specs without choices, written out: finding them takes seconds, in every process that collects tests."""


def elastic_names() -> list[str]:
    return [name for name in spec_names() if name not in STATIC]


def compiled(name: str, params: Mapping[str, str] | None = None) -> Compiled:
    return load(SPECS / f"{name}.specc", params)


def from_text(text: str) -> Compiled:
    return load(Source("test.specc", text))


@dataclass(frozen=True, eq=False)
class Project:
    """The modules of a generated project."""

    folder: Path
    model: ModuleType
    extract: ModuleType
    calibrate: ModuleType | None
    modules: dict[str, ModuleType]

    @contextmanager
    def known(self) -> Iterator[None]:
        """Pickle finds the project's classes."""
        sys.modules.update(self.modules)
        try:
            yield
        finally:
            for name in self.modules:
                sys.modules.pop(name, None)


def files_of(spec: Compiled, graph: Graph | None = None) -> dict[str, str]:
    graph = spec.graph if graph is None else graph
    texts = {"spec.specc": spec.files[0].text}
    if graph.choices:
        texts |= {"space.py": space_module(graph), "costs.py": costs_module(graph)}
    return project_files(graph, spec.model, texts) | own_files(spec)


def project(spec: Compiled, folder: Path, graph: Graph | None = None) -> Project:
    """Writes a project and imports its model."""
    for path, text in files_of(spec, graph).items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    with importing(folder):
        model = importlib.import_module("model")
        extract = importlib.import_module("elastic.net.extract")
        elastic = (spec.graph if graph is None else graph).choices
        calibrate = importlib.import_module("elastic.train.calibrate") if elastic else None
        modules = {name: module for name, module in sys.modules.items() if is_projects(name)}
    return Project(folder, model, extract, calibrate, modules)


def is_projects(name: str) -> bool:
    return name in ("model", "space", "costs", "elastic") or name.startswith("elastic.")


@contextmanager
def importing(folder: Path) -> Iterator[None]:
    """`import model` means the one in `folder`; other projects' modules of the same names stay alive, but not known."""

    def forget() -> None:
        for name in [name for name in sys.modules if is_projects(name)]:
            del sys.modules[name]

    forget()
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        forget()


def plain(graph: Graph, assignment: Mapping[str, Option]) -> dict[str, Any]:
    """An assignment as generated code takes it: ratios as floats, yes-or-no choices as flags."""
    kinds = {choice.name: choice.kind for choice in graph.choices}
    return {
        name: bool(o) if kinds[name] == "skip" else float(o) if isinstance(o, Fraction) else o
        for name, o in assignment.items()
    }


def extremes(graph: Graph) -> list[dict[str, Option]]:
    return [{c.name: c.largest for c in graph.choices}, {c.name: c.smallest for c in graph.choices}]


def assignments(graph: Graph, count: int, seed: int = 0) -> list[dict[str, Option]]:
    """Largest, smallest and some random assignments of all choices; the one empty assignment of a static graph."""
    if not graph.choices:
        return [{}]
    rng = random.Random(seed)
    drawn = [{c.name: c.options[rng.randrange(len(c.options))] for c in graph.choices} for _ in range(count)]
    return [*extremes(graph), *drawn]


def input_shapes(graph: Graph, assignment: Mapping[str, Option]) -> list[tuple[int, ...]]:
    """The shapes of all inputs, without the batch."""
    tensors = graph.tensor_table()
    shapes = (tensors[name].shape for name in graph.inputs)
    return [tuple(int(evaluate(size, assignment)) for size in shape) for shape in shapes]


def image_shape(graph: Graph, assignment: Mapping[str, Option]) -> tuple[int, ...]:
    """The shape of the first input, without the batch."""
    return input_shapes(graph, assignment)[0]
