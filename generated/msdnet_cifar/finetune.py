"""Trains one sub-network further, alone, and exports it as export.py does.

    python finetune.py --at 3 --epochs 10     the third of pareto.json; or max, min, CHOICE=OPTION,...
    python finetune.py --max-macs 200e3       of pareto.json, the most accurate within this budget
    python finetune.py --at min --teacher 0.5 half of the loss is the distance to the largest's outputs

It has norms of its own and starts from runs/checkpoint.pt, at a tenth of the recipe's learning rate.
Flags of train.py change the recipe.
"""

from __future__ import annotations

from pathlib import Path

import space
from elastic.data.augment import Mixing
from elastic.deploy.checked import finish
from elastic.deploy.choosing import calibration, wanted
from elastic.deploy.exporting import export
from elastic.deploy.finetuning import Tuning, extracted, finetune_flags, gain
from elastic.deploy.several import announce
from elastic.net.plan import short
from elastic.outputs.classes import Classes
from elastic.run.progress import Bar
from elastic.run.settings import read_settings
from elastic.train import checkpoint
from elastic.train.calibrate import calibrated
from elastic.train.trained import load_trained
from model import Model

NAME = "msdnet_cifar"
IMAGE = (3, 32, 32)  # channels, height, width
TASK = Classes(100)
NAMES = ["images"]  # of the inputs, in the ONNX file
SETTINGS = Path(__file__).with_name("settings.toml")


def main() -> None:
    flags, options = finetune_flags(read_settings(SETTINGS))
    data = flags.data_path
    trained = load_trained(Model(), flags.checkpoint, IMAGE, TASK, data_path=data)
    ((_, point),) = wanted(space, flags, trained.origin(), first=trained.first()).items()
    announce(point)
    count = calibration(flags, SETTINGS)
    images = trained.loading.calibration(count)
    plan = calibrated(trained.net, trained.net.plan(point.at), images)
    tuning = extracted(trained, plan, flags, options, count)
    before = tuning.score()
    train(tuning, flags.output_dir)
    after = tuning.score()
    print(gain(before, after, TASK.metrics[0]))
    folder, called = flags.output_dir / "export", f"{short(point.at, 60)}, trained further"
    known = {"macs": point.macs, "params": point.params, TASK.metrics[0].key: round(after.value, 5)}
    finish([export(trained, NAME, NAMES, folder, flags, plan, called, known, tuning.static.cpu())])


def train(tuning: Tuning, folder: Path) -> None:
    """Trains to the last epoch."""
    trainer, loading, options = tuning.trainer, tuning.loading, tuning.options
    mixing = Mixing(options.mixup, options.cutmix, TASK.count)
    steps = loading.steps(options.batch_size) * options.accumulate
    with Bar("training", options.epochs * steps) as bar:
        for epoch in range(options.epochs):
            checkpoint.seed_epoch(options.seed, epoch)
            trainer.net.train()
            batches = loading.training(
                options.batch_size,
                options.augment,
                options.seed,
                epoch,
                repeats=options.repeats,
                parts=options.accumulate,
                mixing=mixing,
            )
            for images, labels in trainer.watched(batches, epoch, folder):
                for _ in trainer.passes([None]):
                    trainer.backward(tuning.loss(images, labels))
                trainer.update()
                bar.advance(f"epoch {epoch + 1}/{options.epochs}")
    trainer.net.eval()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: nothing was written") from None
