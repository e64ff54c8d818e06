"""Plans: which sub-network to run, as one immutable value.

`net.plan(assignment)` resolves an assignment once into plain integers - the cut of every layer, the norm banks, what is
present - in the shape of the module tree, and `net(x, plan)` reads them. Nothing is written into the modules. `short`
is how a sub-network is named for people: `width=0.5,s1.depth=2`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, TypeVar

from specc.portable.run.numerals import same, written
from specc.space.functions import exact

if TYPE_CHECKING:
    from torch import Tensor


def spelled(assignment: Mapping[str, Any]) -> str:
    """As flags take it: `width=0.5,s1.depth=2`; `-` where there is nothing to choose."""
    pairs = (f"{name}={written(value)}" for name, value in assignment.items())
    return ",".join(pairs) or "-"


def short(assignment: Mapping[str, Any], most: int = 48) -> str:
    """`spelled` for tables: of a long one only the beginning."""
    text = spelled(assignment)
    if len(text) <= most:
        return text
    kept = text[: most - 4].rpartition(",")[0]
    return f"{kept},..."


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


SomePart = TypeVar("SomePart", bound="Part")


class Part:
    """The plan of one module: an attribute for each of its elastic parts, layers and values. Immutable.

    A module's is a `Part`; a layer's is its cut, or None where nothing is cut off; a `Value`'s is its value.
    What stands under a condition that does not hold has None, and its name is in `absent`.
    """

    __slots__ = ("__dict__", "absent")

    absent: tuple[str, ...]

    def __init__(self, parts: dict[str, Any], absent: tuple[str, ...] = ()) -> None:
        """The dict becomes the part's own."""
        set_slot(self, "__dict__", parts)
        set_slot(self, "absent", absent)

    @property
    def parts(self) -> Mapping[str, Any]:
        """All that the plan says, by name."""
        return MappingProxyType(self.__dict__)

    def with_parts(self: SomePart, parts: dict[str, Any]) -> SomePart:
        """The same plan but for its parts."""
        return type(self)(parts, self.absent)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a plan is immutable")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a plan is immutable")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.__dict__), self.absent)

    def __copy__(self: SomePart) -> SomePart:
        return self

    def __deepcopy__(self: SomePart, memo: dict[int, object]) -> SomePart:
        return self

    def __repr__(self) -> str:
        pairs = (f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({', '.join(pairs)})"


class Plan(Part):
    """The plan of a whole network.

    chosen      the canonical assignment: (choice, option) pairs, inactive choices left out
    resolution  height and width to which images are resized, None to take them as they are; in a network of
                several inputs one of these for each, or None for all
    outputs     names of the outputs to return in a dict, None to return the main one alone
    answer      the name of the main one, in a network with several heads or exits
    wanted      the heads and exits to compute there
    network     the name of the network's class

    Two plans are equal if they run the same sub-network for the same outputs.
    """

    __slots__ = ("chosen", "network", "outputs", "prediction", "resolution", "wanted")

    chosen: tuple[tuple[str, Option], ...]
    resolution: Resolution
    outputs: tuple[str, ...] | None
    prediction: str
    wanted: tuple[str, ...]
    network: str

    def __init__(
        self,
        parts: dict[str, Any],
        absent: tuple[str, ...] = (),
        chosen: tuple[tuple[str, Option], ...] = (),
        resolution: Resolution = None,
        outputs: tuple[str, ...] | None = None,
        prediction: str = "head",
        wanted: tuple[str, ...] = ("head",),
        network: str = "",
    ) -> None:
        super().__init__(parts, absent)
        set_slot(self, "chosen", chosen)
        set_slot(self, "resolution", resolution)
        set_slot(self, "outputs", outputs)
        set_slot(self, "prediction", prediction)
        set_slot(self, "wanted", wanted)
        set_slot(self, "network", network)

    def result(self, outputs: Mapping[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """What a network with several answers returns, from the outputs that it has computed."""
        if self.outputs is None:
            return outputs[self.prediction]
        return {name: outputs[name] for name in self.outputs}

    @property
    def assignment(self) -> dict[str, Option]:
        return dict(self.chosen)

    def __str__(self) -> str:
        return short(self.assignment)

    def settings(self) -> dict[str, Any]:
        """All but the parts, by name."""
        return {name: getattr(self, name) for name in SETTINGS}

    def with_parts(self, parts: dict[str, Any]) -> Plan:
        return Plan(parts, self.absent, **self.settings())

    def replaced(self, **settings: Any) -> Plan:
        """The same plan with another resolution, or other outputs."""
        return Plan(dict(self.__dict__), self.absent, **(self.settings() | settings))

    def __reduce__(self) -> tuple[Any, ...]:
        return Plan, (dict(self.__dict__), self.absent, *self.settings().values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plan) and self.identity() == other.identity()

    def __hash__(self) -> int:
        return hash(self.identity())

    def identity(self) -> tuple[Any, ...]:
        return self.network, self.chosen, self.outputs

    def __repr__(self) -> str:
        return f"Plan({', '.join(f'{name}={option}' for name, option in self.chosen)})"


SETTINGS: Final = ("chosen", "resolution", "outputs", "prediction", "wanted", "network")
set_slot: Final[Callable[[object, str, object], None]] = object.__setattr__


def map_cuts(part: SomePart, change: Callable[[str, Cut], Cut], path: str = "") -> SomePart:
    """A copy of a plan, or of a part of one, in which every cut is `change(place, cut)`, as in `s1.b1.norm2`."""
    found: dict[str, Any] = {}
    for name, value in part.parts.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, Cut):
            found[name] = change(here, value)
        else:
            found[name] = map_cuts(value, change, here) if isinstance(value, Part) else value
    return part.with_parts(found)
