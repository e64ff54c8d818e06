"""What train.py does: `[train]` of settings.toml and the flags that override it, spelled as torchvision's reference
script spells them; and the bounds of every setting, whether it comes from there or from a checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from pathlib import Path
from typing import Any, Final

from elastic.run.flags import Flags, integer, real, share
from elastic.run.settings import common_flags, complete, data_settings, known

OPTIMIZERS: Mapping[str, Mapping[str, Any]] = {
    "sgd": {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.0, "nesterov": False},
    "adamw": {"lr": 1e-3, "weight_decay": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8},
    "rmsprop": {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.0, "alpha": 0.9, "eps": 0.0316},
}
SCHEDULES: Mapping[str, Mapping[str, Any]] = {
    "constant": {},
    "cosine": {"final": 0.0},
    "linear": {"final": 0.0},
    "multistep": {"milestones": [0.5, 0.75], "gamma": 0.1},
    "exponential": {"gamma": 0.97, "every": 1},
}
SORTS = ("l1", "l2", "taylor", "tas", "none")
POLICIES: Mapping[str, Mapping[str, Any]] = {
    "ra": {"name": "randaugment", "operations": 2, "magnitude": 9},
    "ta_wide": {"name": "trivialaugment"},
    "imagenet": {"name": "autoaugment", "policy": "imagenet"},
    "cifar10": {"name": "autoaugment", "policy": "cifar10"},
    "svhn": {"name": "autoaugment", "policy": "svhn"},
}
"""What `--auto-augment` may say, as words of the spec's `augment=[...]`."""

SPARED: Mapping[str, tuple[str, ...]] = {
    "norm_weight_decay": ("norm",),
    "bias_weight_decay": ("bias",),
    "transformer_embedding_decay": ("position", "class_token"),
}
"""The flags that say how parameters of some kinds decay: not at all (0), or like all others."""


def recipe_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the flags. One that is not given is None."""
    add = parser.add_argument
    add("--epochs", type=integer)
    add("-b", "--batch-size", type=integer, help="images per step, over all processes")
    add("--accumulate", type=integer, metavar="N", help="split each batch into N parts")
    add("--opt", choices=sorted(OPTIMIZERS))
    add("--lr", type=real)
    add("--momentum", type=real)
    add("--wd", "--weight-decay", type=real, dest="weight_decay")
    for flag in SPARED:
        add(f"--{flag.replace('_', '-')}", type=real, metavar="W", help="0: none")
    add("--lr-scheduler", type=ours, choices=sorted(SCHEDULES))
    add("--lr-warmup-epochs", type=real)
    add("--lr-warmup-decay", type=real, metavar="SHARE", help="initial warm-up rate / peak rate")
    add("--lr-milestones", type=real, nargs="+", metavar="EPOCH")
    add("--lr-step-size", type=real, metavar="EPOCHS", help="epochs between drops (exponential)")
    add("--lr-gamma", type=real)
    add("--label-smoothing", type=real)
    add("--mixup-alpha", type=real, dest="mixup", metavar="A")
    add("--cutmix-alpha", type=real, dest="cutmix", metavar="A")
    add("--auto-augment", choices=sorted(POLICIES), help="replace the recipe's policy")
    add("--random-erase", type=real, metavar="P", help="random-erasing probability")
    add("--ra-sampler", action=argparse.BooleanOptionalAction, help="repeated augmentation")
    add("--ra-reps", type=integer, metavar="N", help="repetitions per image (default 3)")
    add("--clip-grad-norm", type=real, dest="clip")
    add("--amp", action=argparse.BooleanOptionalAction, help="mixed precision")
    add(
        "--model-ema",
        action=argparse.BooleanOptionalAction,
        help="evaluate a moving average of the weights",
    )
    add("--model-ema-decay", type=real, metavar="D")


PLAIN = (
    "epochs",
    "batch_size",
    "accumulate",
    "label_smoothing",
    "mixup",
    "cutmix",
    "clip",
    "amp",
)
"""Flags that say what the setting of the same name says."""


def with_flags(train: Mapping[str, Any], flags: argparse.Namespace) -> dict[str, Any]:
    """`[train]` of settings.toml with the flags applied. Exits where the two don't go together."""
    found = dict(train)
    for name in PLAIN:
        if getattr(flags, name) is not None:
            found[name] = getattr(flags, name)
    found["optimizer"] = overridden(
        train["optimizer"],
        OPTIMIZERS,
        flags.opt,
        lr=flags.lr,
        momentum=flags.momentum,
        weight_decay=flags.weight_decay,
    )
    found["schedule"] = overridden(
        train["schedule"],
        SCHEDULES,
        flags.lr_scheduler,
        warmup=flags.lr_warmup_epochs,
        warmup_from=flags.lr_warmup_decay,
        milestones=flags.lr_milestones,
        gamma=flags.lr_gamma,
        every=flags.lr_step_size,
    )
    found["no_decay"] = spared(train["no_decay"], flags, found["optimizer"]["weight_decay"])
    found["augment"] = augmented(train["augment"], flags.auto_augment, flags.random_erase)
    if flags.ra_reps is not None or flags.ra_sampler is not None:
        usual = train["repeats"] if train["repeats"] > 1 else 3
        found["repeats"] = 1 if flags.ra_sampler is False else flags.ra_reps or usual
    if flags.model_ema is not None or flags.model_ema_decay is not None:
        decay = flags.model_ema_decay or train["ema"] or 0.999
        found["ema"] = 0.0 if flags.model_ema is False else decay
    return found


