"""Files of the user's that go into the generated project: none of them may take the place of one that is generated."""

from __future__ import annotations

from pathlib import PurePath
from typing import Final

from specc.methods import project_modules

GENERATED: Final = frozenset(
    (
        *("model.py", "space.py", "costs.py", "train.py", "search.py", "finetune.py", "export.py", "bench.py"),
        *("spec.specc", "settings.toml", "readme.md", "ir.json", "importance.json", "channels.json", ".specc"),
    )
)
"""What specc writes into every project, in small letters: some file systems do not tell these from large ones."""
FOLDERS: Final = frozenset(("elastic", "runs"))
"""The folders of a project: what `model.py` and `train.py` import, and what training writes."""


def is_generated(path: PurePath) -> bool:
    """Whether a path in a project's folder is one that specc writes or training uses."""
    parts = [part.lower() for part in path.parts]
    if len(parts) != 1:
        return bool(parts) and parts[0] in FOLDERS
    return parts[0] in FOLDERS or parts[0] in GENERATED or parts[0].removesuffix(".py") in project_modules()


def taken(path: PurePath) -> str:
    """What to say of a user's file that would stand where a generated one does."""
    return f"`{path.as_posix()}` is a file of the generated project"


ANOTHER_NAME: Final = "call yours otherwise: it goes with the project, under the path that it has here"
