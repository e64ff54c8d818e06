"""settings.toml and the flags that all scripts have, spelled as torchvision's reference scripts spell them."""

from __future__ import annotations

import argparse
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from specc.portable.run.flags import integer, whole


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


PATHLESS = ("digits", "glyphs", "scenes", "sounds", "iris", "wine", "breast_cancer", "diabetes")
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


FLAGS_ONLY = (
    "checkpoint",
    "data",
    "device",
    "flags",
    "latency_table",
    "loss",
    "data_path",
    "output_dir",
    "resume",
    "settings",
    "start_from",
    "target",
    "test_only",
    "workers",
)
"""What settings need not hold: what only flags say, the table [data], and the loss where it is the usual one."""


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
