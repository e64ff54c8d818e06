"""Rounds of a repeat that are no single block: a class, and a loop over its instances, with the names of before."""

from __future__ import annotations

import copy
import importlib
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from specc.codegen.model.write import model_text, written
from tests.helpers.checks import check, text_of
from tests.helpers.comparing import scramble
from tests.helpers.projects import assignments, from_text, importing, plain, project

UNIT = "block unit(out, stride=1) { conv(out, kernel=3, stride=stride); norm; relu }"
SPECS = {
    "dense": text_of("stage s1 { repeat 4 { concat(here, unit(4)) }; unit(8) }", blocks=UNIT),
    "operators": text_of(
        "stage s1 { conv(8, kernel=1); repeat 3 { conv(8, kernel=3); norm; relu }; conv(8, kernel=1) }"
    ),
    "two maps": text_of(
        "stage s1 { a = unit(8); b = unit(8, from=a)\n"
        "    repeat 3 { c = add(unit(8, from=a), unit(8, from=b)); a = unit(8, from=b); b = unit(8, from=c) }\n"
        "    concat(a, b) }",
        blocks=UNIT,
    ),
    "one kept": text_of(
        "stage s1 { a = unit(8); conv(8, kernel=1); repeat 3 { conv(8, kernel=1); relu; add(here, a) }; add(here, a) }",
        blocks=UNIT,
    ),
    "in each other": text_of(
        "stage s1 { repeat 2 { repeat 3 { concat(here, unit(2)) }; conv(8, kernel=1); relu } }", blocks=UNIT
    ),
    "widths that grow": text_of("stage s1 { repeat 3 as i { conv(8 + 4 * i, kernel=3); norm; relu } }"),
    "other numbers": text_of("stage s1 { repeat 3 as i { conv(8, kernel=3 + 2 * i); norm; relu } }"),
}
EXITS = (
    f"{UNIT}\nblock answer(classes) {{ pool(avg); linear(classes) }}\n"
    "supernet net {\n  input image(3, 8, 8); classes 5\n  norm batch\n"
    "  stem { fine = unit(4); coarse = unit(8, stride=2) }\n  stage s1 {\n"
    + "".join(
        "    repeat 2 { coarse = concat(coarse, unit(4, stride=2, from=fine), unit(2, from=coarse))\n"
        f"      fine = concat(fine, unit(2, from=fine)) }}\n    exit {name} {{ answer(classes, from=coarse) }}\n"
        for name in ("e1", "e2")
    )
    + "    repeat 2 { coarse = concat(coarse, unit(4, stride=2, from=fine), unit(2, from=coarse))\n"
    "      fine = concat(fine, unit(2, from=fine)) }\n    concat(coarse, unit(4, stride=2, from=fine))\n  }\n"
    "  head { answer(classes) }\n}\n"
)


@pytest.mark.parametrize("name", SPECS)
def test_rounds_are_a_loop_and_mean_what_the_spec_says(name: str, tmp_path: Path) -> None:
    """Costs, widths, extracted and static networks; and the state and outputs of the rounds written out."""
    spec, made, net = check(SPECS[name], tmp_path)
    text = (made.folder / "model.py").read_text()
    assert "for layer in self.rounds:" in text
    assert "(Round):" in text
    compare(spec.graph, net, tmp_path / "elastic")


def test_what_nobody_reads_behind_an_exit_is_left_out_of_rounds(tmp_path: Path) -> None:
    """Maps that only later rounds read stand under a condition, given where the round is made."""
    spec, made, net = check(EXITS, tmp_path)
    text = (made.folder / "model.py").read_text()
    assert text.count("(Round):") == 1
    assert "with_fine=exit.after(" in text
    assert "present=exit.after(" in text
    compare(spec.graph, net, tmp_path / "elastic")


