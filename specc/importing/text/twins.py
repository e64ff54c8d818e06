"""Blocks of equal text, which came from modules of different classes, become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from specc.importing.text.solve import Block
from specc.importing.text.tree import Body, Node, Operand, Repeat, Residual, Step, When, bare


def without_twins(root: Body, blocks: Sequence[Block]) -> tuple[Body, list[Block]]:
    """The network and its blocks, where calls of all blocks of one text are calls of the first. Those that nothing
    calls any more stay in the list, which is counted by."""
    firsts: dict[object, str] = {}
    instead: dict[str, str] = {}
    kept: list[Block] = []
    for number, block in enumerate(blocks):
        block = replace(block, body=renamed(block.body, instead))
        word = f"@{number}"
        if not block.home:
            text = (block.parameters, block.tensors, tuple(map(bare, block.body)))
            instead[word] = firsts.setdefault(text, word)
        kept.append(block)
    return renamed(root, instead), kept


def renamed(body: Body, words: Mapping[str, str]) -> Body:
    """A body with other words."""

    def call(step: Step) -> Step:
        word = words.get(step.word, step.word) if isinstance(step.word, str) else step.word
        return replace(step, word=word, tensors=tuple(map(operand, step.tensors)), source=operand(step.source))

    def operand(each: Operand) -> Operand:
        return call(each) if isinstance(each, Step) else each

    def statement(node: Node) -> Node:
        match node:
            case Step():
                return call(node)
            case Residual():
                return replace(node, body=renamed(node.body, words), shortcut=renamed(node.shortcut, words))
            case When() | Repeat():
                return replace(node, body=renamed(node.body, words))
        return node

    return tuple(map(statement, body))
