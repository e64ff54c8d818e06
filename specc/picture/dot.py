"""A picture as DOT text for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from specc.picture.blocks import blocks
from specc.picture.view import Picture


def dot(picture: Picture) -> str:
    """A directed graph: a cluster for each lane, dashed edges around what may be left out."""
    return "\n".join(lines(picture)) + "\n"


def lines(picture: Picture) -> Iterator[str]:
    groups, arrows = blocks(picture)
    yield f"digraph {quoted(picture.name)} {{"
    yield '  rankdir=TB; fontname="Helvetica"; fontsize=11'
    yield '  node [shape=box, style="rounded,filled", fillcolor="#f4f6f8", fontname="Helvetica", fontsize=10]'
    yield '  edge [color="#7b8794", fontname="Helvetica", fontsize=9]'
    yield '  n0 [label="input", shape=plaintext, style=""]'
    for group in groups:
        yield f"  subgraph cluster_{group.number} {{"
        yield f'    label={quoted(group.title)}; labeljust=l; color="#c3ccd5"'
        for block in group.blocks:
            if not block.lines:
                yield f"    n{block.number} [shape=point]"
                continue
            style = ', style="rounded,dashed"' if block.optional else ""
            color = ', fontcolor="#aaaaaa"' if not block.present else ""
            yield f"    n{block.number} [label={quoted(*filter(None, block.lines))}{style}{color}]"
        yield "  }"
    for arrow in arrows:
        look = f" [label={quoted(arrow.label)}, style=dashed, constraint=false]" if arrow.dashed else ""
        yield f"  n{arrow.source} -> n{arrow.target}{look}"
    yield "}"


def quoted(*parts: str) -> str:
    """Lines of text between double quotes, where a backslash and a quote stand for themselves."""
    texts = ("".join(c if c.isprintable() else "\ufffd" for c in part) for part in parts)
    return '"' + "\\n".join(t.replace("\\", "\\\\").replace('"', '\\"') for t in texts) + '"'
