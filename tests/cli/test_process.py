"""Whole processes: streams, colours, broken pipes, bugs."""

from __future__ import annotations

import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.commands import SMALL
from tests.helpers.folders import ROOT

SPECC = [sys.executable, "-m", "specc"]


def process(*words: str, code: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    line = [*SPECC, *words] if not code else [sys.executable, "-c", code]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **environment})


def on_a_terminal(*words: str, **environment: str) -> str:
    """What a command shows on a terminal, both streams."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [*SPECC, *words], cwd=ROOT, stdin=follower, stdout=follower, stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", **environment},
    ) as running:  # fmt: skip
        os.close(follower)
        shown = b""
        try:
            while part := os.read(leader, 65536):
                shown += part
        except OSError:
            pass
        running.wait()
    os.close(leader)
    return shown.decode()


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.specc"
    path.write_text(SMALL.replace("conv(16, kernel=3)", "convv(16, kernel=3)"))
    return path


def test_python_m_specc_is_specc() -> None:
    assert process("rules", "--json").stdout == process(code="import sys; sys.argv[1:] = ['rules', '--json']; "
        "from specc.__main__ import main; sys.exit(main())").stdout  # fmt: skip


def test_colour_on_a_terminal_only(broken: Path) -> None:
    assert "\x1b[" not in process("check", str(broken)).stderr
    assert "\x1b[1;31m" in on_a_terminal("check", str(broken), NO_COLOR="")
    assert "\x1b[" not in on_a_terminal("check", str(broken), NO_COLOR="1")
    assert "\x1b[" not in process("rules").stdout
    assert "unknown-name" in on_a_terminal("rules", NO_COLOR="")


def test_a_reader_that_goes_away_is_no_error() -> None:
    line = f"{sys.executable} -m specc rules | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {line}"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr.replace("`specc explain CODE` explains one\n", "").strip()) == (0, "")


BUG = (
    "import specc.pipeline; specc.pipeline.load = lambda *a: 1 / 0; "
    "from specc.cli.main import main; import sys; sys.exit(main({}))"
)


def test_a_bug_exits_70_and_says_how_to_report_it() -> None:
    done = process(code=BUG.format(["check", "specs/digits.specc"]), SPECC_TRACEBACK="")
    assert (done.returncode, done.stdout) == (70, "")
    assert "bug in specc" in done.stderr
    assert "SPECC_TRACEBACK=1" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bug_shows_its_traceback_when_asked() -> None:
    done = process(code=BUG.format(["check", "specs/digits.specc"]), SPECC_TRACEBACK="1")
    assert done.returncode == 70
    assert "Traceback" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_valid(shell: str) -> None:
    """A shell that is installed reads its script; bash always is."""
    script = process("completion", shell).stdout
    if subprocess.run(["sh", "-c", f"command -v {shell}"], capture_output=True).returncode == 0:
        done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert shlex.split(script, comments=True), "all quotes are closed"


def test_bash_completes_commands_and_options() -> None:
    script = process("completion", "bash").stdout
    ask = "\nCOMP_WORDS=(specc {0}); COMP_CWORD={1}; _specc; echo ${{COMPREPLY[@]}}"
    for words, index, answer in (("com", 1, "compile completion"), ("cost --co", 2, "--count")):
        done = subprocess.run(["bash"], input=script + ask.format(words, index), capture_output=True, text=True)
        assert done.stdout.strip() == answer, done.stderr
