"""`specc explain`: operators, blocks of the library, methods, and what the language cannot say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from specc import pipeline
from specc.cli.topics import LIMITS, blocks, example, topics
from specc.diagnostics.catalogue import all_rules
from specc.semantics.check import operator_names, written_operator
from specc.source import Source
from tests.helpers.commands import specc
from tests.helpers.folders import ROOT


@pytest.mark.parametrize("topic", topics())
def test_every_topic_is_explained(topic: str) -> None:
    done = specc("explain", topic)
    assert done.code == 0, done.err
    assert len(done.out.splitlines()) >= 2
    assert specc("explain", topic, "--json").json == {"topic": topic, "text": done.out}


@pytest.mark.parametrize("name", operator_names())
def test_an_operator_shows_its_parameters_and_an_example_that_compiles(name: str, tmp_path: Path) -> None:
    text = specc("explain", name).out
    signature = written_operator(name)
    assert signature is not None
    for parameter in signature.parameters:
        assert re.search(rf"^  {parameter.name}\b", text, re.MULTILINE)
    (tmp_path / "mine.py").write_text("")  # what an example names beside it
    imports, _, body = example(name).rpartition("\n")
    head = "take(mean); linear(classes)" if "patch_embed" in body and "take" not in body else "linear(classes)"
    end = "" if re.search(r"patch_embed|\blinear|flatten|pool\(avg\);", body) else "pool(avg); "
    pipeline.load(
        Source(
            "x.specc",
            f"{imports}\nsupernet x {{ input image(3, 32, 32); classes 10; norm batch; stem {{ conv(16, kernel=3) }}\n"
            f"stage s {{ {body}\n }}\nhead {{ {end}{head} }} }}",
            str(tmp_path / "x.specc"),
        )
    )


@pytest.mark.parametrize("name", sorted(blocks()))
def test_a_block_is_found_by_its_name_and_by_its_path(name: str) -> None:
    file, block = blocks()[name]
    text = specc("explain", f"std.{file}.{name}").out
    assert text in specc("explain", name).out  # a method may be called so, too
    assert text in specc("explain", f"std.{file}").out
    for parameter in block.parameters:
        assert parameter.name.name in text
    assert f"import std.{file}" in text


def test_what_the_width_of_a_block_may_be_is_said() -> None:
    assert "`hidden` says how the width inside is chosen" in specc("explain", "mb_v3").out
    assert "`width=own`" in specc("explain", "conv").out


def test_what_is_called_otherwise_leads_to_what_there_is() -> None:
    for word, said in (("pixel_unshuffle", "space_to_depth"), ("convv", "did you mean `conv`"), ("E99", "mean")):
        done = specc("explain", word)
        assert done.code == 1
        assert said in done.err


def test_the_reference_lists_the_same_limits() -> None:
    text = (ROOT / "grammar" / "REFERENCE.md").read_text(encoding="utf-8")
    for what, instead in LIMITS:
        assert f"| {what} | {instead} |\n" in text
        assert what in specc("explain", "limits").out


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.name)
def test_examples_of_rules_are_laid_out_alike(rule: object) -> None:
    text = rule.explanation  # type: ignore[attr-defined]
    assert re.search(r"^Wrong:", text, re.MULTILINE)
    assert re.search(r"^Right:", text, re.MULTILINE)
    assert not re.search(r"^\s*(wrong|right):", text, re.MULTILINE)
