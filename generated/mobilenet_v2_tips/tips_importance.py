"""importance.json, which the compiler writes beside train.py: read, and checked."""

from __future__ import annotations

from math import inf
from pathlib import Path
from typing import Any, Final

from torch import nn

from elastic.files.documents import (
    fields,
    flag,
    listed,
    maybe,
    number,
    read_json,
    text,
    whole,
)
from elastic.files.first_version import first_version
from elastic.files.renames import names_now
from elastic.train.interfaces import Space

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


def read_importance(path: Path, space: Space, net: nn.Module | None = None) -> dict[str, Any]:
    """The content of importance.json. Exits where it is corrupt, or has choices that the space has not.

    In a file of the first version the choices get the names of now, which the class of `net` knows.
    """
    try:
        found: dict[str, Any] = read_json(path.read_bytes())
        IMPORTANCE(found)
    except ValueError as error:
        raise SystemExit(f"{path} is corrupt: {error}") from None
    rows = [*found["groups"], *found["sub_paths"]]
    names = [row["choice"] for row in rows]
    now = names_now(names, space.CHOICES.keys(), first_version(net).renamed)
    for row in rows:
        if now[row["choice"]] not in space.CHOICES:
            message = f"{path} belongs to a different network: it has the choice {row['choice']!r}"
            raise SystemExit(message)
        row["choice"] = now[row["choice"]]
    return found
