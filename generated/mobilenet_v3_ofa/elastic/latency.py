"""Latency: one thread, many rounds, and the figures that survive a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds a call: the fastest, the middle one, and the one that nine in ten stay under."""

    fastest: float
    median: float
    p90: float


@torch.inference_mode()
def measure(
    call: Callable[[Tensor], Any], images: Tensor, *, rounds: int = 50, budget: float = 0.5
) -> Latency:
    """Times `call(images)`: at most `rounds` times, and at most `budget` seconds but at least five times."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for _ in range(3):
            call(images)
        times: list[float] = []
        spent = 0.0
        while len(times) < 5 or (len(times) < rounds and spent < budget):
            synchronise(images.device)
            start = time.perf_counter()
            call(images)
            synchronise(images.device)
            times.append(time.perf_counter() - start)
            spent += times[-1]
    finally:
        torch.set_num_threads(threads)
    times.sort()
    return Latency(times[0], times[len(times) // 2], times[int(0.9 * (len(times) - 1))])


def synchronise(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
