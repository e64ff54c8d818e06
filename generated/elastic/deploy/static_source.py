"""An extracted sub-network as the source of a plain module: `static_source` writes what `extract` has traced.

`__init__` makes the layers with numbers as sizes, under their names in the extracted network, so that both have the
same state; the forward is the traced graph, a line an operation, laid out as a formatter would. The text needs torch
alone.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import operator
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from elastic.deploy.constructors import constructor, literal, name_of_class
from elastic.net.resizing import resize, resized

WIDTH: Final = 100

Text: TypeAlias = "str | Call"


@dataclass(frozen=True, slots=True)
class Call:
    """Something in brackets, which takes a line for each item where one line is too short."""

    head: str
    items: tuple[tuple[str, Text], ...]
    tail: str = ")"

    def flat(self) -> str:
        inner = ", ".join(name + flat(item) for name, item in self.items)
        lone = self.head == "(" and len(self.items) == 1  # a tuple of one
        return f"{self.head}{inner}{',' if lone else ''}{self.tail}"


def flat(text: Text) -> str:
    return text if isinstance(text, str) else text.flat()


def laid(text: Text, indent: int, before: str = "", after: str = "") -> list[str]:
    """Lines of `before`, text and `after`, indented; calls that hold `Parts` are always spread out."""
    blank = " " * indent
    line = blank + before + flat(text) + after
    if isinstance(text, str) or (len(line) <= WIDTH and not spread(text)) or not text.items:
        return [line]
    lines = [f"{blank}{before}{text.head}"]
    for name, item in text.items:
        lines += laid(item, indent + 4, name, ",")
    return [*lines, f"{blank}{text.tail}{after}"]


def spread(call: Call) -> bool:
    """Whether it takes a line for each item even if one line were enough: parts under their names."""
    return call.head in ("Parts(", "Layers(")


SIGNS: Final[Mapping[Any, str]] = MappingProxyType(
    {
        operator.add: "+",
        operator.sub: "-",
        operator.mul: "*",
        operator.truediv: "/",
        operator.floordiv: "//",
        operator.matmul: "@",
        torch.add: "+",
        torch.mul: "*",
    }
)
PLACES: Final[Mapping[Any, str]] = MappingProxyType({F: "F.", torch: "torch."})
INPLACE: Final[Mapping[Any, str]] = MappingProxyType(
    {operator.iadd: "+=", operator.imul: "*=", operator.isub: "-="}
)

OWN: Final[Mapping[Any, Any]] = MappingProxyType({resize: resized})
"""Functions that are not torch's, and those whose text stands in a source that calls them."""

PARTS: Final = '''\
class {name}(nn.Module):
    """Layers under their names."""

    def __init__(self, **layers: nn.Module) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
'''


READER: Final = '''\
def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name. Raises ValueError where its checksum differs."""
    content = Path(path).read_bytes()
    first = 8 + int.from_bytes(content[:8], "little")
    rows = json.loads(content[8:first])
    wanted = rows.pop("__metadata__", {}).get("sha256")
    found = hashlib.sha256(json.dumps(rows, separators=(",", ":")).encode() + content[first:])
    if wanted not in (None, found.hexdigest()):
        raise ValueError(f"{path} is corrupt: its checksum differs")
    kinds = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "I64": torch.int64}
    kinds["BF16"] = torch.bfloat16
    tensors = {}
    for name, row in rows.items():
        start, end = row["data_offsets"]
        own = bytearray(content[first + start : first + end])
        flat = torch.frombuffer(own, dtype=kinds[row["dtype"]])
        tensors[name] = flat.view(row["shape"])
    return tensors
'''
"""How an exported source reads its weights: by hand, as it needs torch alone. The package reads the same files."""


