"""Compiled templates are kept, and nothing depends on whether they can be."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from specc.codegen.template_cache import TemplateCache, cache_folder


def printed(folder: Path, text: str = "{{ a }} and {{ b }}") -> str:
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({"t": text}), bytecode_cache=TemplateCache(folder), undefined=jinja2.StrictUndefined
    )
    return environment.get_template("t").render(a=1, b=2)


def test_a_kept_template_prints_the_same_also_when_the_file_is_damaged(tmp_path: Path) -> None:
    assert printed(tmp_path) == "1 and 2"
    (kept,) = tmp_path.iterdir()
    assert printed(tmp_path) == "1 and 2"
    assert list(tmp_path.iterdir()) == [kept]
    for content in (b"", b"short", kept.read_bytes()[:-3], b"\0" * 100):
        kept.write_bytes(content)
        assert printed(tmp_path) == "1 and 2"
    assert printed(tmp_path, "{{ b }}") == "2"


def test_a_folder_that_cannot_be_written_is_no_harm(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert printed(tmp_path / "file" / "below") == "1 and 2"


def test_the_cache_lies_with_the_user_and_can_be_switched_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPECC_CACHE", raising=False)
    assert cache_folder() == tmp_path / "specc"
    monkeypatch.setenv("SPECC_CACHE", "off")
    assert cache_folder() is None
