"""What the formatter would change."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def formatted(folder: Path) -> str:
    """What the formatter would change."""
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--no-cache", "--line-length", "100", "--diff"]
    return subprocess.run([*command, str(folder)], capture_output=True, text=True).stdout
