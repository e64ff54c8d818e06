"""Learned offsets of channels, alone and with factors."""

from typing import Final

KINDS: Final = ("affine", "offset")