def static_source(static: fx.GraphModule, doc: str, inputs: tuple[Tensor, ...]) -> str:
    """The source of a module of the same function and the same state dict as `static`.

    `doc` begins its docstring; the inputs serve to note the shapes. A function
    `load_weights` reads the weights' file. Raises ValueError where an operation has no plain
    name in torch.
    """
    name = type(static).__name__
    shapes = Shapes(static)
    shapes.run(*inputs)
    forward = Forward(static, shapes.found).lines()
    parts = "Parts" if name != "Parts" else "Layers"
    layers = Layers(static, f"{parts}(")
    returned = "dict[str, Tensor]" if isinstance(output_of(static.graph), dict) else "Tensor"
    given = ", ".join(f"{n.target}: Tensor" for n in static.graph.nodes if n.op == "placeholder")
    body = [
        f"class {name}(nn.Module):",
        "    def __init__(self) -> None:",
        "        super().__init__()",
        *layers.lines(),
        "",
        *laid(
            Call("def forward(", (("", "self"), *(("", text) for text in given.split(", ")))),
            4,
            after=f" -> {returned}:",
        ),
        *forward,
    ]
    classes = [*layers.sources]
    if any(f"{parts}(" in line for line in body):
        classes.append(PARTS.format(name=parts).splitlines())
    classes.append(body)
    called = {n.target for n in static.graph.nodes if n.op == "call_function"}
    classes = [source_lines(plain) for own, plain in OWN.items() if own in called] + classes
    code = "\n\n\n".join("\n".join(lines) for lines in classes)
    own = [name for name in ("copy", "math") if f"{name}." in code]
    imports = [f"import {name}" for name in sorted([*own, "hashlib", "json"])]
    imports += ["from pathlib import Path"]
    imports += ["from typing import Any"] * ("Any" in code)
    imports += ["", "import torch"]
    imports += ["import torch.nn.functional as F"] * ("F." in code)
    imports += ["from torch import Tensor, nn"]
    head = [
        '"""' + doc.strip() + ("\n" if "\n" in doc.strip() else "") + '"""',
        "",
        "from __future__ import annotations",
        "",
        *imports,
    ]
    return "\n".join(head) + f"\n\n\n{code}\n\n\n{READER}\n\nModel = {name}\n"


class Shapes(fx.Interpreter):
    """Runs a graph and notes the shape of every tensor."""

    def __init__(self, static: fx.GraphModule) -> None:
        super().__init__(static)
        self.found: dict[fx.Node, tuple[int, ...]] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor):
            self.found[n] = tuple(result.shape)
        return result


class Layers:
    """The layers of an extracted network as lines of `__init__`; `sources` are the classes that are not torch's."""

    def __init__(self, static: fx.GraphModule, parts: str) -> None:
        self.static = static
        self.parts = parts
        self.order = [str(n.target) for n in static.graph.nodes if n.op == "call_module"]
        self.sources: list[list[str]] = []
        self.seen: set[Any] = set()

    def lines(self) -> list[str]:
        found: list[str] = []
        for name, module in self.children("", self.static):
            found += laid(self.made(name, module), 8, f"self.{name} = ")
        return found

    def children(self, path: str, module: nn.Module) -> list[tuple[str, nn.Module]]:
        """A module's parts, by the step that first runs one of their layers."""

        def place(child: tuple[str, nn.Module]) -> int:
            own = f"{path}.{child[0]}" if path else child[0]
            return next((i for i, p in enumerate(self.order) if f"{p}.".startswith(f"{own}.")), 0)

        return sorted(module.named_children(), key=place)

    def made(self, path: str, module: nn.Module) -> Text:
        """What makes a layer, or a group of layers."""
        kind = type(module)
        if kind is nn.Module:
            children = self.children(path, module)
            items = [(f"{name}=", self.made(f"{path}.{name}", part)) for name, part in children]
            return Call(self.parts, tuple(items))
        if kind.__module__.split(".")[0] != "torch":
            self.keep(kind)
        items = [
            (f"{name}=" if name else "", literal(value)) for name, value in constructor(module)
        ]
        return Call(f"{name_of_class(module)}(", tuple(items))

    def keep(self, kind: Any) -> None:
        """The text of a class or function, after that of what it reads."""
        if kind not in self.seen:
            self.seen.add(kind)
            for helper in helpers(kind):
                self.keep(helper)
            self.sources.append(source_lines(kind))


