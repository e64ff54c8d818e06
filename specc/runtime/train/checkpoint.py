"""Checkpoints: plain tensors, numbers and text, written whole or not at all, and checked when they are read.

A checkpoint says what it is of: `network` is the fingerprint of the network, `method` how it is trained, `data` and
`classes` on what, `recipe` by which settings. Those of the first format say it of the data alone.

A checkpoint is a file of `torch.save`, read by `torch.load(weights_only=True)`: a run goes on with nested states that
safetensors has no place for (of the optimizer, of random numbers, of the method). The weights to evaluate are also
written as a safetensors file, and `load` takes either.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc.portable.files.strict_json import read_json
from specc.runtime.files.first_version import first_version, renamed_within
from specc.runtime.files.tensors import load_tensors, save_tensors
from specc.runtime.files.whole import whole_file, writing
from specc.runtime.run.distributed import warn
from specc.runtime.train.schema import check_checkpoint, few

FORMAT: Final = 2
WEIGHTS: Final = ".safetensors"
"""What the names of files end in that hold weights alone."""
ABOUT: Final = "checkpoint"
"""The text of such a file that says what it is of."""
SAID: Final = ("format", "network", "name", "method", "classes", "data", "epoch")
"""The parts of a checkpoint that are there."""


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes beside the file, then renames: whoever reads, at any time, finds a whole checkpoint.

    Exits with a plain message where the disk is full or may not be written to; the former file is then still there.
    """
    with writing(path), whole_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:
            # Where a write fails, torch complains of the consequences.
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def load(
    path: Path, device: torch.device | str = "cpu", needs: Sequence[str] = ()
) -> dict[str, Any]:
    """Reads what `save` or `save_weights` wrote; runs no code from the file. Exits with a plain message where that is
    not possible.

    `needs` names parts that have to be there beside the weights. `format` is 1 for those of the first version, and for
    weights that do not say what they are of.
    """
    if not path.is_file():
        raise SystemExit(f"there is no checkpoint {path}: run train.py first, or name one")
    if path.suffix == WEIGHTS:
        return load_weights(path, device, needs)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # a damaged file may break the reader anywhere
        reason = str(error).partition("\n")[0].partition(". ")[0] or "it is cut off"
        raise SystemExit(f"{path} is no checkpoint of train.py: {reason}") from None
    try:
        checked: dict[str, Any] = check_checkpoint(content, needs)
    except ValueError as error:
        raise SystemExit(f"{path} is no checkpoint of train.py: {error}") from None
    return checked


def save_weights(path: Path, content: Mapping[str, Any]) -> None:
    """Writes the weights to evaluate of a checkpoint's content, and what they are of, as a safetensors file.

    Exits where `save` does.
    """
    about = json.dumps({name: content[name] for name in SAID if name in content})
    with writing(path):
        save_tensors(path, weights(content), {ABOUT: about}, checksum=True)


def load_weights(
    path: Path, device: torch.device | str = "cpu", needs: Sequence[str] = ()
) -> dict[str, Any]:
    """A safetensors file as a checkpoint without a moving average. Exits where it is corrupt, or lacks a part."""
    try:
        tensors, about = load_tensors(path)
    except ValueError as error:
        raise SystemExit(str(error)) from None
    try:
        said = read_json(about.get(ABOUT, "{}"))
        if not isinstance(said, dict):
            raise ValueError("it is of another kind")
        net = {name: tensor.to(device) for name, tensor in tensors.items()}
        known = {name: said[name] for name in SAID if name in said}
        return check_checkpoint({**known, "net": net, "average": None}, needs, whole=False)
    except ValueError as error:
        raise SystemExit(f"{path} is no checkpoint of train.py: {error}") from None


def identity(
    net: nn.Module, method: str = "", classes: Sequence[str] | None = None
) -> dict[str, Any]:
    """What a checkpoint says of itself. `classes` are the names of the data's classes, where it names them."""
    return {
        "format": FORMAT,
        "network": getattr(net, "fingerprint", ""),
        "name": type(net).__name__,
        "method": method,
        "classes": None if classes is None else [*classes],
    }


