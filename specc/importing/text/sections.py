"""Which statements are the stem, the stages and the head.

Blocks - calls with several layers in them - make the stages: those of one container are a stage, and where blocks stand
side by side a stage begins with a block that changes the shape. What leads from one stage to the next begins the next.
Where there are no blocks, a stage begins where the size of the map changes.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from specc.importing.text.asking import is_layer
from specc.importing.text.naming import legal, reserved
from specc.importing.text.solve import Block
from specc.importing.text.stack import is_block
from specc.importing.text.tree import Body, Node, Operand, Residual, Step, bare, nodes, operands

DOMINANT = 0.6
"""The share of a network that a container holds which is no stage, but all of them."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the network; `name` is "" for a stage whose module has no name to speak of."""

    kind: str
    name: str
    body: Body


@dataclass(frozen=True, slots=True)
class Unit:
    """Statements that stay together: those of one container, or one."""

    container: str
    body: Body
    is_stage: bool


def sections(root: Body, blocks: Sequence[Block]) -> tuple[Section, ...]:
    """The stem, the stages and the head of a network's statements."""
    trunk = dominant(root, blocks)
    units = list(parted(root, trunk, blocks))
    staged = [number for number, unit in enumerate(units) if unit.is_stage]
    if not staged:
        return flat(root, trunk, blocks)
    first, last = staged[0], staged[-1]
    ahead = tuple(node for unit in units[:first] for node in unit.body)
    behind = tuple(node for unit in units[last + 1 :] for node in unit.body)
    stages = stages_of(units[first : last + 1])
    if not behind:
        stages, behind = without_last(stages)
    made = [Section("stem", "", ahead)] if ahead else []
    return (*made, *stages, Section("head", "", behind))


def without_last(stages: list[Section]) -> tuple[list[Section], Body]:
    """The stages without the last statement, which then is the head."""
    *others, last = stages
    rest = last.body[:-1]
    return ([*others, Section(last.kind, last.name, rest)] if rest else others), last.body[-1:]


def dominant(root: Body, blocks: Sequence[Block]) -> str:
    """The path of the container that holds most of the network, where that is one."""
    total = sum(size(node, blocks) for node in root)
    path = ""
    while True:
        sizes: dict[str, int] = {}
        for node in root:
            inner = below(place(node), path)
            if inner is not None and "." in inner:
                head = inner.split(".")[0]
                sizes[head] = sizes.get(head, 0) + size(node, blocks)
        best = max(sizes, key=lambda name: sizes[name], default="")
        if not best or sizes[best] < DOMINANT * total:
            return path
        longer = f"{path}.{best}" if path else best
        inside = {(below(place(node), longer) or "").split(".")[0] for node in root if below(place(node), longer)}
        if len(inside) < 2:
            return path
        path = longer


def below(path: str, outer: str) -> str | None:
    """A path inside another; None where it is not inside."""
    if not outer:
        return path
    return path[len(outer) + 1 :] if path.startswith(f"{outer}.") else None


def place(node: Node) -> str:
    """The module that a statement stands in."""
    match node:
        case Step():
            if node.place or not node.tensors:
                return node.place
            inside = [place(each) for each in node.tensors if isinstance(each, Step)]
            return inside[0].rpartition(".")[0] if inside else ""
        case Residual():
            return place(node.body[0]).rpartition(".")[0]
    return ""


def parted(root: Body, trunk: str, blocks: Sequence[Block]) -> list[Unit]:
    made: list[Unit] = []
    inside = [below(place(node), trunk) or "" for node in root]
    containers = {path.split(".")[0] for path in inside if "." in path}
    for node, inner in zip(root, inside, strict=True):
        container = inner.split(".")[0] if inner.split(".")[0] in containers else ""
        stage = is_stage(node, blocks)
        last = made[-1] if made else None
        if last is not None and container and container == last.container:
            made[-1] = Unit(container, (*last.body, node), last.is_stage or stage)
        else:
            made.append(Unit(container, (node,), stage))
    return made


