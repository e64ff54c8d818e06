"""What commands print with --json, and what the compiler writes, is what their schemas say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from specc.cli.main import command_names, load_command, parser_of
from specc.pipeline import compile_project, load
from specc.schemas.catalogue import SCHEMAS, Schema, schema
from specc.schemas.document import data_of
from tests.helpers.commands import SMALL, specc
from tests.helpers.folders import SPECS

BROKEN = SMALL.replace("relu6", "reluu")
GRAPH = '{"nodes": ["x", "y"], "edges": [{"source": "x", "target": "y"}], "subnets": [["x->y"], []]}'
LINES = [
    ["check", "SPEC"],
    ["check", "SPEC", "BROKEN"],
    ["compile", "SPEC", "-o", "OUT"],
    ["compile", "SPEC", "-o", "OUT", "--check"],
    ["cost", "SPEC", "--at", "min"],
    ["cost", "SPEC", "--at", "width=1/2,keep=no"],
    ["elastify", "SPEC", "--elastic", "kernel {1, 3}; resolution"],
    ["explain", "unknown-name"],
    ["explain", "conv"],
    ["fmt", "-"],
    ["fmt", "SPEC", "--check"],
    ["import", "NET", "-o", "IMPORTED", "--input", "1,4"],
    ["importance", "SPEC"],
    ["importance", "SPEC", "--directed", "--nodes", "17", "--top", "3"],
    ["importance", "SPEC", "--expected"],
    ["importance", "--adjacency", "GRAPH"],
    ["new", "fresh", "-o", "-"],
    ["new", "fresh", "-o", "OUT.specc"],
    ["plan", "SPEC"],
    ["query", "SPEC", "SELECT name, macs, NULL AS a, 9e999 AS b, x'00' AS c, 0.5 AS d FROM ops LIMIT 3"],
    ["query", "SPEC"],
    ["query", "SPEC", "--examples"],
    ["rules"],
    ["sample", "SPEC", "-n", "5"],
    ["sample", "SPEC", "-n", "2", "--macs", "..100k"],
    ["schema"],
    ["space", "SPEC"],
    ["viz", "SPEC", "--format", "dot"],
    ["viz", "SPEC", "-o", "OUT.svg"],
]


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the words of a line stand for."""
    folder = tmp_path_factory.mktemp("outputs")
    (folder / "small.specc").write_text(SMALL)
    (folder / "net.py").write_text("from torch import nn\n\ndef build():\n    return nn.Linear(4, 2)\n")
    (folder / "broken.specc").write_text(BROKEN)
    (folder / "graph.json").write_text(GRAPH)
    names = {"SPEC": "small.specc", "BROKEN": "broken.specc", "OUT": "out", "OUT.specc": "o.specc", "OUT.svg": "o.svg"}
    names |= {"GRAPH": "graph.json", "NET": "net.py:build", "IMPORTED": "net.specc"}
    return {word: str(folder / name) for word, name in names.items()}


def check(found: Schema, text: str) -> None:
    """A document is of a schema: by pydantic, by jsonschema, and nothing of it is lost or changed by the model."""
    value = json.loads(text)
    assert list(Draft202012Validator(found.json_schema()).iter_errors(value)) == []
    again = data_of(found.adapter.validate_json(text))
    if isinstance(value, dict) and value.get("warnings") is not None:
        again["warnings"] = again.pop("warnings")  # which commands print last
    assert json.dumps(again, indent=2, ensure_ascii=False) + "\n" == text


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_commands_print_what_their_schemas_say(line: list[str], places: dict[str, str]) -> None:
    done = specc(*(places.get(word, word) for word in line), "--json", stdin=SMALL)
    assert done.code == ("BROKEN" in line), done.err
    found = schema(line[0])
    assert found is not None
    check(found, done.out)


