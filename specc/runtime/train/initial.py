"""How weights start: `init` of the recipe. PyTorch's own way is what every layer has when it is made."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


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
    if hasattr(module, "eps") or kind == "norm" or name.startswith("transform"):
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
