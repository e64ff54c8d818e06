"""What the language has no word for: the smallest part around it that has one tensor in and one out stays what it is.

Such a part is one of the user's modules, or in a functional forward a run of calls. It becomes a class in a Python file
beside the spec, written from what was traced (`python.py`), which needs torch alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Final, TypeAlias

from specc.importing.layers import Layer
from specc.importing.python import CannotWrite, Code, Tensors, written
from specc.importing.recognise import Foreign, Recognition, common, refs
from specc.importing.sources import CannotImport
from specc.ops.module.rules import Module
from specc.traced.found import Found, Kind, Read
from specc.traced.graph import Frame, Node, Traced, Weight

KIND: Final = Module.kind
LONGEST_RUN: Final = 80
"""The most calls of a part that is no module of the user's and does not lie between two cuts of the network."""
NEAREST: Final = 12
"""Cuts on either side of a node that are tried."""
RUN: Final = "Part"
"""The class of a run of calls."""
LETTERS: Final[Mapping[Kind, str]] = {"map": "nchw", "tokens": "ntc", "vector": "nc"}


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

    @property
    def is_run(self) -> bool:
        return self.name == RUN


@dataclass(frozen=True, slots=True)
class Sides:
    """How a part stands in the network.

    read    what it reads, as ours; `before` turns that into what the trace has: `.permute(0, 2, 3, 1)`
    roles   how its result lies in the trace: `nchw`, `nhwc`, `ntc`, `tnc`, `nc`; `after` turns it into ours
    """

    read: Read
    before: str
    roles: str
    after: str


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What is known of the whole network where a part of it is kept.

    twin     the same network traced with another batch: where its numbers differ they count images
    layers   torch's layers in it, by their paths
    held     the names of the original's state: what stands there beside a norm's statistics is held, too
    """

    traced: Traced
    twin: Traced
    layers: Mapping[str, Layer] = field(default_factory=dict)
    held: Collection[str] = ()


Holds: TypeAlias = Callable[[Part, Sides, Code], bool]
"""Whether a part's class computes what the original does, by trying."""


def part_around(
    seen: Recognition, node: Node, around: Around, together: Sequence[str] = (), holds: Holds | None = None
) -> tuple[Part, Sides, Code]:
    """The smallest part around a node, and those that must stay with it, that can be a class.

    Raises CannotImport where there is none.
    """
    why: CannotWrite | None = None
    for part in candidates(around.traced, node):
        if not {*together} <= {other.name for other in part.nodes}:
            continue
        sides = sides_of(part, seen, around.twin)
        if sides is None:
            continue
        try:
            code = code_of(part, sides, around, holds)
        except CannotWrite as error:
            why = why or error
            continue
        if code is not None:
            return part, sides, code
    if why is not None:
        raise CannotImport(why.message, place=why.node.place)
    if together:
        raise CannotImport(
            f"weights are used {len(together)} times, in no part with one tensor in and one out: `{node.code}`",
            "give each use weights of its own, or put all uses into one module that takes a tensor and returns one",
            node.place,
        )
    raise CannotImport(
        f"no operator stands for {node.target}, in no part with one tensor in and one out: `{node.code}`",
        "put it into a module of its own that takes a tensor and returns one",
        node.place,
    )


# Which part


def candidates(traced: Traced, node: Node) -> Iterator[Part]:
    """Parts around a node, the smallest first: modules, then runs of calls, then what lies between two cuts."""
    computed = live(traced)
    modules = [
        part
        for frame in reversed(node.stack[1:])
        if (part := closed(traced, [other for other in computed if frame in other.stack], frame)) is not None
    ]
    if len(modules) > 1 and is_all_of(modules[1], modules[0], traced):
        modules.pop(0)
    yield from modules
    if node not in computed:
        return
    at = computed.index(node)
    frame = replace(node.stack[-1], type=RUN) if node.stack else Frame("", RUN)
    for length in range(1, min(LONGEST_RUN, len(computed)) + 1):
        for begin in range(max(0, at - length + 1), min(at, len(computed) - length) + 1):
            part = closed(traced, computed[begin : begin + length], frame)
            if part is not None:
                yield part
    for begin, end in between_cuts(traced, computed, at):
        if end - begin > LONGEST_RUN:
            part = closed(traced, computed[begin:end], Frame("", RUN))
            if part is not None:
                yield part


