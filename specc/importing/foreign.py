"""What the language has no word for: the smallest part around it that has one tensor in and one out stays what it is.

Such a part is one of the user's modules, or in a functional forward a run of calls. It becomes a class in a Python file
beside the spec, written from what was traced, which needs torch alone.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Final

from specc.importing.recognise import Foreign, Recognition, refs
from specc.importing.sources import CannotImport
from specc.importing.weights import COUNTER
from specc.ops.module.rules import Module
from specc.traced.found import Found
from specc.traced.graph import Frame, Node, Ref, Traced, Weight

KIND: Final = Module.kind
LONGEST_RUN: Final = 80
"""The most calls of a part that is no module of the user's."""
HEAD: Final = '''"""Parts of {name} that the language of specc has no word for, as `specc import` traced them."""

from __future__ import annotations

import base64
import zlib

import torch
from torch import Tensor, nn

aten = torch.ops.aten


def constant(text: str, dtype: torch.dtype, *shape: int) -> Tensor:
    """A tensor of numbers in single precision, row by row."""
    data = bytearray(zlib.decompress(base64.b85decode(text)))
    return torch.frombuffer(data, dtype=torch.float32).to(dtype).reshape(shape)


def begun(*shape: int, bias: bool = False) -> nn.Parameter:
    """A parameter's first values."""
    if bias:
        return nn.Parameter(torch.zeros(shape))
    return nn.Parameter(torch.ones(shape) if len(shape) < 2 else nn.init.trunc_normal_(torch.empty(shape), std=0.02))


def drop_images(x: Tensor, rate: float, training: bool) -> Tensor:
    """Zeroes whole images in training, and scales the others up."""
    if not training:
        return x
    keep = x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(1 - rate)
    return x * keep / (1 - rate)
'''


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a trace: its nodes in order, the node that it reads and the one that it gives.

    path  of the module that it is, or of what it stands in; `name` is what a class of it is called
    """

    path: str
    name: str
    call: int
    nodes: tuple[Node, ...]
    read: str
    result: str


def part_around(seen: Recognition, node: Node, together: Sequence[str] = ()) -> Part:
    """The smallest part around a node, and those that must stay with it, with one readable tensor in and one out.

    Raises CannotImport where there is none.
    """
    for part in candidates(seen.traced, node):
        if not {*together} <= {other.name for other in part.nodes}:
            continue
        view = seen.views.get(part.read)
        if view is not None and seen.whole(view) is not None and lies_plainly(seen, part):
            return part
    if together:
        raise CannotImport(
            f"a layer is called {len(together)} times with other parts between, and no text says so: `{node.code}`",
            "give each call a layer of its own",
            node.place,
        )
    raise CannotImport(
        f"no operator stands for {node.target}, in no part with one tensor in and one out: `{node.code}`",
        "put it into a module of its own that takes a tensor and returns one",
        node.place,
    )


def result_roles(part: Part, lies: str, table: Mapping[str, Node]) -> str:
    """How a part's result lies: as the last of its calls that tells leaves it, else as what it reads."""
    node = table[part.result]
    rank = len(node.shape)
    if rank != 4:
        return "ntc" if rank == 3 else "nc"
    inside = {other.name for other in part.nodes}
    while node.name in inside and len(node.shape) == 4:
        if node.target in ("aten.conv2d", "aten.batch_norm", "aten.max_pool2d", "aten.avg_pool2d"):
            return "nchw"
        if node.target in ("aten.linear", "aten.layer_norm") or node.args.get("dims") == (0, 2, 3, 1):
            return "nhwc"
        if node.args.get("dims") == (0, 3, 1, 2):
            return "nchw"
        node = table[next(refs(node)).name]
    return "nhwc" if lies == "nhwc" else "nchw"


def lies_plainly(seen: Recognition, part: Part) -> bool:
    read = seen.whole(seen.views[part.read])
    return read is not None and len(seen.nodes[part.result].shape) in (2, 3, 4) and order_of(read.lies) is not None


def order_of(lies: str) -> tuple[int, ...] | None:
    """How a tensor in the language's order is permuted to lie as the trace has it; None where it is reshaped, too."""
    for plain in ("nchw", "ntc", "nc"):
        if len(lies) == len(plain) and sorted(lies) == sorted(plain):
            return tuple(plain.index(letter) for letter in lies)
    return None


