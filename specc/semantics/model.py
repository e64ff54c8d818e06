"""The checked spec: what semantic analysis hands on to lowering and to the project writer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from specc.frozen import frozen
from specc.ir.parameter import Call
from specc.semantics.files import LoadedFile
from specc.semantics.meaning import Meanings
from specc.semantics.names import Names
from specc.source import Source


@frozen
class Model:
    """A spec whose names all stand for something and whose sections are complete.

    meanings  what the names of calls mean
    params  what `-p name=value` set, by name: a number, a flag or a word
    tables  the files that `labels` names, by their paths as written
    """

    name: str
    files: tuple[LoadedFile, ...]
    names: Names
    meanings: Meanings
    params: Mapping[str, object]
    method: Call
    data: Call | None
    train: Call
    search: Call
    tables: Mapping[str, Source] = field(default_factory=dict)
