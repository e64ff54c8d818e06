"""Pictures of shapes on textured ground, with a mask, boxes, tags and numbers: for everything that a network predicts.

Every scene is a function of (seed, split, index) alone: whoever renders it, in whatever order, gets the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from elastic.data.images import Images, Parts
from elastic.data.keyed import Floats, grains, uniform
from elastic.data.targets import Wanted, targets_of

SHAPES: Final = ("disc", "square", "triangle", "ring", "cross", "bar", "moon", "star")
"""What may be in a scene. Class k of a mask is shape k - 1, and 0 the ground."""

MOST: Final = 4
"""Objects in a scene at most: one in each quarter."""

GROUND: Final = 24
"""Random numbers of the ground, before those of the objects."""

OBJECT: Final = 16
"""Random numbers of an object."""

VALUES: Final = ("x", "y", "size")
"""What there is to say in numbers of the largest object: its centre, and the longer side of its box."""

SHARES: Final = GROUND + MOST * OBJECT
"""Random numbers of a scene, before those of its noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Rendered scenes.

    pixels  (N, 3, side, side) in uint8
    masks   (N, side, side) in uint8: 0 for the ground, k + 1 for shape k
    boxes   (N, MOST, 5) in float32: left, top, right and bottom in pixels, and the shape; all -1 where there is no
            more object. The first object is the largest
    """

    pixels: torch.Tensor
    masks: torch.Tensor
    boxes: torch.Tensor


def setting(settings: Mapping[str, Any], name: str, usual: int, least: int, most: int) -> int:
    """A whole number of `[data]`. Exits where it is out of range."""
    value = int(settings.get(name, usual))
    if not least <= value <= most:
        raise SystemExit(f"scenes: {name} is from {least} to {most}, not {value}")
    return value


def scenes(folder: Path, settings: Mapping[str, Any], task: Wanted) -> Parts:
    """Training and test scenes of `[data]`: images, test_images, size, shapes, objects, noise and seed.

    Their targets are what a task predicts: the largest object's shape; a class for every pixel; which shapes are there;
    the largest object's centre and longer side, as shares of the image's; the boxes of all objects, as such shares and
    with their shapes; or the image itself, of which the network sees a noisy or a smaller one.
    """
    side = setting(settings, "size", 48, 16, 512)
    shapes = setting(settings, "shapes", len(SHAPES), 2, len(SHAPES))
    objects = setting(settings, "objects", MOST, 1, MOST)
    seed = int(settings.get("seed", 0))
    scale = int(getattr(task, "scale", 1))
    counts = int(settings.get("images", 4_000)), int(settings.get("test_images", 1_000))
    parts = []
    for split, count in enumerate(counts):
        made = rendered(seed, split, count, side * scale, shapes, objects)
        inputs = made.pixels
        if task.kind == "restored":
            inputs = worse(made.pixels, seed, split, scale, float(settings.get("noise", 0.1)))
        if task.kind == "classes":
            parts.append(Images(tuple(i % shapes for i in range(count)), (inputs,)))
            continue
        given = answers(made, task, shapes)
        try:
            targets = targets_of(given, ("training", "test")[split], task)
        except ValueError as error:
            raise SystemExit(f"scenes: {error}") from None
        parts.append(Images(targets, (inputs,)))
    names = SHAPES[:shapes]
    known = {"pixels": ("ground", *names), "values": VALUES, "restored": ()}
    return Parts(parts[0], parts[1], known.get(task.kind, names))


def answers(made: Scenes, task: Wanted, shapes: int) -> torch.Tensor:
    """What a task predicts of scenes. Exits where they have no such thing."""
    side = made.pixels.shape[-1]
    boxes = torch.where(made.boxes < 0, -1.0, made.boxes / made.boxes.new_tensor([side] * 4 + [1]))
    match task.kind:
        case "pixels":
            return made.masks
        case "boxes":
            return boxes
        case "tags":
            classes = torch.arange(shapes)
            return (boxes[:, :, 4, None] == classes).any(dim=1).float()
        case "values":
            left, top, right, bottom = boxes[:, 0, :4].T
            longer = torch.maximum(right - left, bottom - top)
            return torch.stack([(left + right) / 2, (top + bottom) / 2, longer], dim=1)
        case "restored":
            if task.count == 3:
                return made.pixels
            grey = made.pixels.float().mean(dim=1, keepdim=True).round().to(torch.uint8)
            return grey.expand(-1, task.count, -1, -1)
    raise SystemExit(f"scenes have no targets for a network that predicts {task.kind}")


def worse(pixels: torch.Tensor, seed: int, split: int, scale: int, noise: float) -> torch.Tensor:
    """Images `scale` times smaller, the mean of so many pixels; where they stay as large, with noise of the standard
    deviation `noise`, of 1 for the whole range."""
    if scale > 1:
        return F.avg_pool2d(pixels.float(), scale).round().to(torch.uint8)
    made = torch.empty_like(pixels)
    count, each = len(pixels), pixels[0].numel() if len(pixels) else 0
    for first in range(0, count, 250):
        indices = np.arange(first, min(first + 250, count))
        # The sum of four evenly spread numbers is nearly normal, of variance 1/3. Those of the picture come before.
        drawn = grains(seed, split, indices, SHARES + each, 4 * each).reshape(len(indices), 4, each)
        normal = torch.from_numpy(drawn.sum(axis=1) * np.float32(3**0.5))
        part = pixels[first : first + 250].float()
        made[first : first + 250] = (
            (part + 255 * noise * normal.view_as(part)).round().clamp(0, 255).to(torch.uint8)
        )
    return made


@lru_cache(maxsize=4)
def rendered(seed: int, split: int, count: int, side: int, shapes: int, objects: int) -> Scenes:
    """The first `count` scenes of a split; the largest object of scene i is shape i mod `shapes`."""
    pixels = np.zeros((count, 3, side, side), np.uint8)
    masks = np.zeros((count, side, side), np.uint8)
    boxes = np.full((count, MOST, 5), -1, np.float32)
    for first in range(0, count, 250):
        chosen = slice(first, min(first + 250, count))
        indices = np.arange(chosen.start, chosen.stop)
        picture, mask = painted(seed, split, indices, side, shapes, objects)
        pixels[chosen] = (picture.clip(0, 1) * 255).round()
        masks[chosen] = np.where(mask.label < 0, 0, mask.label + 1)
        boxes[chosen] = boxed(mask)
    return Scenes(torch.from_numpy(pixels), torch.from_numpy(masks), torch.from_numpy(boxes))


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """What is where: the object's number and its shape (n, side, side), -1 for the ground; all shapes (n, MOST)."""

    which: NDArray[np.int8]
    label: NDArray[np.int8]
    shapes: NDArray[np.int64]