def candidates(traced: Traced, node: Node) -> Iterator[Part]:
    """Parts around a node, the smallest first: modules, then runs of calls."""
    computed = [other for other in traced.nodes if other.state is None and other.target != "input"]
    for frame in reversed(node.stack[1:]):
        inside = [other for other in computed if frame in other.stack]
        part = closed(traced, inside, frame)
        if part is not None:
            yield part
    at = computed.index(node)
    frame = node.stack[-1] if node.stack else Frame("", traced.name)
    for length in range(1, min(LONGEST_RUN, len(computed)) + 1):
        for begin in range(max(0, at - length + 1), min(at, len(computed) - length) + 1):
            part = closed(traced, computed[begin : begin + length], replace(frame, type="Part"))
            if part is not None:
                yield part


def closed(traced: Traced, inside: Sequence[Node], frame: Frame) -> Part | None:
    """The nodes as a part, if they read one tensor from outside and one of theirs is read there."""
    names = {node.name for node in inside}
    table = {node.name: node for node in traced.nodes}
    read = {
        ref.name for node in inside for ref in refs(node) if ref.name not in names and table[ref.name].state is None
    }
    outside = [node for node in traced.nodes if node.name not in names]
    given = {ref.name for node in outside for ref in refs(node) if ref.name in names}
    given |= {traced.output} & names
    if len(read) != 1 or len(given) != 1:
        return None
    name = frame.type.rpartition(".")[2]
    return Part(frame.path, name, frame.call, tuple(inside), read.pop(), given.pop())


@dataclass(frozen=True, slots=True)
class Code:
    """A class of a part, without its name, and the states that it holds: by its own names, of the original's."""

    body: str
    states: Mapping[str, str]
    trained: int


def code_of(part: Part, traced: Traced, twin: Traced, seen: Recognition, held: Collection[str] = ()) -> Code:
    """The class of a part. Raises CannotImport where it computes otherwise for another number of images.

    twin  the same network traced with another batch: where its numbers differ they count images
    held  the names of the original's state: what stands there beside a norm's statistics is held, too
    """
    others = {node.name: node for node in twin.nodes}
    table = {node.name: node for node in traced.nodes}
    writer = Writer(traced.batch, twin.batch, table, part, held)
    for node in part.nodes:
        other = others.get(node.name)
        if other is None or other.target != node.target:
            raise CannotImport("the network computes otherwise for another number of images", place=node.place)
        writer.write(node, other)
    read = seen.whole(seen.views[part.read])
    assert read is not None
    order = order_of(read.lies)
    assert order is not None
    lines = ["    def __init__(self) -> None:", "        super().__init__()", *writer.made, ""]
    lines += ["    def forward(self, x: Tensor) -> Tensor:", *[f"        n = {writer.count}"][: writer.counts]]
    if order != tuple(sorted(order)):
        lines.append(f"        x = x.permute({', '.join(map(str, order))})")
    lines += writer.lines
    roles = result_roles(part, read.lies, table)
    back = ".permute(0, 3, 1, 2)" if roles == "nhwc" else ""
    lines.append(f"        return {writer.names[part.result]}{back}")
    return Code("\n".join(lines) + "\n", writer.states, writer.trained)


