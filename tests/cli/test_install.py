"""Putting files into a folder: what is replaced, what stays, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from specc.codegen import install
from specc.codegen.install import MARK, Refused, changes, marked

ONE = marked({"model.py": "one\n", "elastic/plan.py": "plan\n"})
TWO = marked({"model.py": "two\n", "train.py": "train\n"})


def contents(folder: Path) -> dict[str, str]:
    found = {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}
    found.pop(MARK, None)
    return found


@pytest.fixture(params=[True, False], ids=["at once", "by two renames"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways in which folders change places."""
    if not request.param:
        monkeypatch.setattr(install, "exchanged_at_once", lambda *_: False)


@pytest.mark.usefixtures("way")
def test_the_new_project_replaces_the_old_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    install.install(ONE, folder)
    (folder / "runs").mkdir()
    (folder / "runs" / "last.pt").write_text("hours of training")
    (folder / "elastic" / "mine.py").write_text("mine")
    (folder / "latest").symlink_to("runs")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "model.pyc").write_text("stale")
    install.install(TWO, folder)
    assert contents(folder) == {
        "model.py": "two\n",
        "train.py": "train\n",
        "runs/last.pt": "hours of training",
        "elastic/mine.py": "mine",
    }
    assert os.readlink(folder / "latest") == "runs"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@pytest.mark.usefixtures("way")
def test_a_failure_while_writing_leaves_everything_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    install.install(ONE, folder)
    before = contents(folder)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("write_all", "keep_others", "exchange"):
        with monkeypatch.context() as patch:
            patch.setattr(install, name, full)
            with pytest.raises(OSError, match="No space"):
                install.install(TWO, folder)
        assert contents(folder) == before
        assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_files_edited_by_hand_are_not_lost(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    install.install(ONE, folder)
    (folder / "model.py").write_text("my own\n")
    with pytest.raises(Refused, match="model"):
        install.install(TWO, folder)
    assert contents(folder)["model.py"] == "my own\n"
    install.install(TWO, folder, force=True)
    assert contents(folder)["model.py"] == "two\n"


def test_changes_are_told_without_making_them(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    assert {change for _, change in changes(ONE, folder)} == {"new"}
    install.install(ONE, folder)
    assert {change for _, change in changes(ONE, folder)} == {"same"}
    found = dict(changes(TWO, folder))
    assert found == {MARK: "changed", "elastic/plan.py": "removed", "model.py": "changed", "train.py": "new"}
    assert contents(folder)["model.py"] == "one\n"


def test_the_folder_we_stand_in_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "out"
    install.install(ONE, folder)
    monkeypatch.chdir(folder)
    with pytest.raises(Refused, match="inside"):
        install.install(TWO, Path())


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    install.install(ONE, tmp_path / "link")
    install.install(TWO, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert contents(tmp_path / "real")["model.py"] == "two\n"


def test_a_mark_that_names_files_elsewhere_is_not_believed(tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / MARK).write_text(f"{'0' * 64}  ../victim.txt\n{'0' * 64}  {victim}\n")
    install.install(ONE, folder)
    assert victim.read_text() == "precious"
    assert "../victim.txt" not in dict(changes(ONE, folder))


def test_what_a_killed_compile_left_is_put_right(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    install.install(ONE, folder)
    gone = 2**22 + 1  # no process has this number
    os.rename(folder, tmp_path / f".out.specc-{gone}-old")
    (tmp_path / f".out.specc-{gone}").mkdir()
    install.remove_leftovers(folder)
    assert contents(folder)["model.py"] == "one\n"
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
