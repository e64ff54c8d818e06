"""The specs of built-in data, and all others."""

from __future__ import annotations

from tests.helpers.folders import spec_names

TWINS = [name for name in spec_names() if name.startswith(("digits", "glyphs", "scenes"))]

OTHERS = [name for name in spec_names() if name not in TWINS]
