"""Peak activation memory of a network in bytes, measured while it runs, by what torch allocates."""

from __future__ import annotations

import weakref
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the memory of tensors from the operation that makes them until nobody holds them any more.

    Several tensors on one memory, as views are, count once. `known` are memories that do not count.
    """

    def __init__(self, known: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.known = known
        self.holders: dict[int, int] = {}
        self.sizes: dict[int, int] = {}
        self.now = self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor):
                self.hold(tensor)
        return made

    def hold(self, tensor: Tensor) -> None:
        memory = tensor.untyped_storage()
        key = memory._cdata
        if key in self.known:
            return
        if key not in self.holders:
            self.holders[key], self.sizes[key] = 0, memory.nbytes()
            self.now += memory.nbytes()
            self.most = max(self.most, self.now)
        self.holders[key] += 1
        weakref.finalize(tensor, self.drop, key)

    def drop(self, key: int) -> None:
        self.holders[key] -= 1
        if not self.holders[key]:
            del self.holders[key]
            self.now -= self.sizes.pop(key)


@torch.no_grad()
def peak_bytes(net: nn.Module, *inputs: Tensor) -> int:
    """The most bytes alive while a network runs, its inputs among them all the time. Weights do not count."""
    tensors = [*net.parameters(), *net.buffers()]
    alive = Alive({tensor.untyped_storage()._cdata for tensor in tensors})
    for x in inputs:
        alive.hold(x)
    with alive:
        net(*inputs)
    return alive.most
