"""What an operator, a method, a data set or a settings section takes: names, types, defaults, one line of help each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Words:
    """One of a few words, as in `pool(avg)`."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variants:
    """One of a few calls with parameters of their own, as in `optimizer=sgd(lr=0.1)`; a bare word is a call without
    arguments."""

    signatures: tuple[Signature, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b, ...]`, every item of one type; a single item may stand without brackets."""

    item: Type


Plain: TypeAlias = Literal[
    "channels",  # a channel count; may be elastic, obeys the width setting
    "integer",  # a positive whole number, or a choice of such
    "count",  # a whole number from 0
    "number",  # any number
    "seconds",  # a time, written with its unit
    "flag",  # yes or no
    "text",  # "a string"
    "assignment",  # max, min or at(choice=option, ...)
    "tensors",  # all unnamed arguments: feature maps by name, `here`, or calls
    "bank",  # shared, skip, width, subnet or the name of a choice
]
Type: TypeAlias = Plain | Words | Variants | ListOf


@dataclass(frozen=True, slots=True)
class Required:
    """Stands as the default of a parameter that has none."""


REQUIRED: Final = Required()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `elastic` says that a range, a set or a choice may stand there; `below` bounds a number."""

    name: str
    type: Type
    default: object = REQUIRED
    doc: str = ""
    elastic: bool = False
    below: int | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """The name of something that can be called and its parameters, in the order in which they may stand unnamed."""

    name: str
    parameters: tuple[Parameter, ...] = ()
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Call:
    """An evaluated call of a `Variants` parameter, a method or a data set: every parameter has its value or its
    default."""

    name: str
    values: tuple[tuple[str, object], ...] = ()

    def __getitem__(self, parameter: str) -> object:
        for name, value in self.values:
            if name == parameter:
                return value
        raise KeyError(parameter)
