"""`restores image(3)`: a better image of the one that comes in: without its noise, or of more pixels."""

from __future__ import annotations

from typing import Final

from specc.outputs.protocol import HUBER, L1, MSE, OutputKind

KIND: Final = OutputKind(
    name="restored",
    word="restores",
    call="image",
    targets="images",
    example="restores image(3)",
    counted="the number of channels",
    ends="conv(restores, kernel=3)",
    space="scaled",
    task="Restored",
    losses=(L1, MSE, HUBER),
    metrics=("psnr",),
    scored="PSNR",
)
