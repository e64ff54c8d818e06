"""What a generated network's modules are made of: those that take a plan, their values, and conditions."""

from __future__ import annotations

from typing import Any, TypeVar

from torch import nn

from elastic.net.sizes import Condition, Expr, Size

SomeModule = TypeVar("SomeModule", bound=nn.Module)


class Elastic(nn.Module):
    """A module whose forward takes its part of a plan: `forward(x, p)` reads `p.conv1`, `p.depth`.

    The part has an entry for each elastic layer, each `Elastic` module and each `Value` that stands in an attribute.
    """


class Value:
    """A size that a forward reads by itself: `self.depth = Value(depth)` is `p.depth` in the plan."""

    __slots__ = ("size",)

    def __init__(self, size: Size) -> None:
        self.size = size

    def __repr__(self) -> str:
        return f"Value({self.size!r})"


def when(condition: Condition, module: SomeModule) -> SomeModule:
    """The module, present where the condition holds; elsewhere its part of the plan is None.

    Under a condition a module of torch has a part as well: True. Raises TypeError for what is no condition.
    """
    if not isinstance(condition, (Expr, int)):
        raise TypeError(f"{condition!r} is no condition")
    marked: Any = module
    known = presence(module)
    marked.present = known & condition if isinstance(known, Expr) else condition
    return module


def presence(module: nn.Module) -> Condition:
    """The condition under which a module is present."""
    found: Any = vars(module).get("present", 1)
    return found  # type: ignore[no-any-return]


def takes_plan(module: nn.Module) -> bool:
    """Whether a module's forward takes a part of a plan, or a cut."""
    return isinstance(module, Elastic) or "sizes" in vars(module)
