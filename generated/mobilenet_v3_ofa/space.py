"""The sub-networks of mobilenet_v3_ofa.

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
from elastic.space.functions import divide, divisible, exact

# The options of every choice, from the smallest sub-network's to the largest's.
CHOICES: dict[str, tuple[Any, ...]] = {
    # mobilenet_v3_ofa.specc:8
    "resolution": tuple(range(128, 228, 4)),
    # mobilenet_v3_ofa.specc:19
    "s1.b1.kernel": (3, 5, 7),
    "s1.b1.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:20
    "s1.depth": (1, 2, 3),
    "s1.b2.kernel": (3, 5, 7),
    "s1.b2.expand": (3, 4, 6),
    "s1.b3.kernel": (3, 5, 7),
    "s1.b3.expand": (3, 4, 6),
    "s1.b4.kernel": (3, 5, 7),
    "s1.b4.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:23
    "s2.b1.kernel": (3, 5, 7),
    "s2.b1.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:24
    "s2.depth": (1, 2, 3),
    "s2.b2.kernel": (3, 5, 7),
    "s2.b2.expand": (3, 4, 6),
    "s2.b3.kernel": (3, 5, 7),
    "s2.b3.expand": (3, 4, 6),
    "s2.b4.kernel": (3, 5, 7),
    "s2.b4.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:27
    "s3.b1.kernel": (3, 5, 7),
    "s3.b1.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:28
    "s3.depth": (1, 2, 3),
    "s3.b2.kernel": (3, 5, 7),
    "s3.b2.expand": (3, 4, 6),
    "s3.b3.kernel": (3, 5, 7),
    "s3.b3.expand": (3, 4, 6),
    "s3.b4.kernel": (3, 5, 7),
    "s3.b4.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:31
    "s4.b1.kernel": (3, 5, 7),
    "s4.b1.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:32
    "s4.depth": (1, 2, 3),
    "s4.b2.kernel": (3, 5, 7),
    "s4.b2.expand": (3, 4, 6),
    "s4.b3.kernel": (3, 5, 7),
    "s4.b3.expand": (3, 4, 6),
    "s4.b4.kernel": (3, 5, 7),
    "s4.b4.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:35
    "s5.b1.kernel": (3, 5, 7),
    "s5.b1.expand": (3, 4, 6),
    # mobilenet_v3_ofa.specc:36
    "s5.depth": (1, 2, 3),
    "s5.b2.kernel": (3, 5, 7),
    "s5.b2.expand": (3, 4, 6),
    "s5.b3.kernel": (3, 5, 7),
    "s5.b3.expand": (3, 4, 6),
    "s5.b4.kernel": (3, 5, 7),
    "s5.b4.expand": (3, 4, 6),
}

# When a choice matters, for those that do not always: where one of these rows holds, that is,
# where each of the choices it names stands at one of the options it lists.
ACTIVE: dict[str, tuple[Any, ...]] = {
    "s1.b3.kernel": ({"s1.depth": (2, 3)},),
    "s1.b3.expand": ({"s1.depth": (2, 3)},),
    "s1.b4.kernel": ({"s1.depth": (3,)},),
    "s1.b4.expand": ({"s1.depth": (3,)},),
    "s2.b3.kernel": ({"s2.depth": (2, 3)},),
    "s2.b3.expand": ({"s2.depth": (2, 3)},),
    "s2.b4.kernel": ({"s2.depth": (3,)},),
    "s2.b4.expand": ({"s2.depth": (3,)},),
    "s3.b3.kernel": ({"s3.depth": (2, 3)},),
    "s3.b3.expand": ({"s3.depth": (2, 3)},),
    "s3.b4.kernel": ({"s3.depth": (3,)},),
    "s3.b4.expand": ({"s3.depth": (3,)},),
    "s4.b3.kernel": ({"s4.depth": (2, 3)},),
    "s4.b3.expand": ({"s4.depth": (2, 3)},),
    "s4.b4.kernel": ({"s4.depth": (3,)},),
    "s4.b4.expand": ({"s4.depth": (3,)},),
    "s5.b3.kernel": ({"s5.depth": (2, 3)},),
    "s5.b3.expand": ({"s5.depth": (2, 3)},),
    "s5.b4.kernel": ({"s5.depth": (3,)},),
    "s5.b4.expand": ({"s5.depth": (3,)},),
}

# The number of sub-networks, each once.
SIZE = 543966387314312146275

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


def mb_v3(
    path: str, in_: int, out: int, kernel: int, expand: int, size_in: int, size_out: int
) -> Iterator[Layer]:
    """The layers of a block `mb_v3`, such as s1.b1."""
    hidden = in_ * expand
    yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.norm1", 0, 2 * hidden
    # kernel x kernel on each of hidden
    yield f"{path}.depthwise", hidden * kernel**2 * size_out**2, hidden * kernel**2
    yield f"{path}.norm2", 0, 2 * hidden
    yield f"{path}.conv2", hidden * out * size_out**2, hidden * out  # 1x1, hidden -> out
    yield f"{path}.norm3", 0, 2 * out


def mb_v3_2(
    path: str, in_: int, out: int, kernel: int, expand: int, size_in: int, size_out: int
) -> Iterator[Layer]:
    """The layers of a block `mb_v3`, such as s2.b1."""
    hidden = in_ * expand
    yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.norm1", 0, 2 * hidden
    # kernel x kernel on each of hidden
    yield f"{path}.depthwise", hidden * kernel**2 * size_out**2, hidden * kernel**2
    yield f"{path}.norm2", 0, 2 * hidden
    hidden2 = divisible(divide(hidden, 4), 8)
    # hidden -> hidden2
    yield f"{path}.squeeze_excite.excitation.linear1", hidden * hidden2, hidden * hidden2 + hidden2
    # hidden2 -> hidden
    yield f"{path}.squeeze_excite.excitation.linear2", hidden2 * hidden, hidden2 * hidden + hidden
    yield f"{path}.conv2", hidden * out * size_out**2, hidden * out  # 1x1, hidden -> out
    yield f"{path}.norm3", 0, 2 * out


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution.

    Sizes are named after what they are in the largest: c32 for channels, h56 for sides of a map.
    """
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    h112 = (a["resolution"] - 1) // 2 + 1
    h56 = (a["resolution"] - 1) // 4 + 1
    h28 = (a["resolution"] - 1) // 8 + 1
    h14 = (a["resolution"] - 1) // 16 + 1
    h7 = (a["resolution"] - 1) // 32 + 1
    yield "stem.conv", 3 * 16 * 3**2 * h112**2, 3 * 16 * 3**2  # 3x3, 3 -> 16
    yield "stem.norm", 0, 2 * 16
    yield "stem.b1.depthwise", 16 * 3**2 * h112**2, 16 * 3**2  # 3x3 on each of 16
    yield "stem.b1.norm2", 0, 2 * 16
    yield "stem.b1.conv2", 16 * 16 * h112**2, 16 * 16  # 1x1, 16 -> 16
    yield "stem.b1.norm3", 0, 2 * 16
    yield from mb_v3("s1.b1", 16, 24, a["s1.b1.kernel"], a["s1.b1.expand"], h112, h56)
    for n in range(2, a["s1.depth"] + 2):
        yield from mb_v3(f"s1.b{n}", 24, 24, a[f"s1.b{n}.kernel"], a[f"s1.b{n}.expand"], h56, h56)
    yield from mb_v3_2("s2.b1", 24, 40, a["s2.b1.kernel"], a["s2.b1.expand"], h56, h28)
    for n in range(2, a["s2.depth"] + 2):
        yield from mb_v3_2(f"s2.b{n}", 40, 40, a[f"s2.b{n}.kernel"], a[f"s2.b{n}.expand"], h28, h28)
    yield from mb_v3("s3.b1", 40, 80, a["s3.b1.kernel"], a["s3.b1.expand"], h28, h14)
    for n in range(2, a["s3.depth"] + 2):
        yield from mb_v3(f"s3.b{n}", 80, 80, a[f"s3.b{n}.kernel"], a[f"s3.b{n}.expand"], h14, h14)
    yield from mb_v3_2("s4.b1", 80, 112, a["s4.b1.kernel"], a["s4.b1.expand"], h14, h14)
    for n in range(2, a["s4.depth"] + 2):
        yield from mb_v3_2(
            f"s4.b{n}", 112, 112, a[f"s4.b{n}.kernel"], a[f"s4.b{n}.expand"], h14, h14
        )
    yield from mb_v3_2("s5.b1", 112, 160, a["s5.b1.kernel"], a["s5.b1.expand"], h14, h7)
    for n in range(2, a["s5.depth"] + 2):
        yield from mb_v3_2(f"s5.b{n}", 160, 160, a[f"s5.b{n}.kernel"], a[f"s5.b{n}.expand"], h7, h7)
    yield "head.conv", 160 * 960 * h7**2, 160 * 960  # 1x1, 160 -> 960
    yield "head.norm", 0, 2 * 960
    yield "head.linear1", 960 * 1280, 960 * 1280  # 960 -> 1280
    yield "head.linear2", 1280 * 1000, 1280 * 1000 + 1000  # 1280 -> 1000
