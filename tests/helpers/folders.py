"""Where things stand in the repository."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "specc"
SPECS = ROOT / "specs"
GENERATED = ROOT / "generated"


def spec_names() -> list[str]:
    """The names of all specs, sorted."""
    return sorted(path.stem for path in SPECS.glob("*.specc"))
