"""`Network` to `Written`: the whole writer on one page.

structure  statements by dominance and module stack
blocks     modules of one class on each other, as blocks with parameters
sections   stem, stages, head
repeats    equal neighbours
syntax     names, norm settings, the tree of the language; the formatter prints it
"""

from __future__ import annotations

from dataclasses import replace

from specc.importing.network import Network, Written
from specc.importing.text.blocks import Folding
from specc.importing.text.inline import written_out
from specc.importing.text.library import library_block
from specc.importing.text.repeats import with_repeats
from specc.importing.text.sections import sections
from specc.importing.text.structure import structured
from specc.importing.text.syntax import spec_text
from specc.importing.text.tree import executed
from specc.importing.text.twins import without_twins


def write(network: Network) -> Written:
    """The spec of a network. Raises ValueError for an operation that the language does not have."""
    statements = structured(network, lambda calls: library_block(calls) is not None)
    folding = Folding(library_block)
    root, blocks = without_twins(folding.fold(statements), folding.blocks)
    parts = sections(root, blocks)
    blocks = [replace(block, body=with_repeats(block.body)) for block in blocks]
    bodies, blocks = written_out([with_repeats(part.body) for part in parts], blocks)
    blocks = [replace(block, body=with_repeats(block.body)) for block in blocks]
    finished = [replace(part, body=with_repeats(body)) for part, body in zip(parts, bodies, strict=True)]
    return Written(spec_text(network, finished, blocks), tuple(executed(statements)))
