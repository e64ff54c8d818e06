"""A network of sub-paths in sub-paths, by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.helpers.graphs import Builder


def key(at: Mapping[str, object]) -> str:
    return json.dumps({name: str(option) for name, option in at.items()}, sort_keys=True)


def nested() -> Builder:
    """outer { width a; inner { width b } }, and a norm elsewhere that reads neither."""
    b = Builder()
    b.conv(8)
    with b.region(b.choice("skip", 0, 1)):
        b.conv(b.choice("width", 4, 8))
        b.conv(8)
        with b.region(b.choice("skip", 0, 1)):
            b.conv(b.choice("width", 4, 6, 8))
            b.conv(8)
    return b
