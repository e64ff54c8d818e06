"""Compiled templates, kept in the user's cache folder: jinja takes longer to compile them than to print a project.

A file's name holds a hash of the template, of jinja's version and of Python's, so a stale one is never read, and its
first bytes a checksum, so a damaged one is made again. Where nothing can be written, every process makes its own.
"""

from __future__ import annotations

import marshal
import os
import sys
import zlib
from pathlib import Path

import jinja2


class TemplateCache(jinja2.BytecodeCache):
    """One file a template in `folder`. What cannot be read is compiled, what cannot be written is dropped."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, bucket: jinja2.bccache.Bucket) -> Path:
        made_of = "\n".join((bucket.key, bucket.checksum, jinja2.__version__, sys.version)).encode()
        return self.folder / f"template-{zlib.crc32(made_of):08x}{zlib.adler32(made_of):08x}.code"

    def load_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        try:
            content = self.path(bucket).read_bytes()
            if checksum(content[8:]) == content[:8]:
                bucket.code = marshal.loads(content[8:])
        except (OSError, ValueError, EOFError, TypeError):
            return

    def dump_bytecode(self, bucket: jinja2.bccache.Bucket) -> None:
        assert bucket.code is not None
        content = marshal.dumps(bucket.code)
        path = self.path(bucket)
        aside = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(checksum(content) + content)
            os.replace(aside, path)
        except OSError:
            return


def checksum(content: bytes) -> bytes:
    return f"{zlib.crc32(content):08x}".encode()


def cache_folder() -> Path | None:
    """`specc` in the user's cache folder; None where there is no home or SPECC_CACHE says off."""
    if os.environ.get("SPECC_CACHE", "").lower() in ("off", "0", "no"):
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(base) / "specc" if os.path.isabs(base) else None
