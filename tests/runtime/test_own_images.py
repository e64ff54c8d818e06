"""What is said where a folder of images is not laid out as it is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from specc.runtime.data.datasets import load_data


def test_the_parts_of_a_folder_are_named_and_from_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "birds" / "train" / "robin").mkdir(parents=True)
    (tmp_path / "birds" / "train" / "robin" / "1.png").touch()
    for path, tried in (("birds", "birds/val"), ("birds/train", "birds/train/train")):
        with pytest.raises(SystemExit) as stopped:
            load_data({"name": "folder", "path": path, "validation": 0.1, "seed": 0})
        said = str(stopped.value)
        assert "train/ and val/ (or test/), with a folder of images for every class in each" in said
        assert f"  {tried}" in said
        assert f"from {tmp_path}" in said


def test_a_path_from_the_root_needs_no_place(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        load_data({"name": "folder", "path": str(tmp_path), "validation": 0.1, "seed": 0})
    assert "from " not in str(stopped.value)
