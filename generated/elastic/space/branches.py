"""Sums of parallel linear branches among the steps of a sub-network: which are one convolution where it is deployed.

What `specc.runtime.net.branches` does to a traced network, done to the graph: for counting without PyTorch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from elastic.net.windows import Linear, Window, window_of
from elastic.space.steps import Step, viewed

Way: TypeAlias = tuple[str, Linear]
"""The tensor that a linear way starts from, and the way; its layers are named by the tensors that they write."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A convolution that stands for branches: the one among them whose place it takes, the branches, its window."""

    main: str
    way: Linear
    window: Window


@dataclass(frozen=True, slots=True)
class Sum:
    """A sum whose first `count` terms are one convolution."""

    source: str
    way: Linear
    count: int


def merge_branches(
    steps: Sequence[Step], prediction: str, views: Mapping[str, str]
) -> tuple[list[Step], dict[str, Merged]]:
    """The steps with one convolution for each such sum, and what these are, by the tensor they write."""
    see = viewed(views)
    readers = Counter(name for step in steps for name in {see(read) for read in step.reads})
    readers[see(prediction)] += 1
    windows = {step.writes[0]: step.window for step in steps if step.window is not None}
    ways: dict[str, Way] = {}
    sums: dict[str, Sum] = {}
    for step in steps:
        out = step.writes[0]
        reads = [see(name) for name in step.reads]
        if step.sums:
            own = {name: ways[name] for name in reads if name in ways and readers[name] == 1}
            found = prefix(reads, own, windows.get)
            if found is not None:
                sums[out] = found
                if found.count == len(reads):
                    ways[out] = found.source, found.way
        elif step.window is not None:
            ways[out] = reads[0], Linear(conv=out)
        elif len(reads) == 1 and (step.role == "folds" or step.rests):
            before = reads[0]
            known = before in ways and readers[before] == 1
            source, way = ways[before] if known else (before, Linear())
            if step.rests:
                ways[out] = source, way
            else:
                ways[out] = (
                    (before, Linear(norm=out)) if way.norm else (source, replace(way, norm=out))
                )
    return replaced(steps, sums, windows, see)


def prefix(
    reads: Sequence[str], own: Mapping[str, Way], window: Callable[[str], Window | None]
) -> Sum | None:
    """The longest beginning of a sum that is one linear way."""
    found: Sum | None = None
    if len(set(reads)) < len(reads):
        return None
    for count in range(2, len(reads) + 1):
        first = (found.source, found.way) if found is not None else own.get(reads[0])
        second = own.get(reads[count - 1])
        for source in dict.fromkeys(way[0] for way in (first, second) if way is not None):
            left = of(first, reads[0] if found is None else "", source)
            right = of(second, reads[count - 1], source)
            if left is None or right is None:
                continue
            way = Linear(parts=(*parts_of(left), *parts_of(right)))
            if not way.convs() or window_of(way, window) is not None:
                found = Sum(source, way, count)
                break
        else:
            return found
    return found


def of(way: Way | None, name: str, source: str) -> Linear | None:
    """A term of a sum as a way from `source`: the identity where it is that tensor."""
    if name == source:
        return Linear()
    return way[1] if way is not None and way[0] == source else None


def parts_of(way: Linear) -> tuple[Linear, ...]:
    """The terms of a sum that no norm follows; any other way as it is."""
    return way.parts if way.parts and not way.norm else (way,)


def replaced(
    steps: Sequence[Step],
    sums: Mapping[str, Sum],
    windows: Mapping[str, Window],
    see: Callable[[str], str],
) -> tuple[list[Step], dict[str, Merged]]:
    """The steps with the outermost of the sums as convolutions, each where its largest convolution stood."""
    makers = {name: step for step in steps for name in step.writes}
    gone: set[str] = set()
    instead: dict[str, Step] = {}
    merged: dict[str, Merged] = {}
    for out, found in reversed([*sums.items()]):
        convs = found.way.convs()
        if out in gone or not convs:
            continue
        main = max(convs, key=lambda name: taps(windows[name]))
        step = makers[out]
        waiting = [see(name) for name in step.reads[: found.count]]
        while waiting:
            name = waiting.pop()
            if name != found.source:
                gone.add(name)
                waiting.extend(see(read) for read in makers[name].reads)
        whole = found.count == len(step.reads)
        written = out if whole else main
        instead[main] = replace(
            step, reads=(found.source,), writes=(written,), role="own", absorbs=True, sums=False
        )
        if whole:
            gone.add(out)
        else:
            instead[out] = replace(step, reads=(main, *step.reads[found.count :]))
        window = window_of(found.way, windows.get)
        assert window is not None
        merged[written] = Merged(main, found.way, window)
    left = [step for step in steps if step.writes[0] not in gone or step.writes[0] in instead]
    return [instead.get(step.writes[0], step) for step in left], merged


def taps(window: Window) -> int:
    return window.kernel[0] * window.kernel[1]
