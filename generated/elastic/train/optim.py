"""How weights start (`init` of the recipe), the parameters that weight decay spares, optimizers, and learning rates
as functions of the step.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR


@torch.no_grad()
def initialise(net: nn.Module, settings: Mapping[str, Any], zeroed: Sequence[str] = ()) -> None:
    """Fills the weights of `net` in place.

    default       as PyTorch does
    msra          convolutions: normal, variance 2 / fan; linear layers: normal with the deviation
                  `linear`, or as PyTorch does where it is 0
    trunc_normal  all weights, positions and class tokens: normal, cut at two deviations
    xavier        linear layers: uniform, variance 2 / (inputs + outputs); convolutions: normal,
                  variance 1 / inputs

    All but the first set biases to 0. `zeroed` names norms that start at 0: a residual whose body
    ends in one is the identity at first. Raises ValueError on an unknown name.
    """
    name = settings["name"]
    if name not in ("default", "msra", "trunc_normal", "xavier"):
        raise ValueError(f"unknown init {name!r}: default, msra, trunc_normal or xavier")
    for module in net.modules():
        if name != "default":
            for own, parameter in module.named_parameters(recurse=False):
                fill(module, own, parameter, settings)
        keep_zeros = getattr(module, "keep_zeros", None)
        if keep_zeros is not None:
            keep_zeros()
    for path in zeroed:
        for own, parameter in net.get_submodule(path).named_parameters():
            if own.rpartition(".")[2] == "weight":
                parameter.zero_()


def fill(module: nn.Module, name: str, parameter: Tensor, settings: Mapping[str, Any]) -> None:
    """One parameter, by what it is: norms, and what decays as they do, stay as they are made."""
    kind = getattr(module, "decays_as", "")
    if hasattr(module, "eps") or kind == "norm" or name == "gain" or name.startswith("transform"):
        return
    if kind:  # a position or a class token
        if settings["name"] == "trunc_normal":
            truncated(parameter, float(settings["std"]))
        return
    if name.endswith("bias"):
        linear = parameter.ndim == 1 and isinstance(module, nn.Linear)
        if not (linear and settings["name"] == "msra" and not settings["linear"]):
            parameter.zero_()
        return
    match settings["name"]:
        case "trunc_normal":
            truncated(parameter, float(settings["std"]))
        case "msra" if parameter.ndim > 2:
            # The weights that one channel feeds (outwards, as torch counts them, of all groups) or is fed by.
            fan = parameter.numel() // parameter.shape[settings["fan"] == "out"]
            nn.init.normal_(parameter, std=math.sqrt(2 / fan))
        case "msra" if settings["linear"]:
            nn.init.normal_(parameter, std=float(settings["linear"]))
        case "xavier" if parameter.ndim > 2:
            nn.init.normal_(parameter, std=1 / math.sqrt(parameter[0].numel()))
        case "xavier":
            nn.init.xavier_uniform_(parameter)


def residual_ends(graph: Path) -> list[str]:
    """The norms at the ends of residuals' bodies, from ir.json: there they are the first operand of a sum."""
    ops = json.loads(graph.read_text(encoding="utf-8"))["ops"]
    norms = {op["outputs"][0]: op["name"] for op in ops if op.get("effect") == "normalises"}
    sums = [op["inputs"][0] for op in ops if op.get("effect") == "sums"]
    return [norms[tensor] for tensor in sums if tensor in norms]


def truncated(parameter: Tensor, std: float) -> None:
    nn.init.trunc_normal_(parameter, std=std, a=-2 * std, b=2 * std)


KINDS = ("bias", "norm", "depthwise", "position", "class_token")
"""The kinds of parameters that weight decay may spare."""


def build_optimizer(
    net: nn.Module,
    settings: Mapping[str, Any],
    no_decay: Collection[str] = (),
    layer_decay: float = 1.0,
) -> Optimizer:
    """The optimizer of `[train.optimizer]`; `no_decay` lists the kinds of parameters that weight decay spares.

    `layer_decay` is the learning rate of a block as a share of the next one's; the head has the whole rate.
    """
    groups = parameter_groups(net, float(settings["weight_decay"]), no_decay)
    if layer_decay < 1:
        groups = by_depth(net, groups, float(settings["lr"]), layer_decay)
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


def by_depth(
    net: nn.Module, groups: list[dict[str, Any]], lr: float, layer_decay: float
) -> list[dict[str, Any]]:
    """The groups split by block, the last block first: block i of n learns at lr * layer_decay ** (n - 1 - i).

    Blocks stand in the order of the network's parameters: the stem, each block of a stage, the head. Clark et al.,
    "ELECTRA" (2020), and Bao et al., "BEiT" (2022).
    """
    names = {parameter: name for name, parameter in net.named_parameters()}
    blocks = [*dict.fromkeys(block_of(net, name) for name in names.values())]
    found = []
    for depth, block in enumerate(reversed(blocks)):
        for group in groups:
            own = [p for p in group["params"] if block_of(net, names[p]) == block]
            if own:
                found.append({**group, "params": own, "lr": lr * layer_decay**depth})
    return found


def block_of(net: nn.Module, name: str) -> str:
    """The block that a parameter is in: a part of a stage, where that consists of parts, or the stage itself."""
    path = name.split(".")[:-1]
    inner = path[:2]
    if len(path) > 2 and any(True for _ in net.get_submodule(".".join(inner)).children()):
        return ".".join(inner)
    return ".".join(path[:1])


