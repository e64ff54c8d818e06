"""Puts a project's files into a folder: whole or not at all, and never over what specc did not write.

The new folder is made beside the old one, with hard links to whatever else stands there (checkpoints, runs), and
the two change places in one step. Whenever the process dies, the folder holds the old project or the new one.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

MARK: Final = ".specc"
"""The file that makes a folder ours: a hash and a path for every file that specc wrote."""
MOST_NAMED: Final = 5


class Refused(Exception):
    """The folder is not to be touched. `help` says what to do."""

    def __init__(self, message: str, help: str) -> None:
        super().__init__(message)
        self.help = help


def marked(files: Mapping[str, str]) -> dict[str, str]:
    """The files of a project with the one that lists them."""
    rows = (f"{digest(files[path].encode())}  {path}\n" for path in sorted(files))
    return {**files, MARK: "# Written by specc: files with these hashes may be replaced by it.\n" + "".join(rows)}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def changes(files: Mapping[str, str], folder: Path) -> tuple[tuple[str, str], ...]:
    """What installing would do to each file: (path, new | changed | same | removed), sorted by path."""
    found = {path: "removed" for path in written(folder) if (folder / path).exists()}
    for path, text in files.items():
        target = folder / path
        same = target.is_file() and target.read_bytes() == text.encode()
        found[path] = "same" if same else "changed" if target.exists() else "new"
    return tuple(sorted(found.items()))


def install(files: Mapping[str, str], folder: Path, force: bool = False) -> None:
    """Writes the files, which `marked` has been applied to. Raises Refused, or OSError where writing fails."""
    folder = folder.resolve() if folder.is_symlink() else Path(os.path.normpath(folder.absolute()))
    if not folder.name:
        raise Refused("this is the root of the file system", "name another folder")
    if not force:
        refuse_foreign(folder)
    if folder.exists() and Path.cwd().is_relative_to(folder.resolve()):
        raise Refused(f"this command runs inside {folder.name}/, which is to be replaced", "run it from outside")
    folder.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder)
    aside = folder.with_name(f".{folder.name}.specc-{os.getpid()}")
    try:
        write_all(files, aside)
        if folder.exists():
            keep_others(folder, aside, {*files, *written(folder)})
            exchange(aside, folder)
        else:
            os.rename(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def carry(file: tuple[Path, str] | None, folder: Path) -> None:
    """Copies a file of the user's, which is not text, into an installed project under its name there."""
    if file is not None:
        source, name = file
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if not (target.exists() and target.samefile(source)):
            aside = target.with_name(f".{target.name}.specc-{os.getpid()}")
            try:
                shutil.copyfile(source, aside)
                os.replace(aside, target)
            finally:
                aside.unlink(missing_ok=True)


def refuse_foreign(folder: Path) -> None:
    """Raises Refused where something stands there that specc did not write or that was changed since."""
    if folder.exists() and not folder.is_dir():
        raise Refused(f"{folder.name} is a file", "name another folder")
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    if not (folder / MARK).is_file():
        raise Refused(
            f"the folder {folder.name}/ is not empty and specc did not write it",
            "--force writes the project into it (files of the same names are replaced, others stay)",
        )
    hashes = written(folder)
    edited = [p for p in hashes if (folder / p).is_file() and digest((folder / p).read_bytes()) != hashes[p]]
    if edited:
        named = ", ".join(sorted(edited)[:MOST_NAMED]) + (", ..." if len(edited) > MOST_NAMED else "")
        raise Refused(
            f"files in {folder.name}/ were changed after specc wrote them: {named}",
            "--force replaces them; to keep them, compile into another folder",
        )


def written(folder: Path) -> dict[str, str]:
    """The hashes of the files that specc wrote into a folder, by path; nothing where it wrote none."""
    try:
        lines = (folder / MARK).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    pairs = (line.split("  ", 1) for line in lines if line and not line.startswith("#"))
    hashes = {pair[1]: pair[0] for pair in pairs if len(pair) == 2}
    return {path: value for path, value in hashes.items() if ".." not in path.split("/") and not path.startswith("/")}


def write_all(files: Mapping[str, str], folder: Path) -> None:
    """Writes into a new folder."""
    folder.mkdir()
    for parent in sorted({(folder / path).parent for path in files}):
        parent.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        (folder / path).write_bytes(text.encode())


def keep_others(old: Path, new: Path, ours: set[str]) -> None:
    """Links what is not ours from the old folder into the new one."""
    for source in others(old):
        path = source.relative_to(old)
        target = new / path
        if path.as_posix() in ours or target.exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError:  # a file system without hard links
            shutil.copy2(source, target, follow_symlinks=False)


def others(folder: Path) -> Iterator[Path]:
    """All files and links below a folder; links are not followed, bytecode is left out."""
    for root, folders, names in os.walk(folder):
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and name != "__pycache__"]
        yield from (here / name for name in (*names, *links))


def exchange(first: Path, second: Path) -> None:
    """Two folders change places: in one step where the system can, with a moment in between elsewhere."""
    if not exchanged_at_once(first, second):
        between = first.with_name(first.name + "-old")
        os.rename(second, between)
        try:
            os.rename(first, second)
        except BaseException:
            os.rename(between, second)
            raise
        os.rename(between, first)


def exchanged_at_once(first: Path, second: Path) -> bool:
    """renameat2 with RENAME_EXCHANGE; False where the C library or the file system does not have it."""
    import ctypes

    at_working_directory, exchange_flag = -100, 2
    call = getattr(ctypes.CDLL(None), "renameat2", None) if os.name == "posix" else None
    if call is None:
        return False
    result: int = call(
        at_working_directory, os.fsencode(first), at_working_directory, os.fsencode(second), exchange_flag
    )
    return result == 0


def remove_leftovers(folder: Path) -> None:
    """Removes what a compile that was killed left beside the folder; puts back the old one where it was under way."""
    prefix = f".{folder.name}.specc-"
    for path in sorted(folder.parent.iterdir(), reverse=True):
        number = path.name.removeprefix(prefix).removesuffix("-old")
        if path.name.startswith(prefix) and number.isdecimal() and not runs(int(number)):
            if path.name.endswith("-old") and not folder.exists():
                os.rename(path, folder)
            else:
                shutil.rmtree(path, ignore_errors=True)


def runs(process: int) -> bool:
    """Whether a process of this number exists."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
