"""Folders of image files as people have them: what is passed over, what is refused, and how each file becomes numbers.

Every mode that Pillow reads is read: whole, upright, and in as many channels as wanted. Pictures of 8 bits stay
Pillow's, which torchvision's reference recipes are made for. Those of 16 bits and of floats become tensors, since
Pillow itself cuts off what is above 255.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from elastic.data.images import Images
from elastic.run.progress import Bar

DEEP: Final = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
"""Pillow's modes of one channel with more than eight bits."""
PLAIN: Final = ("1", "L", "P", "RGB", "CMYK", "YCbCr")
TRANSPARENT: Final = ("LA", "La", "PA", "RGBA", "RGBa")
BEHIND: Final = 128
"""The grey behind what is transparent, so that neither black nor white drawings vanish."""
CHANNELS: Final[Mapping[int, str]] = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
"""The channels that a file can be read as, and Pillow's name for them."""
ORIENTATION: Final = 0x0112
"""The tag of EXIF that says how a camera was held."""


def decoded(path: Path, channels: int) -> Any:
    """A file's first picture, upright: Pillow's own of 8 bits; a tensor (channels, H, W) in 0..1 where it has 16.

    Floats (of TIFF files) are taken as they are. Raises an exception, of any kind, where the file is corrupt.
    """
    from PIL import Image

    with Image.open(path) as file:
        file.load()
        picture: Any = upright(file)
        if file.mode in DEEP:
            return deep(picture, channels)
        if file.mode in TRANSPARENT or "transparency" in file.info:
            picture = picture.convert("RGBA")
            if channels != 4 and picture.getextrema()[3][0] < 255:
                behind = Image.new("RGBA", picture.size, (BEHIND, BEHIND, BEHIND, 255))
                picture = Image.alpha_composite(behind, picture)
        if picture.mode not in ("1", "L", "RGBA"):
            picture = picture.convert("RGB")
        return picture.convert(CHANNELS[channels])


def deep(picture: Any, channels: int) -> torch.Tensor:
    """A grey picture of more than eight bits, its channel repeated."""
    numbers = torch.from_numpy(np.asarray(picture).astype(np.float32))
    if picture.mode != "F":
        numbers = numbers / 65535
    return numbers.expand(channels, -1, -1)


def upright(file: Any) -> Any:
    """The picture as it is looked at: cameras note how they were held."""
    from PIL import Image

    try:
        orientation = file.getexif().get(ORIENTATION, 1)
    except Exception:  # damaged EXIF raises all kinds; the picture itself is fine
        return file
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return file.transpose(turns[orientation]) if orientation in turns else file


