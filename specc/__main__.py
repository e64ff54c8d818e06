"""`python -m specc`, and the entry point of the script `specc`."""

from __future__ import annotations

import sys

from specc.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
