"""Several sub-networks beside one set of weights: each is its choices and its norm statistics, and nothing more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from specc.codegen.runtime import checkpoint
from specc.codegen.runtime.plan import Cut, Plan


def statistics(plan: Plan) -> tuple[list[str], Tensor]:
    """The norm statistics of a calibrated plan: the norms' places in it, and all means and variances in one row.

    Of each norm come the means of its channels, then their variances.
    """
    found = [(path, cut) for path, cut in cuts(plan) if getattr(cut, "mean", None) is not None]
    values: list[Any] = [value for _, cut in found for value in (cut.mean, cut.var)]  # type: ignore[attr-defined]
    row = torch.cat([value.float().cpu() for value in values]) if values else torch.zeros(0)
    return [path for path, _ in found], row


def with_statistics(plan: Any, norms: Sequence[str], row: Tensor) -> Any:
    """The plan with the statistics that `statistics` took from its twin."""
    here = dict(cuts(plan))
    start = 0
    measured: dict[str, Cut] = {}
    for path in norms:
        cut: Any = here[path]
        middle, end = start + cut.features, start + 2 * cut.features
        measured[path] = cut.calibrated(row[start:middle], row[middle:end])
        start = end
    return placed(plan, measured)


def cuts(plan: Any, path: str = "") -> Iterator[tuple[str, Cut]]:
    """Every cut of a plan with its place, as in `s1.b1.norm2`."""
    for field in fields(plan):
        value = getattr(plan, field.name)
        here = f"{path}.{field.name}" if path else field.name
        if isinstance(value, Cut):
            yield here, value
        elif is_dataclass(value):
            yield from cuts(value, here)


def placed(plan: Any, changed: dict[str, Cut], path: str = "") -> Any:
    """A copy of a plan in which some cuts, by their places, are others."""
    new = {}
    for field in fields(plan):
        value = getattr(plan, field.name)
        here = f"{path}.{field.name}" if path else field.name
        if here in changed:
            new[field.name] = changed[here]
        elif is_dataclass(value) and not isinstance(value, (Cut, type)):
            new[field.name] = placed(value, changed, here)
    return replace(plan, **new)


def save(path: Path, net: nn.Module, plans: Sequence[Plan]) -> None:
    """Writes the weights once and, for every plan, its assignment and norm statistics."""
    names: dict[str, int] = {}
    subnets = []
    for plan in plans:
        norms, row = statistics(plan)
        places = [names.setdefault(name, len(names)) for name in norms]
        subnets.append({"at": plan.assignment, "norms": places, "statistics": row})
    checkpoint.save(path, {"net": net.state_dict(), "norms": list(names), "subnets": subnets})


def load(path: Path, net: Any, device: torch.device | str = "cpu") -> list[Any]:
    """Gives a network the weights of a file, and the plans that it may run: `net(images, plan)`, `net.use(plan)`."""
    content = checkpoint.load(path, device)
    checkpoint.fill(net, content["net"])
    names = content["norms"]
    return [
        with_statistics(
            net.plan(subnet["at"]), [names[i] for i in subnet["norms"]], subnet["statistics"]
        )
        for subnet in content["subnets"]
    ]
