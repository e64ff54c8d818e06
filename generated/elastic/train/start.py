"""Weights to start from: a network's own, those of an import, or what another method has trained."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from elastic.run.distributed import World, gather
from elastic.train import checkpoint
from elastic.train.checkpoint import few

COUNTERS: Final = "num_batches_tracked"
LEARNED_BY_ONE: Final = "transform"
"""How the names of kernel transforms begin: only once-for-all training has them."""
BANK: Final = re.compile(r"\.(\d+)(?=\.[^.]+$)")
"""The number of a norm's bank in the name of its weight."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How the tensors of a file fill a network.

    taken     names in the network, and the names in the file that fill them
    anew      layers of another class count, which start anew
    missing   names that the file lacks, which start anew, too
    left      names in the file that nothing takes
    differ    names of another shape: the file is of another network
    """

    taken: Mapping[str, str]
    anew: Sequence[str]
    missing: Sequence[str]
    left: Sequence[str]
    differ: Sequence[str]


def start(net: nn.Module, file: Path, classes: int, world: World) -> None:
    """Fills a network from a safetensors file or a checkpoint, and says what of it fitted.

    Norm banks that the file does not have are filled from the one that it has. Layers of another class count start
    anew, and so does what the file lacks. Exits where the file is of another network.
    """
    if not file.is_file():
        raise SystemExit(f"--start: there is no {file}")
    content = checkpoint.renewed(net, checkpoint.load(file))
    state = plain_names(checkpoint.weights(content))
    own = net.state_dict()
    fit = fitted(own, state, classes)
    if fit.differ:
        shapes = [
            f"{n} is {[*state[source(n, state)].shape]} there, {[*own[n].shape]} here"
            for n in fit.differ
        ]
        raise SystemExit(
            f"--start: {file.name} holds the weights of another network: {few(shapes)}"
        )
    if not fit.taken:
        raise SystemExit(
            f"--start: no name in {file.name} is one of this network's: it has {few([*state])}, "
            f"here are {few([*own])}"
        )
    if broken := [n for n in fit.taken.values() if not checkpoint.all_finite(state[n])]:
        raise SystemExit(f"--start: weights in {file.name} are NaN or infinite: {few(broken)}")
    with torch.no_grad():
        for name, there in fit.taken.items():
            own[name].copy_(state[there])
    if world.main:
        print("\n".join(told(fit, own, file.name)))


def plain_names(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """A state without what wrappers put before every name."""
    for prefix in ("module.", "_orig_mod."):
        if state and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def fitted(own: Mapping[str, Tensor], state: Mapping[str, Tensor], classes: int) -> Fit:
    """What of a state fits a network of so many classes."""
    taken: dict[str, str] = {}
    anew, missing, differ = [], [], []
    for name, value in own.items():
        there = source(name, state)
        if not there:
            last = name.rpartition(".")[2]
            if last != COUNTERS and not last.startswith(LEARNED_BY_ONE):
                missing.append(name)
        elif state[there].shape == value.shape:
            taken[name] = there
        elif value.ndim and value.shape[0] == classes and state[there].shape[1:] == value.shape[1:]:
            anew.append(name)
        else:
            differ.append(name)
    used = {*taken.values(), *(source(name, state) for name in (*anew, *differ))}
    left = [name for name in state if name not in used and not name.endswith(COUNTERS)]
    return Fit(taken, anew, missing, [name for name in left if not is_bank(name, used)], differ)


def source(name: str, state: Mapping[str, Tensor]) -> str:
    """The name in a state that fills one of the network's: itself, or another bank of the same norm; "" for none.

    Of several banks the last one is that of the largest sub-network.
    """
    if name in state:
        return name
    alone = BANK.sub("", name)
    if alone in state:
        return alone
    stem, _, last = alone.rpartition(".")
    banks = [other for other in state if BANK.sub("", other) == alone and other != alone]
    return max(banks, key=lambda other: int(other[len(stem) + 1 : -len(last) - 1]), default="")


def is_bank(name: str, used: set[str]) -> bool:
    """Whether a name in a file is another bank of a norm of which one was taken."""
    alone = BANK.sub("", name)
    return alone != name and any(
        BANK.sub("", other) == alone for other in used if BANK.search(other)
    )


def told(fit: Fit, own: Mapping[str, Tensor], file: str) -> list[str]:
    """What fitted, in lines."""
    lines = [f"start: {len(fit.taken)} of {len(own)} tensors from {file}"]
    copies = len(fit.taken) - len({*fit.taken.values()})
    if copies:
        lines.append(f"start: {copies} tensors of norm banks are copies of the file's one bank")
    for names, what in (
        (fit.anew, "another class count, these start anew"),
        (fit.missing, "the file lacks these, which start anew"),
        (fit.left, "left over in the file"),
    ):
        if names:
            lines.append(f"start: {what}: {few(names)}")
    return lines


def keep_start(file: Path, net: nn.Module, data: Mapping[str, Any], world: World) -> None:
    """Writes weights that a search starts from, with the data that it reads: export.py --checkpoint takes them."""
    if world.main:
        state = {"net": net.state_dict(), "average": None, "data": dict(data), "epoch": 0}
        checkpoint.save_weights(file, checkpoint.identity(net) | state)
        print(f"start: {file} has the weights as they are searched, for --checkpoint of export.py")
    gather([], world)  # the others read it


def freeze(net: nn.Module, names: Sequence[str]) -> None:
    """Stops stages and layers from learning. Norms go on to follow the batches, as each sub-network needs its own.

    Exits where a name is none of the network's, or nothing is left to learn.
    """
    for name in names:
        try:
            net.get_submodule(name).requires_grad_(False)
        except AttributeError:
            known = [child for child, _ in net.named_children()]
            raise SystemExit(
                f"--freeze {name}: there is no such part; there are {', '.join(known)}"
            ) from None
    if names and not any(parameter.requires_grad for parameter in net.parameters()):
        raise SystemExit(f"--freeze {','.join(names)}: nothing is left to learn")
