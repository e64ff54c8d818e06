"""Convolutions and linear layers of whole numbers, on torch's own kernels for the CPU (fbgemm, on Arm qnnpack).

Real numbers are s * (q - z), with q in eight bits, a scale s and a zero point z. A layer multiplies whole numbers, adds
its products up in 32 bits and rounds once, to the scale of its output. The classes stand as text in what export.py
writes: each needs torch alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Int8Conv2d(nn.Module):
    """A convolution of whole numbers, with a scale for each output channel; `relu` cuts off below zero.

    Input and output are quint8 tensors [N, C, H, W]; the output's numbers mean scale * (q - zero).
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: tuple[int, int],
        *,
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
        relu: bool = False,
        scale: float,
        zero: int,
    ) -> None:
        super().__init__()
        self.inputs, self.outputs, self.kernel = inputs, outputs, kernel
        self.stride, self.padding, self.dilation, self.groups = stride, padding, dilation, groups
        self.relu, self.scale, self.zero = relu, scale, zero
        shape = (outputs, inputs // groups, *kernel)
        self.register_buffer("weight", torch.zeros(shape, dtype=torch.int8))
        self.register_buffer("scales", torch.ones(outputs))
        self.register_buffer("bias", torch.zeros(outputs))
        self._packed: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self._packed is None:
            self._packed = self.pack()
        run = torch.ops.quantized.conv2d_relu if self.relu else torch.ops.quantized.conv2d
        answer: Tensor = run(x, self._packed, self.scale, self.zero)
        return answer

    def pack(self) -> Any:
        """The weights as the kernels want them; on x86 they are fastest at the first batch size that they run."""
        zeros = torch.zeros(len(self.scales), dtype=torch.long)
        weight = self.weight * self.scales.view(-1, 1, 1, 1)
        codes = torch.quantize_per_channel(weight, self.scales.double(), zeros, 0, torch.qint8)
        numbers = (self.stride, self.padding, self.dilation, self.groups)
        return torch.ops.quantized.conv2d_prepack(codes, self.bias, *numbers)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._packed = None  # of the weights before
        super()._load_from_state_dict(*args, **kwargs)


class Int8Linear(nn.Module):
    """A linear layer of whole numbers, with a scale for each output; `relu` cuts off below zero.

    Input and output are quint8 tensors [.., features]; the output's numbers mean scale * (q - zero).
    """

    weight: Tensor
    scales: Tensor
    bias: Tensor

    def __init__(
        self, inputs: int, outputs: int, *, relu: bool = False, scale: float, zero: int
    ) -> None:
        super().__init__()
        self.inputs, self.outputs = inputs, outputs
        self.relu, self.scale, self.zero = relu, scale, zero
        self.register_buffer("weight", torch.zeros((outputs, inputs), dtype=torch.int8))
        self.register_buffer("scales", torch.ones(outputs))
        self.register_buffer("bias", torch.zeros(outputs))
        self._packed: Any = None

    def forward(self, x: Tensor) -> Tensor:
        if self._packed is None:
            self._packed = self.pack()
        run = torch.ops.quantized.linear_relu if self.relu else torch.ops.quantized.linear
        answer: Tensor = run(x, self._packed, self.scale, self.zero)
        return answer

    def pack(self) -> Any:
        """The weights as the kernels want them; on x86 they are fastest at the first batch size that they run."""
        zeros = torch.zeros(len(self.scales), dtype=torch.long)
        weight = self.weight * self.scales.view(-1, 1)
        codes = torch.quantize_per_channel(weight, self.scales.double(), zeros, 0, torch.qint8)
        return torch.ops.quantized.linear_prepack(codes, self.bias)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._packed = None  # of the weights before
        super()._load_from_state_dict(*args, **kwargs)
