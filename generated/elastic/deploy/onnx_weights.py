"""The ONNX graphs of a bundle read their weights from one file, as parts of the tensors that stand there once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from torch import nn

from elastic.deploy.regions import Floats, Region, Run, scales

WEIGHTS: Final = "weights.bin"
ALIGNED: Final = 64
"""Bytes: where tensors begin in the file."""
SMALL: Final = 1024
"""Bytes: up to here a tensor stands in the graph."""


@dataclass(slots=True)
class Weights:
    """The file of weights as it grows: equal tensors stand there once.

    `computed` has, by name, tensors that are no part of the network's, such as masked or merged weights.
    """

    path: Path
    size: int = 0
    places: dict[bytes, int] = field(default_factory=dict)
    computed: dict[str, Floats] = field(default_factory=dict)

    def place(self, tensor: Floats) -> int:
        """The offset of a tensor in the file."""
        content = np.ascontiguousarray(tensor, "<f4").tobytes()
        key = hashlib.sha256(content).digest()
        if key not in self.places:
            gap = -self.size % ALIGNED
            with self.path.open("ab") as file:
                file.write(bytes(gap) + content)
            self.places[key] = self.size + gap
            self.size += gap + len(content)
        return self.places[key]


def share_weights(
    model: Any,
    static: nn.Module,
    regions: Mapping[str, Region],
    state: Mapping[str, Floats],
    weights: Weights,
) -> None:
    """Has the graph of an extracted sub-network read its weights from the file, as parts of the network's `state`.

    `regions` says which part a tensor of the sub-network is; what is computed, as merged branches are, is written to
    the file of its own.
    """
    import onnx.numpy_helper

    graph = Graph(model, weights)
    own = {name: value.detach().cpu().numpy() for name, value in static.state_dict().items()}
    turned = {value.T.tobytes(): name for name, value in own.items() if value.ndim == 2}
    for tensor in [*model.graph.initializer]:
        if tensor.data_type != onnx.TensorProto.FLOAT:
            continue
        value = onnx.numpy_helper.to_array(tensor)
        if value.nbytes <= SMALL or value.ndim < 2:
            continue
        name = tensor.name if tensor.name in own else turned.get(value.tobytes(), tensor.name)
        transposed = name != tensor.name
        wanted = value.T if transposed else value
        found = part_of(wanted, name, regions.get(name), state, weights.computed)
        if found is None:
            weights.computed[name] = wanted
            graph.replace(tensor, [graph.external(tensor.name, value)])
        else:
            graph.read(tensor, found, transposed)
    graph.finish()


@dataclass(frozen=True, slots=True, eq=False)
class Scaled:
    """A region of the tensor `whole`, times `factors` along an axis."""

    region: Region
    whole: Floats
    factors: Floats
    axis: int


def part_of(
    wanted: Floats,
    name: str,
    region: Region | None,
    state: Mapping[str, Floats],
    computed: Mapping[str, Floats],
) -> Scaled | None:
    """A tensor as a part of what was computed for a larger sub-network, or of the network's; None where it is none."""
    if name in computed and computed[name].ndim == wanted.ndim:
        place, whole = corner(name, wanted, computed[name]), computed[name]
    elif region is not None:
        place, whole = region, state[region.name]
    else:
        return None
    part = place.of(whole)
    for axis in range(min(2, wanted.ndim) if part.shape == wanted.shape else 0):
        factors = scales(part, wanted, axis)
        if factors is not None:
            return Scaled(place, whole, factors, axis)
    return None


def corner(name: str, part: Floats, whole: Floats) -> Region:
    """The first places along every axis, as many as a part has."""
    pairs = zip(part.shape, whole.shape, strict=True)
    return Region(name, tuple(() if size == full else (Run(0, size),) for size, full in pairs))


