"""What names mean: found when names are checked, and asked for afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics import Findings
from specc.pipeline import compile_spec, load, read_named
from specc.semantics.check import check_names
from specc.semantics.files import load_files
from specc.semantics.meaning import BlockCall, Means, OperatorCall
from specc.semantics.names import collect_names
from specc.source import Source
from specc.syntax.parse import parse
from tests.helpers.networks import graph_of, reported, spec

TEXT = """
import std.plain
let last = tanh
block twice(out, act=relu) { conv(out, kernel=3); act; conv(out, kernel=3, bias=yes) }
supernet net {
  input image(3, 8, 8); classes 4; norm batch
  stem { conv_norm_relu(8) }
  stage s1 { twice(16, act=hswish); a = concat(relu, conv(8, kernel=1)); norm(eps=1e-4); last }
  head { pool(avg); linear(classes) }
}
"""


def test_every_name_has_a_meaning_and_calls_have_their_arguments() -> None:
    findings = Findings()
    tree = parse(Source("net.specc", TEXT), findings)
    assert tree is not None
    files = load_files(tree, Path(), "net.specc", parse, read_named, findings)
    names = None if files is None else collect_names(files, findings)
    assert names is not None
    meanings = check_names(names, findings)
    calls = [
        (name.name, type(meaning).__name__, *meaning.bound)
        for name, meaning in meanings.items()
        if isinstance(meaning, (OperatorCall, BlockCall)) and name.span.source.name == "net.specc"
    ]
    assert not findings.diagnostics
    assert calls == [
        ("conv", "OperatorCall", "out", "kernel"),
        ("conv", "OperatorCall", "out", "kernel", "bias"),
        ("conv_norm_relu", "BlockCall", "out"),
        ("twice", "BlockCall", "out", "act"),
        ("concat", "OperatorCall", "inputs"),
        ("relu", "OperatorCall"),
        ("conv", "OperatorCall", "out", "kernel"),
        ("norm", "OperatorCall", "eps"),
        ("pool", "OperatorCall", "mode"),
        ("linear", "OperatorCall", "out"),
    ]
    others = [
        (
            name.name,
            name.span.source.text[: name.span.start].count("\n") + 1,
            meaning.name if isinstance(meaning, Means) else type(meaning).__name__,
        )
        for name, meaning in meanings.items()
        if not isinstance(meaning, (OperatorCall, BlockCall)) and name.span.source.name == "net.specc"
    ]
    assert others == [
        ("tanh", 3, "WORD"),
        ("relu", 4, "WORD"),
        ("out", 4, "LOCAL"),
        ("act", 4, "LOCAL"),
        ("out", 4, "LOCAL"),
        ("hswish", 8, "WORD"),
        ("last", 8, "FileValue"),
        ("avg", 9, "WORD"),
        ("classes", 9, "LOCAL"),
    ]
    by_text = {name.name: meaning for name, meaning in meanings.items()}
    twice = by_text["twice"]
    assert isinstance(twice, BlockCall)
    assert (twice.block.name.name, twice.block.span.source.name) == ("twice", "net.specc")
    library = by_text["conv_norm_relu"]
    assert isinstance(library, BlockCall)
    assert library.block.span.source.name == "std/plain.specc"
    assert isinstance(by_text["concat"], OperatorCall)
    assert by_text["concat"].takes_tensors


def test_a_word_that_a_let_of_the_file_holds_stands_for_its_operator() -> None:
    graph = graph_of("let act = silu\n" + spec("stage s1 { conv(8, kernel=3); act; concat(act, here) }"))
    assert [op.kind for op in graph.ops if op.name.startswith("s1")] == ["conv", "silu", "silu", "concat"]


def test_what_holds_no_operator_is_told_where_it_is_called() -> None:
    findings = Findings()
    compile_spec(Source("test.specc", "let act = 3\n" + spec("stage s1 { act }")), {}, findings)
    (found,) = findings.diagnostics
    assert (found.rule.name, found.primary.span.text) == ("wrong-type", "act")
    assert found.primary.message == "`act` holds a value; expected an operator or a block"


@pytest.mark.parametrize("body", ["x = conv(8, kernel=3); x", "x = relu; add(x(3), here)"])
def test_a_tensor_that_is_called_is_told_beside_other_names(body: str) -> None:
    assert reported(spec(f"stage s1 {{ {body}; convv(8) }}")) == ["wrong-type", "unknown-name"]


def test_a_parameter_comes_before_a_block_of_its_name() -> None:
    text = "block act(out) { conv(out, kernel=1) }\nblock b(act) { act; act }\n"
    graph = load(Source("test.specc", text + spec("stage s1 { b(relu); act(8) }"))).graph
    assert [op.kind for op in graph.ops if op.name.startswith("s1")] == ["relu", "relu", "conv"]


def test_words_of_settings_and_inputs_are_told_beside_other_names() -> None:
    text = spec("stage s1 { convv(8) }", "norm batch; width unifrm 0.5..1.0 step 0.25", "image(3, 32, size=32)")
    findings = Findings()
    compile_spec(Source("test.specc", text), {}, findings)
    assert [(d.primary.span.text, d.help) for d in findings.diagnostics] == [
        ("size", "it may have `resolution=`"),
        ("unifrm", "did you mean `uniform`?"),
        ("convv", "did you mean `conv`?"),
    ]


def test_a_block_that_calls_itself_by_its_bare_name_is_told() -> None:
    text = "block a(n=8) { conv(n, kernel=1); concat(a, here) }\n" + spec("stage s1 { a }")
    assert reported(text) == ["recursion"]


def test_a_parameter_that_is_called_like_its_block_is_no_recursion() -> None:
    assert reported("block act(act) { act }\n" + spec("stage s1 { act(relu) }")) == []


def test_a_value_is_read_after_it_is_given() -> None:
    assert reported(spec("stage s1 { conv(c, kernel=1); let c = 4 }")) == ["unknown-name"]
    assert reported("let a = b\nlet b = 4\n" + spec("stage s1 { conv(a, kernel=1) }")) == ["unknown-name"]


def test_a_file_sees_the_values_of_its_own_imports(tmp_path: Path) -> None:
    (tmp_path / "far.specc").write_text("let width = 24\n")
    (tmp_path / "near.specc").write_text("import far\nlet half = width / 2\nblock b() { conv(half, kernel=1) }\n")
    (tmp_path / "net.specc").write_text("import near\n" + spec("stage s1 { b }"))
    graph = load(tmp_path / "net.specc").graph
    assert [t.features for t in graph.tensors if t.name.endswith("conv") and t.name.startswith("s1")] == [12]
