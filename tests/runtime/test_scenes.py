"""Rendered scenes: pixels, masks and boxes belong together, and every scene depends on its own index alone."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from specc.runtime.data.datasets import load_data
from specc.runtime.data.images import Data
from specc.runtime.data.loading import Loading
from specc.runtime.data.scenes import MOST, SHAPES, rendered
from specc.runtime.data.targets import Kind
from specc.runtime.run.distributed import World


def test_a_scene_depends_on_its_seed_split_and_index_alone() -> None:
    many, few = rendered(3, 0, 300, 32, 8, 4), rendered(3, 0, 20, 32, 8, 4)
    for ours, theirs in ((few.pixels, many.pixels), (few.masks, many.masks), (few.boxes, many.boxes)):
        assert torch.equal(ours, theirs[:20])
    assert not torch.equal(few.pixels, rendered(4, 0, 20, 32, 8, 4).pixels)
    assert not torch.equal(few.pixels, rendered(3, 1, 20, 32, 8, 4).pixels)


def test_boxes_are_those_of_the_mask() -> None:
    """Objects of different shapes: the box around all pixels of a class is the object's."""
    found = rendered(0, 0, 200, 48, 8, 4)
    compared = 0
    for mask, boxes in zip(found.masks, found.boxes, strict=True):
        there = boxes[boxes[:, 4] >= 0]
        assert {*(there[:, 4] + 1).int().tolist()} == {*mask.flatten().tolist()} - {0}
        for left, top, right, bottom, shape in there.int().tolist():
            if (there[:, 4] == shape).sum() > 1:
                continue
            rows, columns = torch.where(mask == shape + 1)
            assert (left, top, right, bottom) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            compared += 1
    assert compared > 200


def test_the_largest_object_is_the_first_and_all_shapes_come() -> None:
    found = rendered(0, 0, 160, 48, 8, 4)
    assert found.boxes[:, 0, 4].tolist() == [i % len(SHAPES) for i in range(160)]
    assert {*found.masks.flatten().tolist()} == {*range(9)}
    areas = (found.boxes[..., 2] - found.boxes[..., 0]) * (found.boxes[..., 3] - found.boxes[..., 1])
    counts = (found.boxes[..., 4] >= 0).sum(dim=1)
    assert {*counts.tolist()} == {*range(1, MOST + 1)}
    longest = (found.boxes[..., 2:4] - found.boxes[..., 0:2]).amax(dim=2)
    assert (longest.argmax(dim=1) == 0).float().mean() > 0.95, areas


def test_objects_stand_out_from_the_ground() -> None:
    found = rendered(0, 0, 100, 48, 8, 1)
    for pixels, mask in zip(found.pixels.float() / 255, found.masks, strict=True):
        brightness = pixels.mean(dim=0)
        assert abs(brightness[mask > 0].mean() - brightness[mask == 0].mean()) > 0.05


# --- what the network predicts -----------------------------------------------------------------------


def scenes(kind: str, count: int = 0, task: Any = None, **more: Any) -> Data:
    settings = {
        "name": "scenes",
        "path": "",
        "validation": 0.25,
        "seed": 0,
        "images": 40,
        "test_images": 20,
        "size": 24,
    }
    return load_data({**settings, **more}, task or Kind(kind, count))


def batch(data: Data, *shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, targets = next(iter(Loading(data, shape, World(0, 1, torch.device("cpu"))).evaluation(data.test)))
    assert isinstance(inputs, torch.Tensor)
    return inputs, targets


def test_targets_of_every_kind_tell_of_the_same_scenes() -> None:
    """A mask, box by box: classes, tags, values and boxes are what can be read off it, where nothing is hidden."""
    classes = scenes("classes", 8)
    masks, tags, values, boxes = (
        batch(scenes(kind, count), 3, 24, 24)[1]
        for kind, count in (("pixels", 9), ("tags", 8), ("values", 3), ("boxes", 8))
    )
    assert classes.test.labels == tuple(i % 8 for i in range(20))
    assert classes.names == SHAPES
    scale = scenes("values", 3)
    values = values * torch.tensor(scale.target_std) + torch.tensor(scale.target_mean)
    for i, mask in enumerate(masks):
        shapes = {*mask.flatten().tolist()} - {0}
        assert {k + 1 for k in range(8) if tags[i, k]} == shapes
        rows, columns = torch.where(mask == i % 8 + 1)
        if (boxes[i, :, 4] == i % 8).sum() > 1:
            continue
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        wide, high = int(right - left), int(bottom - top)
        told = [int(left + right) / 48, int(top + bottom) / 48, max(wide, high) / 24]
        torch.testing.assert_close(values[i], torch.tensor(told))
        here = boxes[i, 0, :4] * 24
        torch.testing.assert_close(here, torch.stack([left, top, right, bottom]).float())


def test_noise_has_the_deviation_that_is_asked_for() -> None:
    clean, noisy = (scenes("restored", 3, noise=noise).train for noise in (0, 0.1))
    assert isinstance(clean.targets, torch.Tensor)
    assert torch.equal(clean.arrays[0][:], clean.targets)
    grey = (clean.targets > 60) & (clean.targets < 195)  # far from black and white, where it is cut off
    difference = (noisy.arrays[0][:].float() - clean.targets)[grey]
    assert abs(float(difference.std()) - 25.5) < 0.5
    assert abs(float(difference.mean())) < 0.5


class Restored:
    kind, count, scale = "restored", 3, 2


def test_smaller_images_are_the_means_of_their_pixels() -> None:
    data = scenes("restored", task=Restored())
    small, large = data.test.arrays[0][:], data.test.targets
    assert isinstance(large, torch.Tensor)
    assert (small.shape[-1], large.shape[-1]) == (24, 48)
    means = large.float().view(20, 3, 24, 2, 24, 2).mean(dim=(3, 5))
    assert float((small - means).abs().max()) <= 0.5
    inputs, targets = batch(data, 3, 12, 12)  # a network of other images than the data has
    assert (inputs.shape[-1], targets.shape[-1]) == (12, 24)


def test_masks_are_brought_to_the_size_of_their_images() -> None:
    data = scenes("pixels", 9)
    whole, small = batch(data, 3, 24, 24)[1], batch(data, 3, 12, 12)[1]
    assert torch.equal(batch(data, 3, 48, 48)[1], whole.repeat_interleave(2, 1).repeat_interleave(2, 2))
    assert torch.equal(small, whole[:, 1::2, 1::2])  # torch's nearest-exact: the pixel under the middle
    exact = F.interpolate(whole[:, None].float(), (12, 12), mode="nearest-exact")[:, 0]
    assert torch.equal(small.float(), exact)


def test_what_scenes_do_not_have_is_refused() -> None:
    with pytest.raises(SystemExit, match=r"scenes: the training targets have the shape \(40, 3\); values \(N, 2\)"):
        scenes("values", 2)
    with pytest.raises(SystemExit, match=r"scenes: training mask . has the class ., and the network 4 classes"):
        scenes("pixels", 4)
    with pytest.raises(SystemExit, match="scenes: shapes is from 2 to 8, not 12"):
        scenes("classes", shapes=12)
    with pytest.raises(SystemExit, match="scenes have no targets for a network that predicts words"):
        scenes("words")
