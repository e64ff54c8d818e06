"""Plans as values: which parts of its weights a sub-network uses, in the shape of the module tree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from elastic.net.plan import Cut, Option, Resolution
from elastic.net.spelling import short

if TYPE_CHECKING:
    from torch import Tensor

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
