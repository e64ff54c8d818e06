"""Tensors in files of the safetensors format: nothing is unpickled, and no code of a file ever runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from elastic.files.whole import whole_file

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
