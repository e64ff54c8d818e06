"""Tensors in files, without pickle: the safetensors format, which needs nothing but torch here.

A file is the length of its header (8 bytes, little-endian), the header - JSON that gives every tensor's type, shape and
place - and the tensors' bytes, row-major. The package safetensors reads and writes the same files.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor

from specc.runtime.files.whole import whole_file
from specc.space.strict_json import read_json

KINDS: Final[Mapping[str, torch.dtype]] = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U8": torch.uint8,
        "BOOL": torch.bool,
    }
)
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
    names = {dtype: name for name, dtype in KINDS.items()}
    # The widest first: with the header padded, every tensor lies at a multiple of its element's size.
    order = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    header: dict[str, Any] = {}
    end = 0
    for name in order:
        tensor = tensors[name]
        start, end = end, end + tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": [*tensor.shape],
            "data_offsets": [start, end],
        }
    texts = dict(about)
    if checksum:
        texts[SUM] = checksum_of(header, (bytes_of(tensors[name]) for name in order))
    header = {ABOUT: texts, **header} if texts else header
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with whole_file(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for name in order:
            file.write(bytes_of(tensors[name]))


def bytes_of(tensor: Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def checksum_of(rows: Mapping[str, Any], contents: Iterable[bytes | memoryview]) -> str:
    """The SHA-256 of the header's rows, as JSON without blanks, and of the tensors' bytes after them."""
    found = hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode())
    for content in contents:
        found.update(content)
    return found.hexdigest()


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The tensors of a file by name, and the texts about them. Raises ValueError where it is damaged.

    The tensors share the file's memory: what nobody reads of them is never loaded. Writing into them does not change
    the file.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        if size < 8:
            raise ValueError(f"{path} is no safetensors file")
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    first = 8 + int.from_bytes(content[:8], "little")
    try:
        header = read_json(content[8:first])
        about = header.pop(ABOUT, {})
        if not all(isinstance(text, str) for text in about.values()):
            raise ValueError("what it says of itself is no text")
        if SUM in about and about[SUM] != checksum_of(header, [memoryview(content)[first:]]):
            raise ValueError("its checksum is of another content")
        found = {
            name: tensor_at(content, first, KINDS[row["dtype"]], row["shape"], row["data_offsets"])
            for name, row in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{path} is damaged, or no safetensors file: {error}") from None
    return found, about


def tensor_at(
    content: mmap.mmap, first: int, dtype: torch.dtype, shape: list[int], place: list[int]
) -> Tensor:
    """One tensor, whose bytes lie at `place`, counted from `first`."""
    start, end = place
    if any(type(number) is not int or number < 0 for number in (start, end, *shape)):
        raise ValueError(f"a tensor cannot have shape {shape} at {start}:{end}")
    count = 1
    for length in shape:
        count *= length
    wanted = count * torch.empty(0, dtype=dtype).element_size()
    if not 0 <= start <= end <= len(content) - first or end - start != wanted:
        raise ValueError(f"a tensor of {wanted} bytes cannot lie at {start}:{end}")
    if count == 0:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(content, dtype=dtype, count=count, offset=first + start).view(shape)
