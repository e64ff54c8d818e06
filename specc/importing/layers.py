"""Torch's own layers in a network, as calls that make them anew."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of torch.

    path     in the network
    type     its class in torch.nn
    text     the call that makes one: `nn.Conv1d(1, 1, kernel_size=3, padding=1, bias=False)`
    states   the names of its state, `trained` those of its parameters, which have `count` numbers
    several  whether it returns a tuple, of which the first is its answer
    """

    path: str
    type: str
    text: str
    states: tuple[str, ...]
    trained: tuple[str, ...]
    count: int
    several: bool


RECURRENT: Final = ("RNN", "LSTM", "GRU")


def layers_of(module: Module) -> Mapping[str, Layer]:
    """The layers that a call of their class makes anew, by their paths: those without modules inside."""
    found = {}
    texts: dict[str, str | None] = {}
    for path, part in module.named_modules():
        if not type(part).__module__.startswith("torch.nn.modules.") or next(part.children(), None) is not None:
            continue
        shown = repr(part)
        if shown not in texts:
            texts[shown] = constructor(part)
        text = texts[shown]
        if text is not None:
            parameters = [(name, value) for name, value in part.named_parameters(recurse=False)]
            found[path] = Layer(
                path,
                type(part).__name__,
                text,
                tuple(part.state_dict()),
                tuple(name for name, _ in parameters),
                sum(value.numel() for _, value in parameters),
                type(part).__name__ in RECURRENT,
            )
    return found


def constructor(part: Module) -> str | None:
    """The call that makes a layer, without arguments that say what is implied; None where it would be another."""
    import torch

    name = type(part).__name__
    if getattr(torch.nn, name, None) is not type(part):
        return None
    text = f"nn.{name}({part.extra_repr()})"
    try:
        short = shortened(text, type(part))
        return short if is_like(eval(short, {"nn": torch.nn, "torch": torch}), part) else None
    except Exception:
        return None


def shortened(text: str, kind: type[Module]) -> str:
    """A call without what is implied: defaults, names of arguments that stand in their places, two equal sides."""
    call = ast.parse(text, mode="eval").body
    assert isinstance(call, ast.Call)
    parameters = [*inspect.signature(kind).parameters.values()]
    defaults = {parameter.name: parameter.default for parameter in parameters}
    kept: list[ast.keyword] = []
    for keyword in call.keywords:
        value = one_number(ast.literal_eval(keyword.value))
        if value != defaults.get(str(keyword.arg), inspect.Parameter.empty) and not implied(
            str(keyword.arg), value, call
        ):
            kept.append(ast.keyword(keyword.arg, ast.Constant(value)))
    while kept and len(call.args) < len(parameters) and parameters[len(call.args)].name == kept[0].arg:
        if parameters[len(call.args)].default is not inspect.Parameter.empty:
            break
        call.args.append(kept.pop(0).value)
    call.keywords = kept
    return ast.unparse(call)


def one_number(value: Any) -> Any:
    """The number of a tuple whose numbers are equal."""
    return value[0] if isinstance(value, tuple) and value and len(set(value)) == 1 else value


def implied(name: str, value: Any, call: ast.Call) -> bool:
    """Whether a pool's stride is that of its window."""
    windows = [ast.literal_eval(k.value) for k in call.keywords if k.arg == "kernel_size"]
    return name == "stride" and call.func.attr.endswith(("Pool1d", "Pool2d")) and value == one_number(windows[0])  # type: ignore[attr-defined]


def is_like(made: Module, part: Module) -> bool:
    """Whether two layers are alike but for their numbers."""
    shapes = [{name: tuple(v.shape) for name, v in each.state_dict().items()} for each in (made, part)]
    return shapes[0] == shapes[1] and made.extra_repr() == part.extra_repr() and plain(made) == plain(part)


def plain(part: Module) -> dict[str, object]:
    return {
        name: one_number(value)
        for name, value in vars(part).items()
        if name != "training" and isinstance(value, (bool, int, float, str, tuple, type(None)))
    }
