"""Rendered scenes: pixels, masks and boxes belong together, and every scene depends on its own index alone."""

from __future__ import annotations

import torch

from specc.runtime.data.scenes import MOST, SHAPES, rendered


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
