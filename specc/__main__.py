"""`python -m specc`, and the entry point of the script `specc`."""

from __future__ import annotations

import gc
import sys

from specc.cli.main import main as run

__all__ = ["main"]


def main() -> int:
    """One command in a process of its own. Compilers make many objects and little garbage: it is looked for seldom."""
    gc.set_threshold(200_000, 50, 50)
    return run()


if __name__ == "__main__":
    sys.exit(main())
