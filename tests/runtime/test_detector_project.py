"""A detector as its users would have it: trained, searched, exported; the boxes of an image from what was exported."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from specc.runtime.net.detect import detect
from tests.helpers.documents import check_file
from tests.helpers.scripts import run, write_project

SPEC = """
supernet tiny {
  input image(3, 32, 32); boxes 2
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu; conv(32, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(32, kernel=3); norm; relu } } }
  head { conv(boxes + 5, kernel=1, bias=yes) }
}
method us_net(subnets=2)
data scenes(images=600, test_images=60, size=32, shapes=2, objects=1, noise=0.02)
train { epochs=6; batch_size=32; optimizer=adamw(lr=1e-2); schedule=cosine; calibrate=64 }
search { objectives=[map, macs]; strategy=exhaustive; calibrate=64 }
"""
SCRIPTS = """
import runpy
for command in (["train.py"], ["search.py"], ["export.py", "--at", "max"], ["export.py", "--bundle"]):
    sys.argv = command
    runpy.run_path(command[0], run_name="__main__")
"""
COMPARED = """
import json
from pathlib import Path
import onnxruntime
import torch
import space
from elastic.deploy.serving import Runtime
from elastic.net.detect import detect
from elastic.outputs.boxes import Boxes
from elastic.train.calibrate import calibrate
from elastic.train.detections import average_precision
from elastic.train.trained import load_trained
from model import Model

trained = load_trained(Model(), Path("runs/checkpoint.pt"), (3, 32, 32), Boxes(2))
net = trained.net
plan = calibrate(net, net.plan("max"), trained.loading.calibration(64))
images = next(iter(trained.loading.evaluation(trained.loading.data.test, batch_size=8)))[0]
folder = Path("runs/export")
session = onnxruntime.InferenceSession(folder / "subnet.onnx")

def onnx(x):
    return session.run(None, {"images": x.numpy()})[0]

made = {"__name__": "exported"}
exec((folder / "model.py").read_text(), made)
source = made["Model"]().eval()
source.load_state_dict(made["load_weights"](folder / "weights.safetensors"))
program = torch.export.load(folder / "subnet.pt2").module()
runtime = Runtime.load("runs/anytime", Model)
(number,) = [n for n, subnet in enumerate(runtime.subnets) if subnet.at == space.largest()]
runtime.switch(number)
with torch.inference_mode():
    wanted = net(images, plan)
    ways = {"extracted": net.extract(plan), "source": source, "program": program, "ONNX": onnx, "bundle": runtime.run}
    for way, call in ways.items():
        torch.testing.assert_close(torch.as_tensor(call(images)), wanted, rtol=1e-4, atol=1e-4, msg=way)

tests = trained.loading.data.test
rows = []
for image in tests.arrays[0]:
    found, *others = [
        detect(call, image, about)
        for call, about in ((runtime.run, "runs/anytime/index.json"), (onnx, folder / "subnet.json"))
    ]
    for other in others:
        torch.testing.assert_close(other.boxes, found.boxes, rtol=1e-3, atol=1e-2)
        assert torch.equal(other.labels, found.labels)
    row = torch.full((100, 6), -1.0)
    n = len(found.scores)
    row[:n] = torch.cat([found.boxes / 32, found.labels[:, None], found.scores[:, None]], dim=1)
    rows.append(row)
