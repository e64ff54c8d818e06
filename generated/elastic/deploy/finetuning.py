"""What finetune.py does: one sub-network is extracted and trained further, alone."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from elastic.data.images import Inputs, each_input
from elastic.data.loading import Loading
from elastic.deploy.choosing import COSTS
from elastic.deploy.exporting import OnImages, add_file_flags
from elastic.net.extract import extract
from elastic.net.resizing import sized
from elastic.run.distributed import join
from elastic.run.flags import Flags, cost, share, whole
from elastic.train.calibrate import calibrated
from elastic.train.evaluate import evaluate
from elastic.train.interfaces import Batches
from elastic.train.optim import build_optimizer, build_schedule
from elastic.train.options import TrainOptions, train_options
from elastic.train.scores import Metric, Score
from elastic.train.several import in_float32
from elastic.train.start import freeze
from elastic.train.trained import Trained
from elastic.train.trainer import Trainer, run

EPOCHS: Final = 10
RATE: Final = 0.1
"""The learning rate, as a share of the recipe's, where --lr names none: these weights are trained already."""


NOT_HERE: Final = (
    "resume",
    "start",
    "sort",
    "test_only",
    "sync_bn",
    "dataset",
    "model_ema",
    "model_ema_decay",
    "target",
    "evaluate_every",
)
"""Flags of train.py that mean nothing for one sub-network of a trained network: refused."""

Teacher: TypeAlias = Callable[[Inputs], Tensor]
"""Gives the output of the largest sub-network."""


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """A sub-network on its way. `static` is the network itself, `trainer` has it with the resizing of its inputs.

    `share` of the loss is the distance to the `teacher`'s outputs.
    """

    static: nn.Module
    trainer: Trainer
    loading: Loading
    options: TrainOptions
    teacher: Teacher | None
    share: float

    def loss(self, images: Inputs, labels: Tensor) -> Tensor:
        """Of the labels, and as much as `share` says of the largest sub-network's outputs. Of soft labels, too."""
        output = self.trainer.forward(images, None)
        loss = self.trainer.criterion(output, labels)
        if self.teacher is None:
            return loss
        distance = self.trainer.distance(output, self.teacher(images))
        return (1 - self.share) * loss + self.share * distance

    def score(self) -> Score:
        """On the test images."""
        tests = self.loading.evaluation(self.loading.data.test)
        return evaluate(self.trainer.net, None, tests, self.trainer.task, self.loading.world)


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
    usual = {**settings["train"], "epochs": EPOCHS, "start": "", "freeze": [], "ema": 0.0}
    usual["optimizer"] = {**usual["optimizer"], "lr": usual["optimizer"]["lr"] * RATE}
    usual["schedule"] = {"name": "cosine", "final": 0.0}
    options = train_options({**settings, "train": usual}, rest)
    for name in NOT_HERE:
        if getattr(options.flags, name) not in (None, False):
            parser.error(
                f"--{name.replace('_', '-')} is of train.py: fine-tuning has no use for it"
            )
    flags.checkpoint = flags.checkpoint or flags.output_dir / "checkpoint.pt"
    flags.front = flags.front or flags.output_dir / "pareto.json"
    flags.pareto, flags.bundle, flags.outputs = None, False, None
    return flags, options


def extracted(
    trained: Trained, plan: Any, flags: argparse.Namespace, options: TrainOptions, calibrate: int
) -> Tuning:
    """The sub-network of a plan, whose norms are calibrated, as a plain network that learns on the options' device.

    `calibrate` images set the norms of the largest sub-network, where that teaches. Exits under several processes.
    """
    world = join(options.device)
    if world.size > 1:
        raise SystemExit("finetune.py trains in one process")
    loading = Loading(trained.loading.data, trained.loading.shapes, world, options.workers)
    static = extract(trained.net, plan, resized=False).to(world.device)
    student = OnImages(static, lambda images: sized(each_input(images), plan.resolution))
    optimizer = optimizer_of(static, options)
    steps = loading.steps(options.batch_size)
    trainer = Trainer(
        student,
        optimizer,
        build_schedule(optimizer, options.schedule, options.epochs, steps),
        trained.task.fitted(loading.data, options),
        world,
        amp=options.amp,
        clip=options.clip,
        parts=options.accumulate,
    )
    teacher = None
    if flags.teacher:
        net = copy.deepcopy(trained.net).to(world.device)
        teacher = teacher_of(net, loading.calibration(calibrate))
    return Tuning(static, trainer, loading, options, teacher, flags.teacher)


def optimizer_of(static: nn.Module, options: TrainOptions) -> Optimizer:
    """The recipe's optimizer, over what `freeze` leaves; parts are called as in the network."""
    freeze(static, options.freeze)
    return build_optimizer(static, options.optimizer, options.no_decay, options.layer_decay)


def teacher_of(net: Any, batches: Batches | None) -> Teacher:
    """The largest sub-network in eval mode, its norms calibrated: running statistics of all sub-networks fit none."""
    plan = calibrated(net.eval(), net.plan("max"), batches)

    def teach(images: Inputs) -> Tensor:
        with torch.no_grad():
            output: Tensor = in_float32(run(net, images, plan))
            return output

    return teach


def gain(before: Score, after: Score, metric: Metric) -> str:
    """How the metric has changed."""
    shown = [metric.shown(score.value) for score in (before, after)]
    return f"test {metric.name}: {shown[0]} before, {shown[1]} after"
