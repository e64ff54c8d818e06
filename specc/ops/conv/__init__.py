"""Convolutions."""

from typing import Final

KINDS: Final = ("conv", "depthwise")