class Writer:
    """The lines of a part's class."""

    def __init__(self, batch: int, other: int, table: Mapping[str, Node], part: Part, held: Collection[str]) -> None:
        self.batch, self.other, self.table, self.part, self.held = batch, other, table, part, held
        self.names: dict[str, str] = {part.read: "x"}
        self.lines: list[str] = []
        self.made: list[str] = []
        self.states: dict[str, str] = {}
        self.trained = 0
        self.counts = False
        self.count = "len(x)"

    def write(self, node: Node, other: Node) -> None:
        name = f"v{len(self.names)}"
        args = {key: self.value(value, other.args.get(key)) for key, value in node.args.items()}
        if node.target == "item":
            text = f"{args['self']}[{args['index']}]"
        elif node.target == "traced.drops_images":
            text = f"drop_images({args['input']}, {args['p']}, self.training)"
        elif node.call == "dropout.default":
            text = f"nn.functional.dropout({args['input']}, {args['p']}, self.training)"
        else:
            for flag in ("training", "train"):
                if flag in args:
                    args[flag] = "self.training"
            text = f"aten.{node.call}({', '.join(self.passed(node, args))})"
        self.names[node.name] = name
        self.lines.append(f"        {name} = {text}")
        counter = args.get("running_mean", "").removeprefix("self.").removesuffix("running_mean") + COUNTER
        if f"{KIND}.{counter}" in self.states:
            self.lines.append(f"        self.{counter} += int(self.training)")

    def passed(self, node: Node, args: Mapping[str, str]) -> Iterator[str]:
        """Arguments by their places, and by name those that come after `*`."""
        for key, text in args.items():
            if key in node.named:
                if text != "None":
                    yield f"{key}={text}"
            else:
                yield text

    def value(self, value: object, other: object) -> str:
        if isinstance(value, Ref):
            return self.names[value.name] if value.name in self.names else self.state(self.table[value.name])
        if isinstance(value, tuple):
            items = other if isinstance(other, tuple) and len(other) == len(value) else value
            return f"[{', '.join(self.value(item, twin) for item, twin in zip(value, items, strict=True))}]"
        if isinstance(value, int) and not isinstance(value, bool) and isinstance(other, int) and value != other:
            by = (other - value) // (self.other - self.batch)
            more = value - by * self.batch
            self.counts = True
            return f"{by} * n" + (f" + {more}" if more else "") if by != 1 else "n" + (f" + {more}" if more else "")
        if isinstance(value, str):
            return value if value.startswith("torch.") else "None" if value == "cpu" else repr(value)
        return repr(value)

    def state(self, node: Node) -> str:
        """A parameter, buffer or constant that the part holds."""
        state = node.state
        assert state is not None
        shape = ", ".join(map(str, node.shape))
        if state.trained or state.kept:
            inner = state.name.removeprefix(f"{self.part.path}.") if self.part.path else state.name
            name = inner.replace(".", "_")
            if state.trained:
                bias = ", bias=True" if name.endswith("bias") else ""
                self.made.append(f"        self.{name} = begun({shape}{bias})")
                self.trained += prod(node.shape)
            else:
                first = "ones" if name.endswith("var") else "zeros"
                size = f"({shape},)" if len(node.shape) == 1 else f"({shape})"
                dtype = "" if node.dtype == "float32" else f", dtype=torch.{node.dtype}"
                self.made.append(f'        self.register_buffer("{name}", torch.{first}({size}{dtype}))')
                beside = state.name.removesuffix("running_mean") + COUNTER
                if state.name.endswith("running_mean") and beside in self.held:
                    counter = name.removesuffix("running_mean") + COUNTER
                    self.made.append(f'        self.register_buffer("{counter}", torch.tensor(0))')
                    self.states[f"{KIND}.{counter}"] = beside
            self.states[f"{KIND}.{name}"] = state.name
        else:
            name = f"constant{len(self.made)}"
            data = zlib.compress(struct.pack(f"<{len(state.numbers)}f", *map(float, state.numbers)), 9)
            text = base64.b85encode(data).decode("ascii")
            made = f"constant({text!r}, torch.{node.dtype}{', ' if shape else ''}{shape})"
            self.made.append(f'        self.register_buffer("{name}", {made}, persistent=False)')
        self.names[node.name] = f"self.{name}"
        return f"self.{name}"


class File:
    """The Python file of a network's parts; equal parts are one class."""

    def __init__(self, path: str, network: str) -> None:
        self.path, self.network = path, network
        self.classes: dict[str, str] = {}

    def named(self, code: Code, name: str) -> str:
        """The name of a part's class."""
        if code.body not in self.classes:
            free = name
            while free in self.classes.values():
                free = f"{free.rstrip('0123456789')}{int(free[len(free.rstrip('0123456789')) :] or 1) + 1}"
            self.classes[code.body] = free
        return self.classes[code.body]

    def text(self) -> str:
        """The whole file."""
        parts = [f"\n\nclass {name}(nn.Module):\n{body}" for body, name in self.classes.items()]
        return HEAD.format(name=self.network) + "".join(parts) if parts else ""


def foreign_of(part: Part, code: Code, name: str, path: str, seen: Recognition, macs: int) -> Foreign:
    """How a part is called in the spec."""
    read = seen.whole(seen.views[part.read])
    result = seen.nodes[part.result]
    assert read is not None
    roles = result_roles(part, read.lies, seen.nodes)
    kind, size = given(roles, result.shape)
    parameters: dict[str, object] = {
        "path": path,
        "name": name,
        "out": size[0],
        "params": code.trained,
        "macs": macs,
        "reads": read.kind,
    }
    if kind != read.kind:
        parameters["makes"] = kind
    if size[1:] and (kind != read.kind or size[1:] != read.space):
        space = size[1:]
        parameters["size"] = space[0] if len(set(space)) == 1 else space
    weights = {ours: Weight((theirs,)) for ours, theirs in code.states.items()} if code.trained else {}
    found = Found(KIND, (), parameters, weights, nodes=part.nodes)
    names = tuple(node.name for node in part.nodes)
    return Foreign(part.path, part.call, names, part.read, part.result, found, roles)


def given(roles: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """What a part gives: its kind, and channels with height and width or tokens."""
    if roles == "nhwc":
        return "map", (shape[3], *shape[1:3])
    if len(shape) == 4:
        return "map", shape[1:]
    return ("tokens", (shape[2], shape[1])) if len(shape) == 3 else ("vector", shape[1:])
