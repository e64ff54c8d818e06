"""Imports: every file a spec needs, read once, inside the spec's own folder tree or specc's library."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path, PurePath

from specc.diagnostics import Findings, Rule
from specc.diagnostics.near import near
from specc.frozen import frozen
from specc.semantics.beside import ANOTHER_NAME, is_generated, taken
from specc.source import Source
from specc.syntax import ast

IMPORT_CYCLE = Rule(
    "E201",
    "import-cycle",
    "files import each other in a circle",
    "A file can't need itself, directly or through others.\n"
    "Wrong:  a.specc: import b        b.specc: import a\n"
    "Right:  move what both need into a third file that imports neither.",
)
IMPORT_OUTSIDE = Rule(
    "E202",
    "import-outside",
    "an import leaves the spec's folder tree",
    "A spec may import from its own folder, from folders below it and from specc's library (std.*), so that a "
    "spec and\n"
    "its folder can be handed on as a whole.\n"
    'Wrong:  import "../other/blocks.specc"\n'
    'Right:  import "blocks.specc", copied beside the spec.',
)
IMPORT_NOT_FOUND = Rule(
    "E203",
    "import-not-found",
    "an imported file does not exist",
    "`import a.b` reads a/b.specc beside the importing file, `import std.name` reads specc's library.\n"
    "Wrong:  import std.mobilnet\n"
    "Right:  import std.mobilenet",
)

NO_IMPORT_NAME = Rule(
    "E204",
    "import-name",
    "an imported file is not called like a spec, or like a file of the generated project",
    "Imported files go with the project, so that its spec can be compiled again. Their names end in .specc, and none\n"
    "takes the place of what specc writes there.\n"
    'Wrong:  import "model.py"    import "spec.specc"\n'
    'Right:  import "blocks.specc"',
)

IMPORTS_TOO_DEEP = Rule(
    "E205",
    "imports-too-deep",
    "a chain of imports is too long",
    "A file may import one that imports another, up to 100 deep.\n"
    "Wrong:  a1.specc: import a2        a2.specc: import a3        ... a101.specc\n"
    "Right:  the spec's file imports all that it calls blocks of.",
)
DEEPEST = 100

Parse = Callable[[Source, Findings], ast.SpecFile | None]
Read = Callable[[Path, str, str, Findings], Source | None]


@frozen
class LoadedFile:
    """A parsed file, and the indices of the files it imports."""

    tree: ast.SpecFile
    imports: tuple[int, ...]


LIBRARY = (Path(__file__).parent.parent / "std").resolve()


def library_home(block: str) -> str:
    """The file of the library that defines a block; "" if none does."""
    return library_blocks().get(block, "")


@cache
def library_blocks() -> Mapping[str, str]:
    """The file of every block of the library."""
    found: dict[str, str] = {}
    for path in sorted(LIBRARY.glob("*.specc")):
        for name in re.findall(r"^block (\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.setdefault(name, path.stem)
    return found


def library_names() -> tuple[str, ...]:
    """What may follow `import std.`"""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.specc")))


def load_files(
    main: ast.SpecFile, folder: Path, shown: str, parse: Parse, read: Read, findings: Findings
) -> tuple[LoadedFile, ...]:
    """The spec's file first, then everything it imports, each once. `folder` holds the spec; `shown` is how messages
    call it.

    Broken imports are reported and left out.
    """
    loaded: list[LoadedFile | None] = []
    known: dict[Path, int] = {}
    open_files: list[Path] = []
    root = folder.resolve()

    def visit(tree: ast.SpecFile, home: Path, inside: Path) -> int:
        index = len(loaded)
        loaded.append(None)
        imports: list[int] = []
        for item in tree.items:
            if isinstance(item, ast.Import) and (found := resolve(item, home, inside)) is not None:
                path, base = found
                if path in open_files:
                    circle = " -> ".join(p.name for p in [*open_files[open_files.index(path) :], path])
                    findings.report(IMPORT_CYCLE, item.span, f"this closes a circle of imports: {circle}")
                elif len(open_files) > DEEPEST:
                    message = f"files import each other more than {DEEPEST} deep here"
                    findings.report(IMPORTS_TOO_DEEP, item.span, message)
                elif path in known:
                    imports.append(known[path])
                else:
                    child = open_child(item, path, base)
                    if child is not None:
                        open_files.append(path)
                        known[path] = visit(child, path.parent, base)
                        open_files.pop()
                        imports.append(known[path])
        loaded[index] = LoadedFile(tree, tuple(imports))
        return index

    def resolve(item: ast.Import, home: Path, inside: Path) -> tuple[Path, Path] | None:
        if item.name is not None and item.name.name.startswith("std."):
            target, base = LIBRARY / (item.name.name[4:].replace(".", "/") + ".specc"), LIBRARY
        elif item.name is not None:
            target, base = home / (item.name.name.replace(".", "/") + ".specc"), inside
        else:
            assert item.path is not None
            target, base = home / item.path.value, inside
        try:
            target = target.resolve()
        except (OSError, ValueError, RuntimeError):
            findings.report(IMPORT_NOT_FOUND, item.span, "this path can't be resolved")
            return None
        if not target.is_relative_to(base):
            findings.report(
                IMPORT_OUTSIDE,
                item.span,
                "this file is outside the spec's folder",
                help="copy it beside the spec, or into a folder below it",
            )
            return None
        return target, base

    def open_child(item: ast.Import, path: Path, base: Path) -> ast.SpecFile | None:
        in_library = base == LIBRARY
        if not path.is_file():
            names = [f"std.{name}" for name in library_names()]
            help = near(f"std.{path.stem}", names) or f"the library has: {', '.join(names)}" if in_library else ""
            findings.report(IMPORT_NOT_FOUND, item.span, f"there is no file {path.name} to import", help=help)
            return None
        name = path.relative_to(base).as_posix()
        if not in_library and (path.suffix != ".specc" or is_generated(PurePath(name))):
            is_spec = path.suffix == ".specc"
            message = taken(PurePath(name)) if is_spec else f"`{name}` is no spec: their names end in .specc"
            findings.report(NO_IMPORT_NAME, item.span, message, help=ANOTHER_NAME if is_spec else "")
            return None
        if in_library:
            source = read(path, f"std/{name}", f"std/{name}", findings)
        else:
            source = read(path, name, (Path(shown).parent / name).as_posix(), findings)
        return None if source is None else parse(source, findings)

    open_files.append(root / Path(main.source.name).name)
    visit(main, root, root)
    return tuple(file for file in loaded if file is not None)
