"""What a network returns: one output, or a dict of several by name."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def detached(output: Any) -> Any:
    """As a teacher gives it: no gradient reaches it through its pupils."""
    if isinstance(output, Tensor):
        return output.detach()
    return {name: value.detach() for name, value in output.items()}


def in_float32(output: Any) -> Any:
    """As losses and metrics take it, whatever precision it was computed in."""
    if isinstance(output, Tensor):
        return output.float()
    return {name: value.float() for name, value in output.items()}


def listed(output: Any) -> list[Tensor]:
    """All that is returned, one after another."""
    return [output] if isinstance(output, Tensor) else [*output.values()]
