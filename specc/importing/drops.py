"""What zeroes values at random in training: evaluation, which is traced, does not show it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

What: TypeAlias = Literal["images", "channels", "values"]
SETTINGS: Final = ("eps", "momentum")
"""Numbers between 0 and 1 that layers have and that are no rates."""


@dataclass(frozen=True, slots=True)
class Drop:
    """A module that does nothing in evaluation and in training zeroes whole images, channels or single values at a
    rate, and scales the others up."""

    what: What
    rate: float


def drops_of(module: Module) -> Mapping[str, Drop]:
    """The user's modules that only drop, by their paths. They are known by what they do, whatever their names."""
    return {path: found for path, part in module.named_modules() if (found := drop_of(part)) is not None}


def drop_of(part: Module) -> Drop | None:
    import torch

    if type(part).__module__.startswith("torch.nn") or any(True for _ in part.children()):
        return None
    if any(True for _ in part.parameters()) or any(True for _ in part.buffers()):
        return None
    rates = rates_in(part)
    if not rates:
        return None
    was = part.training
    state = torch.random.get_rng_state()
    try:
        torch.manual_seed(0)
        images = torch.ones(256, 2, 3, 3)
        part.eval()
        if not torch.equal(part(images), images):
            return None
        part.train()
        rows = part(images).flatten(2)
    except Exception:
        return None
    finally:
        part.train(was)
        torch.random.set_rng_state(state)
    if rows.shape != (256, 2, 9):
        return None
    return of_rows(rows, rates)


def of_rows(rows: Tensor, rates: Sequence[float]) -> Drop | None:
    """What became of images of ones: of each, channels with their values."""
    import torch

    left = rows[rows > 0]
    share = 1 - len(left) / rows.numel()
    rate = next((r for r in rates if len(left) and bool(((left * (1 - r) - 1).abs() < 1e-5).all())), None)
    if rate is None or abs(share - rate) > 0.2:
        return None
    equal_inside = torch.equal(rows.amin(2), rows.amax(2))
    if equal_inside and torch.equal(rows.amin((1, 2)), rows.amax((1, 2))):
        return Drop("images", rate)
    return Drop("channels" if equal_inside else "values", rate)


def rates_in(part: Module) -> list[float]:
    """Numbers of a module that may be rates: what it drops, or what it keeps."""
    found = [v for name, v in vars(part).items() if name not in SETTINGS and isinstance(v, float) and 0 < v < 1]
    return [*found, *(1 - value for value in found)]


@contextmanager
def drops_shown(module: Module) -> Iterator[Mapping[str, Drop]]:
    """While it is traced, what drops leaves a node behind that says so; which modules these are."""
    import torch
    from torch.nn import functional

    found = drops_of(module)
    parts = dict(module.named_modules())
    for path, drop in found.items():
        shown = torch.feature_dropout if drop.what == "channels" else functional.dropout
        parts[path].forward = lambda x, rate=drop.rate, shown=shown: shown(x, rate, False)
    try:
        yield found
    finally:
        for path in found:
            del parts[path].forward


def attention_rates(module: Module, inputs: Sequence[Tensor]) -> list[float]:
    """The rates at which attention weights are dropped in training, in the order of the calls of attention.

    The network is run once in training, as a copy; [] where that fails, or nothing in it could be a rate.
    """
    import torch
    from torch.nn import functional

    if not any(map(rates_in, module.modules())):
        return []
    found: list[float] = []
    attend = functional.scaled_dot_product_attention

    def noted(*args: Any, **kwargs: Any) -> Tensor:
        found.append(float(args[4] if len(args) > 4 else kwargs.get("dropout_p", 0.0)))
        return attend(*args, **kwargs)

    twin = copy.deepcopy(module)
    for part in twin.modules():
        part.training = True
    functional.scaled_dot_product_attention = noted
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            twin(*inputs)
    except Exception:
        return []
    finally:
        functional.scaled_dot_product_attention = attend
    return found
