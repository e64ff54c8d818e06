"""Blocks that say less by their name than by their statements are written out where they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from specc.importing.text.solve import Block
from specc.importing.text.stack import is_block
from specc.importing.text.terms import IN, Term, evaluated, names_in
from specc.importing.text.tree import (
    HERE,
    Argument,
    Body,
    Let,
    Node,
    Operand,
    Ref,
    Repeat,
    Residual,
    Step,
    When,
    leaves,
    nodes,
    operands,
)

SMALL = 6
"""Calls of a block that is written out where it is called at one place."""


def called(body: Body) -> list[tuple[Step, bool]]:
    """Every call of a body, and whether it stands in a tensor's place."""
    found: list[tuple[Step, bool]] = []

    def look(step: Step, inside: bool) -> None:
        for operand in operands(step):
            if isinstance(operand, Step):
                look(operand, True)
        found.append((step, inside))

    for node in nodes(body):
        if isinstance(node, Step):
            look(node, False)
    return found


def written_out(parts: list[Body], blocks: list[Block]) -> tuple[list[Body], list[Block]]:
    """The network and its blocks, of which those that are not worth a name are only called where nothing else may
    stand. Blocks that nothing calls any more stay in the list."""
    for number in range(len(blocks) - 1, -1, -1):
        word = f"@{number}"
        sites = [site for body in (*parts, *(b.body for b in blocks)) for site in called(body) if site[0].word == word]
        if not sites or blocks[number].home or not is_small(blocks[number], [inside for _, inside in sites]):
            continue
        if all(may_open(blocks[number], step, inside) for step, inside in sites):
            parts = [opened(body, word, blocks[number]) for body in parts]
            blocks = [replace(b, body=opened(b.body, word, blocks[number])) for b in blocks]
    return parts, blocks


def is_small(block: Block, inside: list[bool]) -> bool:
    """Whether a block takes less room written out than called at so many places."""
    size = leaves(block.body)
    if size == 1:
        return True
    if any(inside):
        return False
    body = sum(2 + len(step.args) / 2 for step, _ in called(block.body))
    call = 1 + len(block.parameters)
    sites = len(inside)
    if sites == 1:
        return size <= SMALL
    return sites * call + body + 6 >= 0.75 * sites * body


def may_open(block: Block, step: Step, inside: bool) -> bool:
    """Whether the statements of a block mean the same instead of a call."""
    if block.tensors or any(isinstance(node, Let) for node in nodes(block.body)):
        return False
    if any(s.results or any(isinstance(o, Ref) for o in operands(s)) for s, _ in called(block.body)):
        return False
    first, last = block.body[0], block.body[-1]
    if inside and (len(block.body) > 1 or not isinstance(first, Step)):
        return False
    if step.source != HERE and not (isinstance(first, Step) and first.source == HERE and not first.tensors):
        return False
    if step.results and not isinstance(last, Step):
        return False
    late = {name for node in block.body[1:] for name in read_in((node,))}
    if any(IN.name in names_in(value) and name in late for name, value in step.args):
        return False
    opened_body = substituted(block.body, dict(step.args))
    return not any(IN.name in names_in(condition) for condition in conditions_of(opened_body))


def conditions_of(body: Body) -> list[object]:
    found: list[object] = []
    for node in nodes(body):
        if isinstance(node, When):
            found.append(node.condition)
        elif isinstance(node, Residual):
            found += [node.adds, node.shortcut_if]
    return found


def read_in(body: Body) -> set[str]:
    """The names that the arguments and conditions of a body read."""
    found: set[str] = set()
    for step, _ in called(body):
        for value in (step.word, *(value for _, value in step.args)):
            found |= names_in(value)
    for condition in conditions_of(body):
        found |= names_in(condition)
    return found


def opened(body: Body, word: str, block: Block) -> Body:
    """A body with the statements of a block instead of its calls."""

    def statement(node: Node) -> list[Node]:
        match node:
            case Step():
                if node.word == word:
                    return written(node)
                return [call(node)]
            case Residual():
                return [replace(node, body=all_of(node.body), shortcut=all_of(node.shortcut))]
            case When() | Repeat():
                return [replace(node, body=all_of(node.body))]
        return [node]

    def written(step: Step) -> list[Node]:
        made = list(substituted(block.body, dict(step.args), step.place))
        source = operand(step.source)
        if source != HERE:
            assert isinstance(made[0], Step)
            made[0] = replace(made[0], source=source)
        if step.results:
            assert isinstance(made[-1], Step)
            made[-1] = replace(made[-1], results=step.results)
        if made and step.shape and isinstance(made[-1], (Step, Residual)):
            made[-1] = replace(made[-1], shape=step.shape)
        return made

    def call(node: Step) -> Step:
        return replace(node, tensors=tuple(map(operand, node.tensors)), source=operand(node.source))

    def operand(each: Operand) -> Operand:
        if isinstance(each, Step) and each.word == word:
            made = written(each)[0]
            assert isinstance(made, Step)
            return made
        return call(each) if isinstance(each, Step) else each

    def all_of(inside: Body) -> Body:
        return tuple(made for node in inside for made in statement(node))

    return all_of(body)


def substituted(body: Body, values: Mapping[str, object], place: str = "") -> Body:
    """A block's statements with arguments instead of its parameters; what a condition settles is gone."""

    def statement(node: Node) -> list[Node]:
        match node:
            case Step():
                return [call(node)]
            case Residual():
                adds, shortcut_if = evaluated(node.adds, values), evaluated(node.shortcut_if, values)
                inside = all_of(node.body)
                if adds is False:
                    return list(inside)
                shortcut = () if shortcut_if is False else all_of(node.shortcut)
                conditions = cast(Argument, adds), cast(Argument, shortcut_if)
                return [replace(node, body=inside, shortcut=shortcut, adds=conditions[0], shortcut_if=conditions[1])]
            case When():
                condition = evaluated(node.condition, values)
                if isinstance(condition, bool):
                    return list(all_of(node.body)) if condition else []
                return [replace(node, condition=cast(Argument, condition), body=all_of(node.body))]
            case Repeat():
                return [replace(node, body=all_of(node.body))]
        return [node]

    def call(step: Step) -> Step:
        args = tuple((name, cast(Argument, evaluated(value, values))) for name, value in step.args)
        inner = ".".join(part for part in (place, step.place) if part)
        return replace(
            step,
            word=cast("str | Term", evaluated(step.word, values)),
            args=args,
            tensors=tuple(map(operand, step.tensors)),
            source=operand(step.source),
            place=inner,
        )

    def operand(each: Operand) -> Operand:
        return call(each) if isinstance(each, Step) else each

    def all_of(inside: Body) -> Body:
        return tuple(made for node in inside for made in statement(node))

    return all_of(body)


def used(parts: list[Body], blocks: list[Block]) -> Counter[str]:
    """How many places of the text call each block that is reached from the network."""
    counts: Counter[str] = Counter()
    ahead, seen = list(parts), set[str]()
    while ahead:
        for step, _ in called(ahead.pop()):
            if is_block(step.word):
                word = str(step.word)
                counts[word] += 1
                if word not in seen:
                    seen.add(word)
                    ahead.append(blocks[int(word[1:])].body)
    return counts
