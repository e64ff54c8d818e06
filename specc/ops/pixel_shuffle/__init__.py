"""Pixels become channels, and channels pixels."""

from typing import Final

KINDS: Final = ("pixel_shuffle", "space_to_depth")
