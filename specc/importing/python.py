"""A part of a trace as a class in Python, in the calls that a person would write.

Layers of torch are made and called as such, everything else is written as methods and functions of torch. What is not
known well enough for that is called by its ATen name; with `plain` everything is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from keyword import iskeyword
from math import prod
from typing import Final

from specc.importing.constants import constant_text, of_one_image
from specc.importing.layers import Layer
from specc.traced.graph import Node, Ref, State

COUNTER: Final = "num_batches_tracked"
"""What stands beside running statistics and is read only where they are an average of all batches."""
WIDTH: Final = 100
"""Columns of a line."""
INFIX: Final[Mapping[str, tuple[str, int]]] = {
    "aten.add": ("+", 2), "aten.sub": ("-", 2), "aten.mul": ("*", 3), "aten.div": ("/", 3), "aten.matmul": ("@", 3),
    "aten.gt": (">", 1), "aten.ge": (">=", 1), "aten.lt": ("<", 1), "aten.le": ("<=", 1), "aten.eq": ("==", 1),
}  # fmt: skip
"""Signs of Python, and how strongly they bind."""
ATOM: Final = 9
METHODS: Final = frozenset(
    f"aten.{name}"
    for name in (
        "abs amax amin argmax argsort bmm chunk clamp clamp_min clone contiguous cos cummax cumprod cumsum detach "
        "diagonal erf exp expand expand_as expm1 flatten flip float floor fmod gather log log1p log2 logsumexp "
        "masked_fill matrix_exp mean median movedim mT narrow neg permute pow prod reciprocal relu repeat "
        "repeat_interleave reshape roll round rsqrt select_scatter sigmoid sign sin slice_scatter softmax sort split "
        "sqrt square squeeze std sum "
        "swapaxes swapdims t tan tanh tile transpose tril triu type_as unbind unflatten unfold unsqueeze var view "
        "view_as"
    ).split()
)
"""Operators that are methods of a tensor with the same arguments in the same order."""
UNPACKED: Final = frozenset(f"aten.{name}" for name in ("view", "reshape", "permute", "expand", "repeat", "tile"))
"""Methods whose sizes are written one by one."""
ATTRIBUTES: Final[Mapping[str, str]] = {"aten.mT": "mT", "aten.numpy_T": "T"}
FUNCTIONS: Final[Mapping[str, str]] = {
    **{f"aten.{name}": f"torch.{name}" for name in ("cat", "stack", "einsum", "where", "maximum", "minimum")},
    **{
        f"aten.{name}": f"F.{name}"
        for name in (
            "conv1d conv2d conv3d avg_pool1d avg_pool2d avg_pool3d max_pool1d max_pool2d max_pool3d "
            "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d layer_norm group_norm rms_norm pad linear "
            "gelu silu elu softplus log_softmax leaky_relu glu hardtanh hardswish hardsigmoid mish selu pixel_shuffle "
            "pixel_unshuffle scaled_dot_product_attention"
        ).split()
    },
    "aten.feature_dropout": "F.dropout2d",
    "aten.linalg_vector_norm": "torch.linalg.vector_norm",
}
"""Functions of torch with the same arguments in the same order."""
LAST: Final = ("cudnn_enable", "cudnn_enabled")
"""Arguments that functions of torch do not have."""
RANDOM: Final = ("aten.dropout", "aten.feature_dropout", "traced.drops_images", "aten.scaled_dot_product_attention")
"""What draws numbers in training, so that the order of lines matters."""


class CannotWrite(Exception):
    """Why a part is no class: `message` in a sentence, `node` where."""

    def __init__(self, message: str, node: Node) -> None:
        super().__init__(message)
        self.message, self.node = message, node


@dataclass(frozen=True, slots=True)
class Code:
    """A class of a part, without its name.

    states   that it holds: by its own names, those of the original's
    trained  how many numbers of these are parameters
    """

    body: str
    states: Mapping[str, str]
    trained: int


@dataclass(frozen=True, slots=True)
class Text:
    """An expression, and how strongly it binds."""

    text: str
    binds: int = ATOM

    def within(self, binds: int) -> str:
        return self.text if self.binds >= binds else f"({self.text})"


@dataclass(frozen=True, slots=True)
class Tensors:
    """What a class is written of.

    nodes   in their order, of which `read` is what comes in and `result` what is returned
    others  the same with another number of images in the batch, `batch` and `other` of them
    table   all nodes of the trace
    path    of the module that it is, or in which it stands
    layers  torch's layers, by their paths
    held    the names of the original's state
    """

    nodes: Sequence[Node]
    read: str
    result: str
    others: Mapping[str, Node]
    batch: int
    other: int
    table: Mapping[str, Node]
    path: str
    layers: Mapping[str, Layer]
    held: Collection[str]


def written(part: Tensors, before: str, after: str, prefix: str, plain: bool = False) -> Code:
    """The class: `before` is what becomes of `x` first, `after` of the result. Raises CannotWrite."""
    writer = Writer(part, prefix, plain)
    result = writer.all()
    lines = ["    def __init__(self) -> None:", "        super().__init__()", *writer.made, ""]
    if not writer.made:
        lines = []
    lines += ["    def forward(self, x: Tensor) -> Tensor:"]
    lines += ["        n = len(x)"] if writer.counts else []
    lines += [f"        x = x{before}"] if before else []
    lines += [*writer.lines, f"        return {result.within(ATOM) if after else result.text}{after}"]
    return Code("\n".join(lines) + "\n", writer.states, writer.trained)


class Writer:
    """The lines of a class."""

    def __init__(self, part: Tensors, prefix: str, plain: bool) -> None:
        self.part, self.prefix, self.plain = part, prefix, plain
        self.texts: dict[str, Text] = {part.read: Text("x")}
        self.lines: list[str] = []
        self.made: list[str] = []
        self.states: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.attributes: set[str] = set()
        self.trained = 0
        self.counts = False
        self.uses = self.counted()
        self.free: set[str] = set()
        self.live: dict[str, str] = {part.read: "x"}
        self.calls = {} if plain else self.layer_calls()
        self.declared: dict[str, str] = {}

    def counted(self) -> dict[str, int]:
        """How often each value is read in the part, its result once more."""
        uses = {self.part.result: 1}
        for node in self.part.nodes:
            for name in references(node):
                uses[name] = uses.get(name, 0) + 1
        return uses

    def all(self) -> Text:
        """Writes all lines; the expression that is returned."""
        inside = {name for call in self.calls.values() for name in call.names}
        for node in self.part.nodes:
            other = self.part.others.get(node.name)
            if other is None or other.target != node.target:
                raise CannotWrite("the network computes otherwise for another number of images", node)
            if node.name in self.calls:
                self.call_layer(node, self.calls[node.name])
            elif node.name not in inside:
                self.write(node, other)
        return self.texts[self.part.result]

    # --- layers of torch -----------------------------------------------------------------------

    def layer_calls(self) -> dict[str, LayerCall]:
        """The calls of torch's layers, by the node that each gives."""
        groups: dict[tuple[str, int], list[Node]] = {}
        for node in self.part.nodes:
            frame = next((f for f in node.stack if f.path in self.part.layers and self.is_inside(f.path)), None)
            if frame is not None:
                groups.setdefault((frame.path, frame.call), []).append(node)
        found = {}
        for (path, _), nodes in groups.items():
            call = self.layer_call(self.part.layers[path], nodes)
            if call is not None:
                found[call.gives] = call
        return found

    def is_inside(self, path: str) -> bool:
        return not self.part.path or path == self.part.path or path.startswith(f"{self.part.path}.")

    def layer_call(self, layer: Layer, nodes: Sequence[Node]) -> LayerCall | None:
        """A call of a layer, where it reads one tensor and gives one, and holds the states that the nodes read."""
        names = {node.name for node in nodes}
        read: dict[str, None] = {}
        states = set[str]()
        for node in nodes:
            for name in references(node):
                state = self.part.table[name].state
                if state is not None and (state.trained or state.kept):
                    states.add(state.name)
                elif state is None and name not in names:
                    read[name] = None
        gives = {name for node in self.part.nodes if node.name not in names for name in references(node)} & names
        gives |= {self.part.result} & names
        own = {f"{layer.path}.{name}" for name in layer.states}
        trained = {f"{layer.path}.{name}" for name in layer.trained}
        if len(read) != 1 or len(gives) != 1 or not trained <= states <= own:
            return None
        (given,) = gives
        node = self.part.table[given]
        several = layer.several and node.target == "item" and node["index"] == 0
        if layer.several and not several:
            return None
        return LayerCall(layer, frozenset(names), next(iter(read)), given, several)

    def call_layer(self, node: Node, call: LayerCall) -> None:
        layer = call.layer
        name = self.declared.get(layer.path)
        if name is None:
            name = self.attribute(inner(layer.path, self.part.path) or layer.type.lower())
            self.declared[layer.path] = name
            self.made.append(f"        self.{name} = {layer.text}")
            self.states |= {f"{self.prefix}.{name}.{state}": f"{layer.path}.{state}" for state in layer.states}
            self.names |= {f"{layer.path}.{state}": f"self.{name}.{state}" for state in layer.states}
            self.trained += layer.count
        text = f"self.{name}({self.texts[call.reads].text}){'[0]' if call.several else ''}"
        self.used(call.reads)
        self.give(node, Text(text), random=True)

    # --- everything else -----------------------------------------------------------------------

    def write(self, node: Node, other: Node) -> None:
        args = {key: self.value(value, other.args.get(key)) for key, value in node.args.items()}
        for flag in ("training", "train"):
            if flag in args:
                args[flag] = Text("self.training")
        if node["dropout_p"]:
            args["dropout_p"] = Text(f"{node['dropout_p']!r} if self.training else 0.0", 0)
        text = self.expression(node, args)
        for name in references(node):
            self.used(name)
        self.give(node, text, random=node.target in RANDOM)
        counter = args.get("running_mean", Text("")).text.removeprefix("self.").removesuffix("running_mean") + COUNTER
        if f"{self.prefix}.{counter}" in self.states:
            self.lines.append(f"        self.{counter} += int(self.training)")

    def expression(self, node: Node, args: Mapping[str, Text]) -> Text:
        target = node.target
        if target == "item":
            return Text(f"{args['self'].within(ATOM)}[{args['index'].text}]")
        if target == "traced.drops_images":
            return Text(f"drop_images({args['input'].text}, {args['p'].text}, self.training)")
        if target == "aten.dropout":
            return Text(f"F.dropout({args['input'].text}, {args['p'].text}, self.training)")
        if self.plain:
            return Text(f"aten.{node.call}({', '.join(self.passed(node, args))})")
        return self.readable(node, args) or Text(f"aten.{node.call}({', '.join(self.passed(node, args))})")

    def readable(self, node: Node, args: Mapping[str, Text]) -> Text | None:
        """A call as Python; None where it is not known how."""
        target = node.target
        rest = [key for key in args if key not in node.implied]
        if target in INFIX and set(rest) <= {"self", "other"} and len(node.args) >= 2:
            sign, binds = INFIX[target]
            one, other = args["self"], args["other"]
            return Text(f"{one.within(binds)} {sign} {other.within(binds + 1)}", binds)
        if target == "aten.rsub" and set(rest) <= {"self", "other"}:
            return Text(f"{args['other'].within(2)} - {args['self'].within(3)}", 2)
        if target in ("aten.slice", "aten.select"):
            return cut(node, args)
        if target in ATTRIBUTES:
            return Text(f"{args['self'].within(ATOM)}.{ATTRIBUTES[target]}")
        if target in METHODS and "self" in args:
            given = [*self.short(node, args)][1:]
            if target in UNPACKED and len(given) == 1 and given[0].startswith("[") and len(given[0]) > 2:
                given[0] = given[0][1:-1]
            return Text(f"{args['self'].within(ATOM)}.{target.removeprefix('aten.')}({', '.join(given)})")
        if target in FUNCTIONS:
            return Text(f"{FUNCTIONS[target]}({', '.join(self.short(node, args))})")
        return None

    def short(self, node: Node, args: Mapping[str, Text]) -> Iterator[str]:
        """Arguments without those at the end that say what is implied."""
        keys = [key for key in args if key not in node.named and key not in LAST]
        while keys and keys[-1] in node.implied:
            keys.pop()
        yield from (args[key].text for key in keys)
        yield from (f"{key}={args[key].text}" for key in args if key in node.named and key not in node.implied)

    def passed(self, node: Node, args: Mapping[str, Text]) -> Iterator[str]:
        """Arguments by their places, and by name those that come after `*`."""
        for key, given in args.items():
            if key in node.named:
                if given.text != "None":
                    yield f"{key}={given.text}"
            else:
                yield given.text

    def value(self, value: object, other: object) -> Text:
        if isinstance(value, Ref):
            return self.texts[value.name] if value.name in self.texts else self.state(self.part.table[value.name])
        if isinstance(value, tuple):
            items = other if isinstance(other, tuple) and len(other) == len(value) else value
            return Text(f"[{', '.join(self.value(item, twin).text for item, twin in zip(value, items, strict=True))}]")
        if isinstance(value, int) and not isinstance(value, bool) and isinstance(other, int) and value != other:
            by = (other - value) // (self.part.other - self.part.batch)
            more = value - by * self.part.batch
            self.counts = True
            text = "n" if by == 1 else f"{by} * n"
            return Text(text + (f" + {more}" if more else ""), 2 if more else 3 if by != 1 else ATOM)
        if isinstance(value, str):
            return Text(value if value.startswith("torch.") else "None" if value == "cpu" else repr(value))
        if isinstance(value, float) and value in (float("inf"), float("-inf")):
            return Text(f'float("{value}")')
        negative = isinstance(value, (int, float)) and value < 0
        return Text(repr(value), 4 if negative else ATOM)

    # --- names ---------------------------------------------------------------------------------

    def give(self, node: Node, text: Text, random: bool = False) -> None:
        """A value as an expression where it is read once and reads well there, else as a variable."""
        once = self.uses.get(node.name, 0) == 1 and not node.shapes
        if once and not random and not self.plain and len(text.text) <= WIDTH // 2:
            self.texts[node.name] = text
            return
        if not self.uses.get(node.name):
            return
        name = self.variable(node)
        self.live[node.name] = name
        self.lines.append(f"        {name} = {text.text}")
        self.texts[node.name] = Text(name)

    def used(self, name: str) -> None:
        """One reader less: a variable that has none left is free. An expression passes its own readings on later."""
        self.uses[name] = self.uses.get(name, 0) - 1

    def variable(self, node: Node) -> str:
        """`x` where nothing reads the last one any more, else a name of its own."""
        taken = {name for value, name in self.live.items() if self.is_read(value, name)}
        hint = node.stack[-1].path.rpartition(".")[2] if node.stack else ""
        if "x" not in taken and not node.shapes:  # what is several tensors is never called so
            return "x"
        words = [hint] if hint.isidentifier() and not iskeyword(hint) and len(hint) < 8 else []
        for name in (*words, "y", "z", "u", "v", "w", *(f"v{i}" for i in range(1, 1000))):
            if name not in taken and name not in ("n", "self", "torch", "aten", "nn", "F"):
                return name
        raise AssertionError("a part has no thousand variables")

    def is_read(self, value: str, name: str) -> bool:
        """Whether a variable is still needed: by a value to come, or in an expression that is not written yet."""
        if self.uses.get(value, 0) > 0:
            return True
        waiting = (text.text for key, text in self.texts.items() if self.uses.get(key, 0) > 0 and key not in self.live)
        return any(name in words(text) for text in waiting)

    def attribute(self, path: str) -> str:
        """A name for what the class holds, that nothing else in it has."""
        name = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in path)
        name = name if name and not name[0].isdigit() and not iskeyword(name) else f"part_{name}"
        free, number = name, 2
        while free in self.attributes or free in RESERVED:
            free, number = f"{name}_{number}", number + 1
        self.attributes.add(free)
        return free

    # --- states --------------------------------------------------------------------------------

    def state(self, node: Node) -> Text:
        """A parameter, buffer or constant that the part holds."""
        state = node.state
        assert state is not None
        if not (state.trained or state.kept) and (each := self.for_images(node, state)) is not None:
            return each
        key = state.name if state.trained or state.kept else f"constant {node.name}"
        if key not in self.names:
            hold = self.held if state.trained or state.kept else self.constant
            self.names[key] = f"self.{hold(node, state)}"
        return Text(self.names[key])

    def for_images(self, node: Node, state: State) -> Text | None:
        """A constant that is as large as the batch asks for, where its numbers are all one, or those of each image."""
        other = self.part.others.get(node.name)
        if other is None or other.shape == node.shape or len(state.numbers) != prod(node.shape):
            return None
        size = self.value(node.shape, other.shape).text
        if len(set(state.numbers)) == 1:
            kind = "" if node.dtype == "float32" else f", dtype=torch.{node.dtype}"
            return Text(f"x.new_full({size}, {state.numbers[0]!r}{kind})")
        one = of_one_image(state.numbers, node.shape, other.shape)
        if one is None:
            return None
        key = f"constant {node.name}"
        if key not in self.names:
            numbers, shape = one
            self.names[key] = f"self.{self.constant(replace(node, shape=shape), replace(state, numbers=numbers))}"
        return Text(f"{self.names[key]}.expand({size[1:-1]})")

    def held(self, node: Node, state: State) -> str:
        name = self.attribute(inner(state.name, self.part.path))
        shape = ", ".join(map(str, node.shape))
        self.states[f"{self.prefix}.{name}"] = state.name
        if state.trained:
            bias = ", bias=True" if state.name.endswith("bias") else ""
            self.made.append(f"        self.{name} = initial({shape}{bias})")
            self.trained += prod(node.shape)
            return name
        first = "ones" if name.endswith("var") else "zeros"
        size = f"({shape},)" if len(node.shape) == 1 else f"({shape})"
        dtype = "" if node.dtype == "float32" else f", dtype=torch.{node.dtype}"
        self.made.append(f'        self.register_buffer("{name}", torch.{first}({size}{dtype}))')
        beside = state.name.removesuffix("running_mean") + COUNTER
        if state.name.endswith("running_mean") and beside in self.part.held:
            counter = name.removesuffix("running_mean") + COUNTER
            self.made.append(f'        self.register_buffer("{counter}", torch.tensor(0))')
            self.states[f"{self.prefix}.{counter}"] = beside
            self.attributes.add(counter)
        return name

    def constant(self, node: Node, state: State) -> str:
        name = self.attribute("constant")
        if len(state.numbers) != prod(node.shape):
            raise CannotWrite(f"a constant of {prod(node.shape):,} numbers is too large to be written down", node)
        made = constant_text(state.numbers, node.shape, node.dtype)
        self.made.append(f'        self.register_buffer("{name}", {made}, persistent=False)')
        return name


