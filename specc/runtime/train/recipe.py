"""The flags of train.py that change the recipe, spelled as torchvision's reference script spells them."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from specc.runtime.run.flag_types import integer, real

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
