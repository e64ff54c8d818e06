"""Batch norm."""

from typing import Final

NORMS: Final = ("batch",)
