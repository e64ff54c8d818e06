"""Data of the user's own, and networks of several inputs fed from it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from specc.codegen.runtime.datasets import load_data
from specc.codegen.runtime.images import Data, Images
from specc.codegen.runtime.stacked import Cut, check_stacked, take_stacked
from tests.runtime.test_projects import run, write_project

SPEC = """
supernet pairs {
  input left image(1, 8, 8)
  input right image(1, 8, 8)
  classes 2
  norm batch
  width uniform {0.5, 1.0} round 8
  stem {
    a = conv(16, kernel=3, from=left)
    b = conv(16, kernel=3, from=right)
    add(a, b); norm; relu
  }
  head { pool(avg); linear(classes) }
}
METHOD
data own(path="pairs.py")
train { epochs=1; batch_size=64; calibrate=64; optimizer=sgd(lr=0.1); mixup=0.2; cutmix=1.0; label_smoothing=0.1 }
search { calibrate=64; strategy=exhaustive }
"""
PAIRS = '''
"""Pairs of images; class 1 where the right one is brighter."""
import torch

def load(settings):
    generator = torch.Generator().manual_seed(settings["seed"])
    parts = []
    for count in (256, 64):
        pixels = torch.randint(0, 128, (count, 2, 8, 8), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 2, (count,), generator=generator)
        pixels[torch.arange(count), labels] += 100
        parts.append((pixels, labels))
    return parts
'''


def test_a_network_of_two_inputs_is_trained_searched_exported_and_measured(tmp_path: Path) -> None:
    folder = write_project(tmp_path, SPEC, "method us_net(subnets=2)")
    (folder / "pairs.py").write_text(PAIRS)
    out = run(
        folder,
        """
import train, search, export, bench
for module, flags in (
    (train, ["--device", "cpu"]), (search, ["--device", "cpu"]), (export, ["--at", "min"]),
    (bench, ["--at", "min", "--rounds", "3"])
):
    sys.argv = [f"{module.__name__}.py", *flags]
    module.main()
""",
    )
    assert "own: 231 training, 25 validation, 64 test images, 2 classes" in out
    assert "evaluated 2 sub-networks" in out
    for name in ("static module", "torch.export", "onnxruntime"):
        assert f"{name}: same answers" in out
    assert "width=0.5" in out


class Two(nn.Module):
    def forward(self, left: Tensor, right: Tensor, plan: Any = None) -> tuple[Tensor, Tensor, Any]:
        return left, right, plan


def test_one_image_is_cut_into_the_inputs() -> None:
    net = Two()
    take_stacked(net, [(1, 8, 8), (3, 4, 4)])
    stacked = torch.rand(2, 4, 8, 8)
    for module in (net, copy.deepcopy(net)):
        left, right, plan = module(stacked, "plan")
        assert torch.equal(left, stacked[:, :1])
        assert right.shape == (2, 3, 4, 4)
        # Halving with antialiasing keeps the mean but for what reaches over the border.
        torch.testing.assert_close(right.mean((2, 3)), stacked[:, 1:].mean((2, 3)), rtol=0, atol=0.05)
        assert plan == "plan"
        assert torch.equal(module(stacked[:, :1], stacked[:, 1:])[1], stacked[:, 1:])
    equal = Cut([(1, 8, 8), (3, 8, 8)])
    assert torch.equal(torch.cat(equal.inputs(stacked), dim=1), stacked)


def test_images_without_the_inputs_channels_are_refused() -> None:
    pixels = Images((0, 1), torch.zeros(2, 1, 8, 8, dtype=torch.uint8))
    data = Data("digits", 2, pixels, pixels, pixels, (0.5,), (0.5,))
    check_stacked(data, [(1, 8, 8)])
    with pytest.raises(SystemExit, match="digits has images of 1 channels; the inputs of this network have 4 channels"):
        check_stacked(data, [(1, 8, 8), (3, 8, 8)])
    files = Images((0, 1), files=(Path("a"), Path("b")))
    with pytest.raises(SystemExit, match="folder has files of images"):
        check_stacked(Data("folder", 2, files, files, files, (0.5,), (0.5,)), [(1, 8, 8), (3, 8, 8)])


def test_what_a_file_of_ones_own_returns_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    settings = {"name": "own", "path": str(path), "validation": 0.25, "seed": 3}
    path.write_text(PAIRS)
    data = load_data(settings)
    assert (len(data.train), len(data.validation), len(data.test)) == (192, 64, 64)
    assert len(data.mean) == 2
    assert data.test.labels == load_data(settings).test.labels
    for text, message in (
        ("x = 1", r"has no function `load\(settings\)`"),
        ("import torch\ndef load(s): return [(torch.zeros(2, 1, 4, 4), [0, 1])] * 2", "not .* of float32, 2 labels"),
        (
            "import numpy as np\ndef load(s): return [(np.zeros((2, 1, 4, 4), np.uint8), [0])] * 2",
            r"not \(2, 1, 4, 4\) of uint8, 1 labels",
        ),
    ):
        path.write_text(text)
        with pytest.raises(SystemExit, match=message):
            load_data(settings)
    with pytest.raises(SystemExit, match="own: no file is named"):
        load_data({**settings, "path": ""})
