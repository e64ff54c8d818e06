"""settings.toml and the flags that override it, spelled as torchvision's reference scripts spell them."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from specc.runtime.run.flag_types import cost, integer, share, whole
from specc.runtime.search.checks import (
    OBJECTIVES,
    STRATEGIES,
    STRATEGY,
    check_search,
    crossed,
)
from specc.runtime.train.checks import check_train
from specc.runtime.train.recipe import recipe_flags, with_flags


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


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """What search.py does: `[search]` of settings.toml, with flags applied, and where it reads and writes.

    `data` is None where the data set is to be the one that the checkpoint was trained on, which now lies at `data_path`
    if it moved.
    """

    objectives: Sequence[str]
    strategy: Mapping[str, Any]
    budgets: Sequence[Mapping[str, Any]]
    calibrate: int
    seed: int
    data: Mapping[str, Any] | None
    device: str
    workers: int
    output_dir: Path
    checkpoint: Path
    latency_table: Path | None = None
    data_path: str | None = None


def read_settings(path: Path) -> dict[str, Any]:
    """The content of settings.toml. Exits with the line where it is no TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise SystemExit(f"{path.name}: {error}") from None


def common_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that all scripts have."""
    add = parser.add_argument
    add("--dataset", metavar="NAME", help="data set: cifar10, imagenet, folder, ...")
    add("--data-path", metavar="DIR", help="its folder; nothing is downloaded")
    add("--device", default="", help="cpu, cuda, cuda:1, ... (default: a GPU if available)")
    add(
        "-j",
        "--workers",
        type=whole(0),
        default=min(4, cores()),
        metavar="N",
        help="data-loading processes (default: 4, at most one per core)",
    )
    add("--output-dir", type=Path, metavar="DIR", help="default: runs")
    add("--seed", type=integer)


def cores() -> int:
    """The processor's cores that this process may use."""
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


PATHLESS = ("digits", "glyphs")
"""The data sets that come with scikit-learn, or are rendered."""


def data_settings(settings: Mapping[str, Any], flags: argparse.Namespace) -> dict[str, Any]:
    """`[data]` with --dataset and --data-path applied."""
    data = dict(settings["data"])
    if flags.dataset:
        data["name"] = flags.dataset
    return at_path(data, flags.data_path)


def at_path(data: Mapping[str, Any], path: str | None) -> dict[str, Any]:
    """`[data]` with another path, if one is given. Exits where the data set is read from none: another was meant."""
    if not path:
        return dict(data)
    if data["name"] in PATHLESS:
        raise SystemExit(
            f"--data-path {path}: {data['name']} is not read from there; "
            "name the data set that is, as in --dataset folder"
        )
    return {**data, "path": path}


def train_options(settings: Mapping[str, Any], argv: Sequence[str] | None = None) -> TrainOptions:
    """`[train]` and the command line. Exits with status 2 on a wrong flag, with a message on a wrong setting."""
    parser = argparse.ArgumentParser(
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


def search_options(settings: Mapping[str, Any], argv: Sequence[str] | None = None) -> SearchOptions:
    """`[search]` and the command line."""
    parser = argparse.ArgumentParser(
        description="Finds the Pareto-optimal sub-networks of a trained network."
    )
    add = parser.add_argument
    common_flags(parser)
    add(
        "--checkpoint",
        type=Path,
        metavar="FILE",
        help="default: checkpoint.pt in the output folder",
    )
    text = "objectives beside accuracy, which always counts"
    add("--objectives", nargs="+", choices=OBJECTIVES, help=text)
    add("--strategy", choices=STRATEGIES)
    add(
        "--evaluations", type=whole(1), metavar="N", help="total number of sub-networks to evaluate"
    )
    add("--max-macs", type=cost, metavar="N", help="per image, as in 20e6")
    add("--max-params", type=cost, metavar="N")
    add("--max-latency", type=cost, metavar="MS", help="measured milliseconds per image")
    text = "predict latencies with a table of bench.py --table instead of measuring"
    add("--latency-table", type=Path, metavar="FILE", help=text)
    add("--max-memory", type=cost, metavar="BYTES", help="peak activation memory")
    for name in UNITS:
        add(f"--min-{name}", type=cost, metavar="N", help="as --max-" + name)
    add(
        "--calibrate",
        type=whole(0),
        metavar="N",
        help="images for batch-norm calibration of each candidate",
    )
    flags = parser.parse_args(argv)

    complete(settings["search"], SearchOptions, "search")
    check_search(settings["search"])
    search = dict(settings["search"])
    for name in ("objectives", "calibrate", "seed"):
        if getattr(flags, name) is not None:
            search[name] = getattr(flags, name)
    strategy = dict(search["strategy"])
    if flags.strategy:
        strategy["name"] = flags.strategy
    if flags.evaluations is not None:
        strategy["evaluations"] = flags.evaluations
    search["strategy"] = {**STRATEGY, **strategy}
    search["budgets"] = budgets(search["budgets"], flags)
    for fault in crossed(search["budgets"]):
        parser.error(fault)
    folder = flags.output_dir or Path("runs")
    return SearchOptions(
        **known(search, SearchOptions, "search"),
        data=data_settings(settings, flags) if flags.dataset else None,
        data_path=flags.data_path,
        device=flags.device,
        workers=flags.workers,
        output_dir=folder,
        checkpoint=flags.checkpoint or folder / "checkpoint.pt",
        latency_table=flags.latency_table,
    )


UNITS: Final[Mapping[str, int]] = {"macs": 1, "params": 1, "latency": 1000, "memory": 1}
"""The costs that can be limited, and how many of the flags' units make one of the settings'."""


def budgets(
    settings: Sequence[Mapping[str, Any]], flags: argparse.Namespace
) -> list[dict[str, Any]]:
    """The limits of settings.toml; where there are flags for a cost, theirs alone."""
    found = [dict(budget) for budget in settings]
    for name, unit in UNITS.items():
        limits = {
            "most": getattr(flags, f"max_{name}"),
            "least": getattr(flags, f"min_{name}"),
        }
        # Rounded, so that a limit of 2.466049 ms is what a latency of 2466049 ns is in seconds.
        given = {end: round(value / unit, 12) for end, value in limits.items() if value is not None}
        if given:
            found = [budget for budget in found if budget["name"] != name]
            found.append({"name": name, **given})
    return found


FLAGS_ONLY = (
    "checkpoint",
    "data",
    "device",
    "flags",
    "latency_table",
    "data_path",
    "output_dir",
    "resume",
    "settings",
    "target",
    "test_only",
    "workers",
)
"""What the options hold beside the settings: what only flags say, and the table [data]."""


def complete(section: Mapping[str, Any], options: type, title: str) -> None:
    """Exits where settings.toml lacks a key."""
    for field in fields(options):
        if field.name not in section and field.name not in FLAGS_ONLY:
            raise SystemExit(f"settings.toml: [{title}] lacks the setting {field.name!r}")


def known(section: Mapping[str, Any], options: type, title: str) -> dict[str, Any]:
    """The section as keyword arguments. Exits where settings.toml has a key that nothing reads."""
    names = {field.name for field in fields(options)}
    for key in section:
        if key not in names:
            raise SystemExit(f"settings.toml: [{title}] has no setting {key!r}")
    return dict(section)
