"""`python -m specc`, and the entry point of the script `specc`."""

from __future__ import annotations

import gc
import sys

from specc.cli.main import main as run

__all__ = ["main"]


def main() -> int:
    """One command in a process of its own. Compilers make many objects and little garbage: it is looked for seldom, and
    not at all when the process ends, where it would take a tenth of the time."""
    gc.set_threshold(200_000, 50, 50)
    try:
        return run()
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
