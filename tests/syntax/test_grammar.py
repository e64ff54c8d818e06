"""The parser that lark makes of the grammar: cached, made again where the cache is damaged, never a reason to fail."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from specc.diagnostics import Findings
from specc.syntax.build import NODES, Build
from specc.syntax.grammar import grammar_text, parser
from specc.syntax.read import LARGEST, read_source
from tests.helpers.folders import ROOT

PROGRAM = """
import lark.lark
made = []
load = lark.lark.load_grammar
lark.lark.load_grammar = lambda *given: made.append(given) or load(*given)

from specc.diagnostics import Findings
from specc.source import Source
from specc.syntax.parse import parse
findings = Findings()
assert parse(Source("a", "let a = 1 + 2"), findings) and not findings
print(len(made))
"""


def run(cache: str, off: str = "") -> bool:
    """Parses in a process of its own; whether it had to make the parser of the grammar."""
    env = {"XDG_CACHE_HOME": cache, "SPECC_CACHE": off, "PYTHONPATH": str(ROOT), "HOME": cache}
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip() == "1"


def test_the_second_process_reads_the_parser_of_the_first(tmp_path: Path) -> None:
    assert run(str(tmp_path))
    assert not run(str(tmp_path))
    (kept,) = (tmp_path / "specc").iterdir()
    whole = kept.read_bytes()
    first_line = whole[: whole.index(b"\n") + 1]
    other = first_line + pickle.dumps({}) + pickle.dumps({"data": 5, "memo": {}})
    for damaged in (b"", b"junk", whole[:-7], whole[: len(whole) // 2], first_line, first_line + b"junk", other):
        kept.write_bytes(damaged)
        assert run(str(tmp_path))
        assert not run(str(tmp_path))
    assert list((tmp_path / "specc").iterdir()) == [kept]


def test_no_cache_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert run(str(tmp_path), off="off")
    assert not list(tmp_path.iterdir())
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert run(str(blocked))
    assert blocked.read_text() == "in the way"


def test_a_file_that_can_be_neither_read_nor_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    assert run(str(tmp_path))
    (kept,) = (tmp_path / "specc").iterdir()
    kept.unlink()
    kept.mkdir()
    assert run(str(tmp_path))
    assert kept.is_dir()


def test_every_rule_of_the_grammar_has_its_node_and_every_node_its_rule() -> None:
    inlined = {"value", "or", "and", "not", "comparison", "sum", "product", "negative", "primary"}
    rules = {rule.alias or rule.origin.name for rule in parser().rules} - inlined
    methods = {name for name in vars(Build) if not name.startswith("_")} - {"NUMBER", "STRING"}
    assert {rule for rule in rules if not rule.startswith("_")} == methods | set(NODES)


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
