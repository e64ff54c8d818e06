"""The sub-networks of msdnet_cifar.

An assignment maps choices to options. It is canonical where it names the active choices alone:
those that something present in that sub-network reads. `layers` says what each layer costs;
costs.py computes the same totals fast.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from costs import TOGETHER, batched, cost, macs, params  # noqa: F401
from elastic.net.sizes import OneOf
from elastic.space import choices
from elastic.space.functions import exact

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # msdnet_cifar.specc:24
    "exit": ("e4", "e6", "e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 11

SPACE = choices.Space(CHOICES, ACTIVE, TOGETHER, batched)

Layer = tuple[str, int, int]
"""A layer's path, its multiply-accumulates for one image, its parameters in use."""


def choice(name: str) -> OneOf:
    """The choice of this name, as a size for model.py."""
    return OneOf(*CHOICES[name], name=name)


def check(assignment: Mapping[str, Any]) -> None:
    """Raises ValueError, naming the choice and its options, for what is no assignment here."""
    choices.check(SPACE, assignment)


def canonical(assignment: Mapping[str, Any]) -> dict[str, Any]:
    """The assignment without inactive choices; what it does not name reads as the first option."""
    return choices.canonical(SPACE, assignment)


def largest() -> dict[str, Any]:
    """The sub-network with every choice at its last option."""
    return choices.largest(SPACE)


def smallest() -> dict[str, Any]:
    """The sub-network with every choice at its first option."""
    return choices.smallest(SPACE)


def draw(rng: random.Random) -> dict[str, Any]:
    """One sub-network at random: each active choice uniform, independently of the others."""
    return choices.draw(SPACE, rng)


def every() -> Iterator[dict[str, Any]]:
    """Every sub-network once: SIZE of them."""
    return choices.every(SPACE)


def unit(path: str, in_: int, out: int, kernel: int, size_out: int) -> Iterator[Layer]:
    """The layers of a block `unit`, such as stem.fine."""
    # kernel x kernel, in_ -> out
    yield f"{path}.conv", in_ * out * kernel**2 * size_out**2, in_ * out * kernel**2
    yield f"{path}.norm", 0, 2 * out


def grown(path: str, in_: int, out: int, wide: int, size_in: int, size_out: int) -> Iterator[Layer]:
    """The layers of a block `grown`, such as three_scales.b1."""
    hidden = out * wide
    yield f"{path}.unit1.conv", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.unit1.norm", 0, 2 * hidden
    # 3x3, hidden -> out
    yield f"{path}.unit2.conv", hidden * out * 3**2 * size_out**2, hidden * out * 3**2
    yield f"{path}.unit2.norm", 0, 2 * out


