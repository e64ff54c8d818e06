"""The rules of the house: who may import whom, no torch in the compiler, no mutable state in modules, short files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from specc.cli.main import command_names
from specc.codegen.parts import place
from specc.methods import own_names
from specc.ops import operators
from specc.space.functions import FUNCTIONS
from tests.helpers.folders import PACKAGE, ROOT, SPECS

LAYERS = {
    "source": 0,
    "cache": 0,
    "frozen": 0,
    "plugins": 0,
    "version": 0,
    "diagnostics": 0,
    "space": 0,
    "portable": 0,
    "schemas": 0,
    "ir": 1,
    "python": 1,
    "syntax": 1,
    "traced": 1,
    "ops": 2,
    "methods": 2,
    "outputs": 2,
    "semantics": 3,
    "lower": 3,
    "passes": 3,
    "assignments": 2,
    "activity": 4,
    "cost": 5,
    "subnets": 6,
    "importance": 6,
    "query": 7,
    "picture": 7,
    "codegen": 7,
    "importing": 7,
    "analyses": 8,
    "pipeline": 9,
    "api": 9,
    "elastify": 9,
    "imported": 9,
    "cli": 10,
    "__main__": 11,
    "__init__": 11,
}
STRANGERS = [
    {"ir", "syntax"},
    {"traced", "ir"},
    {"traced", "syntax"},
    {"query", "picture"},
    *({"codegen", room} for room in ("activity", "cost", "subnets", "importance", "query", "picture")),
    *({"importing", room} for room in ("codegen", "query", "picture")),
]
FOREIGN = {"torch", "torchvision", "sklearn", "PIL", "onnx", "onnxruntime", "onnxscript", "tensorboard", "matplotlib"}
TORCH_FACING = {
    *(
        f"importing/{name}.py"
        for name in ("sources", "trace", "weights", "prove", "layers", "rehearse", "drops", "quiet", "writes")
    ),
    "imported.py",
}
"""What reads networks in PyTorch, and imports it inside functions only."""
COMMON = ("space", "portable")
"""What the compiler runs and projects have, too."""
MODULES = sorted(PACKAGE.rglob("*.py"))
OURS = sorted([*MODULES, *(ROOT / "tests").rglob("*.py")])


def shown(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def is_copied(path: Path) -> bool:
    """Whether a file is copied into generated projects instead of being imported by the compiler."""
    parts = path.relative_to(PACKAGE).parts
    if parts[0] == "runtime":
        return True
    return (
        (parts[0] == "ops" and parts[-1] == "torch.py")
        or (parts[0] == "methods" and "step" in parts[-1])
        or (parts[0] == "outputs" and parts[-1] == "task.py")
    )


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports anywhere: `from a.b import c` gives `a.b.c`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{shown(path)} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported_at_once(tree: ast.Module) -> Iterator[str]:
    """The names that importing a module imports: those outside functions, and not for type checkers alone."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield str(node.module)


def modules_of(dotted: str) -> list[Path]:
    """The file that a dotted name of specc stands for: a module, or something in one."""
    parts = dotted.split(".")
    files = [ROOT.joinpath(*parts[:n]).with_suffix(".py") for n in range(2, len(parts) + 1)]
    return [path for path in files if path.is_file()]


