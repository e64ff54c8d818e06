"""shrinking.json, which the compiler writes beside train.py: read, and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from specc.portable.files.documents import fields, listed, mapping, number, text, whole
from specc.portable.files.strict_json import read_json

NAMES: Final = listed(text)
COUNTS: Final = mapping(whole())
STAGE: Final = fields({"phase": text, "share": number(0, 1), "subnets": whole(), "drawn": COUNTS})
CHANNELS: Final = fields({"rows": NAMES, "columns": NAMES, "ranked_by": NAMES, "sorted": COUNTS})
SHRINKING: Final = fields(
    {"network": text, "always": NAMES, "stages": listed(STAGE), "channels": listed(CHANNELS)}
)
"""What the file holds."""


def read_shrinking(path: Path) -> dict[str, Any]:
    """The content of shrinking.json. Exits where it is corrupt."""
    try:
        found: dict[str, Any] = read_json(path.read_bytes())
        SHRINKING(found)
    except ValueError as error:
        raise SystemExit(f"{path} is corrupt: {error}") from None
    return found