def stages_of(units: Sequence[Unit]) -> list[Section]:
    """Stages of units, from the first to the last that holds a block. Equal containers of a list are one stage."""
    cut_channels = cuts_by_channels(units)
    made: list[Section] = []
    waiting: list[Node] = []
    alone = False
    before: tuple[int, ...] = ()
    previous: Body = ()
    for unit in units:
        if not unit.is_stage:
            waiting += unit.body
            continue
        shape = shape_of(unit.body[-1])
        changed = shape != before if cut_channels else shape[1:] != before[1:]
        name = legal(unit.container)
        again = not name and not waiting and tuple(map(bare, unit.body)) == previous
        previous = tuple(map(bare, unit.body))
        if not again and (unit.container or not alone or changed or not made):
            made.append(Section("stage", "" if reserved(name) else name, (*waiting, *unit.body)))
        else:
            last = made[-1]
            made[-1] = Section("stage", last.name, (*last.body, *waiting, *unit.body))
        waiting, before, alone = [], shape, not unit.container
    return made


def cuts_by_channels(units: Sequence[Unit]) -> bool:
    """Whether blocks that change the channels alone begin stages, too: not where every second one does."""
    alone = [shape_of(unit.body[-1]) for unit in units if unit.is_stage and not unit.container]
    changes = sum(left != right for left, right in itertools.pairwise(alone))
    return changes <= 0.6 * len(alone)


def flat(root: Body, trunk: str, blocks: Sequence[Block]) -> tuple[Section, ...]:
    """Sections of a network without blocks: the head is what works on vectors, and what stands outside the container
    of everything before it."""
    begin = len(root)
    while begin > 1 and len(shape_of(root[begin - 1])) == 1:
        begin -= 1
    while 1 < begin < len(root) and trunk and below(place(root[begin - 1]), trunk) is None:
        begin -= 1
    if begin == len(root):
        begin -= 1
    made: list[Section] = []
    body: list[Node] = []
    before: tuple[int, ...] = ()
    for node in root[:begin]:
        shape = shape_of(node)
        if body and before and shape[1:] != before[1:] and has_layer(node, blocks):
            made.append(Section("stage", "", tuple(body)))
            body = []
        body.append(node)
        before = shape
        if (
            isinstance(node, Step)
            and not has_layer(node, blocks)
            and len(body) > 1
            and shape[1:] != shape_of(body[-2])[1:]
        ):
            made.append(Section("stage", "", tuple(body)))
            body, before = [], ()
    if body:
        made.append(Section("stage", "", tuple(body)))
    return (*made, Section("head", "", root[begin:]))


def is_stage(node: Node, blocks: Sequence[Block]) -> bool:
    """Whether a statement holds several layers, or a residual."""
    return layers((node,), blocks) > 1 or has_residual((node,), blocks)


def has_residual(body: Body, blocks: Sequence[Block]) -> bool:
    inside = [node.word for node in nodes(body) if isinstance(node, Step)]
    called = [blocks[int(str(word)[1:])].body for word in inside if is_block(word)]
    return any(isinstance(node, Residual) for node in nodes(body)) or any(has_residual(b, blocks) for b in called)


def layers(body: Body, blocks: Sequence[Block]) -> int:
    count = 0
    for node in nodes(body):
        if isinstance(node, Step):
            count += sum(layers_of(operand, blocks) for operand in (*operands(node), node))
    return count


def layers_of(operand: Operand | Step, blocks: Sequence[Block]) -> int:
    if not isinstance(operand, Step) or not isinstance(operand.word, str):
        return 0
    if is_block(operand.word):
        block = blocks[int(operand.word[1:])]
        return block.size[1] if block.home else layers(block.body, blocks)
    return int(is_layer(operand.word))


def has_layer(node: Node, blocks: Sequence[Block]) -> bool:
    return layers((node,), blocks) > 0


def size(node: Node, blocks: Sequence[Block]) -> int:
    """How many operations a statement stands for; those of the blocks that it calls count."""
    count = 0
    for inside in nodes((node,)):
        if isinstance(inside, Step):
            for each in (*operands(inside), inside):
                if isinstance(each, Step):
                    block = blocks[int(str(each.word)[1:])] if is_block(each.word) else None
                    count += 1 if block is None else block.size[0] or sum(size(n, blocks) for n in block.body)
    return count


def shape_of(node: Node) -> tuple[int, ...]:
    return node.shape if isinstance(node, (Step, Residual)) else ()
