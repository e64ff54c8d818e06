"""The specs of early exits, counted by hand: what every exit costs, from the papers' own descriptions."""

from __future__ import annotations

import pytest

from specc.cost import cost
from specc.subnets.space import complete
from tests.helpers.projects import compiled


def shallow(blocks: int) -> tuple[int, int]:
    """(parameters, MACs) of the first blocks of the pre-activation ResNeXt-29 with an answer behind them."""
    channels, size, params, macs = 64, 32, 27 * 64, 27 * 64 * 32 * 32
    for block in range(blocks):
        stage = block // 3
        out, size = 64 << stage, 32 >> stage
        inner = 8 * (4 << stage)  # eight branches of width 4, 8, 16
        weights = out * inner + 9 * inner * (inner // 8) + inner * out
        params += weights + 2 * out + 2 * inner + 2 * inner
        macs += weights * size * size
        channels = out
    return params + 2 * channels + 10 * channels + 10, macs + 10 * channels


@pytest.mark.parametrize("blocks", range(2, 10))
def test_every_exit_of_the_shallow_baseline(blocks: int) -> None:
    graph = compiled("resnext29_shallow").graph
    found = cost(graph, complete(graph, {"exit": f"e{blocks}" if blocks < 9 else "head"}))
    assert (found.params, found.macs) == shallow(blocks)


def msdnet(layers: int) -> tuple[int, int]:
    """(parameters, MACs) of MSDNet up to the answer behind so many layers: only what that answer depends on.

    Layer l of a scale is needed if a later layer of this scale or of the next coarser one is: of the finer scales the
    last layers are not, as the coarsest scale reads the middle one a layer before, and that one the finest.
    """
    sizes, growth, wide = (32, 16, 8), (6, 12, 24), (1, 2, 4)
    params = macs = 0

    def unit(before: int, out: int, kernel: int, size: int) -> None:
        nonlocal params, macs
        params += before * out * kernel**2 + 2 * out
        macs += before * out * kernel**2 * size**2

    def grown(before: int, out: int, factor: int, size: int, after: int) -> None:
        inner = min(before, factor * out)
        unit(before, inner, 1, size)
        unit(inner, out, 3, after)

    width = [16, 32, 64]
    for scale, above in enumerate((3, 16, 32)):
        unit(above, width[scale], 3, sizes[scale])
    for layer in range(1, layers + 1):
        finest = 0 if layer <= 8 else 1 if layer <= 16 else 2
        drops = layer in (9, 17)  # the scale that is given up still feeds the next one
        before = list(width)
        for scale in (2, 1, 0):
            needed = layer <= layers - (2 - scale)
            # A scale that was given up is read for the last time by the layer after its last.
            last = {0: 9, 1: 17}.get(scale, layers)
            if scale < finest or not needed or layer > last - (0 if scale == 2 else 1):
                continue
            if scale == finest and not drops:
                grown(before[scale], growth[scale], wide[scale], sizes[scale], sizes[scale])
            else:
                grown(before[scale - 1], growth[scale] // 2, wide[scale - 1], sizes[scale - 1], sizes[scale])
                grown(before[scale], growth[scale] // 2, wide[scale], sizes[scale], sizes[scale])
            width[scale] = before[scale] + growth[scale]
        if drops:
            for scale in range(finest, 3):
                if scale == 2 or layer < layers:
                    unit(width[scale], width[scale] // 2, 1, sizes[scale])
                    width[scale] //= 2
    return params + width[2] * 100 + 100, macs + width[2] * 100  # a classifier is one linear layer


@pytest.mark.parametrize("layers", range(4, 26, 2))
def test_every_exit_of_msdnet(layers: int) -> None:
    graph = compiled("msdnet_cifar").graph
    found = cost(graph, complete(graph, {"exit": f"e{layers}" if layers < 24 else "head"}))
    assert (found.params, found.macs) == msdnet(layers)
