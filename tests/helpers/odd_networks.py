"""Networks as nobody publishes them, and some that are none: a function each, which `specc import` can call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


class Net(nn.Module):
    """A stem, two layers and a classifier; what happens between them is said by a function."""

    def __init__(self, between: Callable[[Any, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.stem, self.one, self.two = nn.Conv2d(3, 8, 3, padding=1), Block(8), nn.Conv2d(8, 8, 3, padding=1)
        self.head = nn.Linear(8, 5)
        self.between = between
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        x = self.between(self, self.stem(x))
        return self.head(x if x.dim() == 2 else x.mean((2, 3)))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.norm.running_mean = torch.linspace(-0.5, 0.5, channels)
        self.norm.running_var = torch.linspace(0.5, 1.5, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.conv(x)))


# A forward of functions, and modules used otherwise than once each


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w1, self.b1 = nn.Parameter(torch.randn(8, 3, 3, 3)), nn.Parameter(torch.randn(8))
        self.w2 = nn.Parameter(torch.randn(5, 8))
        self.gain, self.offset = nn.Parameter(torch.rand(8)), nn.Parameter(torch.randn(8))
        self.register_buffer("mean", torch.randn(8))
        self.register_buffer("var", torch.rand(8) + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        mean, var = cast(Tensor, self.mean), cast(Tensor, self.var)
        x = F.conv2d(x, self.w1, self.b1, padding=1)
        x = F.batch_norm(x, mean, var, self.gain, self.offset, self.training)
        x = F.max_pool2d(F.relu(x), 2)
        return F.linear(F.adaptive_avg_pool2d(x, 1).flatten(1), self.w2)


def functional() -> nn.Module:
    return Functional()


def shared_by_two_scales() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        return (net.two(x).mean((2, 3)) + net.two(F.avg_pool2d(x, 2)).mean((2, 3))).view(len(x), 8)  # type: ignore[no-any-return]

    return Net(between)


def called_twice() -> nn.Module:
    return Net(lambda net, x: net.one(net.one(x)))


def loop_over_blocks() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        for i, block in enumerate(net.blocks.values()):
            x = block(x) if i % 2 else block(x) + x
        return x

    return Net(between, blocks=nn.ModuleDict({f"level-{i}": Block(8) for i in range(3)}))


class Bottleneck(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Block(channels), Block(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.cv2(self.cv1(x))  # type: ignore[no-any-return]


class C2f(nn.Module):
    """YOLO's: half of the channels goes through blocks, and every stage of it is joined."""

    def __init__(self, channels: int, rounds: int) -> None:
        super().__init__()
        half = channels // 2
        self.cv1, self.cv2 = nn.Conv2d(channels, channels, 1), nn.Conv2d((2 + rounds) * half, channels, 1)
        self.m = nn.ModuleList(Bottleneck(half) for _ in range(rounds))

    def forward(self, x: Tensor) -> Tensor:
        y = list(F.silu(self.cv1(x)).chunk(2, 1))
        y.extend(m(y[-1]) for m in self.m)
        return F.silu(self.cv2(torch.cat(y, 1)))


def c2f() -> nn.Module:
    return Net(lambda net, x: net.c2f(x), c2f=C2f(8, 2))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.head = nn.Linear(6, 4, bias=False), nn.Linear(6, 4, bias=False), nn.Linear(4, 5)
        self.b.weight = self.a.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.a(x).relu() * self.b(x))  # type: ignore[no-any-return]


def tied() -> nn.Module:
    return Tied()


# What is multiplied, written in place, or no layer


def mask_times_features() -> nn.Module:
    return Net(lambda net, x: x * torch.sigmoid(net.mask(x)), mask=nn.Conv2d(8, 1, 3, padding=1))


def mean_under_a_mask() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        mask = torch.sigmoid(net.mask(x))
        return (x * mask).sum((2, 3)) / mask.sum((2, 3))

    return Net(between, mask=nn.Conv2d(8, 1, 3, padding=1))


class Buffers(nn.Module):
    mean: Tensor
    std: Tensor
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.rand(1, 3, 1, 1))
        self.register_buffer("std", torch.rand(1, 3, 1, 1) + 0.5, persistent=False)
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.net = Net(lambda net, x: net.one(x))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.net((x - self.mean) / self.std)  # type: ignore[no-any-return]


