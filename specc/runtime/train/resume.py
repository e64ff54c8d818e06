"""Going on from a checkpoint: with its recipe and its data, and which flags may change what."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from torch import nn

from specc.runtime.data import datasets
from specc.runtime.data.images import Data
from specc.runtime.run.distributed import tell, warn
from specc.runtime.run.settings import data_settings
from specc.runtime.train import checkpoint
from specc.runtime.train.options import TrainOptions, overridden_train
from specc.runtime.train.schema import few

MAY_CHANGE: Final[Mapping[str, str]] = {
    "epochs": "the learning rate follows the schedule of the new number from here on",
    "batch_size": "the schedule and the place in it are counted in epochs",
    "accumulate": "",
    "amp": "",
    "calibrate": "",
    "evaluate_every": "",
}
"""The settings that a resumed run may change by flags, and what that does. Every other one has to stay as it was: the
optimizer, the schedule, augmentation and regularisation, the seed. Flags that say nothing of the recipe (--output-dir,
--device, --workers, --target, and --data-path, where the same data lies elsewhere) are free."""


def resumed(options: TrainOptions, method: str) -> tuple[TrainOptions, dict[str, Any]]:
    """The options of the run that a checkpoint is of, with what flags may change, and the checkpoint.

    Writes into the checkpoint's own folder, unless --output-dir names another. Exits where the checkpoint is of
    another method, or a flag contradicts it. With --test-only nothing can be contradicted: then all flags count.
    """
    assert options.resume is not None
    path, flags = options.resume, options.flags
    needs = (
        () if options.test_only else ("data", "epoch", "optimizer", "schedule", "scaler", "memory")
    )
    saved = checkpoint.load(path, needs=needs)
    found = replace(options, output_dir=flags.output_dir or path.parent)
    found = replace(found, data=data_settings({"data": saved.get("data", options.data)}, flags))
    base = options.settings
    if "recipe" in saved:
        base = completed(path, saved["recipe"], options.settings)
        found = replace(found, **overridden_train(base, flags))
    if options.test_only:
        # What a method has kept is of no use to another one.
        return found, saved if saved.get("method") == method else {**saved, "memory": None}

    if saved.get("method", method) != method:
        raise SystemExit(
            f"{path} was trained by {saved['method']}, and this project trains by {method}: "
            "--test-only evaluates it"
        )
    if "recipe" not in saved:
        warn(f"{path} does not hold its recipe: settings.toml and the flags are taken for it")
        return found, saved
    changes = [
        *changed(base, recipe_of(found)),
        *changed_data(saved["data"], found.data),
    ]
    if refused := [change for change in changes if change[0] not in MAY_CHANGE]:
        told = "; ".join(f"{name} was {old!r}, now {new!r}" for name, old, new in refused)
        raise SystemExit(
            f"--resume {path} goes on with the recipe of the checkpoint, and flags ask for another: {told}. "
            "Leave them out, or start a new run"
        )
    if found.epochs < saved["epoch"]:
        raise SystemExit(
            f"{path} has been trained for {saved['epoch']} epochs, more than --epochs {found.epochs}: "
            "--test-only evaluates it"
        )
    tell(
        f"{path}: goes on after {saved['epoch']} of {found.epochs} epochs, writes into {found.output_dir}"
    )
    for name, old, new in changes:
        effect = MAY_CHANGE[name]
        tell(f"{name} was {old!r}, now {new!r}" + (f": {effect}" if effect else ""))
        if name == "batch_size":
            saved["batch"] = saved.get("batch", 0) * old // new
    if edited := [
        name for name, _, _ in changed(saved.get("settings", options.settings), options.settings)
    ]:
        warn(f"settings.toml has changed since ({', '.join(edited)}): the run goes on as it began")
    return found, saved


def completed(path: Path, recipe: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The recipe of a checkpoint, with what another version of this project did not write down."""
    if foreign := [name for name in recipe if name not in settings]:
        raise SystemExit(
            f"the recipe in {path} has settings that this project does not have: {few(foreign)}"
        )
    if lacking := [name for name in settings if name not in recipe]:
        warn(f"the recipe in {path} lacks {few(lacking)}: taken from settings.toml")
    return {**settings, **recipe}


def described(net: nn.Module, method: str, options: TrainOptions, data: Data) -> dict[str, Any]:
    """What a checkpoint of a run says beside its state: of which network, method, data and recipe it is."""
    return {
        **checkpoint.identity(net, method, getattr(data, "names", None)),
        "data": plain(options.data),
        "images": outline(data),
        "recipe": recipe_of(options),
        "settings": plain(options.settings),
    }


def recipe_of(options: TrainOptions) -> dict[str, Any]:
    """The settings of `[train]` as they hold for this run: what a checkpoint keeps as its `recipe`."""
    return {name: plain(getattr(options, name)) for name in options.settings}


def plain(value: Any) -> Any:
    """Settings without anything but dicts, lists, numbers and text."""
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def changed(
    old: Mapping[str, Any], new: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Any, Any]]:
    """The settings that differ, as (name, old, new); those of a table by their own names: `optimizer.lr`."""
    for name in [*old, *(name for name in new if name not in old)]:
        before, now = old.get(name), new.get(name)
        if isinstance(before, Mapping) and isinstance(now, Mapping):
            if before.get("name") != now.get("name"):
                yield f"{path}{name}", before.get("name"), now.get("name")
            else:
                yield from changed(before, now, f"{path}{name}.")
        elif unordered(name, before) != unordered(name, now):
            yield f"{path}{name}", before, now


def unordered(name: str, value: Any) -> Any:
    """A setting for comparison: the kinds of parameters that are not decayed have no order."""
    return sorted(map(str, value)) if name == "no_decay" and isinstance(value, list) else value


def changed_data(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Of `[data]` as well; where it lies may change, as long as `check_data` finds the same there."""
    for name, before, now in changed(old, new, "data."):
        same = name == "data.name" and datasets.plain(before) == datasets.plain(now)
        if name != "data.path" and not same:
            yield name, before, now


def outline(data: Data) -> dict[str, dict[str, Any]]:
    """What a checkpoint keeps of the images of each part: how many, a hash of the labels, and one of the content.

    Of images on disk the names stand for the content: nobody waits for all of ImageNet to be read.
    """
    parts = {"training": data.train, "validation": data.validation, "test": data.test}
    return {
        name: {
            "images": len(part),
            "labels": hashlib.sha256(repr(tuple(part.labels)).encode()).hexdigest()[:16],
            "content": part.digest(files=False),
        }
        for name, part in parts.items()
    }


def check_data(saved: Mapping[str, Any], data: Data) -> None:
    """Exits where a run would go on with other images than it began with."""
    before, now = saved.get("images"), outline(data)
    if before is None:
        return
    for name, part in now.items():
        old = before.get(name, {})
        if old.get("images") != part["images"]:
            raise SystemExit(
                f"the data has changed since the run began: {old.get('images')} {name} images then, "
                f"{part['images']} now. Start a new run"
            )
        if old.get("labels") != part["labels"]:
            raise SystemExit(f"the labels of the {name} images have changed since the run began")
        if old.get("content") != part["content"]:
            warn(f"the {name} images have changed since the run began")
