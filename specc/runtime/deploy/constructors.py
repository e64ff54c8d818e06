"""The call that makes a layer again, read off the layer itself: `nn.AvgPool2d(2, ceil_mode=True)`.

Layers keep their constructor's arguments under the names of its parameters, so that no list of layers and options is
needed here. The call is made on trial: where what it makes differs from the layer in any option, there is an error and
no text that forgets one.
"""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor, nn

Argument: TypeAlias = tuple[str, Any]
"""The parameter's name, "" for one that is given by place, and the value."""

PLACES: Final = ("device", "dtype")
"""Parameters that say where weights lie: the same for all layers, and no option of one."""

FREE: Final = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def constructor(layer: nn.Module) -> list[Argument]:
    """The arguments that make a layer of the same class and the same options; what is as usual is left out.

    Raises ValueError, naming the option, where there are none.
    """
    wrong = ""
    for arguments in trials(layer):
        difference = differing(layer, arguments)
        if not difference:
            return arguments
        wrong = wrong or difference
    raise ValueError(f"{name_of_class(layer)} cannot be made again: {wrong}")


def trials(layer: nn.Module) -> Iterator[list[Argument]]:
    """Arguments that may be the ones, the shortest first."""
    if has_all(layer):
        yield from ([*read_arguments(layer, short)] for short in (True, False))
    yield from said_arguments(layer)
    if has_all(layer):
        hidden = [
            p
            for p in parameters(layer)
            if isinstance(p.default, bool) and not hasattr(layer, p.name)
        ]
        for count in range(1, min(len(hidden), 3) + 1):
            for flags in combinations(hidden, count):
                turned = [(flag.name, not flag.default) for flag in flags]
                yield [*read_arguments(layer, False), *turned]


def has_all(layer: nn.Module) -> bool:
    """Whether every argument that its class demands can be read off a layer."""
    return all(
        hasattr(layer, p.name) for p in parameters(layer) if p.default is inspect.Parameter.empty
    )


def parameters(layer: nn.Module) -> list[inspect.Parameter]:
    """What the constructor of a layer's class takes."""
    found = [*inspect.signature(type(layer).__init__).parameters.values()][1:]
    return [p for p in found if p.kind not in FREE and p.name not in PLACES and p.name[:1] != "_"]


def read_arguments(layer: nn.Module, short: bool) -> Iterator[Argument]:
    """The arguments that the attributes of a layer hold. `short`: 3 instead of (3, 3)."""
    in_order = True
    for parameter in parameters(layer):
        name, usual = parameter.name, parameter.default
        if not hasattr(layer, name):
            continue
        value = getattr(layer, name)
        if isinstance(value, Tensor) or (value is None and isinstance(usual, bool)):
            value = value is not None  # `bias=True` has become the bias itself
        value = plain(value, short)
        demanded = usual is inspect.Parameter.empty
        in_order = in_order and demanded and parameter.kind is not inspect.Parameter.KEYWORD_ONLY
        if demanded or value != plain(usual, short):
            yield "" if in_order else name, value


def plain(value: Any, short: bool) -> Any:
    """A value without torch's own kinds of tuples; where it is `short`, the number that a tuple repeats."""
    if isinstance(value, (tuple, list)):
        items = (
            type(value)(plain(item, False) for item in value)
            if type(value) in (tuple, list)
            else tuple(value)
        )
        same = len(items) > 0 and all(item == items[0] for item in items)
        return items[0] if short and same else items
    return value


def said_arguments(layer: nn.Module) -> list[list[Argument]]:
    """The arguments as a layer itself shows them, for one that keeps them in another form."""
    try:
        call = ast.parse(f"f({layer.extra_repr()})", mode="eval").body
        assert isinstance(call, ast.Call)
        found: list[Argument] = [("", ast.literal_eval(value)) for value in call.args]
        return [[*found, *((str(k.arg), ast.literal_eval(k.value)) for k in call.keywords)]]
    except (SyntaxError, ValueError):
        return []


def differing(layer: nn.Module, arguments: list[Argument]) -> str:
    """What of a layer these arguments do not bring back; "" where that is nothing."""
    given = [value for name, value in arguments if not name]
    named = {name: value for name, value in arguments if name}
    try:
        with torch.device("meta"):  # no memory and no random numbers for what is only looked at
            twin = type(layer)(*given, **named)
    except (TypeError, ValueError, RuntimeError, AssertionError) as error:
        return f"its class does not take the arguments: {error}"
    mine, theirs = options(layer), options(twin)
    wrong = [
        name for name in {**mine, **theirs} if mine.get(name, options) != theirs.get(name, options)
    ]
    return f"{wrong[0]} = {mine.get(wrong[0])!r} is lost" if wrong else ""


def options(layer: nn.Module) -> dict[str, Any]:
    """Everything that a constructor decides: a layer's attributes, and which tensors it and its parts hold, of which
    shapes. What begins with an underscore is the layer's own affair, weights are the state's."""
    found: dict[str, Any] = {"class": type(layer)}
    for name, value in vars(layer).items():
        if name != "training" and not name.startswith("_"):
            found[name] = value
    for group in (layer._parameters, layer._buffers):
        found |= {name: None if t is None else tuple(t.shape) for name, t in group.items()}
    for name, part in layer._modules.items():
        inner = {} if part is None else options(part)
        found |= {f"{name}.{key}": value for key, value in inner.items()}
    return found


def name_of_class(layer: nn.Module) -> str:
    """As one writes it: `nn.Conv2d`, or the name alone of a class that is not torch's."""
    kind = type(layer)
    if getattr(nn, kind.__name__, None) is kind:
        return f"nn.{kind.__name__}"
    if kind.__module__.split(".")[0] == "torch":
        raise ValueError(f"{kind.__module__}.{kind.__name__} has no plain name in torch")
    return kind.__name__


def literal(value: Any) -> str:
    """A value as one writes it. Raises ValueError where it is none that can be written."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, (tuple, list)):
        inner = ", ".join(map(literal, value))
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, str):
        return '"' + repr(value)[1:-1].replace('"', '\\"') + '"'
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    raise ValueError(f"{value!r} cannot be written down")
