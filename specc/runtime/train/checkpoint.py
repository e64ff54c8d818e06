"""Checkpoints: plain tensors, numbers and text, written whole or not at all, and checked when they are read.

A checkpoint says what it is of: `network` is the fingerprint of the network, `method` how it is trained, `data` and
`classes` on what, `recipe` by which settings. Those of the first format say it of the data alone. Whoever reads one
may trust the types of everything that is checked here.

A checkpoint is a file of `torch.save`, read by `torch.load(weights_only=True)`: a run goes on with nested states that
safetensors has no place for (of the optimizer, of random numbers, of the method). The weights to evaluate are also
written as a safetensors file, and `load` takes either.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from specc.portable.files.documents import read_json
from specc.runtime.files.first_version import first_version, renamed_within
from specc.runtime.files.whole import load_tensors, save_tensors, whole_file, writing
from specc.runtime.run.distributed import warn

LATEST: Final = 2
"""The newest format of a checkpoint that can be read."""


def check_checkpoint(content: Any, needs: Sequence[str] = (), whole: bool = True) -> dict[str, Any]:
    """The content of a checkpoint, with its `format`. Raises ValueError where a part is missing or of a wrong type.

    Where it is not `whole`, a run cannot go on from it: only the weights and what `needs` names have to be there.
    """
    if not isinstance(content, dict) or not {"net", "average"} <= content.keys():
        raise ValueError("it holds something else")
    found = {"format": 1, **content}
    if not is_count(found["format"]):
        raise ValueError(f"its format is {shown(found['format'])}")
    if found["format"] > LATEST:
        raise ValueError(f"it is of format {found['format']}, this project reads {LATEST}")
    complete = [name for name in PARTS if name not in OPTIONAL]
    wanted = [*needs, *(complete if whole and found["format"] > 1 else ())]
    if lacking := [name for name in wanted if name not in found]:
        raise ValueError(f"it lacks {few(lacking)}")
    for name, (check, kind) in PARTS.items():
        if name in found and not check(found[name]):
            raise ValueError(f"its `{name}` is {shown(found[name])}, and no {kind}")
    return found


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_plain(value: Any, depth: int = 8) -> bool:
    """Whether something is numbers, text, and lists and dicts of such, as settings.toml could say it."""
    if isinstance(value, Mapping):
        return depth > 0 and all(
            isinstance(name, str) and is_plain(item, depth - 1) for name, item in value.items()
        )
    if isinstance(value, (list, tuple)):
        return depth > 0 and all(is_plain(item, depth - 1) for item in value)
    if isinstance(value, float):
        return isfinite(value)
    return value is None or isinstance(value, (str, int))


def is_table(value: Any) -> bool:
    return isinstance(value, Mapping) and is_plain(value)


NUMBERS: Final = ("validation", "test", "images", "test_images", "classes", "size")
"""What `[data]` says in numbers."""


def is_data(value: Any) -> bool:
    """`[data]` of settings.toml."""
    return (
        is_table(value)
        and is_text(value.get("name"))
        and is_text(value.get("path"))
        and is_count(value.get("seed"))
        and "validation" in value
        and all(isinstance(value[name], (int, float)) for name in NUMBERS if name in value)
    )


def is_outline(value: Any) -> bool:
    """A table for each part of a data set."""
    return is_table(value) and all(isinstance(part, Mapping) for part in value.values())


def is_state(value: Any) -> bool:
    """Tensors by name, as `state_dict` gives them: dense, and of plain numbers."""
    return isinstance(value, Mapping) and all(
        isinstance(name, str) and is_dense(tensor) for name, tensor in value.items()
    )


def is_dense(value: Any) -> bool:
    return (
        isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.device.type != "meta"
        and not (value.is_complex() or value.is_quantized)
    )


def is_average(value: Any) -> bool:
    if value is None:
        return True
    return (
        isinstance(value, Mapping)
        and {"net", "updates"} <= value.keys()
        and is_state(value["net"])
        and is_count(value["updates"])
    )


def is_names(value: Any) -> bool:
    return value is None or (isinstance(value, (list, tuple)) and all(map(is_text, value)))


def is_optimizer(value: Any) -> bool:
    """What an optimizer keeps of each parameter, by its number, and its groups of parameters."""
    if not isinstance(value, Mapping) or not {"state", "param_groups"} <= value.keys():
        return False
    states, groups = value["state"], value["param_groups"]
    if not isinstance(states, Mapping) or not isinstance(groups, (list, tuple)):
        return False
    return all(
        is_count(place) and isinstance(state, Mapping) and all(map(is_kept, state.values()))
        for place, state in states.items()
    ) and all(
        isinstance(group, Mapping)
        and is_plain(group)
        and isinstance(group.get("params"), (list, tuple))
        for group in groups
    )


def is_kept(value: Any) -> bool:
    return value is None or isinstance(value, (int, float)) or is_dense(value)


def is_schedule(value: Any) -> bool:
    return isinstance(value, Mapping) and is_count(value.get("last_epoch"))


def is_anything(value: Any) -> bool:
    return True


PARTS: Final[Mapping[str, tuple[Callable[[Any], bool], str]]] = {
    "network": (is_text, "fingerprint"),
    "name": (is_text, "name"),
    "method": (is_text, "method's call"),
    "data": (is_data, "table of a data set"),
    "classes": (is_names, "list of names"),
    "recipe": (is_table, "table of settings"),
    "epoch": (is_count, "count of epochs"),
    "net": (is_state, "tensors by name"),
    "average": (is_average, "moving average of weights"),
    "optimizer": (is_optimizer, "state of an optimizer"),
    "schedule": (is_schedule, "state of a schedule"),
    "scaler": (is_table, "state of a loss scaler"),
    "memory": (is_anything, "memory of a method"),
    "settings": (is_table, "table of settings"),
    "images": (is_outline, "outline of a data set"),
    "batch": (is_count, "count of batches"),
    "random": (is_anything, "state of random numbers"),
}
"""The parts of a checkpoint, each with its check and what it is."""
OPTIONAL: Final = ("settings", "images", "batch", "random")


def shown(value: Any) -> str:
    """A value of a wrong kind, shortly."""
    if isinstance(value, (str, int, float, bool)) or value is None:
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:37]}..."
    return f"a {type(value).__name__}"


def few(names: Sequence[str], most: int = 3) -> str:
    """Some names of many: `a, b, c and 12 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


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
