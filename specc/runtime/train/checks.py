"""Bounds of what `[train]` may say, in settings.toml, by flags, and in the checkpoint of a run that goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, isfinite
from typing import Any, Final

from specc.runtime.train.recipe import OPTIMIZERS, SORTS

WHOLE: Final[Mapping[str, int]] = {
    "epochs": 1,
    "batch_size": 1,
    "accumulate": 1,
    "repeats": 1,
    "evaluate_every": 1,
    "calibrate": 0,
    "seed": 0,
}
"""Whole numbers, and the least of each."""

BETWEEN: Final[Mapping[str, tuple[float, float]]] = {
    "label_smoothing": (0, 1),
    "mixup": (0, inf),
    "cutmix": (0, inf),
    "clip": (0, inf),
    "ema": (0, 1),
    "lr": (0, inf),
    "momentum": (0, 1),
    "weight_decay": (0, inf),
    "beta1": (0, 1),
    "beta2": (0, 1),
    "alpha": (0, 1),
    "eps": (0, inf),
    "warmup": (0, inf),
    "warmup_from": (0, 1),
    "final": (0, inf),
    "gamma": (0, inf),
    "every": (0, inf),
    "std": (0, inf),
    "layer_decay": (0, 1),
}
"""Numbers, those of the optimizer and of the schedule among them, and the ends that they lie between."""

EPOCHS: Final[Mapping[str, str]] = {
    "milestones": "epochs",
    "restarts": "epochs",
    "warmups": "epochs",
    "peaks": "numbers",
}
"""Lists of numbers from 0 on."""

BELOW: Final = ("ema", "momentum", "beta1", "beta2", "alpha")
"""Numbers that stay below their upper end."""

TABLES: Final = ("optimizer", "schedule", "init")
LISTS: Final = ("no_decay", "augment", "freeze")
FLAGS: Final = ("amp", "zero_init_residual")
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {"start": (), "sort": SORTS}
"""Texts, and what they may be where that is not anything."""


def check_train(train: Mapping[str, Any]) -> None:
    """Exits where `[train]` says what no run can do, with all that is wrong."""
    if wrong := [*faults(train)]:
        raise SystemExit("\n".join(wrong))


def faults(train: Mapping[str, Any]) -> Iterator[str]:
    for name, value in train.items():
        if name in TABLES:
            if not isinstance(value, Mapping) or not isinstance(value.get("name"), str):
                yield f"{name} must be a table with a name: {value!r}"
            else:
                yield from (fault for key in value if (fault := of_number(key, value[key])))
                usual = OPTIMIZERS.get(value["name"], {}) if name == "optimizer" else {}
                yield from (f"{value['name']} lacks {key}" for key in usual if key not in value)
        elif name in LISTS:
            if not isinstance(value, (list, tuple)):
                yield f"{name} must be a list: {value!r}"
        elif name in FLAGS:
            if not isinstance(value, bool):
                yield f"{name} must be true or false: {value!r}"
        elif name in TEXTS:
            if not isinstance(value, str) or (TEXTS[name] and value not in TEXTS[name]):
                yield f"{name} must be {' or '.join(TEXTS[name]) or 'text'}: {value!r}"
        elif fault := of_number(name, value):
            yield fault


def of_number(name: str, value: Any) -> str:
    """What is wrong with a setting, "" if nothing is."""
    if name in WHOLE:
        if not isinstance(value, int) or isinstance(value, bool):
            return f"{name} must be a whole number: {value!r}"
        if name == "calibrate" and value == 1:  # a norm of vectors has no variance of one image
            return "calibrate must be 0, for none, or at least 2 images: 1"
        return f"{name} must be at least {WHOLE[name]}: {value}" if value < WHOLE[name] else ""
    if name in EPOCHS:
        wanted = isinstance(value, (list, tuple)) and all(is_number(m) and m >= 0 for m in value)
        return "" if wanted else f"{name} must be a list of {EPOCHS[name]}: {value!r}"
    if name not in BETWEEN:
        return ""
    low, high = BETWEEN[name]
    if not is_number(value):
        return f"{name} must be a number: {value!r}"
    if name == "layer_decay" and value == 0:
        return "layer_decay must be above 0: 0"
    if name in BELOW and value == high:
        return f"{name} must be below {high:g}: {value:g}"
    if not low <= value <= high:
        ends = f"at least {low:g}" if high == inf else f"between {low:g} and {high:g}"
        return f"{name} must be {ends}: {value:g}"
    return ""


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
