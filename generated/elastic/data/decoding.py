"""From an image file to numbers: every mode that Pillow reads, whole, upright, and as many channels as wanted.

Pictures of 8 bits stay Pillow's, which torchvision's reference recipes are made for. Those of 16 bits and of floats
become tensors, since Pillow itself cuts off what is above 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

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
