"""shrinking.json, which the compiler writes beside train.py: read, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from torch import nn

from elastic.files.documents import fields, listed, mapping, number, read_json, text, whole
from elastic.files.first_version import first_version
from elastic.files.renames import names_now
from elastic.train.interfaces import Space

NAMES: Final = listed(text)
COUNTS: Final = mapping(whole())
STAGE: Final = fields({"phase": text, "share": number(0, 1), "subnets": whole(), "drawn": COUNTS})
CHANNELS: Final = fields({"rows": NAMES, "columns": NAMES, "judges": NAMES, "sorted": COUNTS})
SHRINKING: Final = fields(
    {"network": text, "always": NAMES, "stages": listed(STAGE), "channels": listed(CHANNELS)}
)
"""What the file holds."""
LAYERS: Final = ("rows", "columns", "judges")
"""What names layers in it."""


def read_shrinking(path: Path, space: Space, net: nn.Module) -> dict[str, Any]:
    """The content of shrinking.json. Exits where it is corrupt, or has choices that the space has not.

    A file of the first version gets the names of now, which the network's class knows.
    """
    try:
        found: dict[str, Any] = read_json(path.read_bytes())
        SHRINKING(found)
    except ValueError as error:
        raise SystemExit(f"{path} is corrupt: {error}") from None
    of_choices = {*found["always"], *(name for row in found["stages"] for name in row["drawn"])}
    of_layers = {name for row in found["channels"] for name in (*row["rows"], *row["columns"])}
    known = {*space.CHOICES, *(name for name, _ in net.named_modules())}
    now = names_now(of_choices | of_layers, known, first_version(net).renamed)
    for name in sorted(of_choices):
        if now[name] not in space.CHOICES:
            raise SystemExit(f"{path} belongs to a different network: it has the choice {name!r}")
    return {
        **found,
        "always": [now[name] for name in found["always"]],
        "stages": [
            {**row, "drawn": {now[name]: count for name, count in row["drawn"].items()}}
            for row in found["stages"]
        ],
        "channels": [
            {**row, **{key: [now[name] for name in row[key]] for key in LAYERS}}
            for row in found["channels"]
        ],
    }
