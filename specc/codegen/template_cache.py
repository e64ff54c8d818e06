"""Compiled templates, kept in the user's private cache folder: jinja takes longer to compile them than to print a
project.

This is jinja's own cache, which knows a stale file by the template's hash and a foreign one by Python's version. What
cannot be read back is made again, and where nothing can be written every process makes its own.
"""

from __future__ import annotations

from pathlib import Path
from types import CodeType

import jinja2
from jinja2.bccache import Bucket

ENTRY = "root"
"""The function that every compiled template defines."""


class TemplateCache(jinja2.FileSystemBytecodeCache):
    """One file a template in `folder`, which must be private: jinja unpickles and unmarshals what lies there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), f"template-{jinja2.__version__}-%s.code")

    def load_bytecode(self, bucket: Bucket) -> None:
        try:
            super().load_bytecode(bucket)
        except Exception:  # a damaged pickle may raise anything
            bucket.reset()
        if not (isinstance(bucket.code, CodeType) and ENTRY in bucket.code.co_names):
            bucket.reset()

    def dump_bytecode(self, bucket: Bucket) -> None:
        try:
            super().dump_bytecode(bucket)
        except OSError:
            return