def is_all_of(outer: Part, layer: Part, traced: Traced) -> bool:
    """Whether a layer of torch is the only one with weights of a user's module, which then says more than the layer."""
    frames = {frame.path: frame.type for node in layer.nodes for frame in node.stack}
    if not frames[layer.path].startswith("torch.nn.") or frames[outer.path].startswith("torch.nn."):
        return False
    table = {node.name: node for node in traced.nodes}

    def weights(part: Part) -> set[str]:
        states = (table[ref.name].state for node in part.nodes for ref in refs(node))
        return {state.name for state in states if state is not None and (state.trained or state.kept)}

    return weights(outer) == weights(layer)


def live(traced: Traced) -> list[Node]:
    """What is computed of the input on the way to the output, in order."""
    table = {node.name: node for node in traced.nodes}
    wanted, waiting = {traced.output}, [traced.output]
    while waiting:
        for ref in refs(table[waiting.pop()]):
            if ref.name not in wanted:
                wanted.add(ref.name)
                waiting.append(ref.name)
    return [n for n in traced.nodes if n.name in wanted and n.state is None and n.target != "input"]


def between_cuts(traced: Traced, computed: Sequence[Node], at: int) -> list[tuple[int, int]]:
    """Stretches of calls around one, from one place where a single tensor is alive to another; the shortest first."""
    place = {node.name: i for i, node in enumerate(computed)} | dict.fromkeys(traced.inputs, -1)
    last: dict[str, int] = {}
    for i, node in enumerate(computed):
        last |= {ref.name: i for ref in refs(node) if ref.name in place}
    last[traced.output] = len(computed)
    change = [0] * (len(computed) + 1)
    for name, end in last.items():
        change[place[name] + 1] += 1
        if end + 1 < len(change):
            change[end + 1] -= 1
    alive = [*accumulate(change)]  # before each call, and behind the last
    cuts = [i for i, count in enumerate(alive) if count == 1]
    ahead, behind = [i for i in cuts if i <= at][-NEAREST:], [i for i in cuts if i > at][:NEAREST]
    if cuts and cuts[0] <= at:
        ahead = [cuts[0], *ahead] if cuts[0] not in ahead else ahead
    if behind and cuts[-1] not in behind:
        behind.append(cuts[-1])
    return sorted(((b, e) for b in ahead for e in behind), key=lambda pair: pair[1] - pair[0])


def closed(traced: Traced, inside: Sequence[Node], frame: Frame) -> Part | None:
    """The nodes as a part, if they read one tensor from outside and one of theirs is read there."""
    names = {node.name for node in inside}
    table = {node.name: node for node in traced.nodes}
    read = {
        ref.name for node in inside for ref in refs(node) if ref.name not in names and table[ref.name].state is None
    }
    given = {ref.name for node in live(traced) if node.name not in names for ref in refs(node) if ref.name in names}
    given |= {traced.output} & names
    if len(read) != 1 or len(given) != 1 or any(table[name].shapes for name in given):
        return None
    name = frame.type.rpartition(".")[2]
    return Part(frame.path, name, frame.call, tuple(inside), read.pop(), given.pop())


def joined(one: Part, other: Part, traced: Traced) -> Part | None:
    """Two runs of calls of which the second reads what the first gives, as one; None where they are not that."""
    if not (one.is_run and other.is_run and other.read == one.result and one.path == other.path):
        return None
    made = closed(traced, (*one.nodes, *other.nodes), Frame(one.path, RUN, one.call))
    return made if made is not None and made.read == one.read and made.result == other.result else None


# How it stands in the network


