"""Serving: many prepared sub-networks of one bundle, and the change from one to another in a microsecond.

runtime = Runtime.load("runs/anytime", Model)
logits = runtime.run(images, budget_ms=5)  # the most accurate one that takes at most 5 ms
runtime.switch(0)  # from now on the first one runs (TIPS, Algorithm 2)
logits = runtime.run(images)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from elastic.deploy.bundle import INDEX, index_text, plans_of, read_index, space_of
from elastic.files.documents import read_json
from elastic.files.whole import write_text
from elastic.latency.timing import synchronise
from elastic.train.scores import ACCURACY, Metric, metric_of


@dataclass(frozen=True, slots=True)
class Subnet:
    """A prepared sub-network: its assignment, its costs, and the value of its metric where the bundle knows it."""

    at: Mapping[str, Any]
    macs: int
    params: int
    value: float | None
    metric: Metric = ACCURACY


class Runtime:
    """The sub-networks of a bundle, ready to run, also from several threads at once: a call runs one of them from its
    beginning to its end, whatever is switched meanwhile.

    With `fused` each has weights of its own, contiguous and with its norms folded in: the fastest, at the price of
    its size in memory. Without, all share the network's weights and slice them at every call.
    """

    def __init__(self, net: Any, plans: Sequence[Any], subnets: Sequence[Subnet], fused: bool):
        self.net = net
        self.plans = tuple(plans)
        self.subnets = tuple(subnets)
        self.fused = fused
        self.calls = tuple(prepared(net, plan, fused) for plan in plans)
        self.folder: Path | None = None
        self.rows: list[dict[str, Any]] = []
        self.latencies: dict[str, list[float]] = {}
        self.measuring = threading.Lock()
        self.call = self.calls[max(range(len(self.calls)), key=self.worth)]

    @classmethod
    def load(
        cls,
        folder: Path | str,
        model: Callable[[], Any],
        *,
        fused: bool = True,
        device: torch.device | str = "cpu",
    ) -> Runtime:
        """What `export.py --bundle` wrote, for the class `Model` of model.py. The most accurate one is switched on.

        Raises FileNotFoundError where there is no bundle, ValueError where it is corrupt or of a different network.
        """
        net = model().to(device).eval()
        index = read_index(Path(folder), net)
        plans = plans_of(Path(folder), net, index)
        space, metric = space_of(net), metric_of(index)
        subnets = [
            Subnet(
                row["at"],
                row.get("macs") or space.macs(row["at"]),
                row.get("params") or space.params(row["at"]),
                row.get("accuracy", row.get("value")),
                metric,
            )
            for row in index["subnets"]
        ]
        runtime = cls(net, plans, subnets, fused)
        runtime.folder, runtime.rows = Path(folder), index["subnets"]
        runtime.latencies = {present_form(key): times for key, times in index["latency"].items()}
        return runtime

    def __len__(self) -> int:
        return len(self.calls)

    def switch(self, number: int) -> None:
        """Makes sub-network `number`, counted from 0, the one that runs. One pointer is written."""
        self.call = self.calls[number]

    @property
    def current(self) -> int:
        """The number of the sub-network that is switched on."""
        return self.calls.index(self.call)

    @torch.inference_mode()
    def run(
        self,
        *inputs: Tensor,
        budget_ms: float | None = None,
        macs: float | None = None,
        params: float | None = None,
    ) -> Any:
        """The output of the most accurate sub-network that satisfies the constraints; without
        constraints, of the one switched on.

        `budget_ms` limits the time that these inputs take: it is measured when first asked for, here and for inputs of
        this shape, and kept in the bundle. Raises ValueError where no sub-network satisfies the constraints.
        """
        if budget_ms is None and macs is None and params is None:
            return self.call(*inputs)
        return self.calls[self.choose(*inputs, budget_ms=budget_ms, macs=macs, params=params)](
            *inputs
        )

    def choose(
        self,
        *inputs: Tensor,
        budget_ms: float | None = None,
        macs: float | None = None,
        params: float | None = None,
    ) -> int:
        """The number of the most accurate sub-network that satisfies the constraints; only a time needs the inputs."""
        constraints: dict[str, tuple[float, list[Any]]] = {}
        if macs is not None:
            constraints["MACs"] = macs, [subnet.macs for subnet in self.subnets]
        if params is not None:
            constraints["parameters"] = params, [subnet.params for subnet in self.subnets]
        if budget_ms is not None:
            constraints["ms"] = budget_ms, self.measured(*inputs)
        kept = [
            number
            for number in range(len(self.calls))
            if all(values[number] <= most for most, values in constraints.values())
        ]
        if not kept:
            least = ", ".join(
                f"{min(values):g} {name}" for name, (_, values) in constraints.items()
            )
            raise ValueError(
                f"no prepared sub-network satisfies the constraints; the least are {least}"
            )
        return max(kept, key=self.worth)

    def worth(self, number: int) -> tuple[float, float]:
        """The better by its metric the better; where that is unknown, the larger; of equals the cheaper."""
        subnet = self.subnets[number]
        known = subnet.value
        if known is None:
            return (0.0, subnet.macs)
        return (subnet.metric.merit(known), -subnet.macs)

    @torch.inference_mode()
    def measured(self, *inputs: Tensor, again: bool = False) -> list[float]:
        """Milliseconds that each sub-network takes for inputs of these shapes; measured once, then looked up.

        With `again` they are measured anew. Threads that ask meanwhile wait.
        """
        if not inputs:
            raise ValueError("budget_ms needs example inputs to measure latency")
        key = self.conditions(inputs)
        with self.measuring:
            if again or key not in self.latencies:
                times = [round(milliseconds(call, inputs), 4) for call in self.calls]
                self.latencies = {**self.latencies, key: times}
                self.keep()
            return self.latencies[key]

    def conditions(self, inputs: Sequence[Tensor]) -> str:
        """What latencies depend on: the device, torch's threads, the shapes, and how sub-networks are prepared."""
        device = inputs[0].device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        shapes = " ".join("x".join(map(str, x.shape)) for x in inputs)
        how = "fused" if self.fused else "sliced"
        return f"{name}, {torch.get_num_threads()} threads, {shapes}, {how}"

    def keep(self) -> None:
        """Writes the latencies into the bundle, if it may be written to and no other has taken its place."""
        if self.folder is None:
            return
        path = self.folder / INDEX
        try:
            if read_index(self.folder, self.net)["subnets"] != self.rows:
                return
            index = read_json(path.read_text(encoding="utf-8"))
            index["latency"] = {**index["latency"], **self.latencies}
            write_text(path, index_text(index))
        except (OSError, ValueError):
            return  # a bundle on a read-only disk: every process measures for itself


def present_form(conditions: str) -> str:
    """The conditions of latencies that version 0.1 measured, which called the fused form `straight`."""
    before, _, form = conditions.rpartition(", ")
    return f"{before}, fused" if form == "straight" else conditions


def prepared(net: Any, plan: Any, fused: bool) -> Callable[..., Any]:
    """One sub-network as a function of the inputs."""
    line: Callable[..., Any] = net.fused(plan, share=not fused).forward
    return line


def milliseconds(call: Callable[..., Any], inputs: Sequence[Tensor], least: float = 0.05) -> float:
    """The middle one of at least five calls, and of as many as fit into `least` seconds."""
    device = inputs[0].device
    for _ in range(2):
        call(*inputs)
    times: list[float] = []
    while len(times) < 5 or sum(times) < least:
        synchronise(device)
        start = time.perf_counter()
        call(*inputs)
        synchronise(device)
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2] * 1000