def helpers(part: Any) -> list[Any]:
    """The functions and classes that the text of one reads, of those that came with it."""
    package = part.__module__.split(".")[0]
    code = (
        part if inspect.isfunction(part) else next(filter(inspect.isfunction, vars(part).values()))
    )
    known = code.__globals__
    tree = ast.parse("\n".join(source_lines(part)))
    read = [known.get(node.id) for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = [one for one in read if inspect.isfunction(one) or inspect.isclass(one)]
    return [one for one in own if one.__module__.split(".")[0] == package and one is not part]


def source_lines(part: Any) -> list[str]:
    """The text of a class or function that needs torch alone."""
    return textwrap.dedent(inspect.getsource(part)).rstrip().splitlines()


class Forward:
    """The lines of `forward`. A result takes the name of an input that nobody reads afterwards."""

    def __init__(self, static: fx.GraphModule, shapes: Mapping[fx.Node, tuple[int, ...]]) -> None:
        self.static = static
        self.shapes = shapes
        self.nodes = list(static.graph.nodes)
        self.names: dict[fx.Node, str] = {}
        self.inner = {node for step, node in enumerate(self.nodes) if self.is_inner(step, node)}
        self.last = self.last_uses()

    def is_inner(self, step: int, node: fx.Node) -> bool:
        """Whether a step is written where it is read: a size, what the next step begins with, the answer."""
        if node.op == "call_function" and node.target is builtins.getattr:
            return bool(node.args[1] == "shape")
        if node.target is operator.getitem:
            before = node.args[0]
            return isinstance(before, fx.Node) and before.target is builtins.getattr
        if node.op not in ("call_method", "call_module") or len(node.users) != 1:
            return False
        (reader,) = node.users
        if reader is not self.nodes[step + 1] or self.same(node) is not None:
            return False
        if reader.op == "output":
            return reader.args[0] is node
        return node.op == reader.op == "call_method" and reader.args[0] is node

    def last_uses(self) -> dict[fx.Node, int]:
        """The step that reads a result last; what is changed in place is read wherever its new value is."""
        last: dict[fx.Node, int] = {}
        for step, node in reversed(list(enumerate(self.nodes))):
            for before in node.all_input_nodes:
                last.setdefault(before, last.get(node, step) if node in self.inner else step)
            same = self.same(node)
            if same is not None:
                last[same] = max(last[same], last.get(node, step))
        return last

    def same(self, node: fx.Node) -> fx.Node | None:
        """The value that a step only hands on, or changes in place."""
        inplace = node.op == "call_function" and node.target in INPLACE
        layer = node.op == "call_module" and self.static.get_submodule(str(node.target))
        if inplace or isinstance(layer, nn.Identity):
            first = node.args[0]
            return first if isinstance(first, fx.Node) else None
        return None

    def lines(self) -> list[str]:
        found: list[str] = []
        part = ""
        for step, node in enumerate(self.nodes):
            if node.op == "placeholder":
                self.names[node] = str(node.target)
                continue
            top = part_of(node)
            if top:
                found += [""] * (part not in ("", top))
                part = top
            if node not in self.inner:
                found += self.statement(step, node)
        return found

    def statement(self, step: int, node: fx.Node) -> list[str]:
        """The line of a step, or its lines where it is long."""
        if node.op == "output":
            return laid(self.text(node.args[0]), 8, "return ")
        same = self.same(node)
        if same is not None:
            name = self.names[node] = self.names[same]
            if node.op == "call_module":
                return []
            return laid(self.text(node.args[1]), 8, f"{name} {INPLACE[node.target]} ")
        value = self.value(node)
        name = self.names[node] = self.name(step, node)
        lines = laid(value, 8, f"{name} = ")
        if self.changes_shape(node):
            sizes = ", ".join(["N", *map(str, self.shapes[node][1:])])
            if len(f"{lines[-1]}  # [{sizes}]") <= WIDTH:
                lines[-1] += f"  # [{sizes}]"
        return lines

    def changes_shape(self, node: fx.Node) -> bool:
        before = [self.shapes.get(other) for other in node.all_input_nodes]
        return node in self.shapes and self.shapes[node] not in before

    def name(self, step: int, node: fx.Node) -> str:
        """A name that is free: that of an input which is read here for the last time, or another one."""
        busy = {self.names[n] for n in self.names if self.last.get(n, -1) > step}
        for before in node.all_input_nodes:
            own = before.op != "placeholder" or self.names[before] == "x"  # `left` stays the input
            if own and self.names.get(before, "") not in (*busy, ""):
                return self.names[before]
        candidates = ["x", "y", "z", *(f"x{number}" for number in range(1, len(self.nodes) + 1))]
        return next(name for name in candidates if name not in busy)

    def value(self, node: fx.Node) -> Text:
        """The right-hand side of a step."""
        args = [self.text(arg) for arg in node.args]
        items = [("", arg) for arg in args]
        items += [(f"{name}=", self.text(value)) for name, value in node.kwargs.items()]
        target = node.target
        match node.op:
            case "call_module":
                return Call(f"self.{target}(", tuple(items))
            case "get_attr":
                return f"self.{target}"
            case "call_method":
                return Call(f"{flat(args[0])}.{target}(", tuple(items[1:]))
        if target in SIGNS and len(items) == 2:
            return f"{flat(args[0])} {SIGNS[target]} {flat(args[1])}"
        if target is operator.getitem:
            return f"{flat(args[0])}[{indices(node.args[1], self.text)}]"
        if target is builtins.getattr:
            return f"{flat(args[0])}.{node.args[1]}"
        return Call(f"{name_of(target)}(", tuple(items))

    def text(self, value: Any) -> Text:
        """An argument: a name, a literal or several of them."""
        match value:
            case fx.Node():
                return self.value(value) if value in self.inner else self.names[value]
            case tuple() | list():
                left, right = ("(", ")") if isinstance(value, tuple) else ("[", "]")
                return Call(left, tuple(("", self.text(item)) for item in value), right)
            case dict():
                return Call(
                    "{", tuple((f'"{k}": ', self.text(item)) for k, item in value.items()), "}"
                )
            case str() | float():
                return literal(value)
            case slice():
                return f"slice({value.start}, {value.stop}, {value.step})"
        return repr(value)


def part_of(node: fx.Node) -> str:
    """The part of the network that a step belongs to, "" where it is not known."""
    if node.op == "call_module":
        return str(node.target).split(".")[0]
    inside = [path for path, _ in node.meta.get("nn_module_stack", {}).values()]
    return next((str(path).split(".")[0] for path in inside if path), "")


def indices(index: Any, text: Callable[[Any], Text]) -> str:
    """What stands in the brackets of `x[...]`."""
    match index:
        case tuple():
            return ", ".join(indices(item, text) for item in index)
        case slice(start=start, stop=stop, step=step):
            ends = ["" if end is None else flat(text(end)) for end in (start, stop)]
            return ":".join(ends if step is None else [*ends, flat(text(step))])
    return "..." if index is Ellipsis else flat(text(index))


def name_of(target: Any) -> str:
    """A function as one calls it after `import torch` and `import torch.nn.functional as F`."""
    name = str(getattr(target, "__name__", ""))
    if target in OWN:
        return str(OWN[target].__name__)
    for module, prefix in PLACES.items():
        if name and getattr(module, name, None) is target:
            return prefix + name
    raise ValueError(f"{target} has no plain name in torch")


def output_of(graph: fx.Graph) -> Any:
    (output,) = graph.find_nodes(op="output")
    return output.args[0]
