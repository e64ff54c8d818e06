"""Sampling methods: one folder each, found by looking. A folder holds `METHOD` and, where it trains, `step.py`."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final

from specc.methods.protocol import Method

REFUSED: Final[Mapping[str, str]] = {
    "joslim": "Joslim searches widths and trains weights in alternation; no paper that specc follows defines it",
    "dsnet": "DS-Net lets a gate choose the width for every image; specc's sub-networks are chosen from outside",
}
"""Methods that people will ask for and that specc does not have: the reason, for the diagnostic."""


def method_names() -> tuple[str, ...]:
    """Every method's name, sorted; nothing is imported."""
    here = Path(__file__).parent
    return tuple(sorted(folder.parent.name for folder in here.glob("*/__init__.py")))


def find_method(name: str) -> Method | None:
    """The method of that name, or None. Imports its folder alone, because `specc check` is timed."""
    if name not in method_names():
        return None
    method: Method = import_module(f"specc.methods.{name}").METHOD
    return method
