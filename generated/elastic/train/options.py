"""What train.py does: `[train]` of settings.toml and the flags that override it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elastic.run.flag_types import integer, share
from elastic.run.flags import Flags
from elastic.run.settings import common_flags, complete, data_settings, known
from elastic.train.checks import check_train
from elastic.train.recipe import recipe_flags, with_flags


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """What train.py does: `[train]` of settings.toml, with flags applied, and where it reads and writes.

    `settings` is `[train]` as settings.toml has it, `flags` the command line.
    """

    epochs: int
    batch_size: int
    optimizer: Mapping[str, Any]
    schedule: Mapping[str, Any]
    no_decay: Sequence[str]
    init: Mapping[str, Any]
    zero_init_residual: bool
    label_smoothing: float
    mixup: float
    cutmix: float
    repeats: int
    accumulate: int
    clip: float
    augment: Sequence[Mapping[str, Any]]
    amp: bool
    ema: float
    calibrate: int
    evaluate_every: int
    seed: int
    data: Mapping[str, Any]
    device: str
    workers: int
    output_dir: Path
    resume: Path | None
    test_only: bool
    settings: Mapping[str, Any]
    flags: argparse.Namespace
    target: float | None = None


def train_options(settings: Mapping[str, Any], argv: Sequence[str] | None = None) -> TrainOptions:
    """`[train]` and the command line. Exits with status 2 on a wrong flag, with a message on a wrong setting."""
    parser = Flags(
        description="Trains the network. settings.toml holds the defaults of most flags."
    )
    add = parser.add_argument
    common_flags(parser)
    recipe_flags(parser)
    add(
        "--calibrate",
        type=integer,
        metavar="N",
        help="images for batch-norm calibration before evaluation",
    )
    add("--evaluate-every", type=integer, metavar="EPOCHS")
    add("--sync-bn", action="store_true", help="synchronise batch norms across processes")
    add("--resume", type=Path, metavar="FILE", help="continue from a checkpoint")
    add(
        "--test-only",
        action="store_true",
        help="evaluate the checkpoint of --resume without training",
    )
    add(
        "--target",
        type=share,
        metavar="SHARE",
        help="report the finest label level each sub-network predicts with this accuracy",
    )
    flags = parser.parse_args(argv)

    complete(settings["train"], TrainOptions, "train")
    if flags.test_only and flags.resume is None:
        parser.error("--test-only needs a checkpoint: --resume FILE")
    try:
        train = overridden_train(settings["train"], flags)
    except SystemExit:
        if flags.resume is None:
            raise
        train = dict(settings["train"])  # which flags fit, the checkpoint's recipe decides
    return TrainOptions(
        **known(train, TrainOptions, "train"),
        # Of a run that goes on, the path is that of the checkpoint's data set.
        data=dict(settings["data"])
        if flags.resume and not flags.dataset
        else data_settings(settings, flags),
        device=flags.device,
        workers=flags.workers,
        output_dir=flags.output_dir or Path("runs"),
        resume=flags.resume,
        test_only=flags.test_only,
        settings=settings["train"],
        flags=flags,
        target=flags.target,
    )


def overridden_train(train: Mapping[str, Any], flags: argparse.Namespace) -> dict[str, Any]:
    """`[train]` with all flags applied that say something of it. Exits where a value is out of its bounds."""
    check_train(train)
    found = with_flags(train, flags)
    for name in ("calibrate", "evaluate_every", "seed"):
        if getattr(flags, name) is not None:
            found[name] = getattr(flags, name)
    check_train(found)
    return found
