"""Modules that are no blocks: what they hold stands where they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from specc.importing.text.asking import is_layer
from specc.importing.text.modules import CONTAINERS
from specc.importing.text.tree import Body, Group, Step, groups, nodes, operands, steps


def opened_classes(root: Body, is_known: Callable[[Sequence[Group]], bool]) -> frozenset[str]:
    """The classes that are no blocks: a layer with its norm and activation, and a row of calls of one larger class,
    as a stage of a network is. A class stays that is called in a tensor's place."""
    found: dict[str, list[Group]] = {}
    for group in groups(root):
        found.setdefault(group.type, []).append(group)
    beside = {each.type for body in (root, *(g.body for g in groups(root))) for each in calls_beside(body)}
    small = {
        type
        for type, calls in found.items()
        if type not in beside
        and not any(g.parameters for g in calls)
        and all(is_small(g.body) for g in calls)
        and (all(len(g.body) < 4 for g in calls) or not is_known(calls))
    }
    return frozenset(small | {type for type, calls in found.items() if all(is_row(g.body, small) for g in calls)})


def calls_beside(body: Body) -> Iterator[Group]:
    """The modules that are called in a tensor's place."""
    for node in nodes(body):
        if isinstance(node, (Step, Group)):
            yield from (each for each in operands(node) if isinstance(each, Group))


def is_small(body: Body) -> bool:
    """Whether a body is at most one layer with what follows it."""
    words = [node.word for node in body if isinstance(node, Step) and not node.tensors]
    return len(words) == len(body) <= 4 and layer_count(body) <= 1


def is_row(body: Body, small: set[str]) -> bool:
    """Whether a body calls one class of several layers again and again, and has hardly a layer beside."""
    inside: Counter[str] = Counter()
    held: Counter[str] = Counter()
    total = layer_count(body)
    for group in called_in(body):
        count = layer_count(group.body)
        if count > 1 and group.type not in small:
            inside[group.type] += 1
            held[group.type] += count
    return any(inside[type] > 1 and held[type] >= total - 1 for type in inside)


def called_in(body: Body) -> Iterator[Group]:
    """The modules that a body calls one after another; containers are looked through."""
    for node in body:
        if isinstance(node, (Step, Group)):
            for each in (*operands(node), node):
                if isinstance(each, Group):
                    if each.type.startswith(CONTAINERS):
                        yield from called_in(each.body)
                    else:
                        yield each


def layer_count(body: Body) -> int:
    return sum(is_layer(step.word) for step in steps(body) if isinstance(step.word, str))
