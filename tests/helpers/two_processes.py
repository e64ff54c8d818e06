"""A few sandwich steps on TinyNet, alone or under torchrun; writes the weights to the file that is named."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.us_net import step as us_net
from specc.outputs.classes.task import Classes
from specc.runtime.run.distributed import join, leave
from specc.runtime.train.trainer import Trainer
from tests.helpers.tiny import TinySpace, tiny_net


def main(path: Path) -> None:
    world = join("cpu")
    net = tiny_net()
    optimizer = SGD(net.parameters(), lr=0.1, momentum=0.9)
    schedule = LambdaLR(optimizer, lambda step: 1.0)
    trainer = Trainer(net, optimizer, schedule, Classes(0), world)
    generator = torch.Generator().manual_seed(0)
    rng = random.Random(0)
    for _ in range(4):
        images = torch.randn(8, 4, generator=generator)
        labels = torch.randint(0, 3, (8,), generator=generator)
        share = 8 // world.size
        mine = slice(world.rank * share, (world.rank + 1) * share)
        plans = [net.plan(at) for at in us_net.sandwich(TinySpace(), rng, 4)]
        us_net.step(trainer, images[mine], labels[mine], plans)
        trainer.update()
    if world.main:
        torch.save(net.state_dict(), path)
    leave(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
