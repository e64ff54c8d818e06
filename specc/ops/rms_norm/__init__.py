"""RMS norm."""

from typing import Final

NORMS: Final = ("rms",)
