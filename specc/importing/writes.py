"""Writes in place where something else shares the memory: `y[:, :4] *= 2` changes y.

Each becomes a value of its own, `half = y[:, :4] * 2; y = y.slice_scatter(half, 1, 0, 4)`, and what looks at the memory
afterwards looks at the new value. From then on a node stands for one value.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from specc.importing.sources import CannotImport

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import Node

RESHAPES: Final = (
    *("aten.view", "aten.reshape", "aten.flatten", "aten.unflatten", "aten.squeeze", "aten.unsqueeze"),
    *("aten._unsafe_view", "aten.view_as"),
)
CUTS: Final = ("aten.chunk", "aten.split", "aten.split_with_sizes", "aten.tensor_split")
SAME: Final = ("aten.alias", "aten.contiguous", "aten.detach")


def without_shared_writes(
    program: ExportedProgram,
    constants: Callable[[], Collection[str]],
    told: Callable[[Node], tuple[str, str]],
) -> Mapping[str, str]:
    """Rewrites a program's graph; what the names of its outputs have become.

    constants  gives the names of nodes that depend on no input
    told       where a node stands in the user's code, and what

    Raises CannotImport for a write through a view that has no way back.
    """
    nodes = list(program.graph.nodes)
    written = {root_of(node.args[0]) for node in nodes if is_write(node)}
    shared = any(parent_of(node) is not None and root_of(node) in written for node in nodes)
    if not shared and not any(is_write(node) and short(node) == "aten.copy" for node in nodes):  # which has no gradient
        return {}
    return Memory(program, constants(), told).run(nodes)


def short(node: Node) -> str:
    """An operator's name, without the sign that it works in place: `aten.mul`; and `getitem`."""
    schema = getattr(node.target, "_schema", None)
    if schema is None:
        return getattr(node.target, "__name__", "")
    name: str = schema.name.replace("::", ".")
    return name.removesuffix("_")


