"""Plans: which sub-network to run, as one immutable value.

`net.plan(assignment)` resolves an assignment once into plain integers - the cut of every layer, the norm banks, what is
present - in the shape of the module tree, and `net(x, plan)` reads them. Nothing is written into the modules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol, TypeAlias, TypeVar

from elastic.run.numerals import same
from elastic.space.functions import exact

Option: TypeAlias = bool | int | float | str
Resolution: TypeAlias = "int | tuple[int | None, ...] | None"
"""Height and width of the images, of several inputs one for each; None for images as they are."""

SomeCut = TypeVar("SomeCut", bound="Cut")


class Cut:
    """The part of a layer that a sub-network uses. Subclasses list their values in `fields`.

    So that inference does not slice the same weights at every call, a cut remembers the last views it made. A view
    shares the parameter's memory: training and `load_state_dict` show through it. It is used only while the parameter
    still lies where the view was made, so moved, copied and replaced parameters get views of their own. Views are not
    copied and not pickled. While torch.compile looks on, nothing is remembered: it keeps the slicing in its graph.
    """

    __slots__ = ("_memory",)
    fields: tuple[str, ...] = ()
    leaf = True
    """Whether one layer without parts reads it. Else its values decide operations outside of layers, too."""

    _memory: tuple[tuple[int, ...], Any]

    def __init__(self, *values: Any) -> None:
        for name, value in zip(self.fields, values, strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_memory", ((), ()))

    def remember(self, addresses: tuple[int, ...], views: tuple[Any, ...]) -> None:
        """Keeps `views` for as long as the tensors they were cut from lie at `addresses`."""
        if 0 not in addresses:  # a meta tensor has no memory to recognise it by
            object.__setattr__(self, "_memory", (addresses, views))

    def values(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.fields)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self.values()

    def __deepcopy__(self: SomeCut, memo: dict[int, object]) -> SomeCut:
        return self

    def __repr__(self) -> str:
        pairs = zip(self.fields, self.values(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in pairs)})"


def weight_and_bias(layer: Any) -> tuple[Any, Any]:
    """A layer's weight and bias; also where torch's pruning or a parametrization makes them of other parameters."""
    parameters = layer._parameters
    if "weight" in parameters and "bias" in parameters:
        return parameters["weight"], parameters["bias"]
    return layer.weight, layer.bias


def complete(
    chosen: Mapping[str, Option], choices: Mapping[str, Sequence[Option]]
) -> dict[str, Any]:
    """An assignment of every choice: an inactive yes-or-no choice reads no, any other its last option.

    Ratios become exact fractions (0.35 is 7/20), so that rounding is that of the spec and not of floating point.
    """
    values: dict[str, Any] = {}
    for name, options in choices.items():
        value = chosen.get(name, False if tuple(options) == (False, True) else options[-1])
        values[name] = exact(value) if isinstance(value, float) else value
    return values


class Space(Protocol):
    """The project's module space.py."""

    @property
    def CHOICES(self) -> Mapping[str, Sequence[Any]]: ...

    def canonical(self, assignment: Mapping[str, Any], /) -> dict[str, Any]: ...

    def largest(self) -> dict[str, Any]: ...

    def smallest(self) -> dict[str, Any]: ...


def resolve(space: Space, assignment: Mapping[str, Option] | str) -> dict[str, Option]:
    """The canonical assignment that is meant: "max", "min", or options by choice, the others at their largest.

    Raises ValueError, naming the choice and its options.
    """
    if assignment == "max":
        return space.largest()
    if assignment == "min":
        return space.smallest()
    if isinstance(assignment, str):
        raise ValueError(
            f'there is no sub-network "{assignment}"; "max", "min" or a dict of choices is meant'
        )
    for name, option in assignment.items():
        if name not in space.CHOICES:
            near = get_close_matches(name, space.CHOICES, n=3) or list(space.CHOICES)
            raise ValueError(f"there is no choice {name!r}; there are {', '.join(near[:20])}")
        if own(space.CHOICES[name], option) is None:
            raise ValueError(
                f"{name} = {option!r} is none of its options: {listed(space.CHOICES[name])}"
            )
    given = {name: own(space.CHOICES[name], option) for name, option in assignment.items()}
    return space.canonical({**space.largest(), **given})


def own(options: Sequence[Option], wanted: Option) -> Any:
    """The option that is meant, by its value, or by a fraction, which JSON writes as text; None where it is none."""
    if wanted in options:
        return wanted
    if not isinstance(wanted, str) or "/" not in wanted:
        return None
    return next((option for option in options if same(option, wanted)), None)


def listed(options: Sequence[Option]) -> str:
    shown = [repr(option) for option in options]
    return ", ".join(shown if len(shown) <= 12 else [*shown[:6], "...", *shown[-5:]])


def known_outputs(
    outputs: Sequence[str] | str | None, names: Sequence[str]
) -> tuple[str, ...] | None:
    """The names of outputs as asked for; "all" is the answer, which stands first. Raises ValueError where the network
    has no such output."""
    outputs = names[:1] if outputs == "all" else outputs
    for name in outputs or ():
        if name not in names:
            raise ValueError(f"there is no output {name!r}; there are {', '.join(names)}")
    return None if outputs is None else tuple(outputs)


def wanted_outputs(
    outputs: Sequence[str] | str | None,
    prediction: str,
    predictions: Mapping[str, bool],
    features: Mapping[str, bool],
) -> tuple[str, ...]:
    """The outputs that a plan computes: its answer, or those asked for; "all" is every answer that there is.

    `answers` and `features` say of every output of the network whether this sub-network gets to it. Raises ValueError
    for one that it does not get to, or that the network does not have.
    """
    if outputs is None:
        return (prediction,)
    if outputs == "all":
        return tuple(name for name, there in predictions.items() if there)
    computed = {**predictions, **features}
    for name in known_outputs(outputs, list(computed)) or ():
        if not computed[name]:
            there = ", ".join(other for other, is_there in computed.items() if is_there)
            raise ValueError(
                f"the output {name!r} is not computed here: "
                f"this sub-network returns {prediction!r} and computes {there}"
            )
    return tuple(outputs)
