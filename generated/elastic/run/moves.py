"""Which words of `augment=[..]` go with targets that move with their image, and which do not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

OF_THEIR_OWN: Final = "it moves images by operations of its own, which their targets do not follow"
CHANGES: Final = "it changes what is to be restored"

REFUSED: Final[Mapping[str, Mapping[str, str]]] = {
    "pixels": {
        "randaugment": OF_THEIR_OWN,
        "autoaugment": OF_THEIR_OWN,
        "trivialaugment": OF_THEIR_OWN,
    },
    "boxes": {
        "randaugment": OF_THEIR_OWN,
        "autoaugment": OF_THEIR_OWN,
        "trivialaugment": OF_THEIR_OWN,
        "affine": "a box that is turned is no box any more",
    },
    "restored": {
        "randaugment": CHANGES,
        "autoaugment": CHANGES,
        "trivialaugment": CHANGES,
        "resized_crop": CHANGES,
        "color_jitter": CHANGES,
        "lighting": CHANGES,
        "erase": CHANGES,
    },
}
"""The words that do not go with a kind of target, and why."""
