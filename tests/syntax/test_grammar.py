"""The grammar's tables: cached, made again where the cache is damaged, and never a reason to fail."""

from __future__ import annotations

import marshal
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from specc.diagnostics import Findings
from specc.syntax.build import BUILDERS
from specc.syntax.grammar import _make, grammar_text, tables
from specc.syntax.read import LARGEST, read_source
from tests.helpers.folders import ROOT

PROGRAM = """
import sys
from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax.parse import parse
findings = Findings()
assert parse(Source("a", "let a = 1 + 2"), findings) and not findings
print("lark" in sys.modules)
"""


def run(cache: str, off: str = "") -> bool:
    """Parses in a process of its own; whether it needed lark."""
    env = {"XDG_CACHE_HOME": cache, "SPECC_CACHE": off, "PYTHONPATH": str(ROOT), "HOME": cache}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip() == "True"


def test_the_second_process_reads_the_tables_of_the_first(tmp_path: Path) -> None:
    assert run(str(tmp_path))
    assert not run(str(tmp_path))
    (kept,) = (tmp_path / "specc").iterdir()
    whole = kept.read_bytes()
    no_tables = [marshal.dumps(value) for value in (5, {"start": 1}, {**marshal.loads(whole[8:]), "scanner": "("})]
    whole_but_wrong = [f"{zlib.crc32(content):08x}".encode() + content for content in no_tables]
    flipped = whole[:100] + bytes([whole[100] ^ 1]) + whole[101:]
    for damaged in (b"", b"junk", whole[:-7], flipped, *whole_but_wrong):
        kept.write_bytes(damaged)
        assert run(str(tmp_path))
        assert not run(str(tmp_path))
    assert len(list((tmp_path / "specc").iterdir())) == 1


def test_no_cache_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert run(str(tmp_path), off="off")
    assert not list(tmp_path.iterdir())
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert run(str(blocked))
    assert blocked.read_text() == "in the way"


def test_the_tables_are_plain_data_whatever_lark_makes_them_of() -> None:
    """lark 1.1.9 and 1.2.2 give texts of a class of their own, which marshal refuses."""

    def kinds(value: object) -> set[type]:
        if isinstance(value, dict):
            return {type(value)}.union(*map(kinds, value), *map(kinds, value.values()))
        if isinstance(value, (list, tuple)):
            return {type(value)}.union(*map(kinds, value))
        return {type(value)}

    assert kinds(_make(grammar_text())) <= {dict, list, tuple, str, int, bool}


def test_every_rule_of_the_grammar_has_its_builder_and_every_builder_its_rule() -> None:
    assert {rule.build for rule in tables().rules if rule.build} == set(BUILDERS)


def test_the_grammar_reads_like_prose() -> None:
    comments = [line for line in grammar_text().splitlines() if "//" in line]
    assert len(comments) > 40


# --- reading files ---------------------------------------------------------------------------------


def reason(path: Path) -> tuple[str, str]:
    findings = Findings()
    assert read_source(path, path.name, findings) is None
    (diagnostic,) = findings.diagnostics
    return diagnostic.rule.name, diagnostic.primary.message


def test_files_of_every_line_ending_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.specc"
    for content in (b"let a = 1\nlet b = 2\n", b"\xef\xbb\xbflet a = 1\r\nlet b = 2\r\n", b"let a = 1\rlet b = 2\r"):
        path.write_bytes(content)
        source = read_source(path, "a.specc", Findings())
        assert source is not None
        assert source.text == "let a = 1\nlet b = 2\n"


def test_what_can_not_be_read_says_why(tmp_path: Path) -> None:
    assert reason(tmp_path / "missing.specc") == (
        "unreadable-file",
        "can't read missing.specc: no such file or directory",
    )
    assert reason(tmp_path)[0] == "unreadable-file"
    large = tmp_path / "large.specc"
    large.write_bytes(b"#" * (LARGEST + 1))
    assert "larger than 16 MB" in reason(large)[1]


@pytest.mark.parametrize(("content", "byte", "line"), [(b"# a\n# caf\xe9\n", "0xe9", 2), (b"\xff\xfe", "0xff", 1)])
def test_text_that_is_not_utf_8_is_pointed_at(tmp_path: Path, content: bytes, byte: str, line: int) -> None:
    path = tmp_path / "latin.specc"
    path.write_bytes(content)
    findings = Findings()
    assert read_source(path, "latin.specc", findings) is None
    (diagnostic,) = findings.diagnostics
    assert diagnostic.rule.name == "not-utf-8"
    assert byte in diagnostic.primary.message
    assert diagnostic.primary.span.source.position(diagnostic.primary.span.start)[0] == line
