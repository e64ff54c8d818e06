"""The sub-networks of mobilenet_v2_tips.

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
    # mobilenet_v2_tips.specc:23
    "s2.keep": (False, True),
    # mobilenet_v2_tips.specc:27
    "s3.keep1": (False, True),
    "s3.keep2": (False, True),
    # mobilenet_v2_tips.specc:31
    "s4.keep1": (False, True),
    "s4.keep2": (False, True),
    "s4.keep3": (False, True),
    # mobilenet_v2_tips.specc:34
    "s5.keep1": (False, True),
    "s5.keep2": (False, True),
    # mobilenet_v2_tips.specc:38
    "s6.keep1": (False, True),
    "s6.keep2": (False, True),
    # mobilenet_v2_tips.specc:20
    "stem.conv.width": (16, 24, 32),
    # std/mobilenet.specc:15
    "s1.b1.conv2.width": (8, 16),
    # std/mobilenet.specc:13
    "s2.b1.conv1.width": tuple(range(40, 104, 8)),
    # std/mobilenet.specc:15
    "s2.b1.conv2.width": (16, 24),
    # std/mobilenet.specc:13
    "s2.b2.conv1.width": tuple(range(56, 152, 8)),
    "s3.b1.conv1.width": tuple(range(56, 152, 8)),
    # std/mobilenet.specc:15
    "s3.b1.conv2.width": (16, 24, 32),
    # std/mobilenet.specc:13
    "s3.b2.conv1.width": tuple(range(80, 200, 8)),
    "s3.b3.conv1.width": tuple(range(80, 200, 8)),
    "s4.b1.conv1.width": tuple(range(80, 200, 8)),
    # std/mobilenet.specc:15
    "s4.b1.conv2.width": (24, 32, 40, 48, 56, 64),
    # std/mobilenet.specc:13
    "s4.b2.conv1.width": tuple(range(152, 392, 8)),
    "s4.b3.conv1.width": tuple(range(152, 392, 8)),
    "s4.b4.conv1.width": tuple(range(152, 392, 8)),
    "s5.b1.conv1.width": tuple(range(152, 392, 8)),
    # std/mobilenet.specc:15
    "s5.b1.conv2.width": tuple(range(40, 104, 8)),
    # std/mobilenet.specc:13
    "s5.b2.conv1.width": tuple(range(232, 584, 8)),
    "s5.b3.conv1.width": tuple(range(232, 584, 8)),
    "s6.b1.conv1.width": tuple(range(232, 584, 8)),
    # std/mobilenet.specc:15
    "s6.b1.conv2.width": tuple(range(64, 168, 8)),
    # std/mobilenet.specc:13
    "s6.b2.conv1.width": tuple(range(384, 968, 8)),
    "s6.b3.conv1.width": tuple(range(384, 968, 8)),
    "s7.b1.conv1.width": tuple(range(384, 968, 8)),
    # std/mobilenet.specc:15
    "s7.b1.conv2.width": tuple(range(128, 328, 8)),
}

# When a choice matters, for those that do not always: where one of these rows holds, that is,
# where each of the choices it names stands at one of the options it lists.
ACTIVE: dict[str, tuple[Any, ...]] = {
    "s2.b2.conv1.width": ({"s2.keep": (True,)},),
    "s3.b2.conv1.width": ({"s3.keep1": (True,)},),
    "s3.b3.conv1.width": ({"s3.keep2": (True,)},),
    "s4.b2.conv1.width": ({"s4.keep1": (True,)},),
    "s4.b3.conv1.width": ({"s4.keep2": (True,)},),
    "s4.b4.conv1.width": ({"s4.keep3": (True,)},),
    "s5.b2.conv1.width": ({"s5.keep1": (True,)},),
    "s5.b3.conv1.width": ({"s5.keep2": (True,)},),
    "s6.b2.conv1.width": ({"s6.keep1": (True,)},),
    "s6.b3.conv1.width": ({"s6.keep2": (True,)},),
}

# The number of sub-networks, each once.
SIZE = 85672856758578629050368000000

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


def inverted_residual(
    path: str, in_: int, out: int, size_in: int, size_out: int, hidden: int
) -> Iterator[Layer]:
    """The layers of a block `inverted_residual`, such as s2.b1."""
    yield f"{path}.conv1", in_ * hidden * size_in**2, in_ * hidden  # 1x1, in_ -> hidden
    yield f"{path}.norm1", 0, 2 * hidden
    yield f"{path}.depthwise", hidden * 3**2 * size_out**2, hidden * 3**2  # 3x3 on each of hidden
    yield f"{path}.norm2", 0, 2 * hidden
    yield f"{path}.conv2", hidden * out * size_out**2, hidden * out  # 1x1, hidden -> out
    yield f"{path}.norm3", 0, 2 * out


def layers(assignment: Mapping[str, Any]) -> Iterator[Layer]:
    """The layers of one sub-network, in the order of execution."""
    a = {name: exact(assignment.get(name, options[0])) for name, options in CHOICES.items()}
    # 3x3, 3 -> stem.conv.width
    yield "stem.conv", 3 * a["stem.conv.width"] * 3**2 * 112**2, 3 * a["stem.conv.width"] * 3**2
    yield "stem.norm", 0, 2 * a["stem.conv.width"]
    # 3x3 on each of stem.conv.width
    yield "s1.b1.depthwise", a["stem.conv.width"] * 3**2 * 112**2, a["stem.conv.width"] * 3**2
    yield "s1.b1.norm2", 0, 2 * a["stem.conv.width"]
    # 1x1, stem.conv.width -> s1.b1.conv2.width
    weights = a["stem.conv.width"] * a["s1.b1.conv2.width"]
    yield "s1.b1.conv2", weights * 112**2, weights
    yield "s1.b1.norm3", 0, 2 * a["s1.b1.conv2.width"]
    yield from inverted_residual(
        "s2.b1", a["s1.b1.conv2.width"], a["s2.b1.conv2.width"], 112, 56, a["s2.b1.conv1.width"]
    )
    if a["s2.keep"]:
        yield from inverted_residual(
            "s2.b2", a["s2.b1.conv2.width"], a["s2.b1.conv2.width"], 56, 56, a["s2.b2.conv1.width"]
        )
    yield from inverted_residual(
        "s3.b1", a["s2.b1.conv2.width"], a["s3.b1.conv2.width"], 56, 28, a["s3.b1.conv1.width"]
    )
    if a["s3.keep1"]:
        yield from inverted_residual(
            "s3.b2", a["s3.b1.conv2.width"], a["s3.b1.conv2.width"], 28, 28, a["s3.b2.conv1.width"]
        )
    if a["s3.keep2"]:
        yield from inverted_residual(
            "s3.b3", a["s3.b1.conv2.width"], a["s3.b1.conv2.width"], 28, 28, a["s3.b3.conv1.width"]
        )
    yield from inverted_residual(
        "s4.b1", a["s3.b1.conv2.width"], a["s4.b1.conv2.width"], 28, 14, a["s4.b1.conv1.width"]
    )
    if a["s4.keep1"]:
        yield from inverted_residual(
            "s4.b2", a["s4.b1.conv2.width"], a["s4.b1.conv2.width"], 14, 14, a["s4.b2.conv1.width"]
        )
    if a["s4.keep2"]:
        yield from inverted_residual(
            "s4.b3", a["s4.b1.conv2.width"], a["s4.b1.conv2.width"], 14, 14, a["s4.b3.conv1.width"]
        )
    if a["s4.keep3"]:
        yield from inverted_residual(
            "s4.b4", a["s4.b1.conv2.width"], a["s4.b1.conv2.width"], 14, 14, a["s4.b4.conv1.width"]
        )
    yield from inverted_residual(
        "s5.b1", a["s4.b1.conv2.width"], a["s5.b1.conv2.width"], 14, 14, a["s5.b1.conv1.width"]
    )
    if a["s5.keep1"]:
        yield from inverted_residual(
            "s5.b2", a["s5.b1.conv2.width"], a["s5.b1.conv2.width"], 14, 14, a["s5.b2.conv1.width"]
        )
    if a["s5.keep2"]:
        yield from inverted_residual(
            "s5.b3", a["s5.b1.conv2.width"], a["s5.b1.conv2.width"], 14, 14, a["s5.b3.conv1.width"]
        )
    yield from inverted_residual(
        "s6.b1", a["s5.b1.conv2.width"], a["s6.b1.conv2.width"], 14, 7, a["s6.b1.conv1.width"]
    )
    if a["s6.keep1"]:
        yield from inverted_residual(
            "s6.b2", a["s6.b1.conv2.width"], a["s6.b1.conv2.width"], 7, 7, a["s6.b2.conv1.width"]
        )
    if a["s6.keep2"]:
        yield from inverted_residual(
            "s6.b3", a["s6.b1.conv2.width"], a["s6.b1.conv2.width"], 7, 7, a["s6.b3.conv1.width"]
        )
    yield from inverted_residual(
        "s7.b1", a["s6.b1.conv2.width"], a["s7.b1.conv2.width"], 7, 7, a["s7.b1.conv1.width"]
    )
    # 1x1, s7.b1.conv2.width -> 1280
    yield "head.conv", a["s7.b1.conv2.width"] * 1280 * 7**2, a["s7.b1.conv2.width"] * 1280
    yield "head.norm", 0, 2 * 1280
    yield "head.linear", 1280 * 1000, 1280 * 1000 + 1000  # 1280 -> 1000
