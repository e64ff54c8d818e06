"""Running commands in the tests' own process, as `specc` would."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from specc.cli.main import main


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Input(io.TextIOWrapper):
    """Standard input that holds some bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data), encoding="utf-8")


def specc(*words: object, stdin: str | bytes = b"") -> Done:
    """Runs one command line."""
    data = stdin.encode("utf-8") if isinstance(stdin, str) else stdin
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), patch("sys.stdin", Input(data)):
        code = main([str(word) for word in words])
    return Done(code, out.getvalue(), err.getvalue())


def keys(rows: Sequence[dict[str, Any]]) -> set[tuple[str, ...]]:
    """The keys of every row."""
    return {tuple(row) for row in rows}


SMALL = """\
# A small network with every kind of choice.
import std.mobilenet

supernet small {
  input image(1, resolution=8..12 step 4)
  classes 10
  norm batch
  width uniform 0.5..1.0 step 0.25 round 8

  stem {
    conv(16, kernel=3)
    norm
    relu6
  }
  stage s1 {
    inverted_residual(16, expand=3, kernel={3, 5})
    skippable keep { inverted_residual(16, expand=3) }
  }
  stage s2 {
    inverted_residual(32, expand=3, stride=2)
    repeat 0..2 { inverted_residual(32, expand=3) }
  }
  head {
    pool(avg)
    linear(classes)
  }
}

method us_net(subnets=4)
data digits
train { epochs=1 }
"""
