"""The text of generated projects: layout, names, and that nothing of a spec becomes code."""

from __future__ import annotations

import ast
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from specc.codegen.model.write import model_text
from specc.codegen.names import MODULE_ATTRIBUTES, attribute, class_name, comment, fresh, identifier
from specc.ir.graph import Graph, Scope
from specc.python.layout import call, guarded, lay_out
from specc.runtime.net.elastic import Elastic
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.slices import SlicedNet
from specc.source import Source, Span
from tests.helpers.counting import calls
from tests.helpers.folders import spec_names
from tests.helpers.formatting import formatted
from tests.helpers.projects import compiled, files_of, from_text, project

NETWORK = """
block {block}(out, {arg}=1) {{
  conv(out, kernel=3, stride={arg})
  norm
  relu
}}
supernet {net} {{
  input image(3, 8, 8)
  classes 4
  norm batch
  choice {choice} in {{8, 16}}
  stem {{ conv({choice}, kernel=3) }}
  stage {stage} {{ {block}(8); {block}(8, {arg}=2); skippable {skip} {{ {block}(8) }} }}
  head {{ pool(avg); linear(classes) }}
}}
"""
USUAL = {"block": "part", "arg": "step", "net": "small", "choice": "size", "stage": "s1", "skip": "keep"}


def written(files: dict[str, str], folder: Path) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def test_projects_are_as_the_formatter_leaves_them(tmp_path: Path) -> None:
    for name in spec_names():
        written(files_of(compiled(name)), tmp_path / name)
    assert formatted(tmp_path) == ""


def test_projects_have_no_unused_or_missing_name(tmp_path: Path) -> None:
    for name in spec_names():
        written(files_of(compiled(name)), tmp_path / name)
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--no-cache",
        "--select",
        "F,E9,B,PIE",
        str(tmp_path),
    ]
    found = subprocess.run([*command, "--ignore", "B905,B028"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout


def test_projects_do_not_know_specc(tmp_path: Path) -> None:
    for name in ("digits", "resnet50"):
        for path, text in files_of(compiled(name)).items():
            if path.endswith(".py"):
                modules = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Import, ast.ImportFrom))]
                for node in modules:
                    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
                    assert not any(name == "specc" or name.startswith("specc.") for name in names), path


def test_the_same_spec_gives_the_same_bytes() -> None:
    script = (
        "import hashlib; from tests.helpers.projects import *\n"
        "print(hashlib.sha256(repr(files_of(compiled('mobilenet_v2_tips'))).encode()).hexdigest())"
    )
    root = Path(__file__).parents[2]
    hashes = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)}
        run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=root)
        assert run.returncode == 0, run.stderr
        hashes.add(run.stdout)
    assert len(hashes) == 1


def test_whatever_a_network_has_already_is_reserved() -> None:
    for base in (ElasticNet, Elastic, SlicedNet):
        assert {name for name in dir(base) if not name.startswith("_")} <= MODULE_ATTRIBUTES
        own = vars(base()).keys() - vars(nn.Module()).keys()
        assert {name for name in own if not name.startswith("_")} <= MODULE_ATTRIBUTES


HOSTILE = (
    "fused",
    "prediction",
    "forward",
    "plan",
    "training",
    "extract",
    "self",
    "F",
    "nn",
    "torch",
    "super",
    "None",
    "lambda",
    "Model",
    "Tensor",
    "weight",
    "x",
    "p",
    "print",
    "complete",
    "chosen",
    "resolution",
    "Plan",
    "type",
    "int",
    "space",
)


@pytest.mark.parametrize("place", USUAL)
def test_odd_names_in_every_place(place: str, tmp_path: Path) -> None:
    """Python's and torch's own names as names of a spec: the model is built and runs."""
    import torch

    tried = 0
    for number, word in enumerate(HOSTILE):
        try:
            spec = from_text(NETWORK.format(**{**USUAL, place: word}))
        except Exception:
            continue  # the language itself refuses some
        tried += 1
        made = project(spec, tmp_path / str(number))
        net = made.model.Model().eval()
        for at in ("max", "min"):
            assert net(torch.randn(1, 3, 8, 8), net.plan(at)).shape == (1, 4)
    assert tried > len(HOSTILE) / 2
    assert formatted(tmp_path) == ""


EVIL = (
    'x"); import os; os.abort(); ("',
    "x'''\nimport os",
    'a"""\nimport os',
    "{{ 7 * 7 }}",
    "a\\",
    "a\nimport os",
    "класс",
    "a b",
    "__class__",
    "9lives",
)