def kind_of(module: nn.Module, name: str, parameter: nn.Parameter) -> str:
    """One of KINDS, or weight. A norm is what has an `eps`; its bias counts as norm.

    A module of a parameter that is no layer's weight says itself what that is, by `decays_as`.
    """
    if hasattr(module, "decays_as"):
        return str(module.decays_as)
    if hasattr(module, "eps") or name == "gain":
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


HYPERPARAMETERS: Final = (
    "initial_lr",
    "momentum",
    "weight_decay",
    "nesterov",
    "betas",
    "alpha",
    "eps",
)
"""What a run may not change on the way."""


def restore_optimizer(optimizer: Optimizer, state: Mapping[str, Any]) -> None:
    """Gives an optimizer what another one of its kind has kept. Its settings stay its own.

    Exits where the state is of another optimizer, of one with other settings, or of other parameters.
    """
    own, theirs = optimizer.state_dict()["param_groups"], state["param_groups"]
    if [len(group.get("params", ())) for group in theirs] != [
        len(group["params"]) for group in own
    ]:
        raise SystemExit("the optimizer of the checkpoint has other parameters")
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    kinds = [{*names} for names in KEPT.get(type(optimizer), ())]
    for place, values in state["state"].items():
        kept = {name for name, value in values.items() if value is not None}
        if kinds and kept not in kinds:
            raise SystemExit(
                f"the checkpoint is of another optimizer than {type(optimizer).__name__}: "
                f"of a parameter it keeps {', '.join(sorted(map(str, kept))) or 'nothing'}"
            )
        for name in kept - {"step"}:
            shape = getattr(values[name], "shape", ())
            if place >= len(parameters) or shape != parameters[place].shape:
                raise SystemExit("the optimizer of the checkpoint has other parameters")
    for name in HYPERPARAMETERS:
        for here, there in zip(own, theirs, strict=True):
            if name in here and name in there and not same(here[name], there[name]):
                raise SystemExit(
                    f"the optimizer's {name} was {there[name]!r}, now {here[name]!r}: "
                    "a run goes on as it began"
                )
    kept_now = {place: dict(values) for place, values in state["state"].items()}
    optimizer.load_state_dict({"state": kept_now, "param_groups": own})


def same(left: Any, right: Any) -> bool:
    """Whether two settings are equal; pairs may be lists or tuples."""
    pair = isinstance(left, (list, tuple)) and isinstance(right, (list, tuple))
    return [*left] == [*right] if pair else bool(left == right)


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

    Before, for `warmup` epochs, it rises in a straight line from `warmup_from` to 1. A schedule with `restarts` does
    all this once for each of its spans, times the span's peak.
    """
    spans = schedule_spans(settings, epochs, steps_per_epoch)
    start = float(settings.get("warmup_from", 0.01))
    final = float(settings.get("final", 0))
    gamma = float(settings.get("gamma", 0))
    every = max(1, round(float(settings.get("every", 1)) * steps_per_epoch))
    # A milestone below 1 is a share of the run, any other a number of epochs.
    milestones = sorted(
        round((m * epochs if m < 1 else m) * steps_per_epoch)
        for m in map(float, settings.get("milestones", ()))
    )

    def factor(step: int) -> float:
        span = next(s for s in reversed(spans) if s.first <= step)
        return span.peak * within(span, step - span.first)

    def within(span: Span, step: int) -> float:
        if step < span.warmup:
            return start + (1 - start) * step / span.warmup
        share = min(1.0, (step - span.warmup) / max(1, span.steps - span.warmup))
        match settings["name"]:
            case "cosine":
                return final + (1 - final) * (1 + math.cos(math.pi * share)) / 2
            case "linear":
                return 1 + (final - 1) * share
            case "multistep":
                return float(gamma ** sum(step >= milestone for milestone in milestones))
            case "exponential":
                return gamma ** (step // every)
            case "constant":
                return 1.0
            case name:
                raise ValueError(
                    f"unknown schedule {name!r}: constant, cosine, linear, multistep or exponential"
                )

    within(spans[0], spans[0].warmup)  # an unknown name is reported now and not in the first step
    return factor


@dataclass(frozen=True, slots=True)
class Span:
    """A part of the run with a schedule of its own: its first step, its steps, those of them that warm up, and its
    highest rate as a share of the run's."""

    first: int
    steps: int
    warmup: int
    peak: float


def schedule_spans(
    settings: Mapping[str, Any], epochs: int, steps_per_epoch: int
) -> tuple[Span, ...]:
    """The whole run, cut at the schedule's `restarts`; each of these begins with an epoch.

    The first span warms up for `warmup` epochs; the others for `warmups`, or for `warmup` where these are not given,
    and at most half of their length.
    """
    restarts = list(map(float, settings.get("restarts", ())))
    peaks = list(map(float, settings.get("peaks") or [1.0] * len(restarts)))
    usual = float(settings.get("warmup", 0))
    warmups = list(map(float, settings.get("warmups") or [usual] * len(restarts)))
    # A restart below 1 is a share of the run, any other a number of epochs.
    starts = [0, *(nearest_epoch(r * epochs if r < 1 else r) for r in restarts), epochs]
    spans = []
    for first, end, peak, warmup in zip(starts, starts[1:], [1.0, *peaks], [usual, *warmups]):
        steps = max(0, end - first) * steps_per_epoch
        warm = round(warmup * steps_per_epoch)
        spans.append(
            Span(first * steps_per_epoch, steps, min(warm, steps // 2) if first else warm, peak)
        )
    return tuple(spans)


def nearest_epoch(place: float) -> int:
    """The epoch that begins nearest to a place in the run, the earlier of two."""
    return math.ceil(place - 0.5)
