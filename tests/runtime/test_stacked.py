"""Data of the user's own, and networks of several inputs fed from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.runtime.data.datasets import load_data
from tests.helpers.pairs import PAIRS, SPEC
from tests.helpers.scripts import run, write_project


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
        assert f"{name}: same outputs" in out
    assert "width=0.5" in out


def test_what_a_file_of_ones_own_returns_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    settings = {"name": "own", "path": str(path), "validation": 0.25, "seed": 3}
    path.write_text(PAIRS)
    data = load_data(settings)
    assert (len(data.train), len(data.validation), len(data.test)) == (192, 64, 64)
    assert len(data.mean) == 2
    assert data.test.labels == load_data(settings).test.labels
    for text, message in (("x = 1", r"has no function `load\(settings\)`"),):
        path.write_text(text)
        with pytest.raises(SystemExit, match=message):
            load_data(settings)
    with pytest.raises(SystemExit, match="own: no file is named"):
        load_data({**settings, "path": ""})
