"""The sub-networks of resnet50_adn.

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
    # resnet50_adn.specc:12
    "s1.keep": (False, True),
    # resnet50_adn.specc:14
    "s2.keep": (False, True),
    # resnet50_adn.specc:18
    "s3.keep": (False, True),
    # resnet50_adn.specc:20
    "s4.keep": (False, True),
}

# Every choice matters in every sub-network.
ACTIVE: dict[str, tuple[Any, ...]] = {}

# The number of sub-networks, each once.
SIZE = 16

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


def bottleneck(
    path: str, in_: int, out: int, width: int, size_in: int, size_out: int
) -> Iterator[Layer]:
    """The layers of a block `bottleneck`, such as s1.b1."""
    yield f"{path}.conv1", in_ * width * size_in**2, in_ * width  # 1x1, in_ -> width
    yield f"{path}.norm1", 0, 2 * width
    # 3x3, width -> width
    yield f"{path}.conv2", width * width * 3**2 * size_out**2, width * width * 3**2
    yield f"{path}.norm2", 0, 2 * width
    yield f"{path}.conv3", width * out * size_out**2, width * out  # 1x1, width -> out
    yield f"{path}.norm3", 0, 2 * out
    yield f"{path}.shortcut_conv", in_ * out * size_out**2, in_ * out  # 1x1, in_ -> out
    yield f"{path}.shortcut_norm", 0, 2 * out


def bottleneck2(path: str, in_: int, width: int, size_in: int) -> Iterator[Layer]:
    """The layers of a block `bottleneck`, such as s1.b2."""
    yield f"{path}.conv1", in_ * width * size_in**2, in_ * width  # 1x1, in_ -> width
    yield f"{path}.norm1", 0, 2 * width
    # 3x3, width -> width
    yield f"{path}.conv2", width * width * 3**2 * size_in**2, width * width * 3**2
    yield f"{path}.norm2", 0, 2 * width
    yield f"{path}.conv3", width * in_ * size_in**2, width * in_  # 1x1, width -> in_
    yield f"{path}.norm3", 0, 2 * in_


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution."""
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    yield "stem.conv", 3 * 64 * 7**2 * 112**2, 3 * 64 * 7**2  # 7x7, 3 -> 64
    yield "stem.norm", 0, 2 * 64
    yield from bottleneck("s1.b1", 64, 256, 64, 56, 56)
    for n in range(2, a["s1.keep"] + 3):
        yield from bottleneck2(f"s1.b{n}", 256, 64, 56)
    yield from bottleneck("s2.b1", 256, 512, 128, 56, 28)
    yield from bottleneck2("s2.b2", 512, 128, 28)
    if a["s2.keep"]:
        for n in range(3, 5):
            yield from bottleneck2(f"s2.b{n}", 512, 128, 28)
    yield from bottleneck("s3.b1", 512, 1024, 256, 28, 14)
    for n in range(2, 4):
        yield from bottleneck2(f"s3.b{n}", 1024, 256, 14)
    if a["s3.keep"]:
        for n in range(4, 7):
            yield from bottleneck2(f"s3.b{n}", 1024, 256, 14)
    yield from bottleneck("s4.b1", 1024, 2048, 512, 14, 7)
    for n in range(2, a["s4.keep"] + 3):
        yield from bottleneck2(f"s4.b{n}", 2048, 512, 7)
    yield "head.linear", 2048 * 1000, 2048 * 1000 + 1000  # 2048 -> 1000
