"""Optimizers, the parameters that weight decay spares, and learning rates as functions of the step."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from torch import nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR

KINDS = ("bias", "norm", "depthwise", "position", "class_token")
"""The kinds of parameters that weight decay may spare."""


def build_optimizer(
    net: nn.Module, settings: Mapping[str, Any], no_decay: Collection[str] = ()
) -> Optimizer:
    """The optimizer of `[train.optimizer]`; `no_decay` lists the kinds of parameters that weight decay spares."""
    groups = parameter_groups(net, float(settings["weight_decay"]), no_decay)
    match settings["name"]:
        case "sgd":
            return SGD(
                groups,
                lr=float(settings["lr"]),
                momentum=float(settings["momentum"]),
                nesterov=bool(settings["nesterov"]),
            )
        case "adamw":
            betas = (float(settings["beta1"]), float(settings["beta2"]))
            return AdamW(groups, lr=float(settings["lr"]), betas=betas, eps=float(settings["eps"]))
        case "rmsprop":
            return RMSprop(
                groups,
                lr=float(settings["lr"]),
                momentum=float(settings["momentum"]),
                alpha=float(settings["alpha"]),
                eps=float(settings["eps"]),
            )
        case name:
            raise ValueError(f"unknown optimizer {name!r}: sgd, adamw or rmsprop")


def parameter_groups(
    net: nn.Module, weight_decay: float, no_decay: Collection[str]
) -> list[dict[str, Any]]:
    """One group with weight decay and, where something is spared, one without. Raises ValueError on an unknown kind."""
    unknown = set(no_decay) - set(KINDS)
    if unknown:
        raise ValueError(f"no_decay knows {', '.join(KINDS)}, not {', '.join(sorted(unknown))}")
    decayed: list[nn.Parameter] = []
    spared: list[nn.Parameter] = []
    for module in net.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad:
                (spared if kind_of(module, name, parameter) in no_decay else decayed).append(
                    parameter
                )
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": spared, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def kind_of(module: nn.Module, name: str, parameter: nn.Parameter) -> str:
    """One of KINDS, or weight. A norm is what has an `eps`; its bias counts as norm.

    A module of a parameter that is no layer's weight says itself what that is, by `decays_as`.
    """
    if hasattr(module, "decays_as"):
        return str(module.decays_as)
    if hasattr(module, "eps"):
        return "norm"
    if name.endswith("bias"):
        return "bias"
    # A depthwise kernel sees one channel; so does a stem on grey images, which is not meant.
    if parameter.ndim == 4 and parameter.shape[1] == 1 and getattr(module, "groups", 1) != 1:
        return "depthwise"
    return "weight"


KEPT: Mapping[type[Optimizer], tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        SGD: (("momentum_buffer",), ()),
        AdamW: (("step", "exp_avg", "exp_avg_sq"),),
        RMSprop: (("step", "square_avg", "momentum_buffer"), ("step", "square_avg")),
    }
)
"""What each optimizer may keep of a parameter, from one step to the next."""


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Gives an optimizer what another one of its kind has kept. Its settings stay its own.

    Exits where the state is of another optimizer or of other parameters.
    """
    own = optimizer.state_dict()["param_groups"]
    counts = [
        [len(group.get("params", ())) for group in groups]
        for groups in (own, state["param_groups"])
    ]
    if counts[0] != counts[1]:
        raise SystemExit("the optimizer of the checkpoint is of other parameters")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kinds = KEPT.get(type(optimizer), ())
    kept: dict[int, dict[str, Any]] = {}
    for place, values in state["state"].items():
        found = {name: value for name, value in values.items() if value is not None}
        if place >= len(parameters) or (kinds and {*found} not in [{*names} for names in kinds]):
            raise SystemExit(
                f"the checkpoint keeps {', '.join(map(str, found)) or 'nothing'} of a parameter: "
                f"that is not what {type(optimizer).__name__} keeps"
            )
        for name, value in found.items():
            shape = getattr(value, "shape", ())
            if name != "step" and shape != parameters[place].shape:
                raise SystemExit(f"the optimizer's {name} in the checkpoint has another shape")
        kept[place] = dict(values)
    optimizer.load_state_dict({"state": kept, "param_groups": own})


def build_schedule(
    optimizer: Optimizer, settings: Mapping[str, Any], epochs: int, steps_per_epoch: int
) -> LambdaLR:
    """The schedule of `[train.schedule]`, to be stepped after every update."""
    return LambdaLR(optimizer, learning_rate(settings, epochs, steps_per_epoch))


def learning_rate(
    settings: Mapping[str, Any], epochs: int, steps_per_epoch: int
) -> Callable[[int], float]:
    """The factor on the learning rate, as a function of the number of updates made.

    cosine       final + (1 - final) (1 + cos(pi t)) / 2      t: the share of the run after warm-up
    linear       1 + (final - 1) t
    multistep    gamma ^ (milestones passed)
    exponential  gamma ^ (epochs passed / every), rounded down
    constant     1

    Before, for `warmup` epochs, it rises in a straight line from `warmup_from` to 1.
    """
    warmup = round(float(settings.get("warmup", 0)) * steps_per_epoch)
    start = float(settings.get("warmup_from", 0.01))
    total = max(1, epochs * steps_per_epoch - warmup)
    final = float(settings.get("final", 0))
    gamma = float(settings.get("gamma", 0))
    every = max(1, round(float(settings.get("every", 1)) * steps_per_epoch))
    # A milestone below 1 is a share of the run, any other a number of epochs.
    milestones = sorted(
        round((m * epochs if m < 1 else m) * steps_per_epoch)
        for m in map(float, settings.get("milestones", ()))
    )

    def factor(step: int) -> float:
        if step < warmup:
            return start + (1 - start) * step / warmup
        share = min(1.0, (step - warmup) / total)
        match settings["name"]:
            case "cosine":
                return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2
            case "linear":
                return 1 + (final - 1) * share
            case "multistep":
                return gamma ** sum(step >= milestone for milestone in milestones)
            case "exponential":
                return gamma ** (step // every)
            case "constant":
                return 1.0
            case name:
                raise ValueError(
                    f"unknown schedule {name!r}: constant, cosine, linear, multistep or exponential"
                )

    factor(warmup)  # an unknown name is reported now and not in the first step
    return factor