def area(dotted: str) -> str:
    """`specc.ir.graph.Op` is in `ir`; `specc` itself is `__init__`."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else "__init__"


@pytest.mark.parametrize("path", [p for p in MODULES if not is_copied(p)], ids=shown)
def test_imports_run_downwards(path: Path) -> None:
    mine = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for name in imports(path):
        if name.split(".")[0] != "specc":
            continue
        other = area(name)
        if other == "__init__":
            continue  # the package itself, for the folder it stands in
        assert LAYERS[other] <= LAYERS[mine], f"{name} is above {mine}"
        assert {mine, other} not in STRANGERS, f"{mine} and {other} don't see each other"
        assert mine not in COMMON or other in COMMON, f"what projects have, too, needs nothing of specc, not {name}"


def test_architecture_shows_these_layers() -> None:
    """The table in ARCHITECTURE.md has every room in its layer, from the highest to the lowest."""
    rows = re.findall(r"^\| (\d+) \| ([^|]*) \|", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8"), re.M)
    told = {room: int(layer) for layer, rooms in rows for room in re.findall(r"`(\w+)`", rooms)}
    assert told == LAYERS
    assert [int(layer) for layer, _ in rows] == sorted({*LAYERS.values()}, reverse=True)
    there = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.suffix in ("", ".py")}
    assert there - {"__pycache__", "runtime", "std"} == LAYERS.keys()


@pytest.mark.parametrize("path", [p for p in MODULES if not is_copied(p)], ids=shown)
def test_the_compiler_imports_no_torch(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    facing = path.relative_to(PACKAGE).as_posix() in TORCH_FACING
    assert not any(name.split(".")[0] in FOREIGN for name in imported_at_once(tree))
    for name in imports(path):
        assert facing or name.split(".")[0] not in FOREIGN
        if name.startswith("specc."):
            assert not any(is_copied(module) for module in modules_of(name)), f"{name} is copied, never imported"


@pytest.mark.parametrize("path", [p for p in MODULES if is_copied(p)], ids=shown)
def test_copied_code_imports_only_what_is_copied_too(path: Path) -> None:
    for name in imports(path):
        if name.startswith("specc"):
            assert any(is_copied(m) or area(name) in COMMON for m in modules_of(name)), f"{name} stays behind"


ROOMS = ("files", "run", "net", "layers", "data", "train", "outputs", "latency", "search", "deploy")
"""The rooms of the runtime: each imports from those before it. What the compiler has, too, is below them all."""


@pytest.mark.parametrize("path", [p for p in MODULES if is_copied(p) and "methods" not in p.parts], ids=shown)
def test_rooms_of_the_runtime_import_downwards(path: Path) -> None:
    mine = "layers" if path.name == "torch.py" else path.relative_to(PACKAGE).parts[1]
    if mine not in ROOMS:
        return  # what stands beside the rooms
    for name in imports(path):
        parts = name.split(".")
        other = "layers" if parts[:2] == ["specc", "ops"] else parts[2] if parts[:2] == ["specc", "runtime"] else mine
        assert ROOMS.index(other) <= ROOMS.index(mine), f"{name} is above {mine}"
        assert parts[:2] != ["specc", "methods"], f"{name} stands above the runtime"


def test_copied_files_have_places_of_their_own() -> None:
    used = [path for path in MODULES if path.relative_to(PACKAGE).parts[0] in COMMON]
    copied = [*used, *(path for path in MODULES if is_copied(path))]
    places = [place(dotted(path)) for path in copied if path.name != "__init__.py"]
    assert sorted(places) == sorted(set(places))


NAMED_KINDS = {
    "ir/operator.py": "the colours of a picture",
    "picture": "the colours of a picture",
    "diagnostics/elsewhere.py": "words of other languages and libraries, and what specc says instead",
    "methods/settings.py": "words that `train { }` takes",
    "portable/run/moves.py": "words that `augment` takes",
    "methods/pss": "a parameter of its own, `pool`",
}
"""Where operators are named outside specc/ops, and what the words are there."""


def kinds_named(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The operators that code names in strings, with their lines. What lowering adds by itself, it names where it does.

    Of a word that is a function of expressions as well, only a comparison with a `kind` names an operator.
    """
    added = {id(word) for node in ast.walk(tree) if called(node) == "plain_op" for word in ast.walk(node)}
    compared = {
        id(word)
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and "kind" in ast.unparse(node.left).split(".")
        for word in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in operators() and id(node) not in added:
            if node.value not in FUNCTIONS or id(node) in compared:
                yield node.lineno, str(node.value)


def called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


@pytest.mark.parametrize("path", [p for p in MODULES if not is_copied(p) and "ops" not in p.parts], ids=shown)
def test_operators_are_asked_and_never_listed(path: Path) -> None:
    """What is particular to an operator stands in its rules (`ir.operator.Operator`), so that a new one is a folder."""
    place = path.relative_to(PACKAGE).as_posix()
    found = dict(kinds_named(ast.parse(path.read_text(encoding="utf-8"))))
    if not any(place.startswith(named) for named in NAMED_KINDS):
        assert not found, f"`{next(iter(found.values()))}` is named; ask its rules"


@pytest.mark.parametrize("path", [p for p in MODULES if is_copied(p) or p.parent.name == "space"], ids=shown)
def test_projects_read_what_operations_do_and_not_their_kinds(path: Path) -> None:
    """ir.json says what is asked of an operation (`effect`, `memory`), so that operators from outside count, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and "['kind']" in (text := ast.unparse(node)):
            assert not any(f"'{kind}'" in text for kind in operators()), text


def test_names_of_operators_are_found() -> None:
    code = 'x = ("add", "relu")\ny = op.kind == "add"\nz = apply("add", 1, 2)\nplain_op(b, "select", name)\n'
    assert [*kinds_named(ast.parse(code))] == [(1, "relu"), (2, "add")]


@pytest.mark.parametrize("path", [p for p in MODULES if not is_copied(p) and "methods" not in p.parts], ids=shown)
def test_methods_are_asked_and_never_listed(path: Path) -> None:
    """What is particular to a method stands in its folder."""
    compared = [
        word.value
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Compare)
        for word in ast.walk(node)
        if isinstance(word, ast.Constant) and word.value in own_names() and "distribution" not in ast.unparse(node)
    ]
    assert not compared, f"`{compared[0]}` is named; ask the method"


MUTABLE_CALLS = {"list", "dict", "set", "defaultdict", "deque", "Counter", "bytearray", "OrderedDict"}


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_modules_hold_no_mutable_state(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        assert not isinstance(node, ast.Global), f"line {node.lineno}: a function changes its module"
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and is_mutable(node.value):
            names = [ast.unparse(t) for t in (node.targets if isinstance(node, ast.Assign) else [node.target])]
            if names == ["__all__"]:
                continue
            frozen = isinstance(node, ast.AnnAssign) and "Mapping[" in spelled_out(node.annotation, tree)
            assert frozen, (
                f"line {node.lineno}: {names[0]} can be changed; a tuple, or an annotation Final[Mapping[...]]"
            )


def spelled_out(annotation: ast.expr, tree: ast.Module) -> str:
    """An annotation together with what the aliases in it stand for."""
    names = {node.id for node in ast.walk(annotation) if isinstance(node, ast.Name)}
    aliases = (n for n in tree.body if isinstance(n, ast.AnnAssign) and n.value and ast.unparse(n.target) in names)
    return " ".join((ast.unparse(annotation), *(ast.unparse(n.value) for n in aliases if n.value)))


def is_mutable(value: ast.expr) -> bool:
    if isinstance(value, (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)):
        return True
    return isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in MUTABLE_CALLS


@pytest.mark.parametrize("path", OURS, ids=shown)
def test_files_are_short_and_documented(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 1000, "a file holds one idea"
    if text.strip():
        assert ast.get_docstring(ast.parse(text)), "a module says what it is for"


@pytest.mark.parametrize("path", OURS, ids=shown)
def test_nothing_is_left_for_later(path: Path) -> None:
    if path == Path(__file__):
        return
    text = path.read_text(encoding="utf-8")
    for word in ("TODO", "FIXME", "XXX", "NotImplementedError", "pytest.skip", "pytest.mark.skip", "xfail("):
        assert word not in text, word


PROGRAMS = ("tests/generated.py", "tests/benchmarks/", "tests/claims/")


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=shown)
def test_what_tests_share_stands_in_helpers(path: Path) -> None:
    """A file holds tests, or helps them and stands in tests/helpers; and no test is imported."""
    name = shown(path)
    if not name.startswith(("tests/helpers/", *PROGRAMS)):
        assert path.name in ("__init__.py", "conftest.py") or path.name.startswith("test_")
    for imported in imports(path):
        assert not re.search(r"\btest_\w+\.", imported), f"{imported} stands in a file of tests"


LINES = {
    "check": ["check", "SPEC"],
    "compile": ["compile", "SPEC", "-o", "OUT", "--quiet"],
    "completion": ["completion", "bash"],
    "cost": ["cost", "SPEC", "--at", "min"],
    "elastify": ["elastify", "SPEC", "--elastic", "kernel {1, 3}"],
    "explain": ["explain", "unknown-name"],
    "fmt": ["fmt", "--check", "SPEC"],
    "importance": ["importance", "SPEC", "--directed"],
    "new": ["new", "fresh", "-o", "-"],
    "plan": ["plan", "SPEC"],
    "query": ["query", "SPEC", "SELECT count(*) FROM ops"],
    "rules": ["rules"],
    "sample": ["sample", "SPEC", "-n", "2"],
    "schema": ["schema", "pareto.json"],
    "space": ["space", "SPEC"],
    "viz": ["viz", "SPEC"],
}


def test_every_command_is_listed_above() -> None:
    assert sorted([*LINES, "import", "verify"]) == sorted(command_names())  # these two need PyTorch


@pytest.mark.parametrize("name", sorted(LINES))
def test_commands_need_no_torch(name: str, tmp_path: Path) -> None:
    words = [{"SPEC": str(SPECS / "digits.specc"), "OUT": str(tmp_path / "out")}.get(w, w) for w in LINES[name]]
    banned = sorted(FOREIGN)
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({banned})); from specc.cli.main import main; "
        f"code = main({words}); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr


def test_check_imports_nothing_heavy() -> None:
    code = (
        "import sys; from specc.cli.main import main; main(['check', 'specs/digits.specc']); "
        "print([m for m in ('pydantic', 'numpy', 'scipy', 'jinja2', 'rich', 'typer') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
