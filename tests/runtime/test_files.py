"""Files that are shipped: tensors without pickle, and files and folders that are whole or not there."""

from __future__ import annotations

import multiprocessing
import os
import time
from contextlib import suppress
from pathlib import Path

import pytest
import safetensors.torch
import torch

from specc.runtime.files.whole import load_tensors, put_back, save_tensors, whole_file, whole_folder


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
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    # Killed between the two renames of a folder: the next one who asks puts the former back.
    (tmp_path / "it").rename(tmp_path / "it.old")
    put_back(tmp_path / "it")
    assert (tmp_path / "it" / "a.txt").read_text() == "second"


def test_of_two_who_write_a_file_at_once_the_last_to_finish_has_written_it(tmp_path: Path) -> None:
    with whole_file(tmp_path / "file") as first:
        first.write(b"a longer first text")
        with whole_file(tmp_path / "file") as second:
            second.write(b"second")
        assert (tmp_path / "file").read_bytes() == b"second"
    assert (tmp_path / "file").read_bytes() == b"a longer first text"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_of_two_who_write_a_folder_at_once_the_last_to_finish_has_written_it(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "it") as first:
        (first / "a.txt").write_text("first")
        with whole_folder(tmp_path / "it") as second:
            (second / "b.txt").write_text("second")
        assert [path.name for path in (tmp_path / "it").iterdir()] == ["b.txt"]
    assert [path.name for path in (tmp_path / "it").iterdir()] == ["a.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["it"]


def test_a_former_folder_is_back_where_the_renaming_ends_halfway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C, or as a reader has put the former one back meanwhile."""
    rename, reasons = Path.rename, [KeyboardInterrupt(), OSError("not empty")]

    def halfway(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial") and reasons:
            put_back(tmp_path / "it")
            raise reasons.pop(0)
        return rename(self, target)

    for text in ("first", "second", "third"):
        with suppress(KeyboardInterrupt), whole_folder(tmp_path / "it") as aside:
            (aside / "a.txt").write_text(text)
        if text == "first":
            monkeypatch.setattr(Path, "rename", halfway)
        assert [path.name for path in tmp_path.iterdir()] == ["it"]
        assert (tmp_path / "it" / "a.txt").read_text() == ("third" if text == "third" else "first")


def test_what_a_killed_process_left_aside_goes_when_the_file_is_written_again(tmp_path: Path) -> None:
    def half(ready: Path) -> None:
        with whole_file(tmp_path / "file") as file:
            file.write(b"half")
            file.flush()
            ready.touch()
            time.sleep(60)

    fork = multiprocessing.get_context("fork")
    processes = [fork.Process(target=half, args=(tmp_path / f"ready{number}",)) for number in range(2)]
    for number, process in enumerate(processes):
        process.start()
        while not (tmp_path / f"ready{number}").exists():
            time.sleep(0.01)
    processes[0].kill()
    processes[0].join()
    assert not (tmp_path / "file").exists()
    assert len([*tmp_path.glob("*.partial")]) == 2
    with whole_file(tmp_path / "file") as file:
        file.write(b"whole")
    assert len([*tmp_path.glob("*.partial")]) == 1  # of the one that still runs
    processes[1].kill()
    processes[1].join()
    with whole_file(tmp_path / "file") as file:
        file.write(b"again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "ready0", "ready1"]
    assert (tmp_path / "file").read_bytes() == b"again"