precisions = average_precision(torch.stack(rows), tests.targets, 2)
print("mAP by detect:", sum(precisions) / 10)
"""


@pytest.mark.slow
def test_a_detector_is_trained_searched_and_exported(tmp_path: Path) -> None:
    project = write_project(tmp_path, SPEC, "")
    out = run(project, SCRIPTS)
    assert out.count("torch.export: same outputs") == out.count("onnxruntime: same outputs") == 1
    told = {name: float(share) for name, share in re.findall(r"test mAP, (\w+): ([\d.]+)%", out)}
    assert told["largest"] > 3
    points = json.loads((project / "runs" / "pareto.json").read_text())["points"]
    largest = max(points, key=lambda point: point["macs"])
    assert largest["at"] == {"width": 1.0, "keep": True}
    for file in ("export/subnet.json", "anytime/index.json"):
        check_file(project / "runs" / file)
    assert {"detect.py", "model.py", "subnet.onnx"} <= {path.name for path in (project / "runs/export").iterdir()}
    (found,) = re.findall(r"mAP by detect: ([\d.]+)", run(project, COMPARED))
    assert float(found) == pytest.approx(told["largest"] / 100, abs=1e-3)

    (shown,) = re.findall(r"^`detect` makes .*?```python\n(.*?)^```", (project / "README.md").read_text(), re.M | re.S)
    assert "detect(runtime.run" in shown
    run(project, shown)


ABOUT: dict[str, Any] = {
    "inputs": {"images": {"shape": [3, 8, 8], "scale": 255, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}},
    "classes": ["disc", "bar"],
}


def overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return shared / (areas - shared)


def by_hand(output: torch.Tensor, height: int, width: int, least: float, most: float) -> list[list[float]]:
    """Boxes in pixels, the class and the score, place by place; then greedily those that no surer one overlaps."""
    rows = []
    for y in range(output.shape[1]):
        for x in range(output.shape[2]):
            values = output[:, y, x].tolist()
            left, top, right, bottom = map(math.exp, values[-5:-1])
            box = [x + 0.5 - left, y + 0.5 - top, x + 0.5 + right, y + 0.5 + bottom]
            sides = (output.shape[2], output.shape[1]) * 2
            box = [min(max(side / all, 0), 1) for side, all in zip(box, sides, strict=True)]
            box = [side * all for side, all in zip(box, (width, height) * 2, strict=True)]
            for label, logit in enumerate(values[:-5]):
                score = 1 / ((1 + math.exp(4.595 - logit)) * (1 + math.exp(-values[-1])))
                rows.append([*box, label, math.sqrt(score)])
    kept: list[list[float]] = []
    for row in sorted(rows, key=lambda row: -row[5]):
        if row[5] > least and not any(row[4] == one[4] and overlap(row, one) > most for one in kept):
            kept.append(row)
    return kept


@pytest.mark.parametrize("seed", range(5))
def test_boxes_of_an_image_are_those_by_hand(seed: int) -> None:
    """Any image: resized and normalised for the network, its boxes in its own pixels."""
    rng = torch.Generator().manual_seed(seed)
    output = torch.randn(1, 7, 4, 4, generator=rng) * 1.5
    pixels = torch.randint(0, 256, (3, 20, 30), generator=rng, dtype=torch.uint8)
    seen = []

    def run(images: torch.Tensor) -> Any:
        seen.append(images)
        return output.numpy()

    found = detect(run, pixels, ABOUT, least=0.1, overlap=0.5)
    wanted = by_hand(output[0], 20, 30, 0.1, 0.5)
    assert 3 < len(wanted) == len(found.scores)
    rows = torch.cat([found.boxes, found.labels[:, None], found.scores[:, None]], dim=1)
    torch.testing.assert_close(rows, torch.tensor(wanted), rtol=1e-4, atol=1e-4)
    assert found.names == tuple(ABOUT["classes"][int(row[4])] for row in wanted)

    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    resized = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR)).astype(np.float32) / 255
    mean, std = ([0.5, 0.4, 0.3], [0.2, 0.3, 0.4])
    images = torch.from_numpy((resized - np.array(mean)) / np.array(std)).float().permute(2, 0, 1)
    torch.testing.assert_close(seen[0][0], images, rtol=0, atol=0.03)  # a step of 255, divided by a deviation
    torch.testing.assert_close(detect(run, picture, ABOUT).boxes, detect(run, pixels, ABOUT).boxes)
    torch.testing.assert_close(seen[1], seen[2])


def test_what_detect_cannot_read() -> None:
    output = torch.zeros(1, 7, 4, 4)
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    with pytest.raises(ValueError, match=r"bytes \(3, height, width\), not torch.float32 \(3, 8, 8\)"):
        detect(lambda x: output, image.float(), ABOUT)
    with pytest.raises(ValueError, match=r"not torch.uint8 \(1, 3, 8, 8\)"):
        detect(lambda x: output, image[None], ABOUT)
    with pytest.raises(ValueError, match="the network gives head, s1: export the head alone"):
        detect(lambda x: {"head": output, "s1": output}, image, ABOUT)
    with pytest.raises(ValueError, match="does not say how its one image is prepared"):
        detect(lambda x: output, image, {"classes": ["disc", "bar"]})
    assert detect(lambda x: output - 9, image, ABOUT).boxes.shape == (0, 4)
