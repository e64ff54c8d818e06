"""Blocks timed inside their network: a moment is noted wherever a block begins, while the whole network runs.

So each is measured as it is used: with its input where the block before left it, and caches full of what came between.
What an operation without weights takes is counted to the block before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import getitem
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor, fx, nn

from specc.runtime.latency.timing import clock_of, synchronise
from specc.runtime.net.fused import LINES, Line, fused

Call: TypeAlias = Callable[[Tensor], Any]


class Marks:
    """The moments of one run: each block's name where it begins, "" where the last one ends."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.clock = clock_of(device)
        self.names: list[str] = []
        self.moments: list[Any] = []
        self.moment: Callable[[], Any]
        if device.type == "cuda":
            self.moment = self.event
        elif device.type == "cpu":
            self.moment = self.clock
        else:
            self.moment = self.waited
        self.own = self.least() if device.type == "cpu" else 0.0

    def __call__(self, name: str) -> None:
        self.names.append(name)
        self.moments.append(self.moment())

    def event(self) -> torch.cuda.Event:
        """On a GPU a moment is when its stream gets there, which the host does not wait for."""
        event: torch.cuda.Event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(self.device))
        return event

    def waited(self) -> float:
        """For devices without events."""
        synchronise(self.device)
        return self.clock()

    def least(self) -> float:
        """What a mark itself takes of a block's time."""
        found: list[float] = []
        for _ in range(200):
            self.clear()
            self("")
            self("")
            found.append(self.moments[1] - self.moments[0])
        self.clear()
        return sorted(found)[len(found) // 2]

    def clear(self) -> None:
        self.names.clear()
        self.moments.clear()

    def seconds(self) -> dict[str, float]:
        """What each block took since `clear`; parts of one block are added up."""
        found: dict[str, float] = {}
        synchronise(self.device)
        for i, name in enumerate(self.names[:-1]):
            start, end = self.moments[i : i + 2]
            if self.device.type == "cuda":
                passed = start.elapsed_time(end) / 1000
            else:
                passed = max(0.0, end - start - self.own)
            found[name] = found.get(name, 0.0) + passed
        return found


class Form(Protocol):
    """How sub-networks run: gives one as a function of its images, and as the same with marks in it."""

    def __call__(self, plan: Any) -> tuple[Call, Call]: ...


class FusedMarks:
    """Sub-networks as they are deployed: cut out, norms folded in, as a straight line of operations."""

    def __init__(self, net: nn.Module, blocks: Collection[str], marks: Marks) -> None:
        self.net = net
        self.blocks = blocks
        self.marks = marks
        self.lines: dict[Any, Line] = {}
        self.marked: dict[Line, fx.GraphModule] = {}

    def __call__(self, plan: Any) -> tuple[Call, Call]:
        if len(self.marked) > LINES:
            self.marked.clear()
        made = fused(self.net, plan, self.lines)

        def marked(images: Tensor) -> Any:
            if made.line not in self.marked:
                self.marked[made.line] = marked_line(made.line, self.blocks)
            return self.marked[made.line].forward(images, made.pieces, self.marks)

        return made, marked


class Sliced:
    """Sub-networks as the elastic network runs them: every layer cuts off its weights."""

    def __init__(self, net: nn.Module, blocks: Collection[str], marks: Marks) -> None:
        self.net = net
        self.marks = marks
        self.modules = {path: net.get_submodule(path) for path in blocks}

    def __call__(self, plan: Any) -> tuple[Call, Call]:
        def whole(images: Tensor) -> Any:
            return self.net(images, plan)

        def marked(images: Tensor) -> Any:
            hooks = [
                module.register_forward_pre_hook(beginning(self.marks, path))
                for path, module in self.modules.items()
            ]
            try:
                output = self.net(images, plan)
                self.marks("")
            finally:
                for hook in hooks:
                    hook.remove()
            return output

        return whole, marked


def beginning(marks: Marks, path: str) -> Callable[[nn.Module, Any], None]:
    """A hook that marks where a block begins."""
    return lambda module, args: marks(path)


def marked_line(line: Line, blocks: Collection[str]) -> fx.GraphModule:
    """A copy of a line's code that calls its last argument with the name of every block that begins."""
    graph = fx.Graph()
    graph.output(graph.graph_copy(line.code.graph, {}))
    inputs = [node for node in graph.nodes if node.op == "placeholder"]
    with graph.inserting_after(inputs[-1]):
        mark = graph.placeholder("mark")
    here = mark.next
    current = ""
    for node in list(graph.nodes):
        if node.op == "output":
            with graph.inserting_before(node):
                graph.call_function(invoke, (mark, ""))
        elif node.target is getitem and node.args[0] is inputs[-1]:
            path = block_of(".".join(line.steps[node.args[1]].layer.path), blocks)
            if path not in ("", current):
                # What comes before the first layer of all is the first block's.
                with graph.inserting_before(node if current else here):
                    graph.call_function(invoke, (mark, path))
                current = path
    return fx.GraphModule(nn.Module(), graph, "Marked")


def invoke(mark: Callable[[str], None], name: str) -> None:
    """A call as a function, which is what a graph is made of."""
    mark(name)


def block_of(path: str, blocks: Collection[str]) -> str:
    """The innermost block that a layer is part of, "" for none."""
    while path and path not in blocks:
        path = path.rpartition(".")[0]
    return path