def spared(kinds: list[str], flags: argparse.Namespace, general: float) -> list[str]:
    """The kinds of parameters without weight decay, with the flags on some of them applied."""
    found = list(kinds)
    for flag, named in SPARED.items():
        decay = getattr(flags, flag)
        if decay is None:
            continue
        if decay not in (0, general):
            shown = f"--{flag.replace('_', '-')}"
            raise SystemExit(f"{shown} is 0 or that of all parameters, {general:g}")
        found = [kind for kind in found if kind not in named]
        if decay == 0:
            found += named
    return found


def augmented(
    words: list[dict[str, Any]], policy: str | None, erased: float | None
) -> list[dict[str, Any]]:
    """The words of `augment`, with another policy instead of the old one, and another share erased."""
    learnt = {word["name"] for word in POLICIES.values()}
    found = list(words)
    if policy is not None:
        at = next((i for i, word in enumerate(found) if word["name"] in learnt), len(found))
        found[at : at + 1] = [dict(POLICIES[policy])]
    if erased is not None:
        found = [word for word in found if word["name"] != "erase"]
        found += [{"name": "erase", "probability": erased}] if erased else []
    return found


def ours(name: str) -> str:
    """torchvision names schedules after torch's classes: cosineannealinglr is cosine, steplr has even steps."""
    plain = name.lower().removesuffix("lr").removesuffix("annealing")
    return "exponential" if plain == "step" else plain


def overridden(
    section: Mapping[str, Any],
    known_names: Mapping[str, Mapping[str, Any]],
    name: str | None,
    **values: Any,
) -> dict[str, Any]:
    """The section with flags applied. Another `name` starts from the defaults that go with it."""
    chosen = name or section["name"]
    if chosen not in known_names:
        raise SystemExit(
            f"settings.toml: {chosen!r} is unknown: one of {', '.join(sorted(known_names))}"
        )
    base = dict(section)
    if chosen != section["name"]:
        kept = {key: section[key] for key in ("warmup", "warmup_from") if key in section}
        base = {"name": chosen, **known_names[chosen], **kept}
    for key, value in values.items():
        if value is not None:
            if key not in base:
                raise SystemExit(f"{chosen} has no {key.replace('_', ' ')}")
            base[key] = value
    return base


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
    start: str
    sort: str
    freeze: Sequence[str]
    layer_decay: float
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
    loss: Mapping[str, Any] = field(default_factory=dict)


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
    add("--start", metavar="FILE", help="weights to start from, safetensors or checkpoint.pt")
    add("--sort", choices=SORTS, help="importance by which channels are sorted at the start")
    add("--freeze", metavar="NAME,...", help="stages and layers that do not learn")
    text = "learning rate of a block, as a share of the next one's"
    add("--layer-decay", type=share, metavar="SHARE", help=text)
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
    for name in ("sort", "layer_decay"):
        if getattr(flags, name) is not None:
            found[name] = getattr(flags, name)
    if flags.start is not None:
        found["start"] = str(Path(flags.start).absolute()) if flags.start else ""
    if flags.freeze is not None:
        found["freeze"] = [name.strip() for name in flags.freeze.split(",") if name.strip()]
    check_train(found)
    return found
