"""Layers whose weights torch makes of other parameters: pruned ones, weight norm, spectral norm, parametrizations."""

from __future__ import annotations

import copy
from typing import Final

from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

MAKERS: Final = (prune.BasePruningMethod, SpectralNorm, WeightNorm)
"""Hooks that make a layer's weight anew before each call."""


def refresh(layer: nn.Module) -> None:
    """Has the hooks of a layer make its weight of the parameters as they are now, as its next call would."""
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, MAKERS):
            hook(layer, ())


def settled(layer: nn.Module) -> nn.Module:
    """A copy of a layer of torch with a plain weight: what its hooks and parametrizations make of others."""
    refresh(layer)
    own = copy.deepcopy(layer)
    for key, hook in [*own._forward_pre_hooks.items()]:
        if isinstance(hook, prune.BasePruningMethod):
            prune.remove(own, hook._tensor_name)  # type: ignore[no-untyped-call]
        elif isinstance(hook, (SpectralNorm, WeightNorm)):
            hook.remove(own)
            del own._forward_pre_hooks[key]
    if parametrize.is_parametrized(own):
        for name in [*own._modules["parametrizations"]._modules]:  # type: ignore[union-attr]
            parametrize.remove_parametrizations(own, name)
    return own