def compare(graph: Any, net: Any, folder: Path) -> None:
    """The network against one of the same spec whose rounds are written out, bit for bit."""
    text = written(graph, None).text
    assert "Round" not in text
    (folder / "model.py").write_text(text)
    with importing(folder):
        other = importlib.import_module("model").Model().eval()
    assert list(other.state_dict()) == list(net.state_dict())
    assert [name for name, _ in other.named_modules()] == [name for name, _ in net.named_modules()]
    other.load_state_dict(net.state_dict())
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    for at in assignments(graph, 2):
        with torch.no_grad():
            mine, theirs = (one(x, one.plan(plain(graph, at), outputs="all")) for one in (net, other))
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("name", ["dense", "operators"])
def test_copies_pickles_and_replaced_modules(name: str, tmp_path: Path) -> None:
    """A round's modules are the stage's: of a copy the copy's, and replaced where the stage's are replaced."""
    spec = from_text(SPECS[name])
    made = project(spec, tmp_path)
    net = made.model.Model().eval()
    scramble(net)
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(3))
    with torch.no_grad(), made.known():
        before = net(x)
        twin = copy.deepcopy(net)
        read = pickle.loads(pickle.dumps(net))
        assert torch.equal(read(x), before)
        for parameter in twin.parameters():
            parameter.zero_()
        assert torch.equal(net(x), before)
        assert not torch.equal(twin(x), before)
        norm = next(
            path for path, part in net.named_modules() if path.startswith("s1") and "norm" in path.split(".")[-1]
        )
        parent, _, leaf = norm.rpartition(".")
        layer = copy.deepcopy(net.get_submodule(norm))
        layer.weight.zero_()
        setattr(net.get_submodule(parent), leaf, layer)
        assert not torch.equal(net(x), before)


def test_a_network_without_choices_needs_torch_alone(tmp_path: Path) -> None:
    spec = from_text(text_of("stage s1 { repeat 5 { concat(here, unit(4)) } }", settings="norm batch", blocks=UNIT))
    text = model_text(spec.graph).text
    assert "elastic" not in text
    assert "UnitRound(8 + 4 * i) for i in range(5)" in text or "S1Round(8 + 4 * i) for i in range(5)" in text
    net = project(spec, tmp_path).model.Model().eval()
    assert [name for name, _ in net.s1.named_children()] == ["b1", "b2", "b3", "b4", "b5"]
    exported: Any = torch.export.export(net, (torch.zeros(2, 3, 8, 8),)).module()
    x = torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(exported(x), net(x))


def test_dynamo_follows_a_loop_over_rounds(tmp_path: Path) -> None:
    """Whole, without a break, as every forward under a plan."""
    net = project(from_text(SPECS["dense"]), tmp_path).model.Model().eval()
    compiled: Any = torch.compile(net, backend="eager", fullgraph=True)
    x = torch.randn(2, 3, 8, 8)
    plan = net.plan("min")
    with torch.no_grad():
        assert torch.equal(compiled(x, plan), net(x, plan))


def test_two_lines_are_no_loop(tmp_path: Path) -> None:
    text = model_text(from_text(text_of("stage s1 { repeat 2 { concat(here, unit(4)) } }", blocks=UNIT)).graph).text
    assert "Round" not in text


def test_a_round_says_where_it_stands() -> None:
    text = model_text(from_text(SPECS["operators"]).graph).text
    assert re.search(r'"""A round of s1, [\w.]+:\d+\."""', text)


def test_one_repeat_that_is_no_loop_leaves_the_others_alone() -> None:
    """In the first round both operands are one tensor, later two: written out. The other repeat is a loop."""
    stage = "a = unit(8); repeat 3 { conv(8, kernel=1); relu; add(here, a) }; repeat 3 { conv(8, kernel=3); norm }"
    text = model_text(from_text(text_of(f"stage s1 {{ {stage} }}", blocks=UNIT)).graph).text
    assert text.count("(Round):") == 1
    assert text.count(".conv") >= 6