@dataclass(frozen=True, slots=True)
class LayerCall:
    """One call of a layer: the nodes that it stands for, what it reads and gives; whether it gives several."""

    layer: Layer
    names: frozenset[str]
    reads: str
    gives: str
    several: bool


RESERVED: Final = frozenset(
    "forward train eval training module modules parameters buffers state_dict to type float double half apply children "
    "cuda cpu share_memory compile".split()
)
"""Attributes that a module has of its own."""


def words(text: str) -> set[str]:
    """The names in an expression."""
    return {*"".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()}


def inner(path: str, outer: str) -> str:
    """A path inside another, "" for itself."""
    if path == outer:
        return ""
    return path.removeprefix(f"{outer}.") if outer else path


def references(node: Node) -> Iterator[str]:
    """The values among a node's arguments, as often as they stand there."""
    for value in node.args.values():
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Ref):
                yield item.name


def cut(node: Node, args: Mapping[str, Text]) -> Text | None:
    """`x[:, 2:4]` and `x[:, 0]`; None along axes that are counted from the end."""
    dim = node["dim"]
    if not isinstance(dim, int) or not 0 <= dim <= 3:
        return None
    ahead = ":, " * dim
    if node.target == "aten.select":
        return Text(f"{args['self'].within(ATOM)}[{ahead}{args['index'].text}]")
    start, end = args["start"].text, args["end"].text
    begin = "" if start in ("None", "0") else start
    stop = "" if end == "None" or node["end"] == 2**63 - 1 else end
    step = "" if node["step"] in (None, 1) else f":{args['step'].text}"
    return Text(f"{args['self'].within(ATOM)}[{ahead}{begin}:{stop}{step}]")
