"""Pictures of characters: harder than digits of 8x8, rendered here from Pillow's own font, nothing downloaded.

Every image is a function of (seed, split, index) alone: whoever renders it, in whatever order, gets the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from elastic.data.images import Images
from elastic.data.keyed import Floats, grains, uniform

CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNPQRSTUVWXYZabdefghnqrt"
"""The 46 classes: digits, capitals without O (it is 0 too), small letters that do not look like capitals."""

CANVAS: Final = 64
"""Side of the square in which a character is drawn before it is bent and placed, in pixels."""

STROKES: Final = 3
"""Every character is drawn with strokes of so many widths."""

SHARES: Final = 40
"""Random numbers of an image, before those of its noise."""


def glyphs(settings: Mapping[str, Any]) -> tuple[Images, Images]:
    """Training and test images (N, 3, size, size) of `[data]`: images, test_images, classes, size and seed."""
    side, classes = int(settings.get("size", 32)), int(settings.get("classes", len(CHARACTERS)))
    if not 2 <= classes <= len(CHARACTERS) or not 8 <= side <= CANVAS:
        most = f"2 to {len(CHARACTERS)} classes, 8 to {CANVAS} pixels a side"
        raise SystemExit(f"glyphs come in {most}, not {classes} classes of {side} pixels")
    counts = int(settings.get("images", 11_500)), int(settings.get("test_images", 2_300))
    train, test = (
        rendered(int(settings.get("seed", 0)), split, count, side, classes)
        for split, count in enumerate(counts)
    )
    return train, test


@lru_cache(maxsize=4)
def rendered(seed: int, split: int, count: int, side: int, classes: int) -> Images:
    """The first `count` images of a split; image i is of class i mod `classes`."""
    masks = characters()
    parts = []
    for first in range(0, count, 500):
        indices = np.arange(first, min(first + 500, count))
        parts.append(pictures(seed, split, indices, side, classes, masks))
    pixels = np.concatenate(parts) if parts else np.zeros((0, 3, side, side), np.uint8)
    return Images(tuple(i % classes for i in range(count)), (torch.from_numpy(pixels),))


@lru_cache(maxsize=1)
def characters() -> Floats:
    """All characters in all strokes (characters, STROKES, CANVAS, CANVAS), 0 outside and 1 inside."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(size=CANVAS * 0.7)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SystemExit("glyphs need a Pillow built with FreeType, as those of PyPI are")
    masks = np.zeros((len(CHARACTERS), STROKES, CANVAS, CANVAS), np.float32)
    for i, character in enumerate(CHARACTERS):
        for stroke in range(STROKES):
            image = Image.new("L", (CANVAS, CANVAS))
            middle = (CANVAS / 2, CANVAS / 2)
            ImageDraw.Draw(image).text(
                middle, character, 255, font, anchor="mm", stroke_width=stroke
            )
            masks[i, stroke] = np.asarray(image, np.float32) / 255
    return masks


def pictures(
    seed: int, split: int, indices: NDArray[np.int64], side: int, classes: int, masks: Floats
) -> NDArray[np.uint8]:
    """Images (n, 3, side, side): background, two characters that are in the way, the character, noise."""
    u = uniform(seed, split, indices, 0, SHARES)
    ground, slope = 0.5 * u[:, 0:3], u[:, 9:12] - 0.5
    ink, other = brighter(0.4 + 0.6 * u[:, 3:6], ground), 0.2 + 0.6 * u[:, 6:9]
    y, x = np.meshgrid(*(np.linspace(-1, 1, side, dtype=np.float32),) * 2, indexing="ij")
    along = np.cos(2 * np.pi * u[:, 12])[:, None, None] * x
    along = along + np.sin(2 * np.pi * u[:, 12])[:, None, None] * y
    picture = ground[:, :, None, None] + 0.6 * slope[:, :, None, None] * along[:, None]

    for k, colour in ((14, other), (22, (ink + other) / 2)):
        which = (u[:, k] * len(CHARACTERS)).astype(np.int64)
        angle = 2 * np.pi * u[:, k + 1]
        far = 0.95 + 0.35 * u[:, k + 2]
        at = np.stack((np.cos(angle) * far, np.sin(angle) * far), axis=1)
        inside = placed(masks, which, u[:, k + 3 : k + 8], at, side)
        picture += (0.9 * inside)[:, None] * (colour[:, :, None, None] - picture)

    which = indices % classes
    inside = placed(masks, which, u[:, 30:35], 0.5 * (u[:, 35:37] - 0.5), side)
    picture += inside[:, None] * (ink[:, :, None, None] - picture)

    noise = grains(seed, split, indices, SHARES, 3 * side * side).reshape(-1, 3, side, side)
    picture += (0.1 + 0.6 * u[:, 13])[:, None, None, None] * noise
    pixels: NDArray[np.uint8] = (picture.clip(0, 1) * 255).round().astype(np.uint8)
    return pixels


def brighter(ink: Floats, ground: Floats) -> Floats:
    """Colours (n, 3), on average over the channels at least 0.2 above the ground's."""
    apart = ink.mean(axis=1, keepdims=True) - ground.mean(axis=1, keepdims=True)
    moved: Floats = (ink + np.maximum(0.2 - apart, 0)).astype(np.float32)
    return moved


def placed(masks: Floats, which: NDArray[np.int64], u: Floats, at: Floats, side: int) -> Floats:
    """How much of each pixel (n, side, side) is inside a character: turned, scaled, slanted, and moved to `at`.

    `u` (n, 5) are the random numbers behind it; `at` (n, 2) is x, y in halves of the image.
    """
    turn, size, stretch, slant, stroke = u.T
    angle = np.deg2rad(60 * (turn - 0.5))
    width = (0.65 + 0.5 * size) * (0.85 + 0.3 * stretch)
    height = (0.65 + 0.5 * size) * (1.15 - 0.3 * stretch)
    slant = np.tan(np.deg2rad(40 * (slant - 0.5)))
    edge = (np.arange(side, dtype=np.float32) + np.float32(0.5)) * np.float32(2 / side) - 1
    x = edge[None, None, :] - at[:, 0, None, None]
    y = edge[None, :, None] - at[:, 1, None, None]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    across = (cos * x + sin * y) / width[:, None, None]
    down = (cos * y - sin * x) / height[:, None, None]
    across = across + slant[:, None, None] * down
    chosen = masks[which, (stroke * STROKES).astype(np.int64)]
    return sampled(chosen, (across + 1) * (CANVAS / 2) - 0.5, (down + 1) * (CANVAS / 2) - 0.5)


def sampled(masks: Floats, x: Floats, y: Floats) -> Floats:
    """Masks (n, CANVAS, CANVAS) at places in pixels (n, side, side), between pixels linear, outside 0."""
    padded = np.pad(masks, ((0, 0), (1, 2), (1, 2)))
    side = padded.shape[-1]
    x, y = (x + 1).clip(0, side - 2), (y + 1).clip(0, side - 2)
    left, top = np.floor(x), np.floor(y)
    right, below = x - left, y - top
    first = (top * side + left).astype(np.int32)
    first += np.arange(len(masks), dtype=np.int32)[:, None, None] * (side * side)
    values = padded.ravel()
    upper = values[first] * (1 - right) + values[first + 1] * right
    lower = values[first + side] * (1 - right) + values[first + side + 1] * right
    found: Floats = upper * (1 - below) + lower * below
    return found
