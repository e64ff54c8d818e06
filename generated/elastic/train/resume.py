"""Runs that stop and go on. On SIGTERM, by which clusters take a machine back, a run finishes its step, writes a
checkpoint and leaves; from a checkpoint it goes on with its recipe and its data, and few flags may change anything.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Final, NoReturn, Self

import torch
from torch import nn

from elastic.data import datasets
from elastic.data.images import Data
from elastic.run.distributed import World, gather, tell, total, warn
from elastic.run.progress import Mean
from elastic.run.settings import data_settings
from elastic.train import checkpoint
from elastic.train.checkpoint import few
from elastic.train.options import TrainOptions, overridden_train

EVERY: Final = 10
"""Several processes agree on whether to stop once in so many steps."""


class Stopping:
    """Whether the run was asked to stop. As a context it listens to SIGTERM; a second one ends the process at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.asked = False
        self.calls = 0
        self.before: Any = None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self.before = signal.signal(signal.SIGTERM, self.hear)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.before is not None:
            signal.signal(signal.SIGTERM, self.before)

    def hear(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        self.asked = True

    def now(self, sure: bool = False) -> bool:
        """Whether to stop here, the same in all processes, which have to ask as often as each other.

        Several processes only find out once in a while, unless they have to be `sure`.
        """
        self.calls += 1
        if self.world.size > 1 and (sure or self.calls % EVERY == 0):
            asked = torch.tensor(float(self.asked), device=self.world.device)
            return bool(total(asked, self.world))
        return self.asked and self.world.size == 1

    def leave(self, checkpoint: Path) -> NoReturn:
        """Ends the process as SIGTERM would have."""
        tell(f"terminated: --resume {checkpoint} goes on with the next step", sys.stderr)
        raise SystemExit(128 + signal.SIGTERM)


def random_state(rng: random.Random, mean: Mean, world: World) -> list[dict[str, Any]]:
    """Where each process is in its random numbers, in the middle of an epoch, and in the mean of its losses."""
    own: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "subnets": rng.getstate(),
        "loss": 0.0 if mean.total is None else float(mean.total),
        "steps": mean.count,
    }
    if world.device.type == "cuda":
        own["cuda"] = torch.cuda.get_rng_state(world.device)
    return gather([own], world)


def restore_random(states: Any, rng: random.Random, mean: Mean, world: World) -> None:
    """Goes on where `random_state` was. Processes that were not there begin anew. Exits where the state is corrupt."""
    try:
        if world.rank >= len(states):
            return
        own: Mapping[str, Any] = states[world.rank]
        torch.set_rng_state(own["torch"].cpu())
        random.setstate(listed(own["python"]))
        rng.setstate(listed(own["subnets"]))
        mean.total = torch.tensor(float(own["loss"]), dtype=torch.float64, device=world.device)
        mean.count = int(own["steps"])
        if world.device.type == "cuda" and "cuda" in own:
            torch.cuda.set_rng_state(own["cuda"].cpu(), world.device)
    except (TypeError, KeyError, ValueError, AttributeError, RuntimeError) as error:
        raise SystemExit(f"the random numbers of the checkpoint are corrupt: {error}") from None


def listed(state: Any) -> Any:
    """A state of Python's generator, whose parts are tuples."""
    version, numbers, gauss = state
    return version, tuple(numbers), gauss


MAY_CHANGE: Final[Mapping[str, str]] = {
    "epochs": "the learning rate follows the schedule of the new number from here on",
    "batch_size": "the schedule and the place in it are counted in epochs",
    "accumulate": "",
    "amp": "",
    "calibrate": "",
    "evaluate_every": "",
    "start": "weights are those of the checkpoint",
    "sort": "channels are sorted at the start alone",
}
"""The settings that a resumed run may change by flags, and what that does. Every other one has to stay as it was: the
optimizer, the schedule, augmentation and regularisation, the seed. Flags that say nothing of the recipe (--output-dir,
--device, --workers, --target, and --data-path, where the same data lies elsewhere) are free."""

LATER: Final[Mapping[str, Any]] = {"start": "", "sort": "l1", "freeze": [], "layer_decay": 1}
"""Settings that recipes of the first version do not have, and what these stand at."""


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
    lacking = [name for name in settings if name not in recipe]
    if lacking := [name for name in lacking if settings[name] != LATER.get(name)]:
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
    """What a checkpoint keeps of the images of each part: how many, a hash of the targets, and one of the content.

    Of images on disk the names stand for the content: nobody waits for all of ImageNet to be read.
    """
    parts = {"training": data.train, "validation": data.validation, "test": data.test}
    return {
        name: {
            "images": len(part),
            "labels": part.answers(),
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
