"""Triangular connections, of convolutions and linear layers: no operators of their own."""

from typing import Final

KINDS: Final = ()
