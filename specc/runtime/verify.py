"""Checks a project against what the compiler says of it: each case's parameters, MACs and answers, in PyTorch.

    python verify.py < cases.json

A case is {"at": assignment or null, "inputs": [shape, ..]}. For each, a line of JSON says what torch counts: parameters
of the extracted sub-network, MACs by torch's own FLOP counter, and how far its answers are from the sliced network's.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = import_module("model").Model().eval()
    scatter(net)
    allocated = sum(p.numel() for p in net.parameters())
    for case in json.load(sys.stdin):
        found = {"params_total": allocated, **check(net, case["at"], case["inputs"])}
        print(json.dumps(found), flush=True)


@torch.no_grad()
def scatter(net: nn.Module) -> None:
    """Gives scales and running statistics of norms values that would show a mix-up of channels or banks.

    No weight is left at zero by chance: a triangular layer makes its own zeros when a checkpoint is loaded.
    """
    for name, tensor in itertools.chain(net.named_parameters(), net.named_buffers()):
        if name.endswith("running_var") or (tensor.dim() == 1 and name.endswith("weight")):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith("running_mean") or (tensor.dim() == 1 and tensor.is_floating_point()):
            tensor.uniform_(-0.1, 0.1)
        elif tensor.is_floating_point():
            tensor[tensor == 0] = 1e-3
    net.load_state_dict(net.state_dict())


@torch.no_grad()
def check(net: Any, at: dict[str, Any] | None, shapes: Sequence[Sequence[int]]) -> dict[str, Any]:
    """What torch says of one sub-network; of the whole network where `at` is None and it has no choices."""
    inputs = [torch.randn(1, *shape) for shape in shapes]
    if at is None:
        return {"params": size(net), "macs": macs(net, inputs), "difference": 0.0, "folded": 0.0}
    plan = net.plan(at)
    sliced = net(*inputs, plan)
    extracted = net.extract(plan, fold=False)
    folded = net.extract(plan, fold=True), net.fused(plan), net.fused(plan, share=True)
    return {
        "params": size(extracted),
        "macs": macs(extracted, inputs),
        "difference": relative(extracted(*inputs), sliced),
        "folded": max(relative(made(*inputs), sliced) for made in folded),
    }


def size(net: nn.Module) -> int:
    """Parameters; of the weights of layers those that are not zero, as a triangular connection's mask makes them."""
    return sum(p.numel() for p in net.parameters()) - sum(map(zeros, layers(net)))


def macs(net: nn.Module, inputs: Sequence[Tensor]) -> int:
    """Multiply-accumulates of one image: half of what torch counts, less those with weights that are zero.

    Attention is computed by matrix products: some versions of torch count none of what a CPU's fused kernel does.
    """
    spared = 0

    def spare(layer: nn.Conv2d | nn.Linear, _: object, output: Tensor) -> None:
        nonlocal spared
        if not hasattr(
            layer, "blocks"
        ):  # a layer that computes block by block multiplies by no zero
            spared += zeros(layer) * (output.numel() // layer.weight.shape[0])

    hooks = [layer.register_forward_hook(spare) for layer in layers(net)]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        net(*inputs)
    for hook in hooks:
        hook.remove()
    flops: int = counter.get_total_flops()
    return flops // 2 - spared


def layers(net: nn.Module) -> list[Any]:
    return [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]


def zeros(layer: nn.Conv2d | nn.Linear) -> int:
    return layer.weight.numel() - int(layer.weight.count_nonzero())


def relative(a: Tensor, b: Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    return float((a - b).abs().max() / b.abs().max())


if __name__ == "__main__":
    main()