def sides_of(part: Part, seen: Recognition, twin: Traced) -> Sides | None:
    """None where it reads what is no tensor of ours, or gives none that could be."""
    view = seen.views.get(part.read)
    read = None if view is None else seen.read_by_part(view)
    if read is None:
        return None
    before = arranged_as(read)
    roles = result_roles(part, read.lies, seen, twin)
    if before is None or roles is None:
        return None
    after = {"nhwc": ".permute(0, 3, 1, 2)", "tnc": ".transpose(0, 1)", "cn": ".t()"}.get(roles, "")
    return Sides(read, before, roles, after)


def arranged_as(read: Read) -> str | None:
    """What turns a tensor in the language's order into what the trace has; None where it is cut or shuffled, too."""
    letters = LETTERS[read.kind]
    sizes = dict(zip(letters.replace("n", ""), sizes_of(read), strict=True))
    text = ""
    for i in range(len(letters) - 1, 0, -1):
        if sizes[letters[i]] == 1:
            text = f"{text}.squeeze({i})"
            letters = letters[:i] + letters[i + 1 :]
    wanted = read.lies.replace(".", "")
    if "hw" in letters and "t" in wanted:
        at = letters.index("hw")
        text, letters = f"{text}.flatten({at})", letters.replace("hw", "t")
    if "t" in letters and {"h", "w"} <= {*wanted}:
        at = letters.index("t")
        height, width = (read.view.shape[read.lies.index(letter)] for letter in "hw")
        text, letters = f"{text}.unflatten({at}, ({height}, {width}))", letters.replace("t", "hw")
    if sorted(wanted) != sorted(letters):
        return None
    if wanted != letters:
        text += f".permute({', '.join(str(letters.index(letter)) for letter in wanted)})"
    return text + "".join(f".unsqueeze({i})" for i, letter in enumerate(read.lies) if letter == ".")


def sizes_of(read: Read) -> tuple[int, ...]:
    """In the language's order, without the batch."""
    return (*read.space, read.channels) if read.kind == "tokens" else (read.channels, *read.space)


def result_roles(part: Part, lies: str, seen: Recognition, twin: Traced) -> str | None:
    """How a part's result lies; None where no axis counts images alone, or the others are no tensor of ours."""
    node = seen.nodes[part.result]
    other = next((o for o in twin.nodes if o.name == node.name), None)
    if other is None or len(other.shape) != len(node.shape):
        return None
    images = [i for i, (a, b) in enumerate(zip(node.shape, other.shape, strict=True)) if a != b]
    if len(images) != 1 or (node.shape[images[0]], other.shape[images[0]]) != (seen.batch, twin.batch):
        return None
    at = images[0]
    match len(node.shape):
        case 2:
            return ("nc", "cn")[at]
        case 3:
            return ("ntc", "tnc", None)[at]
        case 4:
            return map_roles(part, lies, seen.nodes) if at == 0 else None
    return None


def map_roles(part: Part, lies: str, table: Mapping[str, Node]) -> str:
    """`nchw` or `nhwc`: as the last of a part's calls that tells leaves its result, else as what it reads lies."""
    node = table[part.result]
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


# Its class


def code_of(part: Part, sides: Sides, around: Around, holds: Holds | None) -> Code | None:
    """The class of a part, as a person would write it, else as it was traced; None where neither computes the same.

    Raises CannotWrite where it has no class at all.
    """
    others = {node.name: node for node in around.twin.nodes}
    table = {node.name: node for node in around.traced.nodes}
    tensors = Tensors(
        part.nodes,
        part.read,
        part.result,
        others,
        around.traced.batch,
        around.twin.batch,
        table,
        part.path,
        around.layers,
        around.held,
    )
    for plain in (False, True):
        code = written(tensors, sides.before, sides.after, KIND, plain)
        if holds is None or holds(part, sides, code):
            return code
    return None