class Graph:
    """An ONNX graph whose initializers become reads of the file of weights."""

    def __init__(self, model: Any, weights: Weights) -> None:
        self.graph = model.graph
        self.weights = weights
        self.nodes: list[Any] = []
        self.constants: dict[tuple[int, ...], str] = {}

    def external(self, name: str, value: Floats) -> Any:
        """An initializer that lies in the file."""
        import onnx

        tensor = onnx.TensorProto(
            name=name,
            dims=value.shape,
            data_type=onnx.TensorProto.FLOAT,
            data_location=onnx.TensorProto.EXTERNAL,
        )
        size = value.size * 4
        place = {"location": WEIGHTS, "offset": self.weights.place(value), "length": size}
        for key, number in place.items():
            tensor.external_data.add(key=key, value=str(number))
        return tensor

    def replace(self, tensor: Any, others: Sequence[Any]) -> None:
        self.graph.initializer.remove(tensor)
        self.graph.initializer.extend(others)

    def read(self, tensor: Any, part: Scaled, transposed: bool) -> None:
        """Has `tensor` be made of a part of another: cut, scaled along an axis, and turned where it has to be."""
        import onnx.numpy_helper

        region, source = part.region, part.whole
        name, stored = tensor.name, f"{region.name}|whole"
        steps: list[Callable[[str, str], None]] = [
            partial(self.cut, axes, runs) for axes, runs in cuts(region)
        ]
        others = []
        if not np.array_equal(part.factors, np.ones_like(part.factors)):
            by = f"{name}|scale"
            shape = [-1 if axis == part.axis else 1 for axis in range(source.ndim)]
            others.append(onnx.numpy_helper.from_array(part.factors.reshape(shape), by))
            steps.append(partial(self.multiply, by))
        if transposed:
            steps.append(self.turn)
        if not steps:
            self.replace(tensor, [self.external(name, source)])
            return
        if not self.has(stored):
            others.append(self.external(stored, source))
        self.replace(tensor, others)
        made = [stored, *(f"{name}|{number}" for number in range(1, len(steps))), name]
        for step, before, after in zip(steps, made, made[1:], strict=False):
            step(before, after)

    def has(self, name: str) -> bool:
        return any(tensor.name == name for tensor in self.graph.initializer)

    def cut(self, axes: list[int], runs: tuple[Run, ...], value: str, made: str) -> None:
        """One slice along all axes where each has a run; of one axis with several runs these, one behind the other."""
        if len(axes) == len(runs):
            self.slice(value, axes, runs, made)
            return
        parts = [f"{made}|run{number}" for number in range(len(runs))]
        for part, run in zip(parts, runs, strict=True):
            self.slice(value, axes, (run,), part)
        self.add("Concat", parts, made, axis=axes[0])

    def slice(self, value: str, axes: Sequence[int], runs: Sequence[Run], made: str) -> None:
        rows = (
            [run.start for run in runs],
            [run.stop for run in runs],
            axes,
            [run.step for run in runs],
        )
        self.add("Slice", [value, *map(self.whole_numbers, rows)], made)

    def whole_numbers(self, row: Sequence[int]) -> str:
        """The name of a constant with these numbers."""
        import onnx.numpy_helper

        key = tuple(row)
        if key not in self.constants:
            name = self.constants[key] = f"|{','.join(map(str, key))}"
            self.graph.initializer.append(
                onnx.numpy_helper.from_array(np.array(key, np.int64), name)
            )
        return self.constants[key]

    def multiply(self, by: str, value: str, made: str) -> None:
        self.add("Mul", [value, by], made)

    def turn(self, value: str, made: str) -> None:
        self.add("Transpose", [value], made, perm=[1, 0])

    def add(self, kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        import onnx.helper

        self.nodes.append(onnx.helper.make_node(kind, inputs, [output], **attributes))

    def finish(self) -> None:
        """Puts what makes the weights before all that reads them, and drops what only an exporter's reader needs."""
        rest = [*self.graph.node]
        for part in (*rest, *self.graph.initializer, *self.graph.input, *self.graph.output):
            part.doc_string = ""
            del part.metadata_props[:]
        del self.graph.value_info[:]
        del self.graph.metadata_props[:]
        del self.graph.node[:]
        self.graph.node.extend([*self.nodes, *rest])


def cuts(region: Region) -> list[tuple[list[int], tuple[Run, ...]]]:
    """The slices that make a region, [axes, runs]: one for all axes with a single run, then an axis at a time."""
    single = [axis for axis, runs in enumerate(region.axes) if len(runs) == 1]
    first = [(single, tuple(region.axes[axis][0] for axis in single))] if single else []
    return [*first, *(([axis], runs) for axis, runs in enumerate(region.axes) if len(runs) > 1)]
