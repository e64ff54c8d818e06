"""The Python API: `specc.load("net.specc")` and what can be asked of the network it gives.

import specc
net = specc.load("specs/digits.specc")
net.cost("min").macs
net.space().size
net.sample(5, macs=(100_000, 200_000))
net.compile("runs/digits")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from specc import assignments
from specc.diagnostics import SpecError
from specc.ir.choice import Choice
from specc.ir.expr import Option
from specc.ir.graph import Graph
from specc.source import Source

if TYPE_CHECKING:
    from specc.analysis.cost import CostReport, Count
    from specc.pipeline import Compiled

__all__ = ["Network", "Space", "SpecError", "load"]

Where: TypeAlias = "str | Mapping[str, object]"
Window: TypeAlias = "tuple[float | None, float | None] | None"
Distribution: TypeAlias = Literal["uniform", "independent"]
