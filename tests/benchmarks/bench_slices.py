"""What joint training costs: all heads of a network of slices from one pass, or each sub-network in a pass of its own.

Both beside training the same network with its last head alone; forward, backward and update, one torch thread.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tests.benchmarks.bench_model import set_up
from tests.benchmarks.rows import Row, processor_seconds, side_by_side
from tests.helpers.projects import compiled, project

BATCH = 16
ROUNDS = 3


def run() -> list[Row]:
    set_up()
    with tempfile.TemporaryDirectory() as folder:
        made = project(compiled("resnext47_inclusive_sparse"), Path(folder))
    net = made.model.Model().train().to(memory_format=torch.channels_last)
    x = torch.randn(BATCH, 3, 32, 32).to(memory_format=torch.channels_last)
    labels = torch.randint(0, 100, (BATCH,))
    counts = tuple(net.counts)
    last = [net.plan("max", [f"head{counts[-1]}"])]
    together = [net.plan("max", "all")]
    apart = [net.plan({"k": k}, [f"head{k}"]) for k in reversed(counts)]
    alone = step(net, x, labels, last)
    rows = [("all heads in one pass", together, 1.35), (f"{len(counts)} passes, as `inclusive`", apart, None)]
    return [
        Row(
            f"IS-ResNeXt-47 trains: {what} / the last head alone",
            side_by_side(step(net, x, labels, plans), alone, ROUNDS, processor_seconds)[2],
            bar,
            "x",
        )
        for what, plans, bar in rows
    ]


def step(net: nn.Module, x: Tensor, labels: Tensor, plans: list[Any]) -> Callable[[], object]:
    """A training step on the summed losses of what the plans ask for, a pass each."""
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, nesterov=True)

    def run_step() -> None:
        optimizer.zero_grad()
        for plan in plans:
            losses = [cross_entropy(answer, labels) for answer in net(x, plan).values()]
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run_step
