"""`tags 20`: any number of tags at once for each input."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import BCE, FOCAL, OutputKind

KIND: Final = OutputKind(
    name="tags",
    word="tags",
    targets="tags",
    example="tags 20",
    counted="the number of tags",
    ends="pool(avg); linear(tags)",
    task="Tags",
    losses=(BCE, FOCAL),
    metrics=("map",),
    scored="mean average precision",
    softened=True,
    smoothed=True,
    mixed=("mixup", "cutmix"),
)
