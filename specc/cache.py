"""The folder in which libraries keep what every process would otherwise make anew: lark's parser, jinja's templates.

They unpickle and run what they read there, so the folder must be the user's own: owned by the user, and closed to
everyone else (mode 0700). Owner and mode are checked whenever a process is about to use the folder.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

CLOSED = 0o700


def private_folder() -> Path | None:
    """`specc` in the user's cache folder, made where it is missing.

    None where SPECC_CACHE says off, where there is no home, and where the folder cannot be made or written, or is not
    the user's own. A folder of the user's that others could read is closed first; one that others could write is also
    emptied.
    """
    if os.environ.get("SPECC_CACHE", "").lower() in ("off", "0", "no"):
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    if not os.path.isabs(base):
        return None
    folder = Path(base) / "specc"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(folder):
            folder.mkdir(mode=CLOSED, exist_ok=True)
        usable = (is_private(folder) or made_private(folder)) and os.access(folder, os.W_OK)
        return folder if usable else None
    except OSError:
        return None


def is_private(folder: Path) -> bool:
    """Whether a path is a folder, and no link to one, that nobody but this user may enter."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return False
    if not hasattr(os, "geteuid"):  # Windows: the profile's folder is the user's by its access list
        return True
    return found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0


def made_private(folder: Path) -> bool:
    """Closes a folder of the user's; False where it is someone else's, or no folder."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        return False
    folder.chmod(CLOSED)
    if found.st_mode & 0o022:  # what lies in it may be someone else's
        for path in folder.iterdir():
            path.unlink()
    return is_private(folder)
