"""specc: a compiler from a small language for elastic networks to PyTorch projects.

`specc.load(path, **params)` gives a `Network` with its graph, costs, space and project; see specc/api.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from specc.version import __version__

if TYPE_CHECKING:
    from specc.api import Network, SpecError, SpecWarning, load

__all__ = ["Network", "SpecError", "SpecWarning", "__version__", "load"]


def __getattr__(name: str) -> object:
    """Imports the API when it is first used: `specc check` starts faster without it."""
    if name in __all__:
        from specc import api

        return getattr(api, name)
    raise AttributeError(f"module 'specc' has no attribute {name!r}")
