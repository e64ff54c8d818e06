"""Networks that detectors can stand on: which stages a feature pyramid reads."""

from __future__ import annotations

from specc.ir.expr import evaluate
from specc.ir.graph import Graph, Output

LEVELS = 4
"""The stages of a pyramid: torchvision's detectors have anchors for them and for one that is pooled from the last."""


def map_outputs(graph: Graph) -> list[Output]:
    """The stages that end in feature maps."""
    tensors = graph.tensor_table()
    return [output for output in graph.outputs if output.kind == "features" and len(tensors[output.tensor].space) == 2]


def is_backbone(graph: Graph) -> bool:
    """Whether detectors can read an elastic network's stages: several of them give feature maps of one image."""
    return bool(graph.choices) and len(map_outputs(graph)) > 1 and len(graph.inputs) == 1


def pyramid_stages(graph: Graph) -> tuple[str, ...]:
    """The stages that torchvision's detectors would read: of those with maps of one size the last, of these the four
    with the smallest maps; none where the network is no backbone for them, which take images of three channels."""
    tensors = graph.tensor_table()
    largest = {choice.name: choice.largest for choice in graph.choices}
    if not is_backbone(graph) or evaluate(tensors[graph.inputs[0]].features, largest) != 3:
        return ()
    last: dict[object, str] = {}
    for output in map_outputs(graph):
        height = evaluate(tensors[output.tensor].space[0], largest)
        last.pop(height, None)
        last[height] = output.name
    names = tuple(last.values())
    return names[-LEVELS:] if len(names) >= LEVELS else ()
