"""`classes 10`: one class for each input."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import CROSS_ENTROPY, OutputKind

KIND: Final = OutputKind(
    name="classes",
    word="classes",
    counted="the number of classes",
    task="Classes",
    ends="pool(avg); linear(classes)",
    losses=(CROSS_ENTROPY,),
    metrics=("accuracy",),
    least=2,
    lacking="a classifier has at least two classes: with one, every prediction is right and nothing is learned",
    help="write `classes 2` for yes and no",
    smoothed=True,
    levels=True,
    mixed=True,
)
