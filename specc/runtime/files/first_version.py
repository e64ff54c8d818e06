"""Files of specc 0.1, which called some layers, blocks and choices otherwise: their names are translated on reading.

A network's class says what was renamed (`renamed`, as `files.renames` explains) and by which fingerprint files of that
version know it (`first_fingerprint`). A file without a fingerprint goes by its names. Optimizers keep their state by
the order of parameters, which is what it was. A search's journal is begun anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

from specc.portable.files.renames import Renamed, inverse, present

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class FirstVersion:
    """What files of the first version call a network and its parts.

    fingerprint  of the network; "" where that has not changed
    renamed      first names, and those of now
    weights      the hash of the network's weights under their first names, where they are known
    """

    fingerprint: str
    renamed: Renamed
    weights: str = ""

    def now(self, named: Mapping[str, Value]) -> dict[str, Value]:
        """What goes by first names, by the names of now."""
        return {present(name, self.renamed): value for name, value in named.items()}

    def then(self, named: Mapping[str, Value]) -> dict[str, Value]:
        """What goes by the names of now, by first names."""
        table = inverse(self.renamed)
        return {present(name, table): value for name, value in named.items()}

    def wrote(self, fingerprint: str | None, names: Iterable[str], own: Iterable[str]) -> bool:
        """Whether a file is of the first version: by its fingerprint; without one by its names, which are then not the
        network's `own`, but these under first names."""
        if not self.fingerprint:
            return False
        if fingerprint:
            return fingerprint == self.fingerprint
        known, found = {*own}, {*names}
        return not found <= known and {present(name, self.renamed) for name in found} <= known


UNCHANGED: Final = FirstVersion("", MappingProxyType({}))
"""Of a network in which nothing was renamed."""


def first_version(net: Any, weights: str = "") -> FirstVersion:
    """What the class of a network says of the first version."""
    return FirstVersion(getattr(net, "first_fingerprint", ""), getattr(net, "renamed", {}), weights)


def renamed_within(value: Any, first: FirstVersion) -> Any:
    """Nested dicts and lists, each key that is a first name as it is called now."""
    if isinstance(value, Mapping):
        return {
            present(name, first.renamed) if isinstance(name, str) else name: renamed_within(
                item, first
            )
            for name, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [renamed_within(item, first) for item in value]
    return value
