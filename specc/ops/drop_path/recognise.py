"""Stochastic depth in a trace. Tracing marks what zeroes whole images in training as `traced.drops_images`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from specc.traced.found import Found, Recognise, Seen
from specc.traced.graph import Node


def drop_path(node: Node, seen: Seen) -> Found | None:
    read = seen.read(node["input"])
    return None if read is None else Found("drop_path", (read,), {"rate": node["p"]})


NODES: Final[Mapping[str, Recognise]] = {"traced.drops_images": drop_path}
