"""importance.json, which the compiler writes beside train.py: read, and checked."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any, Final

from elastic.files.documents import fields, flag, listed, maybe, number, text, whole
from elastic.files.strict_json import read_json

SCORE: Final = number(0)
SHARE: Final = maybe(number(0, 1))
GROUP: Final = fields({"choice": text, "important": flag, "score": SCORE, "layers": listed(text)})
OP: Final = fields({"name": text, "kind": text, "important": flag, "score": SCORE})
IMPORTANCE: Final = fields(
    {
        "network": text,
        "groups": listed(GROUP),
        "sub_paths": listed(GROUP),
        "ops": listed(OP),
        "tensors": listed(fields({"name": text, "tas": SCORE})),
    },
    {
        "subnets": maybe(whole()),
        "coupling": SHARE,
        "damping": SHARE,
        "damping_share": maybe(SCORE),
        "directed": maybe(flag),
        "expected": maybe(flag),
        "nodes": maybe(whole()),
        "seed": maybe(whole(least=-inf)),
    },
)
"""What the file holds."""


def read_importance(path: Path) -> dict[str, Any]:
    """The content of importance.json. Exits where it is corrupt."""
    try:
        found: dict[str, Any] = read_json(path.read_bytes())
        IMPORTANCE(found)
    except ValueError as error:
        raise SystemExit(f"{path} is corrupt: {error}") from None
    return found
