"""Files that are shipped: tensors without pickle, and files and folders that are whole or not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from specc.codegen.runtime.tensors import load_tensors, save_tensors
from specc.codegen.runtime.whole import put_back, whole_file, whole_folder


def test_tensors_are_read_and_written_as_the_package_does(tmp_path: Path) -> None:
    tensors = {
        "half": torch.randn(3, 5).to(torch.bfloat16),
        "weight": torch.randn(4, 3).t(),
        "count": torch.tensor(7),
        "none": torch.zeros(0, 3),
        "mask": torch.tensor([True, False, True]),
        "double": torch.randn(2, dtype=torch.float64),
        "bytes": torch.arange(-3, 3, dtype=torch.int8),
    }
    save_tensors(tmp_path / "ours", tensors, {"about": "us"})
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(contiguous, tmp_path / "theirs", {"about": "us"})
    ours, about = load_tensors(tmp_path / "theirs")
    assert about == {"about": "us"}
    for found in (ours, load_tensors(tmp_path / "ours")[0], safetensors.torch.load_file(tmp_path / "ours")):
        assert {*found} == {*tensors}
        for name, tensor in tensors.items():
            assert found[name].dtype == tensor.dtype
            assert torch.equal(found[name], tensor)
    content = (tmp_path / "ours").read_bytes()
    for damaged in (content[:-1], content[:20], b"", b"\x80\x02}" * 30):
        (tmp_path / "damaged").write_bytes(damaged)
        with pytest.raises(ValueError, match="safetensors"):
            load_tensors(tmp_path / "damaged")


def test_a_folder_or_file_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with whole_folder(tmp_path / "it") as aside:
            (aside / "a.txt").write_text(text)
    with pytest.raises(FileNotFoundError), whole_folder(tmp_path / "it") as aside:
        (aside / "a.txt").rename(aside / "b.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it" / "a.txt").read_text() == "second"
    with pytest.raises(KeyError), whole_file(tmp_path / "file") as file:
        file.write(b"half" + os.environb[b"not there"])
    assert not (tmp_path / "file").exists()
    # Killed between the two renames of a folder: the next one who asks puts the former back.
    (tmp_path / "it").rename(tmp_path / "it.old")
    put_back(tmp_path / "it")
    assert (tmp_path / "it" / "a.txt").read_text() == "second"
