"""Rounds of a stage whose modules belong to the stage: `repeat 4 { concat(here, dense_layer(12)) }`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from torch import nn

from elastic.net.elastic import when
from elastic.net.plan import Part
from elastic.net.sizes import Condition


class Round:
    """What a stage does once in each round of a repeat.

    A round reads like a module: it has modules as attributes, and a forward. But its modules are the stage's, which
    numbers them through all rounds - the `b1` of the second round may be the stage's `b2` - so that rounds add nothing
    to the names of weights.
    """

    stage: nn.Module
    names: dict[str, str]
    forward: Callable[..., Any]

    def __getattr__(self, name: str) -> Any:
        names = vars(self).get("names", {})
        if name not in names:
            raise AttributeError(f"{type(self).__name__} has no {name!r}")
        return getattr(self.stage, names[name])

    def __call__(self, *args: Any) -> Any:
        """The forward; the stage's part of the plan, in the last place, as it concerns the round."""
        *inputs, p = args
        return self.forward(*inputs, RoundPart(p, self.names) if isinstance(p, Part) else p)


class RoundPart:
    """What a stage's part of a plan says of one round."""

    def __init__(self, p: Part, names: dict[str, str]) -> None:
        self.p, self.names = p, names

    def __getattr__(self, name: str) -> Any:
        return vars(self.p).get(self.names[name], True)  # True: a module of torch


def rounds(stage: nn.Module, *items: Round, present: Condition = True) -> list[Round]:
    """Rounds whose modules become the stage's, under their names with the next free numbers.

    All are present where a condition holds.
    """
    count = Counter(name.rstrip("0123456789") for name in stage._modules)
    for item in items:
        modules = {name: part for name, part in vars(item).items() if isinstance(part, nn.Module)}
        item.names = {}
        for name, module in modules.items():
            base = name.rstrip("0123456789")
            count[base] += 1
            item.names[name] = f"{base}{count[base]}"
            delattr(item, name)
            stage.add_module(item.names[name], module if present is True else when(present, module))
        item.stage = stage
    return list(items)
