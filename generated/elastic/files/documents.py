"""JSON that anybody may have written, checked by plain code: which keys an object has, what kind of value each holds.

Whatever is wrong with a text is a ValueError, and every number is finite. A kind is a function that raises Wrong where
a value is none of it, with the place in the document:

    POINT = fields({"at": mapping(option), "macs": whole()}, {"accuracy": maybe(number(0, 1))})
    POINT(read_json(text))                        # 'macs' is no whole number of at least 0: "many"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from math import inf, isfinite
from types import MappingProxyType
from typing import Any, Final, TypeAlias

MOST_DIGITS: Final = 4000
"""Python's own limit, nearly: reading a number takes time by the square of its length."""


def read_json(text: str | bytes) -> Any:
    """The value that a text holds. Raises ValueError: no JSON, nested too deeply, NaN, or a number beyond floats."""
    try:
        return json.loads(text, parse_constant=refused, parse_float=finite, parse_int=of_digits)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def refused(constant: str) -> float:
    raise ValueError(f"{constant} is no number")


def finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"{digits} is beyond all floating-point numbers")
    return number


def of_digits(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits):,} digits is too long")
    return int(digits)


Kind: TypeAlias = Callable[[Any], None]


class Wrong(ValueError):
    """A value is not of the kind that its place in a document has."""

    def __init__(self, message: str, path: tuple[int | str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.path = path

    def __str__(self) -> str:
        parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in self.path)
        where = "".join(parts).removeprefix(".")
        return f"'{where}' {self.message}" if where else f"the document {self.message}"


def inside(place: int | str, kind: Kind, value: Any) -> None:
    """Checks a part of a document; what is wrong with it is said with its place."""
    try:
        kind(value)
    except Wrong as error:
        raise Wrong(error.message, (place, *error.path)) from None


def fields(
    required: Mapping[str, Kind],
    optional: Mapping[str, Kind] = MappingProxyType({}),
    others: Kind | None = None,
) -> Kind:
    """Objects with these keys and no others; `others` says what any other may hold, where there may be some."""

    def check(value: Any) -> None:
        entries(value)
        for name in required:
            if name not in value:
                raise Wrong("is missing", (name,))
        for name, item in value.items():
            kind = required.get(name) or optional.get(name) or others
            if kind is None:
                raise Wrong("is no key of it", (name,))
            inside(name, kind, item)

    return check


def entries(value: Any) -> None:
    """Any object."""
    if not isinstance(value, Mapping):
        raise Wrong(f"is no object: {shown(value)}")


def mapping(kind: Kind) -> Kind:
    """Objects with any keys, whose values are of one kind."""
    return fields({}, others=kind)


def listed(kind: Kind) -> Kind:
    """Lists of one kind of value."""

    def check(value: Any) -> None:
        if not isinstance(value, list):
            raise Wrong(f"is no list: {shown(value)}")
        for place, item in enumerate(value):
            inside(place, kind, item)

    return check


def maybe(kind: Kind) -> Kind:
    """A value, or null."""

    def check(value: Any) -> None:
        if value is not None:
            kind(value)

    return check


def either(*kinds: Kind) -> Kind:
    """A value of one of several kinds."""

    def check(value: Any) -> None:
        for kind in kinds[:-1]:
            try:
                return kind(value)
            except Wrong:
                pass
        return kinds[-1](value)

    return check


def one_of(names: Sequence[str]) -> Kind:
    """One of some words."""

    def check(value: Any) -> None:
        if not isinstance(value, str) or value not in names:
            raise Wrong(f"is not {' or '.join(names)}: {shown(value)}")

    return check


def whole(least: float = 0, below: float = inf) -> Kind:
    """Whole numbers, written without a decimal point."""

    bound = f" of at least {least}" if isfinite(least) else ""

    def check(value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < below:
            raise Wrong(f"is no whole number{bound}: {shown(value)}")

    return check


def number(least: float = -inf, most: float = inf, what: str = "number") -> Kind:
    """Finite numbers."""

    def check(value: Any) -> None:
        if not is_number(value) or not least <= float(value) <= most:
            raise Wrong(f"is no {what}: {shown(value)}")

    return check


def is_number(value: Any) -> bool:
    """Whether a value is a number that a float can be."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:
        return False


def anything(value: Any) -> None:
    """What is looked at later."""


def text(value: Any) -> None:
    """Any text."""
    if not isinstance(value, str):
        raise Wrong(f"is no text: {shown(value)}")


def flag(value: Any) -> None:
    """True or false."""
    if not isinstance(value, bool):
        raise Wrong(f"is not true or false: {shown(value)}")


def option(value: Any) -> None:
    """What a choice may be: a number, true, false or a word."""
    if not isinstance(value, bool | int | str) and not is_number(value):
        raise Wrong(f"is no option: {shown(value)}")


def shown(value: Any, most: int = 40) -> str:
    """The beginning of a value, as JSON has it."""
    try:
        found = json.dumps(value)
    except (TypeError, ValueError):
        found = str(value)
    return found if len(found) <= most else f"{found[:most]}..."
