"""Networks as text and back: what a written text compiles to is the network that it was written for."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.diagnostics import SpecError
from specc.pipeline import load
from specc.source import Source
from tests.helpers.folders import SPECS
from tests.helpers.imported import written_again
from tests.helpers.random_specs import spec_text

DAGS = Path(__file__).parent.parent / "dags" / "specs"
LINES = {
    "resnet50": 25,
    "densenet121": 25,
    "mobilenet_v2": 30,
    "mobilenet_v3_ofa": 45,
    "efficientnet_b0": 50,
    "vit_b_32": 25,
    "resnext50_32x4d": 30,
    "digits_msdnet": 60,
    "mlp80_tips": 20,
}
"""Networks and the most lines of their texts."""
OTHERS = ("googlenet", "mnasnet1_0", "regnet_x_400mf", "regnet_y_400mf", "shufflenet_v2_x1_0", "vgg11_bn")


@pytest.mark.parametrize("name", LINES)
def test_a_spec_is_written_again(name: str) -> None:
    written = written_again(load(SPECS / f"{name}.specc").graph)
    assert len(written.text.splitlines()) <= LINES[name]


@pytest.mark.parametrize("name", OTHERS)
def test_networks_of_several_tensors_are_written_again(name: str) -> None:
    own = (DAGS / f"{name}.specc").read_text(encoding="utf-8").splitlines()
    written = written_again(load(DAGS / f"{name}.specc").graph)
    assert len(written.text.splitlines()) <= 1.5 * len(own)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(SPECS.glob("*.specc")), ids=lambda path: path.stem)
def test_every_spec_is_written_again(path: Path) -> None:
    written_again(load(path).graph)


def random_network(seed: int) -> bool:
    """Whether a spec of the generator is right; then it is written again."""
    try:
        compiled = load(Source("drawn.specc", spec_text(seed)))
    except SpecError:
        return False
    written_again(compiled.graph)
    return True


def test_random_specs_are_written_again() -> None:
    assert sum(map(random_network, range(30))) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("first", range(30, 1_500, 70))
def test_many_random_specs_are_written_again(first: int) -> None:
    failed = {}
    for seed in range(first, first + 70):
        try:
            random_network(seed)
        except Exception as error:
            failed[seed] = f"{type(error).__name__}: {str(error).splitlines()[0]}"
    assert not failed
