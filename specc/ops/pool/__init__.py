"""Pooling."""

from typing import Final

KINDS: Final = ("pool", "maxpool")
