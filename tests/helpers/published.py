"""Published networks as their papers describe them, in plain torch, of which torchvision has none."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Double(nn.Sequential):
    """U-Net's two 3x3 convolutions, padded and with batch norms."""

    def __init__(self, in_: int, out: int) -> None:
        layers: list[nn.Module] = []
        for channels in (in_, out):
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU()]
        super().__init__(*layers)


class Up(nn.Module):
    """Twice the size, joined with the map of this level."""

    def __init__(self, out: int) -> None:
        super().__init__()
        self.widen, self.convs = nn.ConvTranspose2d(2 * out, out, 2, stride=2), Double(2 * out, out)

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        y: Tensor = self.convs(torch.cat((skip, self.widen(x)), 1))
        return y


class UNet(nn.Module):
    """Five levels; on the way up a map is joined with that of its level on the way down."""

    def __init__(self, width: int = 64, classes: int = 21) -> None:
        super().__init__()
        widths = [width << level for level in range(5)]
        self.first = Double(3, width)
        self.down = nn.ModuleList(Double(w, 2 * w) for w in widths[:-1])
        self.up = nn.ModuleList(Up(w) for w in reversed(widths[:-1]))
        self.last = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.first(x)]
        for down in self.down:
            levels.append(down(nn.functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for up in self.up:
            x = up(levels.pop(), x)
        y: Tensor = self.last(x)
        return y


class Edsr(nn.Module):
    """EDSR's baseline: residual blocks without norms, and a pixel shuffle to twice the size."""

    def __init__(self, width: int = 64, blocks: int = 16) -> None:
        super().__init__()

        def conv(in_: int, out: int) -> nn.Conv2d:
            return nn.Conv2d(in_, out, 3, padding=1)

        self.first = conv(3, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(conv(width, width), nn.ReLU(), conv(width, width)) for _ in range(blocks)
        )
        self.after = conv(width, width)
        self.last = nn.Sequential(conv(width, 4 * width), nn.PixelShuffle(2), conv(width, 3))

    def forward(self, x: Tensor) -> Tensor:
        first = x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        y: Tensor = self.last(first + self.after(x))
        return y


class DsCnn(nn.Sequential):
    """DS-CNN-S: a convolution over 10 frames and 4 coefficients, and four depthwise separable ones."""

    def __init__(self, width: int = 64, classes: int = 12) -> None:
        def unit(*layers: nn.Module) -> list[nn.Module]:
            return [*layers, nn.BatchNorm2d(width), nn.ReLU()]

        found = unit(nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, width, (10, 4), stride=2, bias=False))
        for _ in range(4):
            found += unit(nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False))
            found += unit(nn.Conv2d(width, width, 1, bias=False))
        super().__init__(*found, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, classes))


class SeriesFcn(nn.Sequential):
    """Three convolutions along a series, with batch norms, and the mean of what they find."""

    def __init__(self, classes: int = 2) -> None:
        found: list[nn.Module] = [nn.ZeroPad2d((3, 4, 0, 0))]
        for in_, out, kernel, padding in ((1, 128, 8, 0), (128, 256, 5, 2), (256, 128, 3, 1)):
            found += [
                nn.Conv2d(in_, out, (1, kernel), padding=(0, padding), bias=False),
                nn.BatchNorm2d(out),
                nn.ReLU(),
            ]
        super().__init__(*found, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, classes))


class TableMlp(nn.Sequential):
    """Three hidden layers of 256, and a value."""

    def __init__(self) -> None:
        found: list[nn.Module] = []
        for in_ in (8, 256, 256):
            found += [nn.Linear(in_, 256), nn.ReLU(), nn.Dropout(0.1)]
        super().__init__(*found, nn.Linear(256, 1))
