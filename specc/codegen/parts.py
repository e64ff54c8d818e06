"""The parts of a project that do not depend on its spec: where each stands in specc, and where in the project.

    specc.runtime.net.plan      elastic/net/plan.py
    specc.space.window          elastic/space/window.py
    specc.portable.run.numerals elastic/run/numerals.py
    specc.ops.conv.torch        elastic/layers/conv.py
    specc.outputs.classes.task  elastic/outputs/classes.py
    specc.methods.us_net.step   us_net.py, beside train.py

A part is copied as it is but for its imports of other parts. Which parts a project has is found by following imports.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Final, TypeAlias

from specc.methods import project_module

RUNTIME: Final = "specc.runtime"
SPACE: Final = "specc.space"
PORTABLE: Final = "specc.portable"
OUTPUTS: Final = "specc.outputs"
HOME: Final = "elastic"
"""The package of a project that the runtime becomes."""

Roots: TypeAlias = frozenset[str]
"""The packages whose modules are parts: specc, and that of a method or an operator from outside."""
OURS: Final[Roots] = frozenset({"specc"})

IMPORT: Final = re.compile(r"^( *)from (\w+(?:\.\w+)+) import (\(|[\w, ]+)", re.MULTILINE)
"""An import of a part, as parts write them: the module's path in full, on the left margin or in an `if`."""
OFFERED: Final = re.compile(rf"\b{HOME}\.(\w+)(?:\.(\w+)| import (\w+(?:, \w+)*))")
"""A part as the scripts and the README name it: `elastic.net.plan`, `from elastic.train import checkpoint`."""
STATEMENT: Final = re.compile(r"from [\w.]+ import (?:\([^)]*\)|[^\n(]+)\n")
BLOCK: Final = re.compile(rf"^(?:{STATEMENT.pattern}){{2,}}", re.MULTILINE)


def project_parts(scripts: Mapping[str, str], modules: Iterable[str]) -> dict[str, str]:
    """The files of the parts that a project needs, by path: some modules, what the scripts name, what these import.

    `scripts` are the texts of files that name parts as a project has them, `modules` other parts by dotted name.
    """
    wanted = [*modules, *(module for text in scripts.values() for module in named(text))]
    roots = frozenset(module.split(".")[0] for module in wanted)
    files: dict[str, str] = {}
    for module, text in closure(wanted, roots).items():
        path = path_of(module)
        assert path not in files, f"two parts would be {path}"
        files[path] = localised(text, roots)
        for package in packages(path):
            if (page := f"{package}/__init__.py") not in files:
                files[page] = package_text(package)
    return files


def all_parts() -> dict[str, str]:
    """The whole of specc's own `elastic/`, of which every project has some files, by path."""
    here = module_file(RUNTIME).with_suffix("").parent
    found = (
        file
        for of in ("runtime/*/*", "space/*", "portable/*/*", "ops/*/torch", "outputs/*/task")
        for file in here.glob(f"{of}.py")
    )
    modules = (".".join(("specc", *path.relative_to(here).with_suffix("").parts)) for path in found)
    return project_parts({}, [module for module in modules if not module.endswith(".__init__")])


def closure(modules: Iterable[str], roots: Roots) -> dict[str, str]:
    """The texts of some parts and of all parts that they import, by dotted name."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module] = module_file(module).read_text(encoding="utf-8")
            waiting.extend(imported(found[module], roots))
    return found


def imported(text: str, roots: Roots = OURS) -> list[str]:
    """The parts that a part imports: `from specc.runtime.net import extract` means the module extract."""
    found = ((home, names) for _, home, names in IMPORT.findall(text) if home.split(".")[0] in roots)
    return [module for home, names in found for module in modules_of(home, names)]


def modules_of(home: str, names: str) -> list[str]:
    if not is_package(home):
        return [home]
    return [f"{home}.{name.split(' as ')[0].strip()}" for name in names.split(",")]


def named(text: str) -> list[str]:
    """The parts that a script or a page of the project names, in specc's names."""
    pairs = ((room, name or names) for room, name, names in OFFERED.findall(text))
    return [source(room, name.strip()) for room, names in pairs for name in names.split(",")]


def source(room: str, name: str) -> str:
    """The module that `elastic.room.name` is in specc, an operator's layer excepted."""
    if room == "outputs":
        return f"{OUTPUTS}.{name}.task"
    homes = {"space": SPACE}.get(room), f"{PORTABLE}.{room}", f"{RUNTIME}.{room}"
    modules = [f"{home}.{name}" for home in homes if home]
    return next((module for module in modules if module_file(module).is_file()), modules[-1])


def place(module: str) -> str:
    """The dotted name that a part has in a project."""
    *_, folder, name = module.split(".")
    if module.startswith((f"{SPACE}.", f"{PORTABLE}.", f"{RUNTIME}.")):
        return f"{HOME}.{folder}.{name}"
    if name == "torch":
        return f"{HOME}.layers.{folder}"
    if module.startswith(f"{OUTPUTS}."):
        return f"{HOME}.outputs.{folder}"
    return project_module(folder, name)


def path_of(module: str) -> str:
    return place(module).replace(".", "/") + ".py"


def packages(path: str) -> list[str]:
    """The folders above a file, without the project itself: `elastic` and `elastic/net` of elastic/net/plan.py."""
    folders = path.split("/")[:-1]
    return ["/".join(folders[:count]) for count in range(len(folders), 0, -1)]


def package_text(folder: str) -> str:
    """What a package of a project says of itself."""
    _, _, room = folder.partition("/")
    home = module_file(SPACE if room == "space" else f"{RUNTIME}.{room}".rstrip(".")).with_suffix("")
    return (home / "__init__.py").read_text(encoding="utf-8")


def localised(text: str, roots: Roots = OURS) -> str:
    """A part's text with its imports of other parts as they are in a project, sorted."""

    def replacement(match: re.Match[str]) -> str:
        indent, home, names = match.groups()
        if home.split(".")[0] not in roots:
            return match.group()
        new = place(f"{home}.x").removesuffix(".x") if is_package(home) else place(home)
        return f"{indent}from {new} import {names}"

    return in_order(IMPORT.sub(replacement, text))


def in_order(text: str) -> str:
    """A text whose imports stand in the order of import sorters, block by block."""

    def replacement(match: re.Match[str]) -> str:
        return "".join(sorted(STATEMENT.findall(match.group()), key=lambda line: line.split()[1]))

    return BLOCK.sub(replacement, text)


def module_file(module: str) -> Path:
    """Where a part's text lies; a part is never imported, only the package that it stands in is."""
    return Path(module_path(module))


def module_path(module: str) -> str:
    """The same as text: a project asks for it a thousand times."""
    root, *names = module.split(".")
    file = import_module(root).__file__
    assert file is not None, module
    return os.path.join(os.path.dirname(file), *names) + ".py"


def is_package(module: str) -> bool:
    return not os.path.exists(module_path(module))
