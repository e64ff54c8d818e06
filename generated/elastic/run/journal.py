"""The journal of a search: every finished evaluation as a line, so that an interrupted search goes on where it was."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from elastic.files.documents import fields, mapping, number, option, read_json, text
from elastic.files.whole import writing
from elastic.run.distributed import World, gather

Assignment: TypeAlias = Mapping[str, Any]
"""One option for each choice, by the choice's name."""
Measured: TypeAlias = Mapping[str, float]
"""What was measured of a sub-network: accuracy, latency, .. by name."""

LINE: Final = fields({"of": text, "at": mapping(option)}, others=number())
"""A line: the rest is what was measured."""


def fingerprint(parts: Iterable[Path | str]) -> str:
    """A short hash of some files' contents and texts."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode() if isinstance(part, str) else hashed(part)
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()[:16]


def key(assignment: Assignment) -> str:
    """A text that is the same for equal assignments."""
    return json.dumps(assignment, sort_keys=True)


def hashed(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


class Journal:
    """What is known of each sub-network, and the file that it is kept in.

    A line says of which network and data it is (`of`, a fingerprint), which sub-network it is about (`at`), and what
    was measured. Lines of other networks stay and are passed over, so that no finished work is ever lost. A line is
    written at once and whole; several processes of a machine may append to one file.
    """

    def __init__(self, path: Path, of: str) -> None:
        self.path = path
        self.of = of
        self.found: dict[str, dict[str, float]] = {}
        self.synced = time.monotonic()

    def read(self) -> None:
        """Takes in what the file has to say. Lines that a crash cut off say nothing, nor do those without numbers."""
        if not self.path.is_file():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = read_json(line)
                LINE(row)
            except ValueError:
                continue
            if row["of"] == self.of:
                known = {name: value for name, value in row.items() if name not in ("of", "at")}
                self.learn(row["at"], known)

    def mend(self) -> None:
        """Ends a line that a crash cut off, so that the next one stands alone. For one process, before all write."""
        if self.path.is_file() and self.path.stat().st_size:
            with self.path.open("rb") as file:
                file.seek(-1, os.SEEK_END)
                torn = file.read() != b"\n"
            if torn:
                self.append("\n")

    def known(self, at: Assignment) -> Measured:
        return self.found.get(key(at), {})

    def learn(self, at: Assignment, measured: Measured) -> None:
        """Takes in what another process, or an earlier run, has measured."""
        self.found.setdefault(key(at), {}).update(measured)

    def add(self, at: Assignment, measured: Measured) -> None:
        """Takes in a finished evaluation and writes it down."""
        self.learn(at, measured)
        self.append(json.dumps({"of": self.of, "at": dict(at), **measured}) + "\n")

    def append(self, text: str) -> None:
        """One write, so that a kill cuts nothing in two. Once in a while the disk is waited for, against power cuts.

        Exits where the disk is full or may not be written to; what was measured before is in the file.
        """
        with writing(self.path):
            self.write(text)

    def write(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            data = text.encode()
            while data:  # a disk that is nearly full takes a part, and then says so
                data = data[os.write(file, data) :]
            if time.monotonic() - self.synced > 5:
                os.fsync(file)
                self.synced = time.monotonic()
        finally:
            os.close(file)


def open_journal(path: Path, of: str, world: World) -> Journal:
    """The journal with what earlier runs wrote. Processes on other machines may know other lines: all hear of all."""
    journal = Journal(path, of)
    if world.main:
        journal.mend()
    gather([world.rank], world)  # nobody reads before that
    journal.read()
    for name, measured in gather([*journal.found.items()], world):
        journal.found[name] = {**journal.found.get(name, {}), **measured}
    return journal
