"""Compiled templates are kept in a folder that is closed to others, and nothing depends on whether they can be."""

from __future__ import annotations

import os
from pathlib import Path

import jinja2
import pytest

from specc.cache import private_folder
from specc.codegen.render import compiled_templates


def printed(folder: Path, text: str = "{{ a }} and {{ b }}") -> str:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"t": text}),
        bytecode_cache=compiled_templates(folder),
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template("t").render(a=1, b=2)


def test_a_kept_template_prints_the_same_also_when_the_file_is_damaged(tmp_path: Path) -> None:
    assert printed(tmp_path) == "1 and 2"
    (kept,) = tmp_path.iterdir()
    assert printed(tmp_path) == "1 and 2"
    assert list(tmp_path.iterdir()) == [kept]
    whole = kept.read_bytes()
    for content in (b"", b"short", whole[:-3], b"\0" * 100):
        kept.write_bytes(content)
        assert printed(tmp_path) == "1 and 2"
        assert kept.read_bytes() == whole, "it is made again"
    assert printed(tmp_path, "{{ b }}") == "2"


def test_the_cache_lies_with_the_user_and_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPECC_CACHE", raising=False)
    assert private_folder() == tmp_path / "specc"
    monkeypatch.setenv("SPECC_CACHE", "off")
    assert private_folder() is None


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPECC_CACHE", raising=False)
    return tmp_path


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_the_cache_is_closed_to_others_whatever_the_umask(home: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        folder = private_folder()
    finally:
        os.umask(before)
    assert folder == home / "specc"
    assert mode(folder) == 0o700


def test_a_cache_that_others_could_read_is_closed_and_one_they_could_write_is_emptied_too(home: Path) -> None:
    folder = home / "specc"
    folder.mkdir()
    (folder / "a.tables").write_text("ours")
    folder.chmod(0o755)
    assert private_folder() == folder
    assert mode(folder) == 0o700
    assert (folder / "a.tables").read_text() == "ours"
    folder.chmod(0o777)
    assert private_folder() == folder
    assert mode(folder) == 0o700
    assert not list(folder.iterdir())


def test_a_folder_that_can_not_be_written_is_no_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert private_folder() == home / "specc"
    monkeypatch.setattr(os, "access", lambda path, mode: path != home / "specc" and mode == os.W_OK)
    assert private_folder() is None


def test_a_link_or_another_users_folder_is_no_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = home / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (home / "specc").symlink_to(elsewhere)
    assert private_folder() is None
    (home / "specc").unlink()
    assert private_folder() is not None
    someone = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: someone)
    assert private_folder() is None
