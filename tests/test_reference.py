"""grammar/REFERENCE.md is true: every example is compiled, every error is reported, every table is complete."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from specc.diagnostics import SpecError
from specc.ir.parameter import Call, ListOf, Parameter, Signature, Type, Variants, Words
from specc.methods import find_method, method_names
from specc.methods.settings import DATASETS, SEARCH, TRAIN
from specc.pipeline import load
from specc.semantics.check import operator_names, written_operator
from specc.source import Source
from specc.syntax.ast import Block
from tests.helpers.facts import assert_facts
from tests.helpers.folders import PACKAGE, ROOT, SPECS
from tests.helpers.texts import parsed

TEXT = (ROOT / "grammar" / "REFERENCE.md").read_text(encoding="utf-8")
BEFORE = "supernet test { input image(3, 32, 32); classes 10; norm batch\n"
AFTER = "\nhead { pool(avg); linear(classes) } }\n"
AROUND = {
    "": ("", ""),
    "supernet": (BEFORE, "\n}\n"),
    "stage": (BEFORE + "stem { conv(16, kernel=3) }\nstage s1 {\n", "\n}" + AFTER),
    "file": ("", "\n" + BEFORE + "width uniform {0.5, 1.0}; stem { conv(16, kernel=3) }\nCALLS" + AFTER),
}
"""What an example stands in, by the word after `specc` on its fence; CALLS are stages that call its blocks."""


@dataclass(frozen=True, slots=True)
class Example:
    """A fence: its line, what it stands in, and the rule it must break. Its comments may state facts (`facts.py`)."""

    line: int
    around: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"line {self.line}"


def examples() -> list[Example]:
    found = []
    for match in re.finditer(r"^```specc *(\w*) *(?:error\[([a-z0-9-]+)\])?\n(.*?)^```$", TEXT, re.M | re.S):
        around, rule, text = match.groups()
        if around == "error":
            around = ""
        line = TEXT.count("\n", 0, match.start()) + 1
        found.append(Example(line, around, rule or "", text))
    return found


def calls(example: Example) -> str:
    """A stage for every block that an example defines, so that blocks are built and not only read."""
    if example.around != "file" or example.rule:
        return ""
    blocks = [item for item in parsed(example.text).items if isinstance(item, Block)]
    return "\n".join(f"stage {block.name.name}_stage {{ {block.name.name}(32) }}" for block in blocks)


def test_every_fence_is_an_example() -> None:
    scripts = len(re.findall(r"^```python own ", TEXT, re.M))  # tests/runtime/test_own_targets.py runs these
    assert len(examples()) + scripts == TEXT.count("```") // 2
    assert len(examples()) > 40


@pytest.mark.parametrize("example", examples(), ids=str)
def test_examples(example: Example) -> None:
    before, after = AROUND[example.around]
    text = before + example.text + after.replace("CALLS", calls(example))
    source = Source("example.specc", text, str(SPECS / "example.specc"))  # its files of labels are there
    if example.rule:
        with pytest.raises(SpecError) as caught:
            load(source)
        assert {d.rule.name for d in caught.value.diagnostics} == {example.rule}
        return
    assert_facts(text, load(source))


# --- tables ----------------------------------------------------------------------------------------


def row(name: str, parts: int = 3) -> str:
    """The one table row that begins with a name."""
    found = [line for line in TEXT.splitlines() if re.match(rf"\| (`\w+`,? )*`{name}`,? ?(`\w+`,? )*\|", line)]
    assert len(found) >= 1, f"`{name}` has no row"
    return "\n".join(found)


def shown(default: object) -> str:
    """A default as the reference writes it, where it is a number, a flag or a word."""
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, (int, str)):
        return str(default)
    return f"{float(default):g}".replace("e-0", "e-")  # type: ignore[arg-type]


def assert_said(parameter: Parameter, text: str, where: str) -> None:
    """A parameter's name stands in its row, with its default if it has one that can be written."""
    if isinstance(parameter.default, (bool, int)) or hasattr(parameter.default, "numerator"):
        assert re.search(rf"\b{parameter.name}={re.escape(shown(parameter.default))}\b", text), (
            f"{where}: {parameter.name}"
        )
    else:
        assert re.search(rf"\b{parameter.name}\b", text), f"{where}: {parameter.name}"
    for word in words(parameter.type):
        assert re.search(rf"\b{word}\b", text), f"{where}: {word}"


def words(type_: Type) -> list[str]:
    match type_:
        case Words(own):
            return list(own)
        case ListOf(item):
            return words(item)
        case Variants(signatures):
            return [s.name for s in signatures]
    return []


@pytest.mark.parametrize("name", operator_names())
def test_every_operator_has_its_row(name: str) -> None:
    signature = written_operator(name)
    assert signature is not None
    text = row(name)
    cells = [cell.strip() for cell in text.splitlines()[0].strip("|").split("|")]
    assert len(cells) == 3
    assert bool(cells[1]) == bool(signature.parameters), f"{name}: parameters where there are none, or none"
    assert cells[2], f"{name}: what does it do?"
    for parameter in signature.parameters:
        assert_said(parameter, text, name)


@pytest.mark.parametrize("name", method_names())
def test_every_method_has_its_row(name: str) -> None:
    method = find_method(name)
    assert method is not None
    parameters = row(name).strip("|").split("|")[1]
    assert bool(parameters.strip()) == bool(method.signature.parameters)
    for parameter in method.signature.parameters:
        text = TEXT if parameter.name in ("features", "phases") else row(name)
        assert re.search(rf"\b{parameter.name}=", text), parameter.name
        if isinstance(parameter.type, Variants) and isinstance(parameter.default, Call):
            for key, value in parameter.default.values:
                assert f"{key}={shown(value)}" in row(name)


@pytest.mark.parametrize("section", [TRAIN, SEARCH], ids=lambda section: section.name)
def test_every_setting_has_its_row(section: Signature) -> None:
    for parameter in section.parameters:
        text = row(parameter.name)
        if isinstance(parameter.default, int):
            assert re.search(rf"\| `?{shown(parameter.default)}`? \|", text), parameter.name
        for variant in variants(parameter.type):
            assert re.search(rf"\b{variant.name}\b", text), variant.name
            for inner in variant.parameters:
                assert_said(inner, text, variant.name)
        for word in words(parameter.type):
            assert word in text or parameter.name == "objectives", word


def variants(type_: Type) -> tuple[Signature, ...]:
    if isinstance(type_, ListOf):
        return variants(type_.item)
    return type_.signatures if isinstance(type_, Variants) else ()


@pytest.mark.parametrize("name", [signature.name for signature in DATASETS])
def test_every_data_set_has_its_row(name: str) -> None:
    assert row(name)


@pytest.mark.parametrize("path", sorted((PACKAGE / "std").glob("*.specc")), ids=lambda path: path.stem)
def test_every_block_of_the_library_is_listed_as_it_is_and_explained(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = parsed(text)
    listed = row(f"std.{path.stem}".replace(".", r"\."))
    blocks = [item for item in tree.items if isinstance(item, Block)]
    assert blocks
    for item in blocks:
        head = item.span.text.split(" {")[0].removeprefix("block ")
        assert f"`{head}`" in listed
        assert text[: item.span.start].rstrip().splitlines()[-1].startswith("#"), f"{item.name.name} has no comment"
