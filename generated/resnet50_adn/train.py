"""Trains the network of model.py, all its sub-networks together.

    python train.py
    python train.py --epochs 10 --lr 0.05 --amp
    python train.py --data-path DIR
    python train.py --start net.safetensors
    python train.py --resume runs/checkpoint.pt
    torchrun --nproc-per-node 4 train.py

settings.toml holds the recipe; flags override it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import torch

import adn
import space
from elastic.data.augment import Mixing
from elastic.data.datasets import check_classes, load_data
from elastic.data.images import Images
from elastic.data.loading import Loading
from elastic.layers.synced import synchronise
from elastic.outputs.classes import Classes
from elastic.run.distributed import World, join, leave, same_buffers
from elastic.run.progress import Bar, Log, Mean, seconds
from elastic.run.settings import read_settings
from elastic.train import checkpoint
from elastic.train.calibrate import calibrated
from elastic.train.evaluate import evaluate
from elastic.train.optim import build_optimizer, build_schedule, initialise, residual_ends
from elastic.train.options import TrainOptions, train_options
from elastic.train.resume import (
    Stopping,
    check_data,
    described,
    random_state,
    restore_random,
    resumed,
)
from elastic.train.scores import Score, check_scores, logged, summary
from elastic.train.start import freeze, start
from elastic.train.trainer import Trainer
from model import Model

IMAGE = (3, 224, 224)  # channels, height, width
TASK = Classes(1000)
METHOD = "adn"
# The outputs of the two sub-networks: the logits, then the features of the stages that can skip.
OUTPUTS = ["head", "s1", "s2", "s3", "s4"]


def main() -> None:
    options = train_options(read_settings(Path(__file__).with_name("settings.toml")))
    saved: dict[str, Any] = {}
    if options.resume:
        # The recipe and the data are those of the checkpoint; flags that contradict it are refused.
        options, saved = resumed(options, METHOD)
    world = join(options.device)
    loading = Loading(load_data(options.data, TASK), IMAGE, world, options.workers)
    check_classes(loading.data, TASK.count, saved)
    if world.main:
        print(loading.data.summary(TASK.count))

    checkpoint.seed_epoch(options.seed, -1)
    trainer = build_trainer(options, loading, world)
    if saved:
        trainer.restore(saved, loading.steps(options.batch_size), only_weights=options.test_only)
    if not options.test_only:
        check_data(saved, loading.data)
        train(trainer, loading, options, saved)
    for name, score in validate(trainer, loading, options, loading.data.test).items():
        if world.main:
            print(f"test {TASK.metrics[0].name}, {name}: {score.told(TASK.metrics)}")
    # Two sub-networks were trained; any subset of the sub-paths can be skipped.
    fitting, testing = loading.calibration(options.calibrate), loading.evaluation(loading.data.test)
    settings = adn.settings_table(trainer, space, fitting, testing)
    if world.main:
        print(settings)
    leave(world)


def build_trainer(options: TrainOptions, loading: Loading, world: World) -> Trainer:
    """The network, what optimizes it, and the loss."""
    net = Model()
    graph = Path(__file__).with_name("ir.json")
    initialise(net, options.init, residual_ends(graph) if options.zero_init_residual else ())
    # Channels last is how convolutions run fastest, on processors and on GPUs.
    net = net.to(world.device).to(memory_format=torch.channels_last)
    if options.start and not options.resume:
        here = Path(__file__).parent
        start(net, here / options.start, TASK.count, world)
    freeze(net, options.freeze)
    if options.flags.sync_bn:
        synchronise(net)
    optimizer = build_optimizer(net, options.optimizer, options.no_decay, options.layer_decay)
    steps = loading.steps(options.batch_size)
    return Trainer(
        net,
        optimizer,
        build_schedule(optimizer, options.schedule, options.epochs, steps),
        TASK.fitted(loading.data, options),
        world,
        amp=options.amp,
        clip=options.clip,
        ema=options.ema,
        parts=options.accumulate,
    )


def train(trainer: Trainer, loading: Loading, options: TrainOptions, saved: dict[str, Any]) -> None:
    """Trains from where `saved` was to the last epoch. Saves the run, its weights and metrics after every epoch."""
    world = trainer.world
    net: Any = trainer.net
    about = described(net, METHOD, options, loading.data)
    file = options.output_dir / "checkpoint.pt"
    begun, done = saved.get("epoch", 0), saved.get("batch", 0)  # epochs, and batches of the next
    log = Log(options.output_dir if world.main else None, begun)
    steps = loading.steps(options.batch_size)
    total = ((options.epochs - begun) * steps - done) * options.accumulate
    mixing = Mixing(options.mixup, options.cutmix, TASK.count)
    begun_at = time.perf_counter()
    plans = [net.plan(at, outputs=OUTPUTS) for at in adn.pair(space)]
    with Bar("training", total, world.main) as bar, Stopping(world) as stopping:
        for epoch in range(begun, options.epochs):
            # Every epoch seeds its random numbers, so that a resumed run repeats it exactly.
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
                first=done,
            )
            if done:  # the run was stopped in the middle of this epoch
                restore_random(saved.get("random"), rng, mean, world)
            for images, labels in trainer.watched(batches, epoch, file.parent, done, stopping.now):
                # Algorithm 1: the super-net learns the labels, the base-net the super-net's logits
                # and, stage by stage, its features; then one update for both.
                losses = adn.step(trainer, images, labels, plans)
                trainer.update()
                mean.add(losses[0])
                bar.advance(f"epoch {epoch + 1}/{options.epochs}")
            done = 0
            if stopping.now(sure=True):
                place: dict[str, Any] = {"epoch": epoch, "batch": trainer.updates - epoch * steps}
                place["random"] = random_state(rng, mean, world)
                if world.main:
                    checkpoint.save(file, about | place | trainer.state())
                stopping.leave(file)

            metrics = {"loss": mean.value(), "lr": trainer.optimizer.param_groups[0]["lr"]}
            last = epoch + 1 == options.epochs
            if last or (epoch + 1) % options.evaluate_every == 0:
                scores = validate(trainer, loading, options, loading.data.validation)
                check_scores(scores, epoch)
                metrics |= logged(scores, TASK.metrics)
                bar.say(
                    f"epoch {epoch + 1:3}/{options.epochs}  loss {metrics['loss']:.3f}  "
                    f"validation {summary(scores, TASK.metrics[0])}  ({seconds(begun_at)})"
                )
            log.write(epoch, **metrics)
            if world.main:
                state = about | {"epoch": epoch + 1} | trainer.state()
                checkpoint.save(file, state)
                checkpoint.save_weights(file.with_name("weights.safetensors"), state)
    log.close()


def validate(
    trainer: Trainer, loading: Loading, options: TrainOptions, images: Images
) -> dict[str, Score]:
    """Scores of those that represent all sub-networks."""
    subnets = {"super-net": space.largest(), "base-net": space.smallest()}
    net: Any = trainer.evaluated
    same_buffers(net, trainer.world)
    fitting = loading.calibration(options.calibrate)
    batches = loading.evaluation(images)
    scores = {}
    for name, at in subnets.items():
        plan = calibrated(net, net.plan(at), fitting)
        scores[name] = evaluate(net, plan, batches, trainer.task, trainer.world)
    return scores


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: --resume goes on after the last complete epoch") from None
