"""Atomic, crash-safe replacement of files and folders; and tensors in files of the safetensors format: nothing is
unpickled, and no code of a file ever runs.
"""

from __future__ import annotations

import glob
import hashlib
import json
import os
import platform
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import IO, Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

LOCK: Final = ".lock"
"""The file by which a folder is claimed. It stays; what counts is who has it locked."""
PARTIAL: Final = ".partial"
"""What the names of unfinished files end in."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Exits with a plain message where a disk is full, or nothing may be written to."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise SystemExit(f"{path} cannot be written, and is as it was: {reason}") from None


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to fill that lies aside; it takes the place of `path` at the end of the block, unless that fails.

    Of several processes that write one file at once, the last to finish has written it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_away(path)
    aside = beside(path)
    try:
        with aside.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def beside(path: Path) -> Path:
    """Where this process fills what shall take the place of a file or folder."""
    return path.with_name(f"{path.name}.{host()}-{os.getpid()}-{secrets.token_hex(4)}{PARTIAL}")


def clear_away(path: Path) -> None:
    """Removes what processes of this machine that were killed have left aside of a file or folder."""
    for aside in path.parent.glob(f"{glob.escape(path.name)}.{glob.escape(host())}-*{PARTIAL}"):
        process = aside.name.removesuffix(PARTIAL).split("-")[-2]
        if process.isdecimal() and not runs(int(process)):
            remove(aside)


def remove(path: Path) -> None:
    """Removes a file or a folder, if it is still there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def host() -> str:
    return platform.node().partition(".")[0] or "here"


def runs(process: int) -> bool:
    """Whether a process of this machine is alive; where that cannot be asked, it may be."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill that lies aside; it takes the place of `folder` at the end of the block.

    If the block fails, or its process is killed, what was in `folder` before is still there. No folder can be renamed
    over another one: for that moment the former is `<name>.old`; if the process dies just then, `put_back` helps. Of
    several processes that write one folder at once, the last to finish has written it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    put_back(folder)
    clear_away(folder)
    aside = beside(folder)
    aside.mkdir()
    try:
        yield aside
        for path in aside.rglob("*"):
            if path.is_file():
                settle(path)
        take_place(aside, folder)
    except BaseException:
        remove(aside)
        put_back(folder)
        raise
    remove(former(folder))


def take_place(aside: Path, folder: Path, tries: int = 5) -> None:
    """Renames a folder to one that may exist, which is `<name>.old` then; again where another process does so, too."""
    for left in reversed(range(tries)):
        try:
            if folder.exists():
                remove(former(folder))
                folder.rename(former(folder))
            aside.rename(folder)
            return
        except OSError:
            if not left:
                raise


def former(folder: Path) -> Path:
    return folder.with_name(folder.name + ".old")


def put_back(folder: Path) -> None:
    """Undoes the first half of a replacement whose process died before the second."""
    if former(folder).exists() and not folder.exists():
        former(folder).rename(folder)


def settle(path: Path) -> None:
    """Waits until a file's content is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def write_text(path: Path, text: str) -> None:
    """Replaces a text file as a whole."""
    with whole_file(path) as file:
        file.write(text.encode())


def claimed(folder: Path) -> IO[str] | None:
    """Makes a folder this process's own until what is returned is closed, or the process ends, however it does.

    Exits where it is another's. None where folders cannot be claimed: on a system or a disk without locks.
    """
    try:
        import fcntl
    except ImportError:  # on Windows
        return None
    path = folder / LOCK
    lock = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        owner = lock.read(100).strip() or "another process"
        lock.close()
        raise SystemExit(
            f"{folder} is in use by {owner}: name another folder by --output-dir"
        ) from None
    except OSError:
        lock.close()
        return None
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {host()}\n")
    lock.flush()
    return lock


ABOUT: Final = "__metadata__"
SUM: Final = "sha256"


def save_tensors(
    path: Path,
    tensors: Mapping[str, Tensor],
    about: Mapping[str, str] = MappingProxyType({}),
    checksum: bool = False,
) -> None:
    """Writes tensors by name, and texts about them. The file is there whole or not at all.

    With `checksum` one of the texts is the SHA-256 of all tensors and of what the header says of them.
    """
    # The package refuses tensors that share memory or have gaps: each is written as its own, row-major.
    own = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    texts = dict(about)
    content = save(own, texts or None)
    if checksum:
        content = save(own, {**texts, SUM: checksum_of(content)})
    with whole_file(path) as file:
        file.write(content)


def checksum_of(content: bytes) -> str:
    """The SHA-256 of the header's rows, as JSON without blanks, and of the tensors' bytes after them."""
    first = 8 + int.from_bytes(content[:8], "little")
    rows = json.loads(content[8:first])
    rows.pop(ABOUT, None)
    found = hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode())
    found.update(memoryview(content)[first:])
    return found.hexdigest()


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, and the texts about them. Raises ValueError where it is corrupt.

    The tensors share the file's memory: what nobody reads of them is never loaded. Writing into them does not change
    the file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = dict(file.metadata() or {})
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} is corrupt, or not a safetensors file: {error}") from None
    if SUM in about and about[SUM] != checksum_of(path.read_bytes()):
        raise ValueError(f"{path} is corrupt: its checksum does not match its content")
    return found, about
