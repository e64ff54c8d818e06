"""Latency: many rounds, and the figures that survive a busy machine; and the flags of bench.py.

One thread on the CPU is timed by its own processor time, in which other processes have no part; several threads and
other devices by the clock on the wall.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from specc.portable.run.flags import Flags, whole
from specc.runtime.data.images import Inputs, each_input


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds a call: the fastest, the middle one, and the one that nine in ten stay under."""

    fastest: float
    median: float
    p90: float


@torch.inference_mode()
def measure(
    call: Callable[..., Any],
    images: Inputs,
    *,
    rounds: int = 50,
    budget: float = 0.5,
    threads: int = 1,
) -> Latency:
    """Times `call(images)`, or `call(*images)` of several inputs.

    At most `rounds` times, and at most `budget` seconds but at least five times.
    """
    times: list[float] = []
    inputs = each_input(images)
    with running(threads):
        clock = clock_of(inputs[0].device)
        for _ in range(3):
            call(*inputs)
        while len(times) < 5 or (len(times) < rounds and sum(times) < budget):
            times.append(timed(call, inputs, clock))
    return latency_of(times)


def milliseconds(call: Callable[..., Any], images: Inputs, rounds: int, threads: int) -> str:
    """The fastest, the median and the 90th percentile of many rounds, as text."""
    found = measure(call, images, rounds=rounds, budget=2.0, threads=threads)
    return " / ".join(f"{1e3 * time:.3f}" for time in (found.fastest, found.median, found.p90))


def timed(call: Callable[..., Any], images: Inputs, clock: Callable[[], float]) -> float:
    """The seconds of one call, until its device has done it."""
    inputs = each_input(images)
    device = inputs[0].device
    synchronise(device)
    start = clock()
    call(*inputs)
    synchronise(device)
    return clock() - start


def latency_of(times: list[float]) -> Latency:
    """The figures of some calls' seconds."""
    ordered = sorted(times)
    middle, ninth = len(ordered) // 2, int(0.9 * (len(ordered) - 1))
    return Latency(ordered[0], ordered[middle], ordered[ninth])


@contextmanager
def running(threads: int) -> Iterator[None]:
    """So many threads of torch for a while."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def clock_of(device: torch.device) -> Callable[[], float]:
    """What tells seconds: the processor time of this thread, where it does all the work, else the time that passes.

    Windows counts processor time in steps of 16 ms, too coarse here.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1 and sys.platform != "win32"
    return time.thread_time if alone else time.perf_counter


def synchronise(device: torch.device) -> None:
    """Waits until a device has done what it was given to do; the CPU always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def device_name(device: torch.device) -> str:
    """What latencies were measured on, as its maker calls it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    described = Path("/proc/cpuinfo")
    if device.type == "cpu" and described.is_file():
        for line in described.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def bench_flags(
    elastic: bool = False, blocks: bool = False, argv: Sequence[str] | None = None
) -> argparse.Namespace:
    """`elastic` for a network with sub-networks, `blocks` where a table of its blocks can be made."""
    parser = Flags(description="Measures latencies on this machine.")
    add = parser.add_argument
    if elastic:
        add(
            "--at",
            nargs="+",
            metavar="SUBNET",
            help="max, min, a .json file or choice=option,...",
        )
    if blocks:
        add(
            "--table", action="store_true", help="write latency.DEVICE.json, for budgets in latency"
        )
        add(
            "--sliced",
            dest="form",
            action="store_const",
            const="sliced",
            default="fused",
            help="a table of blocks that slice the shared weights",
        )
    add("-b", "--batch-size", type=whole(1), default=1)
    add("--device", default="cpu")
    add("--threads", type=whole(1), default=1, metavar="N", help="torch threads on the CPU (1)")
    add("--rounds", type=whole(1), default=200)
    if elastic:
        add(
            "--output-dir",
            type=Path,
            default=Path("runs"),
            metavar="DIR",
            help="folder of pareto.json",
        )
    return parser.parse_args(argv)
