"""A few steps of PSS-Net on TinyNet, alone or under torchrun; every process writes its pools beside the file named."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.pss import step as pss
from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import join, leave
from specc.runtime.train.trainer import Trainer
from specc.space.choices import Space
from tests.helpers.tiny import CHOICES, TinySpace, tiny_net

SETTINGS: Final[Mapping[str, Any]] = {
    "capacity": 2,
    "sampler": "uniform",
    "space_share_end": 0.01,
    "temperature_end": 0.01,
    "smoothing": 0.9,
}


def costs(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TinyNet's MACs, twice: 7 n, and n^2 more with the middle layer."""
    widths = np.array(CHOICES["width"])[rows[:, 0]]
    macs = 7 * widths + rows[:, 1] * widths**2
    return macs, macs


def main(path: Path) -> None:
    world = join("cpu")
    net = tiny_net()
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    trainer = Trainer(net, optimizer, LambdaLR(optimizer, lambda step: 1.0), Classes(0), world)
    space = Space(CHOICES, together=(("width", "keep"),), costs=costs)
    pools = pss.build_pools(space, [{"name": "macs", "step": 30}], SETTINGS, path.parent)
    generator = torch.Generator().manual_seed(0)
    epochs = 6
    for epoch in range(epochs):
        rng = random.Random(epoch)
        for _ in range(5):
            images = torch.randn(8, 4, generator=generator)
            labels = torch.randint(0, 3, (8,), generator=generator)
            share = 8 // world.size
            mine = slice(world.rank * share, (world.rank + 1) * share)
            drawn = pools.pick(rng, epoch, epochs)
            plans = [net.plan(at) for at in (TinySpace().largest(), drawn.at, TinySpace().smallest())]
            _, score = pss.step(trainer, images[mine], labels[mine], plans, world)
            pools.record(drawn, score)
            trainer.update()
    path.with_name(f"{path.name}.{world.rank}").write_text(json.dumps(pools.state()))
    leave(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