def trained(net: nn.Module, content: Mapping[str, Any]) -> None:
    """Gives a network the weights to evaluate: the moving average's where the run kept one.

    Exits where they are of another network, or are no numbers.
    """
    content = renewed(net, content)
    check_network(net, content)
    fill(net, weights(content))
    check_finite(content)


def check_finite(content: Mapping[str, Any]) -> None:
    """Exits where the weights to evaluate are no numbers."""
    if broken := [name for name, value in weights(content).items() if not all_finite(value)]:
        raise SystemExit(
            f"the checkpoint's weights are NaN or infinite ({few(broken)}): train again"
        )


def weights(content: Mapping[str, Any]) -> Mapping[str, Tensor]:
    """The weights to evaluate, by name."""
    average = content["average"]
    found: Mapping[str, Tensor] = content["net"] if average is None else average["net"]
    return found


def all_finite(value: Tensor) -> bool:
    return not value.is_floating_point() or bool(value.isfinite().all())


def digest(state: Mapping[str, Tensor]) -> str:
    """Sixteen digits by which fronts and journals know the weights that they are of."""
    made = hashlib.sha256()
    for name, value in sorted(state.items()):
        flat = value.detach().cpu().contiguous().reshape(-1)
        made.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        made.update(flat.view(torch.uint8).numpy().data)
    return made.hexdigest()[:16]


def renewed(net: nn.Module, content: Mapping[str, Any]) -> Mapping[str, Any]:
    """A checkpoint of the first version with the names that the network's layers and choices have now; any other as it
    is."""
    first = first_version(net)
    if not first.wrote(content.get("network"), content["net"], net.state_dict()):
        return content
    average, found = content["average"], {**content, "net": first.now(content["net"])}
    if average is not None:
        found["average"] = {**average, "net": first.now(average["net"])}
    if "memory" in content:
        found["memory"] = renamed_within(content["memory"], first)
    if "network" in content:
        found["network"] = getattr(net, "fingerprint", "")
    return found


def check_network(net: nn.Module, content: Mapping[str, Any]) -> None:
    """Exits where a checkpoint is of another network. One that does not say so goes by its shapes, with a warning."""
    here, there = getattr(net, "fingerprint", ""), content.get("network", "")
    if here and not there:
        warn("the checkpoint does not say of which network it is: names and shapes decide")
    if here and there and here != there:
        name = content.get("name") or "another network"
        reason = difference(net, content["net"])
        reason = reason or "its weights would fit, its operations or choices are others"
        raise SystemExit(f"the checkpoint belongs to a different network, {name} {there}: {reason}")


def fill(net: nn.Module, state: Mapping[str, Any]) -> None:
    """Gives a network these weights. Exits where they are of another one."""
    if reason := difference(net, state):
        raise SystemExit(
            f"the checkpoint belongs to a different network, train this one first: {reason}"
        ) from None
    net.load_state_dict(state)


def difference(net: nn.Module, state: Mapping[str, Any]) -> str:
    """Why weights do not fit a network, with a few names; "" where they fit."""
    own = net.state_dict()
    lacking = [name for name in own if name not in state]
    foreign = [name for name in state if name not in own]
    shapes = [
        f"{name} has shape {[*state[name].shape]} for {[*value.shape]}"
        for name, value in own.items()
        if name in state and state[name].shape != value.shape
    ]
    reasons = [f"it lacks {few(lacking)}"] if lacking else []
    reasons += [f"here is no {few(foreign)}"] if foreign else []
    reasons += [few(shapes)] if shapes else []
    return "; ".join(reasons)


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> random.Random:
    """Starts every source of randomness from (seed, epoch), and returns the one that sub-networks are drawn from.

    Each epoch is thereby a function of the weights it starts with: resuming repeats it exactly, whatever ran before.
    Torch's own generators (dropout, augmentation) differ between processes; the drawn sub-networks do not.
    """
    mixed = random.Random(f"{seed}/{epoch}").getrandbits(31)
    torch.manual_seed(mixed + rank)
    random.seed(mixed + rank)
    return random.Random(f"{seed}/{epoch}/subnets")
