"""Augmentation moves masks, boxes and images to be restored with their image: each is where its pixels went."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from specc.runtime.data.images import Data, Images
from specc.runtime.data.loading import Loading
from specc.runtime.run.distributed import World

SIDE = 16
WORDS: dict[str, dict[str, Any]] = {
    "flip": {"name": "flip"},
    "crop": {"name": "crop", "padding": 4},
    "affine": {"name": "affine", "degrees": 20, "scale": 0.2, "shift": 0.2, "shear": 5},
    "resized_crop": {"name": "resized_crop", "smallest": 0.3},
}


def rectangles(count: int) -> Tensor:
    """The corners (count, 4) of a rectangle in each image, in pixels."""
    generator = torch.Generator().manual_seed(0)
    first = torch.randint(0, 8, (count, 2), generator=generator)
    return torch.cat([first, first + torch.randint(3, 8, (count, 2), generator=generator)], dim=1)


def painted(corners: Tensor) -> Tensor:
    """Masks (count, SIDE, SIDE) of class 1 within each rectangle."""
    rows, columns = torch.arange(SIDE)[None, :, None], torch.arange(SIDE)[None, None, :]
    left, top, right, bottom = (corners[:, i, None, None] for i in range(4))
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)).to(torch.uint8)


def data(kind: str, scale: int = 1) -> Data:
    """Bytes of 200 within a rectangle on 40, with targets of a kind that say where it is."""
    corners = rectangles(64)
    masks = painted(corners)
    pixels = (40 + 160 * masks)[:, None].expand(-1, 3, -1, -1).contiguous()
    targets: Any = masks
    if kind == "boxes":
        targets = torch.full((64, 2, 5), -1.0)
        targets[:, 0] = torch.cat([corners / SIDE, torch.full((64, 1), 2)], dim=1)
    elif kind == "restored":
        targets = pixels.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    images = Images(targets, (pixels,))
    return Data("made", 3, images, images, images, (0.0,) * 3, (1.0,) * 3, kind=kind, scale=scale)


def batches(kind: str, word: str, workers: int = 0, scale: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
    """Each image with its target, after one word."""
    loading = Loading(data(kind, scale), (3, SIDE, SIDE), World(0, 1, torch.device("cpu")), workers)
    torch.manual_seed(0)
    inputs, targets = next(loading.training(64, [WORDS[word]], 0, 0))
    assert isinstance(inputs, Tensor)
    yield from zip(inputs[:, 0] * 255, targets, strict=True)


def moved(kind: str, word: str) -> int:
    """How many targets are not any more what they were."""
    before = data(kind).train.targets
    assert isinstance(before, Tensor)
    return sum(
        not any(torch.equal(target, other.to(target.dtype)) for other in before) for _, target in batches(kind, word)
    )


@pytest.mark.parametrize("word", WORDS)
def test_masks_move_with_their_images(word: str) -> None:
    exact = word in ("flip", "crop")
    for image, mask in batches("pixels", word):
        inside, ground, outside = (mask == number for number in (1, 0, 255))
        assert (inside | ground | outside).all()
        if exact:
            torch.testing.assert_close(image[inside], torch.full_like(image[inside], 200))
            torch.testing.assert_close(image[ground], torch.full_like(image[ground], 40))
            torch.testing.assert_close(image[outside], torch.zeros_like(image[outside]))
            continue
        # What is bilinear in the image is nearest in the mask: they agree but at the edges.
        assert ((image > 120) == inside).float().mean() > 0.9
        assert ((image > 120) & outside).sum() == 0
    assert moved("pixels", word) > 10


@pytest.mark.parametrize("word", ["flip", "crop", "resized_crop"])
def test_boxes_move_with_their_images(word: str) -> None:
    for image, boxes in batches("boxes", word):
        rows, columns = torch.where(image > 120)
        there = boxes[:, 4] >= 0
        if not there.any():
            assert len(rows) <= (0 if word != "resized_crop" else SIDE)
            continue
        assert there.tolist() == [True, False]
        assert boxes[0, 4] == 2
        if not len(rows):
            continue
        found = torch.stack([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        # Resized edges are blurred: a box ends within the pixel beside what is bright.
        torch.testing.assert_close(
            boxes[0, :4] * SIDE, found.float(), rtol=0, atol=1e-4 if word != "resized_crop" else 1.01
        )
    assert moved("boxes", word) > 10


@pytest.mark.parametrize("word", ["flip", "crop", "affine"])
def test_images_to_be_restored_move_with_what_is_seen(word: str) -> None:
    for image, target in batches("restored", word):
        shown = target[0].float() * (1 if target.max() > 1 else 255)
        torch.testing.assert_close(image, shown, atol=0.51, rtol=0)
    for image, target in batches("restored", word, scale=2):
        large = target[0].float() * (1 if target.max() > 1 else 255)
        if word != "affine":
            torch.testing.assert_close(large, image.repeat_interleave(2, 0).repeat_interleave(2, 1), atol=0.51, rtol=0)
        else:
            small = large.view(SIDE, 2, SIDE, 2).mean(dim=(1, 3))
            assert float((image - small).abs().mean()) < 8


def test_what_moves_is_the_same_whatever_the_number_of_workers() -> None:
    for (image, mask), (other, theirs) in zip(
        batches("pixels", "resized_crop"), batches("pixels", "resized_crop", workers=2), strict=True
    ):
        assert torch.equal(image, other)
        assert torch.equal(mask, theirs)


@pytest.mark.parametrize(
    ("kind", "word"),
    [("pixels", "randaugment"), ("boxes", "affine"), ("restored", "erase"), ("restored", "color_jitter")],
)
def test_words_that_targets_cannot_follow_are_refused(kind: str, word: str) -> None:
    loading = Loading(data(kind), (3, SIDE, SIDE), World(0, 1, torch.device("cpu")))
    with pytest.raises(SystemExit, match=f"augment: {word} does not go with {kind}"):
        next(loading.training(8, [{"name": word}], 0, 0))
