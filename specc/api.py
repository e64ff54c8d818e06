"""The Python API: `specc.load("net.specc")` and what can be asked of the network it gives.

import specc
net = specc.load("specs/digits.specc")
net.cost("min").macs
net.space().size
[at for at in net.sample(5, macs=(100_000, 200_000))]
net.compile("runs/digits")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.diagnostics import SpecError

if TYPE_CHECKING:
    pass

__all__ = ["Network", "Space", "SpecError", "load"]