def class_name(part: Part) -> str:
    """The user's class; a run of calls is named after them, or where they are many after the class that they are in."""
    if not part.is_run:
        return part.name
    calls = dict.fromkeys(node.target.rpartition(".")[2].title().replace("_", "") for node in part.nodes)
    calls.pop("Item", None)
    words = [*calls]
    if len(words) <= 3:
        return "".join(words)
    around = common([node.stack for node in part.nodes])
    kind = around[-1].type.rpartition(".")[2] if around else ""
    return f"{kind}{RUN}" if kind.isidentifier() else RUN


HEAD: Final = '''"""Parts of {name} that the language of specc has no word for, as `specc import` traced them."""

from __future__ import annotations
{imports}'''
CONSTANT: Final = '''

def constant(text: str, dtype: torch.dtype, *shape: int) -> Tensor:
    """A tensor of numbers in double precision, row by row."""
    data = bytearray(zlib.decompress(base64.b85decode(text)))
    return torch.frombuffer(data, dtype=torch.float64).to(dtype).reshape(shape)
'''
INITIAL: Final = '''

def initial(*shape: int, bias: bool = False) -> nn.Parameter:
    """A parameter's first values."""
    if bias:
        return nn.Parameter(torch.zeros(shape))
    return nn.Parameter(torch.ones(shape) if len(shape) < 2 else nn.init.trunc_normal_(torch.empty(shape), std=0.02))
'''
DROP_IMAGES: Final = '''

def drop_images(x: Tensor, rate: float, training: bool) -> Tensor:
    """Zeroes whole images in training, and scales the others up."""
    if not training:
        return x
    keep = x.new_empty(len(x), *[1] * (x.dim() - 1)).bernoulli_(1 - rate)
    return x * keep / (1 - rate)
'''


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

    def forget(self, names: Collection[str]) -> None:
        """Classes that nothing calls any more give their names back."""
        self.classes = {body: name for body, name in self.classes.items() if name not in names}

    def text(self, called: Collection[str] | None = None) -> str:
        """The whole file, or that of the classes that are called."""
        kept = {body: name for body, name in self.classes.items() if called is None or name in called}
        return file_text(self.network, kept) if kept else ""


def file_text(network: str, classes: Mapping[str, str]) -> str:
    """A file of classes, by their bodies, with what they use."""
    bodies = "".join(classes)
    helpers = [
        text
        for word, text in (("constant(", CONSTANT), ("initial(", INITIAL), ("drop_images(", DROP_IMAGES))
        if word in bodies
    ]
    standard = "\nimport base64\nimport zlib\n" if CONSTANT in helpers else ""
    used = "".join((bodies, *helpers))
    functional = "import torch.nn.functional as F\n" if "F." in bodies else ""
    torch = "import torch\n" if "torch." in used or "aten." in bodies else ""
    imports = f"{standard}\n{torch}{functional}from torch import Tensor, nn\n"
    if "aten." in bodies:
        imports += "\naten = torch.ops.aten\n"
    parts = [f"\n\nclass {name}(nn.Module):\n{body}" for body, name in classes.items()]
    return HEAD.format(name=network, imports=imports) + "".join((*helpers, *parts))


def foreign_of(part: Part, sides: Sides, code: Code, name: str, path: str, seen: Recognition, macs: int) -> Foreign:
    """How a part is called in the spec."""
    read = sides.read
    kind, size = given(sides.roles, seen.nodes[part.result].shape)
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
    weights = {ours: Weight((theirs,)) for ours, theirs in code.states.items()}
    found = Found(KIND, (), parameters, weights, nodes=part.nodes)
    names = tuple(node.name for node in part.nodes)
    return Foreign(part.path, part.call, names, part.read, part.result, found, sides.roles)


def given(roles: str, shape: tuple[int, ...]) -> tuple[Kind, tuple[int, ...]]:
    """What a part gives: its kind, and channels with height and width or tokens."""
    sizes = dict(zip(roles, shape, strict=True))
    if "h" in sizes:
        return "map", (sizes["c"], sizes["h"], sizes["w"])
    return ("tokens", (sizes["c"], sizes["t"])) if "t" in sizes else ("vector", (sizes["c"],))
