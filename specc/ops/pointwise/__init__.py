"""Products and differences, one operator each."""

from typing import Final

KINDS: Final = ("multiply", "subtract")
