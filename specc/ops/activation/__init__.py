"""Activations, one operator each."""

from typing import Final

KINDS: Final = (
    *("relu", "relu6", "hswish", "hsigmoid", "silu", "gelu", "sigmoid", "tanh"),
    *("gelu_tanh", "quick_gelu", "mish", "selu", "leaky_relu", "elu", "celu", "softplus", "hardtanh", "clamp"),
)
