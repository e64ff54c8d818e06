"""Pixels of a map as a row of tokens, and tokens as the pixels of a map."""

from typing import Final

KINDS: Final = ("to_map", "to_tokens")