@pytest.mark.parametrize("evil", EVIL)
def test_no_name_in_a_graph_becomes_code(evil: str) -> None:
    """Whatever names a graph carries, model.py holds the same statements as with harmless ones."""
    graph = compiled("digits").graph
    text = model_text(renamed(graph, evil)).text
    tree = ast.parse(text)
    assert shape(tree) == shape(ast.parse(model_text(renamed(graph, "odd")).text))
    assert not any(isinstance(n, ast.Import) and n.names[0].name == "os" for n in ast.walk(tree))


def renamed(graph: Graph, word: str) -> Graph:
    """The stage s1, its source and the network by another name."""

    def scope(old: Scope) -> Scope:
        path = old.path.replace("s1", word)
        items = tuple(scope(i) if isinstance(i, Scope) else i.replace("s1", word) for i in old.items)
        origin = Span(Source(f"{word}.specc", old.origin.source.text), old.origin.start, old.origin.end)
        return replace(
            old, name=old.name.replace("s1", word), path=path, items=items, block=old.block and word, origin=origin
        )

    ops = tuple(
        replace(op, name=op.name.replace("s1", word), inputs=tuple(t.replace("s1", word) for t in op.inputs),
                outputs=tuple(t.replace("s1", word) for t in op.outputs))
        for op in graph.ops
    )  # fmt: skip
    tensors = tuple(replace(t, name=t.name.replace("s1", word)) for t in graph.tensors)
    outputs = tuple(
        replace(o, name=o.name.replace("s1", word), tensor=o.tensor.replace("s1", word)) for o in graph.outputs
    )
    return graph.with_(name=word or "x", ops=ops, tensors=tensors, outputs=outputs, root=scope(graph.root))


def shape(tree: ast.AST) -> list[str]:
    """The kinds of all nodes, in order."""
    return [type(node).__name__ for node in ast.walk(tree)]


def test_every_attribute_of_a_module_is_avoided() -> None:
    own = {name for name in (*dir(nn.Module), *vars(nn.Module())) if not name.startswith("_")}
    assert own <= MODULE_ATTRIBUTES


def test_identifiers() -> None:
    assert identifier("s3") == "s3"
    assert identifier("class") == "class_"
    assert identifier("__init__").isidentifier()
    assert not identifier("__init__").startswith("_")
    assert attribute("forward") == "forward_"
    assert class_name("inverted_residual") == "InvertedResidual"
    assert class_name("none") == "NoneNet"
    assert class_name("model") == "ModelNet"
    assert comment('a"b\\c\nd') == "a?b?c?d"
    taken = {"a"}
    assert [fresh("a", taken), fresh("a", taken), fresh("in_", taken), fresh("in_", taken)] == [
        "a2",
        "a3",
        "in_",
        "in2",
    ]


def test_calls_are_laid_out_as_the_formatter_does(tmp_path: Path) -> None:
    words = ["argument_number_" + "x" * length for length in range(14)]
    lines: list[str] = []
    for count in range(1, 12):
        lines += call("variable = function", words[:count])
        lines += guarded(call("v" * 90 + " = function", words[:count]))
        inner = f"some.call({', '.join(words[:count])})"
        lines += lay_out(f"variable = function(a={inner}, b=2)")
        lines += lay_out(f"variable = function({inner}, *({inner} for _ in range({count})))")
        lines += lay_out(f"variable = function(other, (some.call({', '.join(words[:count])}) for _ in range(3)))")
    text = "\n".join(lines) + "\n"
    (tmp_path / "calls.py").write_text(text)
    assert formatted(tmp_path) == ""


def chain(count: int) -> Any:
    rounds = count // 4
    return from_text(
        "supernet long { input image(3, 8, 8); classes 4; norm batch\n"
        "  width uniform {0.5, 1.0} round 2\n  stem { conv(8, kernel=3) }\n"
        f"  stage s {{ repeat {rounds} {{ conv(8, kernel=3); norm; relu; skippable {{ conv(8, kernel=1) }} }} }}\n"
        "  head { pool(avg); linear(classes) } }\n".replace("; linear", "\n linear").replace("{ pool", "{\n pool")
    )


@pytest.mark.slow
def test_time_grows_linearly() -> None:
    work = []
    for count in (1_000, 10_000):
        graph = chain(count).graph
        work.append(calls(lambda: model_text(graph)))  # noqa: B023
    assert work[1] <= 13 * work[0]