def test_every_command_with_json_has_a_schema_and_is_tried() -> None:
    with_json = {n for n in command_names() if "--json" in parser_of(n, load_command(n)).format_help()}
    names = {found.name for found in SCHEMAS}
    assert with_json <= names
    assert {line[0] for line in LINES} | {"verify"} == with_json  # verify needs PyTorch: tests/cli/test_verify.py


def test_errors_are_diagnostics(places: dict[str, str]) -> None:
    found = schema("diagnostics")
    assert found is not None
    for line in (["cost", places["BROKEN"]], ["query", places["SPEC"], "SELECT 1 FROM"]):
        done = specc(*line, "--json")
        assert done.code == 1
        check(found, done.out)


@pytest.mark.parametrize("found", SCHEMAS, ids=lambda found: found.name)
def test_schemas_are_valid_and_printed(found: Schema) -> None:
    done = specc("schema", found.name)
    assert done.code == 0
    printed = done.json
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(printed)
    assert printed == found.json_schema()
    assert found.summary


def test_fields_have_descriptions_where_their_names_do_not_say_it() -> None:
    """What has a unit says which."""
    units = ("latency", "latency_p90", "seconds", "ms", "bytes", "peak_bytes", "weight_bytes", "memory")
    for found in SCHEMAS:
        told = found.json_schema()
        for shape in (told, *told.get("$defs", {}).values()):
            rows = shape.get("properties", {})
            assert all("description" in rows[name] for name in units if name in rows), (found.name, shape["title"])


def test_a_schema_that_is_not_there() -> None:
    done = specc("schema", "pareto")
    assert (done.code, done.out) == (1, "")
    assert "did you mean `pareto.json`" in done.err
    assert "`pareto.json`, which search.py writes" in specc("schema").out


COMPILED = ["digits", "digits_tips", "digits_ofa", "digits_msdnet", "digits_hierarchical", "digits_vit_adn", "resnet18"]


@pytest.mark.parametrize("name", COMPILED)
def test_what_the_compiler_writes(name: str) -> None:
    files = compile_project(load(SPECS / f"{name}.specc"))
    written = [path for path in files if path.endswith(".json")]
    assert "ir.json" in written
    for path in written:
        found = schema(path)
        assert found is not None, f"{path} has no schema"
        assert list(Draft202012Validator(found.json_schema()).iter_errors(json.loads(files[path]))) == []
        assert json.loads(json.dumps(data_of(found.adapter.validate_json(files[path])))) == json.loads(files[path])


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("space", {"choices": [], "size": "1", "more": 1}),
        ("space", {"choices": []}),
        ("space", {"choices": [], "size": 1}),
        ("space", {"choices": [], "size": "-1"}),
        ("space", {"choices": [{"name": "a", "kind": "width", "options": [None]}], "size": "1"}),
        ("pareto.json", {"points": [{"at": {}, "macs": True, "params": 1}]}),
        ("pareto.json", {"points": [{"at": {}, "macs": 1.0, "params": 1}]}),
        ("ir.json", {"format": "specc graph 2"}),
        ("adjacency.json", {"nodes": ["x"], "edges": [{"source": "x", "target": "x", "weight": -1}]}),
    ],
)
def test_what_no_document_is(name: str, document: Any) -> None:
    found = schema(name)
    assert found is not None
    with pytest.raises(ValidationError):
        found.adapter.validate_json(json.dumps(document))


def test_models_are_frozen() -> None:
    found = schema("space")
    assert found is not None
    space = found.adapter.validate_python({"choices": [], "size": "1"})
    with pytest.raises(ValidationError):
        space.size = "2"


def test_pydantic_is_imported_for_json_alone(places: dict[str, str], tmp_path: Path) -> None:
    import subprocess
    import sys

    code = "import sys; from specc.cli.main import main; main(sys.argv[1:]); print('pydantic' in sys.modules)"
    for words in (["cost", places["SPEC"]], ["compile", places["SPEC"], "-o", str(tmp_path / "out")], ["rules"]):
        done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True)
        assert done.stdout.splitlines()[-1] == "False", done.stderr
