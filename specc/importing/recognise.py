"""From a trace to the language's operators. Which these are is their own affair (`specc/traced/found.py`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from math import prod
from typing import Final, cast

from specc.importing.alike import told_alike
from specc.importing.lying import cut_of, lies_like, view_of
from specc.importing.network import Frame, Input, Network, Operation
from specc.importing.predicts import predicted
from specc.importing.sources import CannotImport
from specc.ops import find_operator, folders, operator_package
from specc.plugins import brought
from specc.traced.found import Found, Kind, Read, Reads, Recognise
from specc.traced.graph import Node, Ref, State, Traced
from specc.traced.views import Digit, View, arranged, permuted, unknown

ROLES: Final[Mapping[Kind, str]] = {"map": "nchw", "tokens": "ntc", "vector": "nc"}


@dataclass(frozen=True, slots=True)
class Made:
    """A value of ours: where a base and its picks lie in our network."""

    name: str
    kind: Kind
    channels: int
    space: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Unread:
    """A node that no operator found itself at, though the output depends on it, or one of several that share weights.

    `together` are nodes that must stay in one part with it; `why` says more than its operator's name.
    """

    node: Node
    seen: Recognition
    together: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Recognisers:
    """What operators brought: functions by ATen operator, and readers of views."""

    nodes: Mapping[str, tuple[Recognise, ...]]
    views: tuple[Reads, ...]


@cache
def recognisers() -> Recognisers:
    """Of all operators, specc's own and those of packages, in the order of their names."""
    nodes: dict[str, list[Recognise]] = {}
    views: list[Reads] = []
    packages = [*map(operator_package, folders()), *brought("specc.operators").values()]
    for package in packages:
        if find_spec(f"{package}.recognise") is None:
            continue
        module = import_module(f"{package}.recognise")
        views.extend(getattr(module, "VIEWS", ()))
        for target, function in getattr(module, "NODES", {}).items():
            nodes.setdefault(target, []).append(function)
    return Recognisers({target: tuple(functions) for target, functions in nodes.items()}, tuple(views))


@dataclass(frozen=True, slots=True)
class Foreign:
    """Nodes that stay what they are: a module of the user's, with one tensor in and one out.

    found  how it is called, without its input
    roles  how its result lies: `nchw`, `nhwc`, `ntc`, `nc`
    """

    path: str
    call: int
    nodes: tuple[str, ...]
    read: str
    result: str
    found: Found
    roles: str


