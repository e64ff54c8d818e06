"""Layer norm."""

from typing import Final

NORMS: Final = ("layer",)
