"""Instance norm."""

from typing import Final

NORMS: Final = ("instance",)
