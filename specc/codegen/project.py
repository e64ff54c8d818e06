"""A generated project as a mapping from paths to texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from specc.codegen.backbone import is_backbone
from specc.codegen.contents import contents
from specc.codegen.graph_json import graph_json
from specc.codegen.model.write import model_text
from specc.codegen.training import Sections, training_files, training_parts
from specc.ir.graph import Graph

RUNTIME: Final = "specc.codegen.runtime"
ALWAYS: Final = (f"{RUNTIME}.bind",)
ELASTIC: Final = (f"{RUNTIME}.calibrate", f"{RUNTIME}.net", f"{RUNTIME}.plan")
IMPORT: Final = re.compile(r"^( *)from (\w+(?:\.\w+)+) import (\w+|\()", re.MULTILINE)
"""An import of another part, as parts write them: the module's path in full, on the left margin or in an `if`."""

Roots: TypeAlias = frozenset[str]
"""The packages whose modules are parts: specc, and that of a method from outside."""


def project_files(graph: Graph, model: Sections, texts: Mapping[str, str], own: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file of the project of a graph, by its path in the project, sorted.

    `model` has the spec's sections. `texts` are files that other parts of the compiler made (space.py, spec.specc);
    what of specc they import is copied as well. `own` are files of the user's that go with the project.
    """
    written = model_text(graph)
    files = {
        "model.py": written.text,
        **training_files(graph, model, tuple(path for path in texts if path.endswith(".json")), own),
        "ir.json": graph_json(graph),
        **texts,
    }
    wanted = [*ALWAYS, *training_parts(graph, model)]
    roots = frozenset(module.split(".")[0] for module in wanted)
    if graph.choices:
        wanted += ELASTIC
    if is_backbone(graph):
        wanted.append(f"{RUNTIME}.pyramid")
    wanted += [f"{RUNTIME}.{part}" for part in written.runtime]
    wanted += [f"specc.ops.{folder}.torch" for folder in written.operators]
    for path, text in texts.items():
        if path.endswith(".py"):
            wanted += imported(text, roots)
            files[path] = localised(text, "elastic.", roots)
    parts = closure(wanted, roots)
    files["elastic/__init__.py"] = contents({module: (part_name(module), text) for module, text in parts.items()})
    for module, text in parts.items():
        files[f"elastic/{part_name(module)}.py"] = localised(text, ".", roots)
    return {path: files[path] for path in sorted(files)}


def closure(modules: Iterable[str], roots: Roots) -> dict[str, str]:
    """The texts of some parts and of all parts that they import."""
    found: dict[str, str] = {}
    names: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module in found:
            continue
        found[module] = module_text(module)
        clash = names.setdefault(part_name(module), module)
        assert clash == module, f"{clash} and {module} would be one file"
        waiting.extend(imported(found[module], roots))
    return found


def imported(text: str, roots: Roots) -> list[str]:
    """The parts that a part imports. `from specc.codegen.runtime import x` means the module x."""
    return [
        f"{module}.{name}" if is_package(module) else module
        for _, module, name in IMPORT.findall(text)
        if module.split(".")[0] in roots
    ]


def localised(text: str, prefix: str, roots: Roots) -> str:
    """A part's text with its imports of other parts as they are in a project: `prefix` is "." or "elastic."."""

    def replacement(match: re.Match[str]) -> str:
        indent, module, name = match.groups()
        if module.split(".")[0] not in roots:
            return match.group()
        home = prefix.rstrip(".") or "." if is_package(module) else f"{prefix}{part_name(module)}"
        return f"{indent}from {home} import {name}"

    return IMPORT.sub(replacement, text)


def part_name(module: str) -> str:
    """`conv` for specc.ops.conv.torch, `us_net` for specc.methods.us_net.step, the last part of all others."""
    *_, folder, name = module.split(".")
    return folder if name in ("torch", "step") else name


def module_file(module: str) -> Path:
    """Where a part's text lies; a part is never imported, only the package that it stands in is."""
    root, *names = module.split(".")
    file = import_module(root).__file__
    assert file is not None, module
    return Path(file).parent.joinpath(*names).with_suffix(".py")


def module_text(module: str) -> str:
    return module_file(module).read_text(encoding="utf-8")


def is_package(module: str) -> bool:
    return not module_file(module).exists()