class Recognition:
    """One pass over a trace; `Seen` for those that are asked. See `specc.traced.found`."""

    def __init__(self, traced: Traced, foreign: Sequence[Foreign] = ()) -> None:
        self.traced = traced
        self.batch = traced.batch
        self.nodes: dict[str, Node] = {node.name: node for node in traced.nodes}
        self.views: dict[str, View] = {}
        self.made: dict[tuple[str, tuple[object, ...]], Made] = {}
        self.converted: dict[tuple[View, Kind | None], Read | None] = {}
        self.operations: dict[str, Operation] = {}
        self.stands_for: dict[str, tuple[str, ...]] = {}  # the nodes of an operation
        self.otherwise: dict[str, tuple[Mapping[str, object], ...]] = {}  # other arguments of an operation
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.names: Counter[str] = Counter()
        self.asked: Node | None = None
        self.foreign = {part.result: part for part in foreign}
        self.first: dict[View, Node] = {}  # where a view was first looked at: an operation that it becomes stands there
        self.inside = {name for part in foreign for name in part.nodes if name != part.result}

    # What operators may ask.

    def view(self, argument: object) -> View | None:
        return self.views.get(argument.name) if isinstance(argument, Ref) else None

    def shape(self, argument: object) -> tuple[int, ...]:
        return self.nodes[argument.name].shape if isinstance(argument, Ref) else ()

    def node(self, argument: object, *targets: str) -> Node | None:
        view = self.view(argument)
        node = None if view is None else self.nodes.get(view.base)
        return node if node is not None and (node.target in targets or not targets) else None

    def state(self, argument: object) -> State | None:
        view = self.view(argument)
        node = None if view is None else self.nodes[view.base]
        if view is None or node is None or node.state is None:
            return None
        return node.state if view.axes == unknown(node.shape) and not view.picks else None

    def read(self, argument: object, kind: Kind | None = None) -> Read | None:
        view = argument if isinstance(argument, View) else self.view(argument)
        if view is None:
            return None
        direct = self.whole(view)
        if direct is not None and (kind is None or self.is_of(direct, kind)):
            return direct
        key = (view, kind)
        if key not in self.converted and (same := self.turned(view, kind)) is not None:
            self.converted[key] = same
        if key not in self.converted:
            self.converted[key] = None  # a reader that asks for what it is asked for gets nothing
            self.converted[key] = self.convert(view, kind)
        return self.converted[key]

    def cuts(self, view: View) -> tuple[int, ...]:
        *before, pick = view.picks
        ends = {0, pick.size}
        for node in self.traced.nodes:
            other = self.views[node.name] if node.name in self.views else cut_of(node, self)
            if other is None or other.base != view.base or other.picks[:-1] != tuple(before) or not other.picks:
                continue
            last = other.picks[-1]
            if (last.axis, last.low, last.size) == (pick.axis, pick.low, pick.size):
                ends |= {last.start, last.start + last.length}
        return tuple(sorted(ends))

    def follows(self, read: Read, operator: str) -> bool:
        return any(each.operator == operator for each in alive(self.operations, read.value))

    # How they are answered.

    def whole(self, view: View) -> Read | None:
        """What a view looks at, if that is a value of ours, and its channels stand in one axis in their order."""
        made = self.made.get((view.base, view.picks))
        if made is None or any(digit.axis == "*" for axis in view.axes for digit in axis):
            return None
        wanted = (Digit("c", 1, made.channels),)
        if made.channels != 1 and wanted not in view.axes:
            return None
        if made.kind == "tokens" and made.space == (1,) and len(view.axes) == 2:
            return None  # the only token, as a vector
        return Read(made.name, made.kind, view, made.channels, made.space)

    def is_of(self, read: Read, kind: Kind) -> bool:
        if read.kind != kind:
            return False
        if kind != "map":
            return True
        return read.view.axes == arranged("nchw", (self.batch, read.channels, *read.space))

    def turned(self, view: View, kind: Kind | None) -> Read | None:
        """What a view was converted to that differs from this one in the order of its axes alone."""
        for (other, _), read in self.converted.items():
            if read is None or (other.base, other.picks) != (view.base, view.picks) or kind not in (None, read.kind):
                continue
            left = [*enumerate(other.axes)]
            order: list[int] = []
            for axis in view.axes:
                at = next((i for i, found in left if found == axis), None)
                if at is None:
                    break
                order.append(at)
                left = [pair for pair in left if pair[0] != at]
            if left or len(order) != len(view.axes) or len(read.view.axes) != len(order):
                continue
            result = self.whole(permuted(read.view, tuple(order)))
            if result is not None and (kind is None or self.is_of(result, kind)):
                return result
        return None

    def convert(self, view: View, kind: Kind | None) -> Read | None:
        """Another operator's reading of a view, which becomes an operation."""
        for reader in recognisers().views:
            found = reader(view, kind, self)
            if found is None:
                continue
            name = self.fresh(f"{view.base}_{found.operator}")
            axes = view.axes if found.axes is None else found.axes
            at = self.first.get(view) or self.asked or self.nodes[view.base]
            if found.parts:
                return self.cut(view, found, name, at)
            self.emit(name, found, at, axes)
            result = self.whole(View(name, axes))
            return result if result is None or kind is None or self.is_of(result, kind) else None
        return None

    def cut(self, view: View, found: Found, name: str, at: Node) -> Read | None:
        """The parts of a split: values for the view and for the views of its siblings."""
        read = found.inputs[0]
        same = self.joined_before(found)
        if same is not None:
            self.made.setdefault((view.base, view.picks), same)
            return Read(same.name, same.kind, view, same.channels, same.space)
        outputs = tuple(f"{name}_{i}" for i in range(len(found.parts)))
        self.add_operation(name, found, at, outputs)
        *before, mine = view.picks
        start = mine.start * mine.low - sum(found.parts[: found.part])
        for i, (output, size) in enumerate(zip(outputs, found.parts, strict=True)):
            made = Made(output, read.kind, size, read.space)
            self.shapes[output] = shape_of(made)
            sibling = replace(mine, start=start // mine.low, length=size // mine.low)
            self.made.setdefault((view.base, (*before, sibling)), made)
            if i == found.part:
                result = Read(output, read.kind, view, size, read.space)
            start += size
        return result

    def joined_before(self, found: Found) -> Made | None:
        """What a part of a split is, where the whole was joined of it and others."""
        read = found.inputs[0]
        operation = self.operations.get(read.value)
        operator = None if operation is None else find_operator(operation.operator)
        if operation is None or operator is None or not (operator.associative and operator.passes_runs):
            return None
        wanted, start = sum(found.parts[: found.part]), 0
        for value in operation.inputs:
            channels = self.shapes[value][-1 if read.kind == "tokens" else 0]
            if (start, channels) == (wanted, found.parts[found.part]):
                return Made(value, read.kind, channels, read.space)
            start += channels
        return None

    def emit(self, name: str, found: Found, at: Node, axes: Iterable[tuple[Digit, ...]]) -> None:
        """The operation of what was found, and its value, which lies in these axes."""
        axes = tuple(axes)
        first = found.inputs[0] if found.inputs else None
        kind = found.kind if found.kind is not None else cast(Read, first).kind
        sizes: dict[str, int] = {}
        for axis in axes:
            for digit in axis:
                sizes[digit.axis] = sizes.get(digit.axis, 1) * digit.size
        if kind == "map":
            space: tuple[int, ...] = (sizes.get("h", 1), sizes.get("w", 1))
        elif kind == "tokens":
            space = (prod(sizes.get(axis, 1) for axis in ("h", "w", "t")),)
        else:
            space = ()
        made = Made(name, kind, sizes.get("c", 1), space)
        self.made[(name, ())] = made
        self.shapes[name] = shape_of(made)
        self.add_operation(name, found, at, (name,))

    def add_operation(self, name: str, found: Found, at: Node, outputs: tuple[str, ...]) -> None:
        nodes = found.nodes or (at,)
        self.stands_for[name] = tuple(node.name for node in nodes)
        self.otherwise[name] = found.otherwise
        self.operations[name] = Operation(
            name=name,
            operator=found.operator,
            parameters=dict(found.parameters),
            inputs=tuple(read.value for read in found.inputs),
            outputs=outputs,
            stack=common([node.stack for node in nodes]),
            weights=dict(found.weights),
            place=at.place,
        )

    def fresh(self, name: str) -> str:
        """A name that nothing has yet."""
        self.names[name] += 1
        again = name if self.names[name] == 1 else f"{name}_{self.names[name]}"
        return again if again not in self.nodes and again not in self.operations else self.fresh(name)

    # The pass.

    def run(self) -> None:
        for node in self.traced.nodes:
            if node.name in self.inside:
                continue
            self.asked = node
            self.views[node.name] = self.looked_at(node)
            self.first.setdefault(self.views[node.name], node)

    def looked_at(self, node: Node) -> View:
        part = self.foreign.get(node.name)
        if part is not None:
            return self.foreign_view(node, part)
        if node.target == "input":
            return self.input_view(node)
        if node.state is not None:
            return View(node.name, unknown(node.shape))
        view = view_of(node, self)
        if view is not None:
            return view
        answer = self.best(node)
        if isinstance(answer, View):
            return answer
        if answer is not None:
            axes = answer.axes if answer.axes is not None else answer.inputs[0].view.axes
            self.emit(node.name, answer, node, axes)
            return View(node.name, axes)
        return View(node.name, lies_like(node, self))

    def best(self, node: Node) -> Found | View | None:
        """Of all answers that which stands for the most nodes."""
        answers = [a for ask in recognisers().nodes.get(node.target, ()) if (a := ask(node, self)) is not None]
        return max(answers, key=weight_of, default=None)

    def input_view(self, node: Node) -> View:
        kind: Kind = "map" if len(node.shape) == 4 else "vector"
        if len(node.shape) not in (2, 4):
            return View(node.name, unknown(node.shape))
        axes = arranged(ROLES[kind], node.shape)
        made = Made(node.name, kind, node.shape[1], node.shape[2:])
        self.made[(node.name, ())] = made
        self.shapes[node.name] = shape_of(made)
        return View(node.name, axes)

    def read_by_part(self, view: View) -> Read | None:
        """What a part of the user's reads: a value of ours, of a map that is read as tokens these."""
        read = self.whole(view)
        if read is not None and read.kind == "map" and len(view.axes) == 3:
            return self.read(view, "tokens") or read
        return read

    def foreign_view(self, node: Node, part: Foreign) -> View:
        read = self.read_by_part(self.views[part.read])
        if read is None:
            return View(node.name, unknown(node.shape))
        kind: Kind = "map" if len(node.shape) == 4 else "tokens" if len(node.shape) == 3 else "vector"
        axes = arranged(part.roles, node.shape)
        if kind == "tokens":  # they count what those that came in do, so that both can be added
            place = next((axis for axis in read.view.axes if axis and axis[0].axis in "hwt"), None)
            at = part.roles.index("t")
            if place is not None and View("", (place,)).shape == node.shape[at : at + 1]:
                axes = (*axes[:at], place, *axes[at + 1 :])
        self.emit(node.name, replace(part.found, inputs=(read,), kind=kind), node, axes)
        return View(node.name, axes)


def weight_of(answer: Found | View) -> int:
    return len(answer.nodes) if isinstance(answer, Found) else 0


def shape_of(made: Made) -> tuple[int, ...]:
    return (*made.space, made.channels) if made.kind == "tokens" else (made.channels, *made.space)


def common(stacks: Sequence[tuple[Frame, ...]]) -> tuple[Frame, ...]:
    """The frames in which all of these are."""
    same: list[Frame] = []
    for level in zip(*stacks, strict=False):
        if any(frame != level[0] for frame in level):
            break
        same.append(level[0])
    return tuple(same)


def recognise(traced: Traced, foreign: Sequence[Foreign] = (), asked: str = "") -> Network | Unread:
    """The network, or the first node that no operator of the language stands for. `asked` is the kind of its output
    where the user says so.
    """
    seen = Recognition(traced, foreign)
    seen.run()
    found = predicted(traced, asked)
    output = seen.read(Ref(found.result))
    if output is None:
        return Unread(culprit(seen, seen.nodes[found.result]), seen)
    if found.kind and len(seen.nodes[found.result].shape) == 4 and not seen.is_of(output, "map"):
        raise CannotImport("the network's output is a map with its channels last", "return it as [N, C, H, W]")
    live = alive(seen.operations, output.value)
    shared = sharing(live)
    if shared:
        names = {name for operation in shared for name in seen.stands_for[operation.name]}
        nodes = [node for node in traced.nodes if node.name in names]
        return Unread(nodes[0], seen, tuple(node.name for node in nodes), "weights that are used twice")
    inputs = tuple(
        Input(name, "image" if len(seen.shapes[name]) == 3 else "vector", seen.shapes[name])
        for name in traced.inputs
        if name in seen.shapes
    )
    told = told_alike(live, seen.otherwise)
    return Network(traced.name, inputs, told, seen.shapes, output.value, found.last, found.kind or "classes")


def unfit(traced: Traced, foreign: Sequence[Foreign], operation: Operation, asked: str = "") -> Unread:
    """An operation of the network that `recognise` found and the language refuses, as a node without an operator."""
    seen = Recognition(traced, foreign)
    seen.run()
    seen.read(Ref(predicted(traced, asked).result))
    together = seen.stands_for[operation.name]
    return Unread(seen.nodes[together[0]], seen, together)


def sharing(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The first operations that use one parameter; () where each has its own."""
    users: dict[str, list[Operation]] = {}
    for operation in operations:
        for source in {source for weight in operation.weights.values() for source in weight.sources}:
            users.setdefault(source, []).append(operation)
    return next((tuple(found) for found in users.values() if len(found) > 1), ())


def alive(operations: Mapping[str, Operation], output: str) -> tuple[Operation, ...]:
    """The operations that the output depends on, in order."""
    makes = {value: operation.name for operation in operations.values() for value in operation.outputs}
    wanted, waiting = set[str](), [output]
    while waiting:
        name = makes.get(waiting.pop())
        if name is not None and name not in wanted:
            wanted.add(name)
            waiting.extend(operations[name].inputs)
    return tuple(operation for operation in operations.values() if operation.name in wanted)


def culprit(seen: Recognition, node: Node) -> Node:
    """The first node on the way to this one that reads what is known, and is not known itself."""
    done = set[str]()
    while True:
        done.add(node.name)
        for ref in refs(node):
            before = seen.nodes[ref.name]
            if before.name in done or before.state is not None or before.target == "input":
                continue
            if seen.read(ref) is None and depends(seen, before):
                node = before
                break
        else:
            return node


def depends(seen: Recognition, node: Node) -> bool:
    """Whether a node reads the network's input at all, not parameters alone."""
    waiting, done = [node], set[str]()
    while waiting:
        here = waiting.pop()
        if here.target == "input":
            return True
        for ref in refs(here):
            if ref.name not in done:
                done.add(ref.name)
                waiting.append(seen.nodes[ref.name])
    return False


def refs(node: Node) -> Iterator[Ref]:
    """The tensors among a node's arguments, in lists, too."""
    for value in node.args.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Ref):
                yield item
