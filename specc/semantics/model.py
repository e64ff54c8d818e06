"""The checked spec: what semantic analysis hands on to lowering and to the project writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from specc.ir.parameter import Call
from specc.semantics.files import LoadedFile
from specc.semantics.names import Names


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A spec whose names all stand for something and whose sections are complete.

    params  what `-p name=value` set, by name: a number, a flag or a word
    """

    name: str
    files: tuple[LoadedFile, ...]
    names: Names
    params: Mapping[str, object]
    method: Call
    data: Call | None
    train: Call
    search: Call
