"""Specs of a generator, along the whole grammar: each is refused with a diagnostic, or is what PyTorch says of it.

The default run takes a few dozen seeds, `make test-all` thousands. A failure names its seed, and `spec_text(seed)` is
the spec.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.held import held
from tests.helpers.random_specs import spec_text

FEW = range(36)
THOUSANDS = 2_400
AT_ONCE = 100


def test_a_seed_always_gives_the_same_spec() -> None:
    assert spec_text(3) == spec_text(3)
    assert len({spec_text(seed) for seed in range(200)}) == 200


@pytest.mark.parametrize("seed", FEW)
def test_a_spec_is_refused_or_is_what_torch_says(seed: int, tmp_path: Path) -> None:
    held(spec_text(seed), tmp_path, exported=seed % 12 == 0)


FOUND = {
    "a stage of an exit alone": "stage s1 { exit e1 { pool(avg); linear(2) } }",
    "stages of exits alone": "exit e1 { pool(avg); linear(2) }; stage s1 { exit e2 { pool(avg); linear(2) } }",
    "blocks of exits alone": "stage s1 { only(); conv(4, kernel=1); skippable { conv(4, kernel=3) } }",
    "a sixth relu beside a relu6": "stage s1 { relu6; repeat 6 { relu }; skippable { conv(4, kernel=1) } }",
    "a choice that is declared after its use": "stage s1 { conv(4 * k, kernel=1) }; choice k in 1..3",
    "slices of a choice that is declared later": "width by k; stage s1 { conv(12, kernel=1) }; choice k in 1..3",
    "any width that rounds to one": "width any 0.97..1.0; stage s1 { conv(12, kernel={1, 3}) }",
}
"""What such specs brought to light, by what is special in it."""


@pytest.mark.parametrize("stages", FOUND.values(), ids=FOUND)
def test_what_was_found_is_what_torch_says(stages: str, tmp_path: Path) -> None:
    block = "block only() { exit e1 { pool(avg); linear(2) } }\n"
    spec = f"supernet drawn {{ input image(4, 6, 6); classes 2; {stages}; head {{ pool(avg); linear(classes) }} }}\n"
    assert held(block + spec, tmp_path) == ""


def test_a_fixed_width_is_no_elastic_one_that_is_as_large(tmp_path: Path) -> None:
    """`squeeze_excite` is given 8 where 8 elastic channels come in, and has 8 whatever these are."""
    spec = (
        "import std.squeeze_excite\n"
        "supernet drawn { input image(4, 6, 6); classes 2; width any 0.25..1.0; stem { conv(8, kernel=1) }\n"
        "  stage s1 { squeeze_excite(divisible(in / 4, 8)) }; head { pool(avg); linear(classes) } }\n"
    )
    assert held(spec, tmp_path) == ""


@pytest.mark.slow
@pytest.mark.parametrize("first", range(FEW.stop, THOUSANDS, AT_ONCE))
def test_many_specs_are_refused_or_are_what_torch_says(first: int, tmp_path: Path) -> None:
    failed = {}
    for seed in range(first, first + AT_ONCE):
        try:
            held(spec_text(seed), tmp_path / str(seed), random_subnets=2, exported=seed % 12 == 0)
        except Exception as error:
            failed[seed] = f"{type(error).__name__}: {error}"
    assert not failed


def test_most_specs_of_the_generator_are_right() -> None:
    """Otherwise the tests above would hold little."""
    from specc.diagnostics import SpecError
    from specc.pipeline import load
    from specc.source import Source

    right = 0
    for seed in range(100):
        try:
            load(Source("drawn.specc", spec_text(seed)))
            right += 1
        except SpecError:
            continue
    assert right >= 40
