"""A trained network's weights for the class that its spec was imported from."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from torch import nn

from elastic.files.documents import read_json
from elastic.files.original import METADATA, UNUSED, read_entries, to_original
from elastic.files.whole import load_tensors, save_tensors

FILE: Final = "original.safetensors"


def write_original(plain: nn.Module, imported: Path, folder: Path) -> None:
    """Writes the state_dict of the original's class from a static network whose norms are not folded.

    `imported` is what `specc import` wrote beside the spec: it knows the names. Exits where it does not, or where the
    network is narrower than the original, or lacks a part of it.
    """
    try:
        _, about = load_tensors(imported)
        entries = read_entries(about.get(METADATA, ""))
        unused = [str(name) for name in read_json(about.get(UNUSED, "[]"))]
    except (OSError, ValueError) as error:
        raise SystemExit(f"--to-original {imported}: {error}") from None
    state, missing = to_original(entries, plain.state_dict())
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise SystemExit(
            f"--to-original: {missing[0]}{more} would be missing: this sub-network is narrower or shallower than the"
            " original; --at max is as large"
        )
    save_tensors(folder / FILE, state, {"format": "pt"})
    print(f"{FILE}: {len(state)} tensors, for load_state_dict of the original's class")
    if unused:
        more = f" and {len(unused) - 1} more" if len(unused) > 1 else ""
        print(f"{unused[0]}{more} of that class are none of the network's: strict=False keeps them")