def painted(
    seed: int, split: int, indices: NDArray[np.int64], side: int, shapes: int, objects: int
) -> tuple[Floats, Mask]:
    """Pictures (n, 3, side, side) in 0..1, and what is where in them."""
    n = len(indices)
    u = uniform(seed, split, indices, 0, SHARES)
    edge = (np.arange(side, dtype=np.float32) + np.float32(0.5)) / np.float32(side)
    x, y = edge[None, None, :], edge[None, :, None]
    picture = ground(u[:, :GROUND], x, y)
    level = picture.mean(axis=(1, 2, 3))
    which = np.full((n, side, side), -1, np.int8)
    label = np.full((n, side, side), -1, np.int8)
    number = 1 + (u[:, 22] * objects).astype(np.int64)
    quarters = u[:, GROUND : GROUND + MOST * OBJECT : OBJECT].argsort(axis=1)
    kinds = np.zeros((n, MOST), np.int64)
    for slot in range(objects):
        own = u[:, GROUND + slot * OBJECT : GROUND + (slot + 1) * OBJECT]
        drawn = (own[:, 1] * shapes).astype(np.int64)
        kinds[:, slot] = indices % shapes if slot == 0 else drawn
        there = slot < number
        size = 0.17 + 0.06 * own[:, 2] if slot == 0 else 0.09 + 0.05 * own[:, 2]
        quarter = quarters[:, slot]
        # The first object stays within its quarter, the others move more.
        slack = 0.25 - size - 0.01
        middle_x = 0.25 + 0.5 * (quarter % 2).astype(np.float32) + slack * (2 * own[:, 3] - 1)
        middle_y = 0.25 + 0.5 * (quarter // 2).astype(np.float32) + slack * (2 * own[:, 4] - 1)
        angle = 2 * np.pi * own[:, 5]
        inside = covered(kinds[:, slot], middle_x, middle_y, size, angle, x, y, side)
        inside *= there[:, None, None]
        colour = distinct(own[:, 6:9], level)
        stripes = np.float32(0.12) * np.sin(
            40 * (x * np.cos(angle)[:, None, None] + y * np.sin(angle)[:, None, None])
        )
        texture = colour[:, :, None, None] + (stripes * (own[:, 9] > 0.5)[:, None, None])[:, None]
        picture += inside[:, None] * (texture - picture)
        on = inside > 0.5
        which[on] = slot
        label = np.where(on, kinds[:, slot].astype(np.int8)[:, None, None], label)
    noise = grains(seed, split, indices, SHARES, 3 * side * side).reshape(n, 3, side, side)
    picture += (0.04 + 0.12 * u[:, 23])[:, None, None, None] * noise
    kinds[np.arange(MOST)[None, :] >= number[:, None]] = -1
    return picture.astype(np.float32), Mask(which, label, kinds)


def ground(u: Floats, x: Floats, y: Floats) -> Floats:
    """A gradient of two colours (n, 3, side, side), with waves across it."""
    first, second = u[:, 0:3], u[:, 3:6]
    angle = 2 * np.pi * u[:, 6]
    cos, sin = np.cos(angle)[:, None, None], np.sin(angle)[:, None, None]
    along = (0.5 + 0.7 * ((x - 0.5) * cos + (y - 0.5) * sin)).clip(0, 1)[:, None]
    picture = first[:, :, None, None] * (1 - along) + second[:, :, None, None] * along
    for wave in range(3):
        amplitude, turn, speed, phase = u[:, 7 + 4 * wave : 11 + 4 * wave].T
        turn = 2 * np.pi * turn
        across = x * np.cos(turn)[:, None, None] + y * np.sin(turn)[:, None, None]
        waves = np.sin((4 + 26 * speed)[:, None, None] * across + 2 * np.pi * phase[:, None, None])
        picture = picture + (0.08 * amplitude)[:, None, None, None] * waves[:, None]
    made: Floats = picture.astype(np.float32)
    return made


def distinct(colour: Floats, level: Floats) -> Floats:
    """Colours (n, 3) whose mean is at least 0.25 away from the ground's."""
    mean = colour.mean(axis=1)
    up = level < 0.5
    wanted = np.where(up, np.maximum(mean, level + 0.25), np.minimum(mean, level - 0.25))
    moved: Floats = (colour + (wanted - mean)[:, None]).clip(0, 1).astype(np.float32)
    return moved


def covered(
    kinds: NDArray[np.int64],
    middle_x: Floats,
    middle_y: Floats,
    size: Floats,
    angle: Floats,
    x: Floats,
    y: Floats,
    side: int,
) -> Floats:
    """How much of each pixel (n, side, side) lies inside a shape: by the distance from its edge."""
    found = np.zeros((len(kinds), side, side), np.float32)
    for kind in np.unique(kinds):
        mine = kinds == kind
        cos, sin = (part[mine, None, None] for part in (np.cos(angle), np.sin(angle)))
        right = (x - middle_x[mine, None, None]) / size[mine, None, None]
        down = (y - middle_y[mine, None, None]) / size[mine, None, None]
        distance = outside(SHAPES[kind], cos * right + sin * down, cos * down - sin * right)
        found[mine] = (0.5 - distance * size[mine, None, None] * side).clip(0, 1)
    return found


def outside(shape: str, x: Floats, y: Floats) -> Floats:
    """The distance from a shape's edge, negative inside; of a shape within the unit circle."""
    radius = np.hypot(x, y)
    match shape:
        case "disc":
            found = radius - 0.85
        case "square":
            found = np.maximum(abs(x), abs(y)) - 0.7
        case "triangle":
            found = np.maximum(abs(x) * 0.866 + y * 0.5, -y) - 0.48
        case "ring":
            found = abs(radius - 0.68) - 0.24
        case "cross":
            found = np.minimum(
                np.maximum(abs(x) - 0.92, abs(y) - 0.26), np.maximum(abs(y) - 0.92, abs(x) - 0.26)
            )
        case "bar":
            found = np.maximum(abs(x) - 0.95, abs(y) - 0.3)
        case "moon":
            found = np.maximum(radius - 0.9, 0.75 - np.hypot(x - 0.5, y))
        case _:  # a star of five points
            wave = 0.66 + 0.3 * np.cos(5 * np.arctan2(y, x))
            found = 0.6 * (radius - wave)
    distance: Floats = found.astype(np.float32)
    return distance


def boxed(mask: Mask) -> Floats:
    """The boxes (n, MOST, 5) around what is seen of each object: left, top, right, bottom, shape; -1 for none."""
    n, side, _ = mask.which.shape
    boxes = np.full((n, MOST, 5), -1, np.float32)
    for slot in range(MOST):
        seen = mask.which == slot
        columns, rows = seen.any(axis=1), seen.any(axis=2)
        there = columns.any(axis=1)
        boxes[:, slot, 0] = columns.argmax(axis=1)
        boxes[:, slot, 1] = rows.argmax(axis=1)
        boxes[:, slot, 2] = side - columns[:, ::-1].argmax(axis=1)
        boxes[:, slot, 3] = side - rows[:, ::-1].argmax(axis=1)
        boxes[:, slot, 4] = mask.shapes[:, slot]
        boxes[~there, slot] = -1
    return boxes
