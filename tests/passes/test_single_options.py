"""A named choice among one option is that option, wherever it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

import specc

SPEC = """
supernet a {{
  input image(1, 8, 8); classes 10
  norm batch
  choice wide in {{1, 2}}
  {declared}
  {body}
}}
"""
BODIES = {
    "kernel": "stem {{ conv(8 * wide, kernel={k}); norm; relu }}; head {{ pool(avg); linear(classes) }}",
    "channels": "stem {{ conv(8 * {k} * wide, kernel=3); norm }}; head {{ pool(avg); linear(classes) }}",
    "depth": "stem {{ conv(8 * wide, 3); repeat {k} {{ conv(in, 3); norm }} }}; head {{ pool(avg); linear(classes) }}",
    "expression": "stem {{ conv(8 * wide + {k}, kernel=2 * {k} - 3); norm }}; head {{ pool(avg); linear(classes) }}",
    "condition": (
        "stem {{ conv(8 * wide, 3); norm; when {k} == 3 {{ conv(8, 3) }}; when {k} > 3 {{ conv(99, 3) }} }}; "
        "head {{ pool(avg); linear(classes) }}"
    ),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("options", ["{3}", "3..3", "3..4 step 2"])
@pytest.mark.filterwarnings("ignore::specc.SpecWarning")
def test_a_choice_among_one_option_is_a_constant(name: str, options: str, tmp_path: Path) -> None:
    chosen = network(tmp_path, SPEC.format(declared=f"choice k in {options}", body=BODIES[name].format(k="k")))
    constant = network(tmp_path, SPEC.format(declared="", body=BODIES[name].format(k="3")))
    assert chosen.space().size == constant.space().size == 2
    for at in ("min", "max"):
        assert chosen.cost(at).macs == constant.cost(at).macs
        assert chosen.cost(at).params == constant.cost(at).params


@pytest.mark.parametrize(
    "body",
    [
        "stem { conv(8 * wide, 3); norm(bank=k); relu }; head { pool(avg); linear(classes) }",
        "stem { conv(8 * wide, 3); norm; relu }; head by k { pool(avg); linear(classes) }",
        "stem { conv(8 * wide, 3); branches 3 by k concat { conv(4, 1); relu } }; head { pool(avg); linear(classes) }",
    ],
)
def test_one_bank_head_or_share_of_branches(body: str, tmp_path: Path) -> None:
    made = network(tmp_path, SPEC.format(declared="choice k in {3}", body=body))
    assert made.space().size == 2
    assert made.cost("max").macs > made.cost("min").macs


def network(folder: Path, text: str) -> specc.Network:
    path = folder / "a.specc"
    path.write_text(text)
    return specc.load(path)
