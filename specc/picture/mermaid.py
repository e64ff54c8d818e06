"""A picture as Mermaid text, which many READMEs show."""

from __future__ import annotations

from collections.abc import Iterator

from specc.picture.blocks import blocks
from specc.picture.view import Picture

PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._,:+-=%/()×–−≥≤≠…→")


def mermaid(picture: Picture) -> str:
    """A flowchart: a subgraph for each lane, dashed arrows around what may be left out."""
    return "\n".join(lines(picture)) + "\n"


def lines(picture: Picture) -> Iterator[str]:
    groups, arrows = blocks(picture)
    yield "flowchart TB"
    yield '  n0(["input"])'
    for group in groups:
        yield f'  subgraph g{group.number}["{quoted(group.title)}"]'
        yield "    direction LR"
        for block in group.blocks:
            if not block.lines:
                yield f'    n{block.number}((" "))'
                continue
            text = "<br/>".join(map(quoted, filter(None, block.lines)))
            look = ":::absent" if not block.present else ":::may" if block.optional else ""
            yield f'    n{block.number}["{text}"]{look}'
        yield "  end"
    for arrow in arrows:
        if arrow.dashed:
            yield f'  n{arrow.source} -. "{quoted(arrow.label)}" .-> n{arrow.target}'
        else:
            yield f"  n{arrow.source} --> n{arrow.target}"
    yield "  classDef may stroke-dasharray: 5 3"
    yield "  classDef absent opacity:0.35,stroke-dasharray: 5 3"


def quoted(text: str) -> str:
    """Text between double quotes: all but plain characters by their numbers, so that nothing is Mermaid or HTML."""
    return "".join(c if c in PLAIN else f"#{ord(c) if c.isprintable() else 0xFFFD};" for c in text)
