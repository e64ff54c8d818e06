"""What the names of calls mean: found when names are checked, and asked for afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics import Findings
from specc.pipeline import compile_spec, load, read_named
from specc.semantics.check import check_names
from specc.semantics.files import load_files
from specc.semantics.meaning import BlockCall, HeldWord, OperatorCall
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


def test_every_call_has_a_meaning_with_its_arguments() -> None:
    findings = Findings()
    tree = parse(Source("net.specc", TEXT), findings)
    assert tree is not None
    files = load_files(tree, Path(), "net.specc", parse, read_named, findings)
    names = None if files is None else collect_names(files, findings)
    assert names is not None
    found = [
        (name.name, type(meaning).__name__, *([*meaning.bound] if not isinstance(meaning, HeldWord) else []))
        for name, meaning in check_names(names, findings).items()
        if name.span.source.name == "net.specc"
    ]
    assert not findings.diagnostics
    assert found == [
        ("conv", "OperatorCall", "out", "kernel"),
        ("act", "HeldWord"),
        ("conv", "OperatorCall", "out", "kernel", "bias"),
        ("conv_norm_relu", "BlockCall", "out"),
        ("twice", "BlockCall", "out", "act"),
        ("concat", "OperatorCall", "inputs"),
        ("relu", "OperatorCall"),
        ("conv", "OperatorCall", "out", "kernel"),
        ("norm", "OperatorCall", "eps"),
        ("last", "HeldWord"),
        ("pool", "OperatorCall", "mode"),
        ("linear", "OperatorCall", "out"),
    ]
    meanings = {name.name: meaning for name, meaning in check_names(names, findings).items()}
    twice = meanings["twice"]
    assert isinstance(twice, BlockCall)
    assert (twice.block.name.name, twice.home) == ("twice", 0)
    library = meanings["conv_norm_relu"]
    assert isinstance(library, BlockCall)
    assert files[library.home].tree.source.name == "std/plain.specc"
    assert isinstance(meanings["concat"], OperatorCall)
    assert meanings["concat"].takes_tensors


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
