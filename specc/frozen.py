"""Frozen classes that cost little to make: what `dataclass(frozen=True, slots=True, eq=False)` is to those who use it.

The standard decorator compiles five functions from text for every such class, which was a fifth of a whole
`specc check`. Here it finds the fields, and all classes share functions that were compiled with this file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from typing import Any, Final, TypeVar, dataclass_transform

_Frozen = TypeVar("_Frozen")


@dataclass_transform(frozen_default=True, eq_default=False, field_specifiers=(field,))
def frozen(cls: type[_Frozen]) -> type[_Frozen]:
    """Makes a frozen, slotted class of the annotated fields. Its instances are equal to themselves alone."""
    made = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    own = fields(made)  # type: ignore[arg-type]
    for name, method in {"__init__": _initialiser(made, own), **_METHODS}.items():
        setattr(made, name, method)
    return made


def _initialiser(made: type, own: tuple[Field[Any], ...]) -> Callable[..., None]:
    names = tuple(f.name for f in own)
    writers = tuple(vars(made)[name].__set__ if name in vars(made) else getattr(made, name).__set__ for name in names)
    defaults = {f.name: made_default for f in own if (made_default := _default(f)) is not None}
    count = len(names)

    def initialise(self: object, *values: object, **named: object) -> None:
        given = len(values)
        if given != count:
            rest = []
            for name in names[given:]:
                if name in named:
                    rest.append(named.pop(name))
                elif name in defaults:
                    rest.append(defaults[name]())
                else:
                    raise TypeError(f"{made.__name__} takes {', '.join(names)}")
            values += tuple(rest)
        if named or len(values) != count:
            raise TypeError(f"{made.__name__} takes {', '.join(names)}")
        for write, value in zip(writers, values):
            write(self, value)

    return initialise


def _default(of: Field[Any]) -> Callable[[], Any] | None:
    """What makes a field's default; None for a field that must be given."""
    if of.default is not MISSING:
        return lambda: of.default
    return None if of.default_factory is MISSING else of.default_factory


def _refuse(self: object, name: str, value: object = None) -> None:
    raise FrozenInstanceError(f"{type(self).__name__}.{name} can't be changed")


def _shown(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{f.name}={getattr(self, f.name)!r}' for f in fields(self))})"


def _state(self: Any) -> list[object]:
    return [getattr(self, f.name) for f in fields(self)]


def _restore(self: Any, state: list[object]) -> None:
    for f, value in zip(fields(self), state):
        object.__setattr__(self, f.name, value)


_METHODS: Final[Mapping[str, Callable[..., Any]]] = {
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__repr__": _shown,
    "__getstate__": _state,
    "__setstate__": _restore,
}
