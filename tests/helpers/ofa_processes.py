"""The teacher of progressive shrinking under torchrun; every process writes its buffers to the folder that is named."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch.optim import SGD
from torch.optim.lr_scheduler import LambdaLR

from specc.methods.ofa import step as ofa
from specc.outputs.classes.task import Classes
from specc.pipeline import compile_project, load
from specc.runtime.run.distributed import join, leave
from specc.runtime.train.trainer import Trainer
from specc.source import Source
from tests.helpers.steps import generated

SPEC = """
import std.mobilenet
supernet tiny {
  input image(2, 7, 7);  classes 3
  norm batch
  stem { conv(4, kernel=3); norm; relu }
  stage s1 { inverted_residual(4, kernel={3, 5}) }
  head { pool(avg); linear(classes) }
}
method ofa(phases=[full, kernel])
"""


def main(folder: Path) -> None:
    world = join("cpu")
    mine = folder / str(world.rank)
    mine.mkdir()
    torch.manual_seed(0)
    net, space = generated(SPEC, mine)
    optimizer = SGD(net.parameters(), lr=0.1)
    trainer = Trainer(net, optimizer, LambdaLR(optimizer, lambda step: 1.0), Classes(0), world)
    path = mine / "shrinking.json"
    path.write_text(compile_project(load(Source("tiny.specc", SPEC)))["shrinking.json"])
    memory = ofa.Shrinking(path, space, net)
    memory.begin(0, 2, trainer)
    generator = torch.Generator().manual_seed(world.rank)  # every process sees images of its own
    images, labels = torch.randn(8, 2, 7, 7, generator=generator), torch.arange(8) % 3
    ofa.step(trainer, images, labels, [net.plan(space.largest())], None)
    trainer.update()
    memory.begin(1, 2, trainer)
    assert memory.teacher is not None
    own = {name: buffer for name, buffer in net.named_buffers() if "running" in name}
    taught = {name: buffer for name, buffer in memory.teacher.named_buffers() if "running" in name}
    torch.save({"net": own, "teacher": taught}, folder / f"{world.rank}.pt")
    leave(world)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