def answer(path: str, in_: int) -> Iterator[Layer]:
    """The layers of a block `answer`, such as three_scales.e4.b1."""
    yield f"{path}.linear", in_ * 100, in_ * 100 + 100  # in_ -> 100


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution."""
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    yield from unit("stem.fine", 3, 16, 3, 32)
    yield from unit("stem.middle", 16, 32, 3, 16)
    yield from unit("stem.coarse", 32, 64, 3, 8)
    yield from grown("three_scales.b1", 32, 12, 2, 16, 8)
    yield from grown("three_scales.b2", 64, 12, 4, 8, 8)
    yield from grown("three_scales.b3", 16, 6, 1, 32, 16)
    yield from grown("three_scales.b4", 32, 6, 2, 16, 16)
    yield from grown("three_scales.b5", 16, 6, 1, 32, 32)
    yield from grown("three_scales.b6", 44, 12, 2, 16, 8)
    yield from grown("three_scales.b7", 88, 12, 4, 8, 8)
    yield from grown("three_scales.b8", 22, 6, 1, 32, 16)
    yield from grown("three_scales.b9", 44, 6, 2, 16, 16)
    yield from grown("three_scales.b10", 22, 6, 1, 32, 32)
    yield from grown("three_scales.b11", 56, 12, 2, 16, 8)
    yield from grown("three_scales.b12", 112, 12, 4, 8, 8)
    yield from grown("three_scales.b13", 28, 6, 1, 32, 16)
    yield from grown("three_scales.b14", 56, 6, 2, 16, 16)
    if a["exit"] in ("e6", "e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b15", 28, 6, 1, 32, 32)
    yield from grown("three_scales.b16", 68, 12, 2, 16, 8)
    yield from grown("three_scales.b17", 136, 12, 4, 8, 8)
    if a["exit"] in ("e6", "e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b18", 34, 6, 1, 32, 16)
        yield from grown("three_scales.b19", 68, 6, 2, 16, 16)
        yield from grown("three_scales.b20", 34, 6, 1, 32, 32)
    if a["exit"] == "e4":
        yield from answer("three_scales.e4.b1", 160)
    if a["exit"] in ("e6", "e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b21", 80, 12, 2, 16, 8)
        yield from grown("three_scales.b22", 160, 12, 4, 8, 8)
        yield from grown("three_scales.b23", 40, 6, 1, 32, 16)
        yield from grown("three_scales.b24", 80, 6, 2, 16, 16)
    if a["exit"] in ("e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b25", 40, 6, 1, 32, 32)
    if a["exit"] in ("e6", "e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b26", 92, 12, 2, 16, 8)
        yield from grown("three_scales.b27", 184, 12, 4, 8, 8)
    if a["exit"] in ("e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b28", 46, 6, 1, 32, 16)
        yield from grown("three_scales.b29", 92, 6, 2, 16, 16)
        yield from grown("three_scales.b30", 46, 6, 1, 32, 32)
    if a["exit"] == "e6":
        yield from answer("three_scales.e6.b1", 208)
    if a["exit"] in ("e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b31", 104, 12, 2, 16, 8)
        yield from grown("three_scales.b32", 208, 12, 4, 8, 8)
        yield from grown("three_scales.b33", 52, 6, 1, 32, 16)
        yield from grown("three_scales.b34", 104, 6, 2, 16, 16)
    if a["exit"] in ("e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b35", 52, 6, 1, 32, 32)
    if a["exit"] in ("e8", "e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b36", 116, 12, 2, 16, 8)
        yield from grown("three_scales.b37", 232, 12, 4, 8, 8)
    if a["exit"] in ("e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("three_scales.b38", 58, 6, 1, 32, 16)
        yield from grown("three_scales.b39", 116, 6, 2, 16, 16)
        yield from grown("three_scales.b40", 58, 6, 1, 32, 32)
    if a["exit"] == "e8":
        yield from answer("three_scales.e8.b1", 256)
    if a["exit"] in ("e10", "e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b1", 128, 12, 2, 16, 8)
        yield from grown("two_scales.b2", 256, 12, 4, 8, 8)
        yield from grown("two_scales.b3", 64, 6, 1, 32, 16)
        yield from grown("two_scales.b4", 128, 6, 2, 16, 16)
        yield from unit("two_scales.coarse2", 280, 140, 1, 8)
        yield from unit("two_scales.middle2", 140, 70, 1, 16)
        yield from grown("two_scales.b5", 70, 12, 2, 16, 8)
        yield from grown("two_scales.b6", 140, 12, 4, 8, 8)
    if a["exit"] in ("e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b7", 70, 12, 2, 16, 16)
    if a["exit"] == "e10":
        yield from answer("two_scales.e10.b1", 164)
    if a["exit"] in ("e12", "e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b8", 82, 12, 2, 16, 8)
        yield from grown("two_scales.b9", 164, 12, 4, 8, 8)
        yield from grown("two_scales.b10", 82, 12, 2, 16, 16)
        yield from grown("two_scales.b11", 94, 12, 2, 16, 8)
        yield from grown("two_scales.b12", 188, 12, 4, 8, 8)
    if a["exit"] in ("e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b13", 94, 12, 2, 16, 16)
    if a["exit"] == "e12":
        yield from answer("two_scales.e12.b1", 212)
    if a["exit"] in ("e14", "e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b14", 106, 12, 2, 16, 8)
        yield from grown("two_scales.b15", 212, 12, 4, 8, 8)
        yield from grown("two_scales.b16", 106, 12, 2, 16, 16)
        yield from grown("two_scales.b17", 118, 12, 2, 16, 8)
        yield from grown("two_scales.b18", 236, 12, 4, 8, 8)
    if a["exit"] in ("e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b19", 118, 12, 2, 16, 16)
    if a["exit"] == "e14":
        yield from answer("two_scales.e14.b1", 260)
    if a["exit"] in ("e16", "e18", "e20", "e22", "head"):
        yield from grown("two_scales.b20", 130, 12, 2, 16, 8)
        yield from grown("two_scales.b21", 260, 12, 4, 8, 8)
        yield from grown("two_scales.b22", 130, 12, 2, 16, 16)
        yield from grown("two_scales.b23", 142, 12, 2, 16, 8)
        yield from grown("two_scales.b24", 284, 12, 4, 8, 8)
    if a["exit"] in ("e18", "e20", "e22", "head"):
        yield from grown("two_scales.b25", 142, 12, 2, 16, 16)
    if a["exit"] == "e16":
        yield from answer("two_scales.e16.b1", 308)
    if a["exit"] in ("e18", "e20", "e22", "head"):
        yield from grown("one_scale.b1", 154, 12, 2, 16, 8)
        yield from grown("one_scale.b2", 308, 12, 4, 8, 8)
        yield from unit("one_scale.b3", 332, 166, 1, 8)
        yield from grown("one_scale.b4", 166, 24, 4, 8, 8)
    if a["exit"] == "e18":
        yield from answer("one_scale.e18.b1", 190)
    if a["exit"] in ("e20", "e22", "head"):
        yield from grown("one_scale.b5", 190, 24, 4, 8, 8)
        yield from grown("one_scale.b6", 214, 24, 4, 8, 8)
    if a["exit"] == "e20":
        yield from answer("one_scale.e20.b1", 238)
    if a["exit"] in ("e22", "head"):
        yield from grown("one_scale.b7", 238, 24, 4, 8, 8)
        yield from grown("one_scale.b8", 262, 24, 4, 8, 8)
    if a["exit"] == "e22":
        yield from answer("one_scale.e22.b1", 286)
    if a["exit"] == "head":
        yield from grown("one_scale.b9", 286, 24, 4, 8, 8)
        yield from grown("one_scale.b10", 310, 24, 4, 8, 8)
        yield from answer("head.b1", 334)
