"""Group norm."""

from typing import Final

NORMS: Final = ("group",)
