"""Models written by hand, as specc writes them: sizes in the layers, and plans derived from the module tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from specc.runtime.net.plan import Plan, Space
from specc.runtime.net.sizes import OneOf

Outputs = Tensor | dict[str, Tensor]


def choice(space: Space, name: str) -> OneOf:
    """A choice of the space, as `from space import choice` gives it in a project."""
    return OneOf(*space.CHOICES[name], name=name)


def asked(plan: Plan, outputs: Mapping[str, Tensor]) -> Any:
    """What a network with one answer returns."""
    return outputs["head"] if plan.outputs is None else {name: outputs[name] for name in plan.outputs}
