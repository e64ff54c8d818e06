"""What a checkpoint has to look like: whoever reads one may trust the types of everything that is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, Final

import torch
from torch import Tensor

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
