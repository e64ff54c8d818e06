"""Training without what is random in it, so that two networks can be compared; and what that was."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from specc.importing.drops import drop_of

if TYPE_CHECKING:
    from torch.nn import Module

ZEROES: Final = r"(feature_|alpha_)*dropout(_|[123]d)?"
"""How torch calls what zeroes values at random."""
ATTENTION_DROPS: Final[Mapping[str, int]] = {"scaled_dot_product_attention": 4, "multi_head_attention_forward": 10}
"""Functions that drop attention weights, and the place of the rate among their arguments."""
RECURRENT: Final[Mapping[str, int]] = {"lstm": 5, "gru": 5, "rnn_tanh": 5, "rnn_relu": 5}
"""Likewise of what drops values between recurrent layers."""


def quiet_drops(module: Module, found: Counter[tuple[str, float]] | None = None) -> None:
    """What only drops does nothing any more, and counts its calls in training."""
    for part in module.modules():
        drop = drop_of(part)
        if drop is None:
            continue

        def forward(x: Any, part: Module = part, key: tuple[str, float] = (drop.what, drop.rate)) -> Any:
            if part.training and found is not None:
                found[key] += 1
            return x

        part.forward = forward


@contextmanager
def plain_random(found: Counter[tuple[str, float]] | None = None) -> Iterator[None]:
    """Dropout does nothing, also in training, however it is called. `found` counts what would have dropped what, and at
    which rate."""
    from torch.overrides import TorchFunctionMode

    def note(what: str, rate: Any) -> None:
        if found is not None and isinstance(rate, (int, float)) and rate:
            found[what, round(float(rate), 9)] += 1

    class Off(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            kwargs = dict(kwargs or {})
            name = getattr(func, "__name__", "").split(".")[0]
            if re.fullmatch(ZEROES, name):
                rate = args[1] if len(args) > 1 else kwargs.get("p", 0.5)
                training = args[2] if len(args) > 2 else kwargs.get("training", kwargs.get("train", True))
                if training:
                    note("channels" if "feature" in name or name[-1] == "d" else "values", rate)
                return args[0] if args else kwargs["input"]
            if name in ATTENTION_DROPS:
                at = ATTENTION_DROPS[name]
                training = kwargs.get("training", True)
                rate = args[at] if len(args) > at else kwargs.get("dropout_p", 0.0)
                if training:
                    note("attention weights", rate)
                args = (*args[:at], 0.0, *args[at + 1 :]) if len(args) > at else args
                kwargs.update({} if len(args) > at else {"dropout_p": 0.0})
            if name in RECURRENT and len(args) > 6:
                note("values between recurrent layers", args[5] if args[6] else 0.0)
                args = (*args[:5], 0.0, *args[6:])
            if name == "bernoulli_":
                return args[0].fill_(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
            return func(*args, **kwargs)

    with Off():
        yield


def told(theirs: Counter[tuple[str, float]], mine: Counter[tuple[str, float]]) -> tuple[str, ...]:
    """What of a training step is random in one network and not in the other."""
    lines = []
    for key in sorted({*theirs, *mine}):
        if theirs[key] != mine[key]:
            what, rate = key
            times = f"{theirs[key]} times in the original's training and {mine[key]} times in the spec's"
            lines.append(f"{what} are dropped at a rate of {rate:g} {times}")
    return tuple(lines)
