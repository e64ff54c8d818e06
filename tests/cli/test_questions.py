"""Questions that have no answer: one diagnostic each, exit 1, nothing on stdout."""

from __future__ import annotations

import pytest

from tests.helpers.commands import specc
from tests.helpers.folders import SPECS


@pytest.mark.parametrize(
    ("words", "rule"),
    [
        ("importance --subnets 0", "no-subnets"),
        ("importance --coupling 2", "coupling-out-of-range"),
        ("importance --damping 1", "damping-out-of-range"),
        ("importance --directed --damping 0", "directed-needs-damping"),
        ("importance --nodes 1000", "no-path-of-length"),
        ("sample --macs 1..2", "empty-window"),
        ("sample --params 900G..", "empty-window"),
    ],
)
def test_a_question_without_an_answer(words: str, rule: str) -> None:
    command, *options = words.split()
    done = specc(command, SPECS / "mobilenet_v2_tips.specc", *options)
    assert (done.code, done.out) == (1, "")
    assert f"] {rule}: " in done.err
    assert done.err.count("error[E") == done.err.count("\nhelp: ") == 1
