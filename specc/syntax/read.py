"""Reading a spec file from disk or from standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from specc.diagnostics import Findings, Rule
from specc.source import Source, Span

LARGEST = 16_000_000
"""In bytes. A spec of 10,000 operators has under one million."""

UNREADABLE = Rule(
    "E101",
    "unreadable-file",
    "a spec file can't be read",
    "specc reads regular files of at most 16 MB, or standard input where the file is `-`.\n"
    "The message gives the operating system's error.\n\n"
    "Wrong:  specc check specs/        (a folder)\nRight:  specc check specs/digits.specc",
)
NOT_UTF8 = Rule(
    "E102",
    "not-utf-8",
    "a spec file is not UTF-8 text",
    "Spec files are UTF-8 text. The message names the first byte that is not, and its line.\n"
    "Save the file as UTF-8; most editors offer it when saving.\n\n"
    "Wrong:  # caf\\xe9          (saved as Latin-1)\nRight:  # caf\\xc3\\xa9      (saved as UTF-8)",
)


def read_source(path: str | Path, display_name: str, findings: Findings) -> Source | None:
    """The text of a file, `-` for standard input; newlines of every convention become `\\n`.

    Reports a file that is missing, too large, no regular file, or not UTF-8, and gives None.
    """
    try:
        content = _content(path)
    except OSError as error:
        reason = error.strerror or str(error)
        findings.report(
            UNREADABLE, _nowhere(display_name), f"can't read {display_name}: {reason[:1].lower()}{reason[1:]}"
        )
        return None
    except ValueError as error:
        findings.report(UNREADABLE, _nowhere(display_name), f"can't read {display_name}: {error}")
        return None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        start = error.start + (3 if content.startswith(b"\xef\xbb\xbf") and error.start < 3 else 0)
        readable = Source(display_name, content.decode("utf-8", "replace"))
        before = len(content[:start].decode("utf-8", "replace"))
        findings.report(
            NOT_UTF8,
            Span(readable, before, before + 1),
            f"{display_name} is not UTF-8 text: byte 0x{content[start]:02x} at offset {start}",
            help="save the file as UTF-8",
        )
        return None
    return Source(display_name, text.replace("\r\n", "\n").replace("\r", "\n"))


def _content(path: str | Path) -> bytes:
    if str(path) == "-":
        content = sys.stdin.buffer.read(LARGEST + 1)
    else:
        file = Path(path)
        if not file.is_file() and file.exists():
            raise ValueError("it is a folder" if file.is_dir() else "it is not a regular file")
        with file.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 1_000_000} MB")
    return content


def _nowhere(display_name: str) -> Span:
    return Span(Source(display_name, ""), 0, 0)
