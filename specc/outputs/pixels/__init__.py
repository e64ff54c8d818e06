"""`classes 21 each pixel`: a class for every pixel of an image, as in semantic segmentation."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import CROSS_ENTROPY, FOCAL, OutputKind

KIND: Final = OutputKind(
    name="pixels",
    word="classes",
    each="pixel",
    targets="masks",
    example="classes 21 each pixel",
    counted="the number of classes",
    least=2,
    lacking="a pixel has at least two classes to be of: with one, every prediction is right and nothing is learned",
    help="write `classes 2 each pixel` for foreground and background",
    ends="conv(classes, kernel=1); upsample(8, mode=bilinear)",
    space="map",
    task="Pixels",
    losses=(CROSS_ENTROPY, FOCAL),
    metrics=("iou", "accuracy"),
    scored="mean IoU",
    softened=True,
    smoothed=True,
)
