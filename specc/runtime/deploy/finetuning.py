"""What finetune.py does: one sub-network is extracted and trained further, alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.portable.run.flags import Flags, cost, share, whole
from specc.runtime.data.images import Inputs, each_input
from specc.runtime.deploy.choosing import COSTS
from specc.runtime.deploy.exporting import OnImages, add_file_flags
from specc.runtime.net.extract import extract
from specc.runtime.net.resizing import sized
from specc.runtime.train.evaluate import Score
from specc.runtime.train.optim import build_optimizer, build_schedule
from specc.runtime.train.options import TrainOptions, train_options
from specc.runtime.train.trained import Trained
from specc.runtime.train.trainer import Trainer, run

EPOCHS: Final = 10
RATE: Final = 0.1
"""The learning rate, as a share of the recipe's, where --lr names none: these weights are trained already."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """A sub-network on its way. `static` is the network itself, `trainer` has it with the resizing of its inputs."""

    static: nn.Module
    trainer: Trainer
    options: TrainOptions
    teacher: Any
    share: float

    def loss(self, images: Inputs, labels: Tensor) -> Tensor:
        """Of the labels, and as much as `share` says of the largest sub-network's outputs. Of soft labels, too."""
        logits = self.trainer.forward(images, None)
        loss = self.trainer.criterion(logits, labels)
        if not self.share:
            return loss
        with torch.no_grad():
            taught = F.softmax(run(self.teacher, images, self.teacher.plan()).float(), dim=-1)
        distance = F.kl_div(F.log_softmax(logits, dim=-1), taught, reduction="batchmean")
        return (1 - self.share) * loss + self.share * distance


def finetune_flags(
    settings: Mapping[str, Any], argv: Sequence[str] | None = None
) -> tuple[argparse.Namespace, TrainOptions]:
    """The flags of finetune.py: those of export.py that name a sub-network, and those of train.py's recipe."""
    parser = Flags(
        description="Trains one sub-network further, and exports it.",
        epilog="All flags of train.py's recipe, too: --epochs (10), --lr (a tenth of the recipe's), ...",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--at", metavar="SUBNET", help="max, min, choice=option,..., a file or a number")
    add("--front", type=Path, metavar="FILE", help="use this front instead of pareto.json")
    for name in COSTS:
        add(f"--max-{name}", type=cost, metavar="N", help="choose from the front")
    text = "share of the loss that is the distance to the largest sub-network's outputs (0)"
    add("--teacher", type=share, default=0.0, metavar="SHARE", help=text)
    add("--calibrate", type=whole(0), metavar="N", help="images for batch-norm calibration")
    add_file_flags(parser)
    flags, rest = parser.parse_known_args(argv)
    usual = {**settings["train"], "epochs": EPOCHS, "start": "", "ema": 0.0}
    usual["optimizer"] = {**usual["optimizer"], "lr": usual["optimizer"]["lr"] * RATE}
    usual["schedule"] = {"name": "cosine", "final": 0.0}
    options = train_options({**settings, "train": usual}, rest)
    if options.resume is not None or options.flags.start is not None:
        parser.error("--resume and --start are of train.py: --checkpoint names the trained network")
    flags.checkpoint = flags.checkpoint or flags.output_dir / "checkpoint.pt"
    flags.front = flags.front or flags.output_dir / "pareto.json"
    flags.pareto, flags.bundle, flags.outputs = None, False, None
    return flags, options


def extracted(
    trained: Trained, plan: Any, flags: argparse.Namespace, options: TrainOptions
) -> Tuning:
    """The sub-network of a plan, whose norms are calibrated, as a plain network that learns."""
    loading, world = trained.loading, trained.loading.world
    static = extract(trained.net, plan, resized=False)
    resolution = plan.resolution
    student = OnImages(static, lambda images: sized(each_input(images), resolution)).to(
        world.device
    )
    optimizer = build_optimizer(student, options.optimizer, options.no_decay, options.layer_decay)
    steps = loading.steps(options.batch_size)
    trainer = Trainer(
        student,
        optimizer,
        build_schedule(optimizer, options.schedule, options.epochs, steps),
        nn.CrossEntropyLoss(label_smoothing=options.label_smoothing),
        world,
        amp=options.amp,
        clip=options.clip,
        parts=options.accumulate,
    )
    return Tuning(static, trainer, options, trained.net.eval(), flags.teacher)


def gain(before: Score, after: Score) -> str:
    """How accuracy has changed."""
    return f"test accuracy: {before.accuracy:.2%} before, {after.accuracy:.2%} after"
