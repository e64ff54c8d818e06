"""Activations, one operator each."""

from typing import Final

KINDS: Final = ("relu", "relu6", "hswish", "hsigmoid", "silu", "gelu", "sigmoid", "tanh")
