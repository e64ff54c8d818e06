"""The boxes of objects in an image, by a one-stage detector: what its map says, decoded, without duplicates.

    from detect import detect
    from model import Model, load_weights  # export.py wrote both into this folder

    net = Model()
    net.load_state_dict(load_weights("weights.safetensors"))
    found = detect(net.eval(), image, "subnet.json")  # a PIL image, or bytes (C, H, W) of any size
    found.boxes, found.labels, found.names, found.scores

Needs torch and torchvision alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.ops import batched_nms
from torchvision.transforms.functional import pil_to_tensor

PRIOR: Final = 4.595
"""What is taken off every class's logit: an untrained network finds an object of a class at one place in a hundred."""
LONGEST: Final = 7.0
"""The largest logarithm of a distance, in places: none is longer than 1,000 of them."""
LEAST: Final = 0.05
"""The score that a box has at least, to be found."""
OVERLAP: Final = 0.6
"""The intersection over union above which the less sure of two boxes of a class is dropped."""
MOST: Final = 100
"""Boxes that are found in an image at most, the surest ones."""


@dataclass(frozen=True)
class Detections:
    """The objects of one image, the surest first.

    boxes   (n, 4): left, top, right, bottom; of `detect` in pixels, of `decoded` as shares of width and height
    labels  (n): class numbers from 0
    scores  (n): from 0 to 1
    names   of the labels, where they are known
    """

    boxes: Tensor
    labels: Tensor
    scores: Tensor
    names: tuple[str, ...] = ()


@torch.inference_mode()
def detect(
    run: Callable[[Tensor], Any],
    image: Any,
    about: Path | str | Mapping[str, Any],
    least: float = LEAST,
    overlap: float = OVERLAP,
    most: int = MOST,
) -> Detections:
    """The objects in an image, their boxes in its pixels.

    `run` gives the network's map (1, classes + 5, H, W) of images (1, C, height, width): a module, `runtime.run` of a
    bundle, or an ONNX session's call; an array will do. `image` is a PIL image, or a tensor (C, any height, any width)
    of the numbers that the network was trained on, which usually are bytes. `about` is the file that export.py wrote
    of it, subnet.json or a bundle's index.json, or its content. Raises ValueError where the image is none of these, or
    the network gives several outputs.
    """
    known = about if isinstance(about, Mapping) else json.loads(Path(about).read_text("utf-8"))
    if len(known.get("inputs", ())) != 1:
        raise ValueError("what is known of the network does not say how its one image is prepared")
    (how,) = known["inputs"].values()
    pixels = image if isinstance(image, Tensor) else pil_to_tensor(image.convert("RGB"))
    output = run(prepared(pixels, how))
    if isinstance(output, Mapping):
        raise ValueError(f"the network gives {', '.join(output)}: export the head alone")
    found = decoded(torch.as_tensor(output), least, overlap, most)[0]
    height, width = pixels.shape[-2:]
    whole = found.boxes.new_tensor([width, height, width, height])
    names: Sequence[str] = known.get("classes", ())
    called = tuple(names[label] for label in found.labels.tolist()) if names else ()
    return Detections(found.boxes * whole, found.labels, found.scores, called)


def prepared(image: Tensor, how: Mapping[str, Any]) -> Tensor:
    """An image as a batch of one (1, C, height, width), resized as a whole, its channels normalised."""
    channels, height, width = how["shape"]
    whole = how["scale"] != 1
    if image.dim() != 3 or image.shape[0] != channels or image.is_floating_point() == whole:
        kind = "bytes" if whole else "floats"
        raise ValueError(
            f"an image is {kind} ({channels}, height, width), not {image.dtype} {(*image.shape,)}"
        )
    x = image[None].float()
    if x.shape[-2:] != (height, width):
        x = F.interpolate(x, (height, width), mode="bilinear", align_corners=False, antialias=True)
        x = x.round().clamp(0, how["scale"]) if whole else x
    mean, std = (x.new_tensor(how[name])[:, None, None] for name in ("mean", "std"))
    made: Tensor = (x / how["scale"] - mean) / std
    return made


def decoded(
    output: Tensor, least: float = LEAST, overlap: float = OVERLAP, most: int = MOST
) -> list[Detections]:
    """The objects of each image of maps (B, classes + 5, H, W), their boxes as shares of width and height.

    A score is the square root of a class's probability times that of centre-ness. Of boxes of a class that overlap by
    more than `overlap` the surest is left.
    """
    said = places(output)
    height, width = output.shape[-2:]
    whole = said.boxes.new_tensor([width, height, width, height])
    scores = (said.logits.sigmoid() * said.centre.sigmoid()[..., None]).sqrt()
    found = []
    for score, boxes in zip(scores, (said.boxes / whole).clamp(0, 1), strict=True):
        place, label = (score > least).nonzero(as_tuple=True)
        kept = batched_nms(boxes[place], score[place, label], label, overlap)[:most]
        place, label = place[kept], label[kept]
        found.append(Detections(boxes[place], label, score[place, label]))
    return found


@dataclass(frozen=True)
class Places:
    """What a network says at each of P places of its map, for B images.

    logits     (B, P, classes), before a sigmoid
    distances  (B, P, 4) from the place to the box's left, top, right and bottom side, in places
    centre     (B, P): the logit of centre-ness
    boxes      (B, P, 4): left, top, right and bottom, in places
    """

    logits: Tensor
    distances: Tensor
    centre: Tensor
    boxes: Tensor


def places(output: Tensor) -> Places:
    """A map (B, classes + 5, H, W) as what is said at its places, row by row: logits of the classes, logarithms of four
    distances, a logit of centre-ness."""
    if output.dtype not in (torch.float32, torch.float64):
        output = output.float()  # areas are beyond half precision
    flat = output.flatten(2).transpose(1, 2)
    logits, logs, centre = torch.split(flat, [flat.shape[2] - 5, 4, 1], dim=2)
    distances = logs.clamp(max=LONGEST).exp()
    middle = middles(output)
    boxes = torch.cat([middle - distances[..., :2], middle + distances[..., 2:]], dim=2)
    return Places(logits - PRIOR, distances, centre[..., 0], boxes)


def middles(output: Tensor) -> Tensor:
    """The middles (P, 2) of a map's places, x and y, in places."""
    height, width = output.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(height, device=output.device, dtype=output.dtype) + 0.5,
        torch.arange(width, device=output.device, dtype=output.dtype) + 0.5,
        indexing="ij",
    )
    return torch.stack([x.flatten(), y.flatten()], dim=1)