def is_write(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable and schema.name.endswith("_")


def parent_of(node: Node) -> Node | None:
    """What a node looks at without a copy; None where it has memory of its own, or is what wrote to it."""
    if node.op != "call_function" or is_write(node) or not node.args:
        return None
    before: Any = node.args[0]
    if short(node) == "getitem":
        return before.args[0] if short(before) in (*CUTS, "aten.unbind") else None
    schema = getattr(node.target, "_schema", None)
    info = schema.arguments[0].alias_info if schema is not None and schema.arguments else None
    return before if info is not None and not info.is_write else None


def root_of(node: Node) -> Node:
    """The node whose memory this one looks at or writes to."""
    while True:
        before: Any = node.args[0] if is_write(node) else parent_of(node)
        if before is None:
            return node
        node = before


class Memory:
    """One pass over a graph that knows which node holds the numbers of each view now."""

    def __init__(
        self, program: ExportedProgram, constants: Collection[str], told: Callable[[Node], tuple[str, str]]
    ) -> None:
        self.graph, self.constants, self.told = program.graph, constants, told
        self.version: dict[Node, int] = {}  # how often a root was written to
        self.value: dict[Node, tuple[Node, int]] = {}  # what holds a view's numbers, as of which version of its root
        self.target: dict[Node, Node] = {}  # what a write wrote to
        self.made: list[Node] = []
        self.seen: set[Node] = set()

    def run(self, nodes: list[Node]) -> Mapping[str, str]:
        from torch.fx import map_arg

        renamed: dict[str, str] = {}
        for node in nodes:
            if node.name in self.constants or node.op == "placeholder":
                continue
            with self.graph.inserting_before(node):
                if is_write(node):
                    self.write(node)
                elif parent_of(node) is None or node.op == "output":
                    given = {before: self.current(before) for before in node.all_input_nodes}
                    if node.op == "output":
                        renamed = {old.name: new.name for old, new in given.items()}
                    node.args = map_arg(node.args, given.__getitem__)
                    node.kwargs = map_arg(node.kwargs, given.__getitem__)
            self.seen.add(node)
        for node in reversed(self.made + [n for n in nodes if is_write(n) and n.name not in self.constants]):
            if not node.users:
                self.graph.erase_node(node)
        self.graph.lint()
        return renamed

    def original(self, node: Node) -> Node:
        """A view by its first name: a write returns what it wrote to."""
        while node in self.target:
            node = self.target[node]
        return node

    def current(self, node: Node) -> Node:
        """What holds a view's numbers now."""
        node = self.original(node)
        root = self.original(root_of(node))
        version = self.version.get(root, 0)
        found, of = self.value.get(node, (node, 0))
        if of == version:
            return found
        parent = parent_of(node)
        assert parent is not None  # a root is as new as it is
        before = self.current(parent)
        if short(node) == "getitem":
            cut = node.args[0]
            assert isinstance(cut, type(node))
            pieces = self.call(cut, cut.target, (before, *cut.args[1:]), cut.kwargs)
            made = self.call(node, node.target, (pieces, node.args[1]))
        else:
            made = self.call(node, node.target, (before, *node.args[1:]), node.kwargs)
        self.value[node] = made, version
        return made

    def write(self, node: Node) -> None:
        first = node.args[0]
        assert isinstance(first, type(node))
        view = self.original(first)
        root = self.original(root_of(view))
        new = self.computed(node, view)
        held = [(view, new)]
        beside: list[Node] = []
        while (parent := parent_of(view)) is not None:
            parent = self.original(parent)
            if short(view) == "getitem":
                beside += [piece for piece in view.args[0].users if piece is not view and piece in self.seen]  # type: ignore[union-attr]
            new = self.put_back(self.current(parent), view, new, node)
            held.append((parent, new))
            view = parent
        held += [(piece, self.current(piece)) for piece in beside]  # pieces of one cut do not overlap
        self.version[root] = self.version.get(root, 0) + 1
        for each, made in held:
            self.value[each] = made, self.version[root]
        self.target[node] = held[0][0]

    def computed(self, node: Node, view: Node) -> Node:
        """The value that a write leaves in the view."""
        import torch
        from torch.fx import map_arg

        args: Any = map_arg(node.args, self.current)
        kwargs: Any = map_arg(node.kwargs, self.current)
        if short(node) == "aten.copy":
            source = args[1]
            wanted, given = view.meta["val"], source.meta["val"]
            if given.dtype != wanted.dtype:
                source = self.call(node, torch.ops.aten.to.dtype, (source, wanted.dtype))
            if given.shape != wanted.shape:
                source = self.call(node, torch.ops.aten.expand.default, (source, [*wanted.shape]))
            found: Node = source
            return found
        twin = getattr(torch.ops.aten, short(node).removeprefix("aten."), None)
        overload = getattr(twin, node.target._schema.overload_name or "default", None)  # type: ignore[union-attr]
        if overload is None:
            raise self.cannot(node)
        return self.call(node, overload, args, kwargs)

    def put_back(self, whole: Node, view: Node, new: Node, write: Node) -> Node:
        """A value with what was written in its part of it."""
        import torch

        aten = torch.ops.aten
        name, args = short(view), tuple(None if value == sys.maxsize else value for value in view.args[1:])
        if name == "getitem":
            cut = view.args[0]
            assert isinstance(cut, type(view))
            return self.put_piece(whole, cut, int(args[0]), new, write)  # type: ignore[arg-type]
        if name == "aten.slice":
            return self.scattered(write, aten.slice_scatter.default, (whole, new, *args))
        if name == "aten.select":
            return self.scattered(write, aten.select_scatter.default, (whole, new, *args))
        if name in RESHAPES:
            return self.call(write, aten.reshape.default, (new, [*whole.meta["val"].shape]))
        if name in ("aten.transpose", "aten.t", "aten.numpy_T"):
            return self.call(write, view.target, (new, *args))
        if name == "aten.permute":
            order = [int(axis) % len(args[0]) for axis in args[0]]  # type: ignore[union-attr, arg-type]
            return self.call(write, view.target, (new, [order.index(axis) for axis in range(len(order))]))
        if name in SAME:
            return new
        raise self.cannot(write)

    def put_piece(self, whole: Node, cut: Node, index: int, new: Node, write: Node) -> Node:
        """A value with what was written in one of the pieces that it was cut into."""
        import torch

        aten = torch.ops.aten
        schema = cut.target._schema  # type: ignore[union-attr]
        at = [argument.name for argument in schema.arguments].index("dim")
        axis = cut.args[at] if len(cut.args) > at else cut.kwargs.get("dim", 0)
        pieces = cut.meta["val"]
        index %= len(pieces)
        if short(cut) == "aten.unbind":
            return self.scattered(write, aten.select_scatter.default, (whole, new, axis, index))
        start = sum(int(piece.shape[axis]) for piece in pieces[:index])
        end = start + int(pieces[index].shape[axis])
        return self.scattered(write, aten.slice_scatter.default, (whole, new, axis, start, end))

    def scattered(self, write: Node, target: Any, args: tuple[Any, ...]) -> Node:
        """A call that puts a part back; the whole itself where just this was put back last."""
        whole: Node = args[0]
        if whole.target is target and whole.args[1:] == args[1:]:
            return whole
        return self.call(write, target, args)

    def call(self, like: Node, target: Any, args: Any, kwargs: Any = None) -> Node:
        """A new node that stands where another does in the user's code."""
        from torch.fx import map_arg

        made: Node = self.graph.call_function(target, tuple(args), dict(kwargs or {}))
        given: Any = map_arg((made.args, made.kwargs), lambda node: node.meta["val"])
        fake = next(n.meta["val"].fake_mode for n in self.graph.nodes if hasattr(n.meta.get("val"), "fake_mode"))
        with fake:
            value = target(*given[0], **given[1])
        made.meta = {**like.meta, "val": value}
        self.made.append(made)
        return made

    def cannot(self, node: Node) -> CannotImport:
        place, code = self.told(node)
        return CannotImport(
            f"this writes into a part of another tensor in a way that import does not follow: `{code}`",
            "compute a new tensor instead of writing into one: torch.cat, torch.where",
            place,
        )
