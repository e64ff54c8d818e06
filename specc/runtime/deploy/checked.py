"""Whether what is written answers as the network does; and what could not be written, which stops no other format."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import torch
from torch import Tensor

Outputs: TypeAlias = "Tensor | dict[str, Tensor]"

TOLERANCE: Final = 1e-4
"""Of the largest answer."""

FILES: Final[Mapping[str, str]] = MappingProxyType(
    {"source": "model.py", "program": "subnet.pt2", "onnx": "subnet.onnx"}
)
"""The formats, and the file of each."""


class Written:
    """Which formats an export has written, and which it could not write; `flags` say what is wanted.

    flags.formats  formats that are asked for, None for all that there are
    flags.opset    of the ONNX file; `flags.dynamic_size`: of the programs. Who sets these asks for the files
    """

    def __init__(self, flags: Any) -> None:
        self.wanted = [*FILES] if flags.formats is None else flags.formats
        asked = {*(flags.formats or ())}
        asked |= {"onnx"} if flags.opset is not None else set()
        asked |= {"program", "onnx"} if flags.dynamic_size and flags.formats is None else set()
        self.asked = [file for name, file in FILES.items() if name in asked]
        self.left_out: dict[str, str] = {}

    def attempt(self, path: Path, write: Callable[[], object], label: str = "") -> None:
        """Writes one format, if it is wanted. Where it cannot hold the network, says why, leaves no file, and goes on.

        A full disk has nothing to do with a format: OSError is raised.
        """
        if path.name not in [FILES[name] for name in self.wanted]:
            return
        try:
            write()
        except OSError:
            raise
        except (
            Exception,
            SystemExit,
        ) as error:  # exporters fail in any way; other formats have no part in it
            path.unlink(missing_ok=True)
            self.left_out[path.name] = reason(error)
            print(f"no {label or path.name}: {self.left_out[path.name]}")


def finish(written: Sequence[Written]) -> None:
    """Exits with 1 where a format that was asked for is not there, or none at all could be written."""
    for one in written:
        missing = [file for file in one.asked if file in one.left_out]
        if missing:
            raise SystemExit(f"asked for and not written: {', '.join(missing)}")
        if len(one.left_out) == len(one.wanted):
            raise SystemExit("nothing could be written that runs")


def reason(error: BaseException) -> str:
    """What an exporter's error says, in a line: the innermost cause, without advice to its developers."""
    inner = error
    while inner.__cause__ is not None:
        inner = inner.__cause__
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()]
    return textwrap.shorten(lines[0] if lines else type(inner).__name__, 300)


def checksums(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file of a folder, by name."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def named(outputs: Outputs) -> dict[str, Tensor]:
    """The answers by name; a lone one is called `logits`."""
    return outputs if isinstance(outputs, dict) else {"logits": outputs}


def compare(name: str, found: Outputs, wanted: Outputs) -> None:
    """Prints the largest difference. Exits where it is more than rounding explains."""
    compare_all(name, [(found, wanted)])


def compare_all(name: str, pairs: Sequence[tuple[Outputs, Outputs]]) -> None:
    """`compare`, of answers to several inputs: what was found, and what was wanted."""
    errors = [
        difference(mine, own)
        for found, wanted in pairs
        for mine, own in zip(named(found).values(), named(wanted).values(), strict=True)
    ]
    agree(name, float(torch.stack(errors).max()))


def agree(name: str, error: float) -> None:
    """Prints how far outputs differ, as a share of the largest one. Exits where it is more than rounding explains."""
    if not error <= TOLERANCE:
        raise SystemExit(f"{name}: outputs differ by {error:.1e} of the largest one")
    print(f"{name}: same outputs, to {error:.0e}")


def difference(mine: Tensor, own: Tensor) -> Tensor:
    """The largest difference, as a share of the largest answer; infinite where shapes differ."""
    if mine.shape != own.shape:
        return torch.tensor(float("inf"))
    return (mine - own).abs().max() / own.abs().max().clamp_min(1e-30)