def buffers() -> nn.Module:
    return Buffers()


def einsum() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        return torch.einsum("nchw,oc->no", x, net.two.weight[:, :, 0, 0]) / 64

    return Net(between)


def in_place() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        x.relu_()
        y: Tensor = net.two(x)
        y += x
        y.mul_(0.5).add_(1)
        return F.relu(y, inplace=True)

    return Net(between)


def in_place_of_a_part() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        y: Tensor = net.two(x)
        y[:, :4] *= 2
        y[:, 4, ::2] = x[:, 0, ::2]
        return y

    return Net(between)


def in_place_behind_a_view() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        flat = x.view(len(x), -1)
        x.relu_()  # `flat` sees it
        return net.two(x) + flat.view_as(x)  # type: ignore[no-any-return]

    return Net(between)


def filled_piece_by_piece() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        y = torch.empty(len(x), 16, 8, 8)
        y[:, :8] = x
        y[:, 8:] = net.two(x)
        return y[:, ::2]

    return Net(between)


def through_a_diagonal() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        x.diagonal(dim1=2, dim2=3).zero_()
        return x

    return Net(between)


class OwnRelu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0] * (ctx.saved_tensors[0] > 0)


class StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(-0.1, 0.1)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients[0]


def own_function() -> nn.Module:
    return Net(lambda net, x: OwnRelu.apply(net.two(x)))


def own_gradient() -> nn.Module:
    return Net(lambda net, x: StraightThrough.apply(net.two(x)))


def checkpointed() -> nn.Module:
    return Net(lambda net, x: checkpoint(net.one, x, use_reentrant=False))


def random_in_training() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        return net.two(x + 0.1 * torch.randn_like(x) if net.training else x)  # type: ignore[no-any-return]

    return Net(between)


def random_always() -> nn.Module:
    return Net(lambda net, x: net.two(x + torch.rand_like(x)))


def across_images() -> nn.Module:
    return Net(lambda net, x: net.two(x - x.mean(0, keepdim=True)))


# How weights are held


def frozen() -> nn.Module:
    def between(net: Any, x: Tensor) -> Tensor:
        with torch.no_grad():
            x = net.one(x)
        return net.two(x)  # type: ignore[no-any-return]

    return Net(between)


def lazy() -> nn.Module:
    return nn.Sequential(nn.LazyConv2d(8, 3), nn.LazyBatchNorm2d(), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5))


def in_half() -> nn.Module:
    return Net(lambda net, x: net.one(x)).half()


def in_bfloat16() -> nn.Module:
    return Net(lambda net, x: net.one(x)).bfloat16()


def in_training() -> nn.Module:
    return Net(lambda net, x: F.dropout(net.one(x), 0.5, net.training)).train()


# What they return


def dict_of_one() -> nn.Module:
    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = Net(lambda net, x: net.one(x))

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"out": self.net(x)}

    return Wrapped()


def ending(*end: nn.Module) -> nn.Module:
    return nn.Sequential(Net(lambda net, x: net.one(x)), *end)


def ends_in_softmax() -> nn.Module:
    return ending(nn.Softmax(1))


def ends_in_log_softmax() -> nn.Module:
    return ending(nn.LogSoftmax(-1))


def ends_in_sigmoid() -> nn.Module:
    return ending(nn.Sigmoid())


def ends_in_one_value() -> nn.Module:
    return ending(nn.Linear(5, 1))


def dense(out: int, *end: nn.Module) -> nn.Module:
    convs = nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.ConvTranspose2d(8, 8, 2, 2), nn.Conv2d(8, out, 1)
    return nn.Sequential(*convs, *end)


def a_class_each_pixel() -> nn.Module:
    return dense(4)


def a_softmax_each_pixel() -> nn.Module:
    return dense(4, nn.Softmax(1))


def a_better_image() -> nn.Module:
    return dense(3, nn.Sigmoid())


def a_larger_image() -> nn.Module:
    return dense(12, nn.PixelShuffle(2))


def a_smaller_map() -> nn.Module:
    return dense(4, nn.MaxPool2d(2))


def rows() -> nn.Module:
    return dense(4, nn.Flatten(2))


def a_number_each() -> nn.Module:
    return dense(4, nn.Flatten(), nn.Flatten(0))
