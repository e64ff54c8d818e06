"""Trains the network of model.py, all its sub-networks together.

    python train.py
    python train.py --epochs 10 --lr 0.05 --amp
    python train.py --data-path DIR
    python train.py --resume runs/checkpoint.pt
    torchrun --nproc-per-node 4 train.py

settings.toml holds the recipe; flags override it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

import space
from elastic import awn, checkpoint
from elastic.datasets import load_data
from elastic.distributed import World, join, leave
from elastic.evaluate import Score
from elastic.images import Images
from elastic.initial import initialise, residual_ends
from elastic.loading import Loading
from elastic.mixing import Mixing
from elastic.optim import build_optimizer, build_schedule
from elastic.options import TrainOptions, read_settings, train_options
from elastic.progress import Bar, Log, Mean, seconds
from elastic.trainer import Trainer
from model import Model

IMAGE = (1, 28, 28)  # channels, height, width
CLASSES = 10
# Widths a step, the widest and the narrowest among them.
WIDTHS = 4
# Evenly spaced widths that are evaluated; their mean is the AUC.
JUDGED = 10


def main() -> None:
    options = train_options(read_settings(Path(__file__).with_name("settings.toml")))
    world = join(options.device)
    loading = Loading(load_data(options.data), IMAGE, world, options.workers)
    if loading.data.classes > CLASSES:
        raise SystemExit(f"the data has {loading.data.classes} classes, the network {CLASSES}")
    if world.main:
        print(loading.data.summary())

    checkpoint.seed_epoch(options.seed, -1)
    trainer = build_trainer(options, loading, world)
    epoch = 0
    if options.resume:
        saved = checkpoint.load(options.resume, world.device)
        trainer.restore(saved)
        epoch = saved["epoch"]
    if not options.test_only:
        train(trainer, loading, options, epoch)
    for name, score in judge(trainer, loading, options, loading.data.test).items():
        if world.main:
            print(f"test accuracy, {name}: {score.accuracy:.2%} of {score.images} images")
    found = awn.curve_table(trainer, space, loading.evaluation(loading.data.test), JUDGED)
    if world.main:
        print(found)
    leave(world)


def build_trainer(options: TrainOptions, loading: Loading, world: World) -> Trainer:
    """The network, what optimizes it, and the loss."""
    net = Model()
    graph = Path(__file__).with_name("ir.json")
    initialise(net, options.init, residual_ends(graph) if options.zero_init_residual else ())
    # Channels last is how convolutions run fastest, on processors and on GPUs.
    net = net.to(world.device).to(memory_format=torch.channels_last)
    optimizer = build_optimizer(net, options.optimizer, options.no_decay)
    steps = loading.steps(options.batch_size)
    return Trainer(
        net,
        optimizer,
        build_schedule(optimizer, options.schedule, options.epochs, steps),
        nn.CrossEntropyLoss(label_smoothing=options.label_smoothing),
        world,
        amp=options.amp,
        clip=options.clip,
        ema=options.ema,
        parts=options.accumulate,
    )


def train(trainer: Trainer, loading: Loading, options: TrainOptions, first: int) -> None:
    """From epoch `first` to the last. Writes a checkpoint and metrics after every epoch."""
    world = trainer.world
    net: Any = trainer.net
    log = Log(options.output_dir if world.main else None, first)
    steps = (options.epochs - first) * loading.steps(options.batch_size) * options.accumulate
    mixing = Mixing(options.mixup, options.cutmix, CLASSES)
    start = time.perf_counter()
    with Bar("training", steps, world.main) as bar:
        for epoch in range(first, options.epochs):
            # Every epoch starts its random numbers anew, so that a resumed run repeats it exactly.
            rng = checkpoint.seed_epoch(options.seed, epoch, world.rank)
            net.train()
            mean = Mean()
            batches = loading.training(
                options.batch_size,
                options.augment,
                options.seed,
                epoch,
                repeats=options.repeats,
                parts=options.accumulate,
                mixing=mixing,
            )
            for images, labels in batches:
                # The widest, the narrowest and some drawn in between learn the labels; then one
                # update for all of them. A channel is the same at every width, so one norm fits all.
                plans = [net.plan(at) for at in awn.widths(space, rng, WIDTHS)]
                losses = awn.step(trainer, images, labels, plans)
                trainer.update()
                mean.add(losses[0])
                bar.advance(f"epoch {epoch + 1}/{options.epochs}")

            metrics = {"loss": mean.value(), "lr": trainer.optimizer.param_groups[0]["lr"]}
            last = epoch + 1 == options.epochs
            if last or (epoch + 1) % options.evaluate_every == 0:
                scores = judge(trainer, loading, options, loading.data.validation)
                metrics |= {f"accuracy/{name}": score.accuracy for name, score in scores.items()}
                shown = ", ".join(f"{name} {score.accuracy:.1%}" for name, score in scores.items())
                bar.say(
                    f"epoch {epoch + 1:3}/{options.epochs}  loss {metrics['loss']:.3f}  "
                    f"validation accuracy: {shown}  ({seconds(start)})"
                )
            log.write(epoch, **metrics)
            if world.main:
                state: dict[str, Any] = {"epoch": epoch + 1, "data": dict(options.data)}
                checkpoint.save(options.output_dir / "checkpoint.pt", state | trainer.state())
    log.close()


def judge(
    trainer: Trainer, loading: Loading, options: TrainOptions, images: Images
) -> dict[str, Score]:
    """Scores of those that stand for all sub-networks."""
    return awn.judge(trainer, space, loading.evaluation(images), JUDGED)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: --resume goes on after the last complete epoch") from None
