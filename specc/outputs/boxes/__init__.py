"""`boxes 3`: boxes of objects of so many classes, as a one-stage detector predicts them at every place of a map."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import FOCAL, OutputKind

KIND: Final = OutputKind(
    name="boxes",
    word="boxes",
    targets="boxes",
    example="boxes 3",
    counted="the number of classes that boxes have",
    ends="conv(boxes + 5, kernel=1, bias=yes)",
    space="places",
    beside=5,
    task="Boxes",
    losses=(FOCAL,),
    metrics=("map", "map50"),
    scored="mAP",
)