def damage(path: Path) -> str | None:
    """What keeps a file from being decoded; None where nothing does.

    JPEG files are decoded at an eighth of their size, which reads them to the end in a fraction of the time.
    """
    from PIL import Image

    try:
        if not path.is_file():  # a link to nowhere, or a pipe, which would be waited for
            return "no file"
        if not path.stat().st_size:
            return "empty"
        with Image.open(path) as file:
            file.draft("RGB", (max(1, file.width // 8), max(1, file.height // 8)))
            file.load()
            if file.mode == "I" and file.format not in ("PNG", "PPM"):
                return (
                    "whole numbers of 32 bits, of which nothing says the largest: save it with 16"
                )
            if file.mode not in (*PLAIN, *DEEP, *TRANSPARENT):
                file.convert("RGB")
    except OSError as error:
        text = " ".join((error.strerror or str(error)).split())
        return "no image" if "cannot identify" in text else text
    except Exception as error:  # decoders raise all kinds: SyntaxError, zlib's, struct's
        return " ".join(str(error).split()) or type(error).__name__
    return None


def is_deep(path: Path) -> bool:
    """Whether a file holds more than eight bits a channel: from its header alone."""
    from PIL import Image

    with Image.open(path) as file:
        return file.mode in DEEP


SUFFIXES: Final = (
    ".jpeg",
    ".jpg",
    ".png",
    ".bmp",
    ".webp",
    ".ppm",
    ".pgm",
    ".pbm",
    ".tif",
    ".tiff",
    ".gif",
)
NOT_OURS: Final = (
    "__macosx",
    "@eadir",
    "lost+found",
    "$recycle.bin",
    "system volume information",
    "thumbs.db",
    "desktop.ini",
)
"""What systems make beside people's files. All that begins with a dot is passed over, too."""
MOST_NAMED: Final = 20
AT_ONCE: Final = 4096
"""Files that wait for a thread: each takes about a kilobyte."""


def by_folder(root: Path, others: list[Path] | None = None) -> tuple[Images, tuple[str, ...]]:
    """The images under `root`, whose classes are its sub-folders in alphabetical order, and the classes.

    `others` takes the files that are not called as images are. Exits where there are no folders, or where one has no
    images.
    """
    names = tuple(sorted(folder.name for folder in visible_folders(root)))
    if not names:
        raise SystemExit(f"{root} holds no folders of images, one for every class")
    labels: list[int] = []
    files: list[Path] = []
    empty = []
    for i, name in enumerate(names):
        found = sorted(images_below(root / name, [] if others is None else others))
        files.extend(found)
        labels.extend([i] * len(found))
        if not found:
            empty.append(name)
    if len(empty) == len(names):
        raise SystemExit(f"{root} holds no folders of images, one for every class")
    if empty:
        held = f"{root / empty[0]} holds no images"
        more = f", nor do {len(empty) - 1} other folders" if len(empty) > 1 else ""
        raise SystemExit(f"{held}{more}: every folder of {root} is a class")
    return Images(tuple(labels), files=tuple(files)), names


def visible_folders(root: Path) -> list[Path]:
    """The folders in `root` that a person made."""
    return [entry for entry in root.iterdir() if not is_hidden(entry.name) and entry.is_dir()]


def is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in NOT_OURS


def images_below(folder: Path, others: list[Path]) -> Iterator[Path]:
    """The files below a folder that are called as images are; `others` takes the rest. Links are followed, but not
    around in circles."""
    seen: set[tuple[int, int]] = set()
    for here, folders, files in os.walk(folder, onerror=unreadable, followlinks=True):
        status = os.stat(here)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = [name for name in folders if not is_hidden(name)]
        for name in files:
            if os.path.splitext(name)[1].lower() in SUFFIXES and not is_hidden(name):
                yield Path(here, name)
            elif not is_hidden(name):
                others.append(Path(here, name))


def unreadable(error: OSError) -> None:
    """Exits, rather than passing over what a folder holds."""
    raise SystemExit(f"{error.filename} cannot be read: {error.strerror}")


def check_files(files: Sequence[Path]) -> None:
    """Decodes every file that was not decoded before, in all cores; exits with the names of the corrupt ones.

    What is fine is noted in the user's cache, folder by folder: a folder is read again once a name, a size or a date
    in it has changed. Of several processes the first one checks.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    by_parent: dict[Path, list[Path]] = {}
    for file in files:
        by_parent.setdefault(file.parent, []).append(file)
    noted = Noted()
    states = {parent: state(parent, inside) for parent, inside in by_parent.items()}
    fresh = {parent: s for parent, s in states.items() if s not in noted.known}
    waiting = [file for parent in fresh for file in by_parent[parent]]
    if not waiting:
        return
    if len(waiting) > AT_ONCE:
        print(f"checking {len(waiting):,} image files, once", flush=True)
    broken: dict[Path, str] = {}
    with Bar("checking images", len(waiting)) as bar, ThreadPoolExecutor(threads()) as pool:
        for first in range(0, len(waiting), AT_ONCE):
            some = waiting[first : first + AT_ONCE]
            for file, reason in zip(some, pool.map(damage, some), strict=True):
                bar.advance()
                if reason is not None:
                    broken[file] = reason
    noted.add(
        [s for parent, s in fresh.items() if not any(file.parent == parent for file in broken)]
    )
    if broken:
        raise SystemExit(listed(broken))


def listed(
    broken: Mapping[Path, str], what: str = "image file", why: str = "cannot be decoded"
) -> str:
    """The corrupt files, each with its reason."""
    named = [f"  {file}: {reason}" for file, reason in broken.items()][:MOST_NAMED]
    more = [f"  and {len(broken) - MOST_NAMED:,} more"] if len(broken) > MOST_NAMED else []
    one = f"an {what}" if what[0] in "aeio" else f"a {what}"
    some = one if len(broken) == 1 else f"{len(broken):,} {what}s"
    return "\n".join([f"{some} {why}; repair or remove:", *named, *more])


def threads() -> int:
    usable = getattr(os, "sched_getaffinity", None)
    return len(usable(0)) if usable else os.cpu_count() or 1


def state(parent: Path, files: Sequence[Path]) -> str:
    """A hash of a folder's place and of its files' names, sizes and dates."""
    made = hashlib.sha256(os.fsencode(parent.absolute()))
    for file in sorted(files):
        try:
            status = file.stat()
            made.update(os.fsencode(f"\n{file.name}\n{status.st_size} {status.st_mtime_ns}"))
        except OSError:  # a link to nowhere: decoding says so
            made.update(os.urandom(16))
    return made.hexdigest()


class Noted:
    """The states of folders that were found fine: lines of a file that belongs to the user alone."""

    def __init__(self) -> None:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        self.path = Path(base, "elastic", "checked-images.txt")
        self.known: set[str] = set()
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if trusted(self.path.parent):
                self.known = set(self.path.read_text(encoding="ascii").split())
        except (OSError, UnicodeDecodeError):
            pass  # nothing noted yet, or nothing can be: files are decoded again

    def add(self, states: Sequence[str]) -> None:
        try:
            if trusted(self.path.parent):
                with self.path.open("a", encoding="ascii") as file:
                    file.write("".join(f"{s}\n" for s in states))
        except OSError:
            pass  # a full disk, or a home that may not be written to


def trusted(folder: Path) -> bool:
    """Whether nobody else may write into a folder."""
    status = folder.stat()
    mine = not hasattr(os, "getuid") or status.st_uid == os.getuid()
    return mine and not status.st_mode & 0o022
