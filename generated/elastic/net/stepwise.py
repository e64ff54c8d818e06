"""What is left to do, from one sub-network to the next larger one, where the smaller is a part of the larger.

The forward passes under all plans are traced and compared: the same operation at the same place is the same step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from elastic.net.extract import PlanTracer, is_elastic
from elastic.net.plan import Plan

Action: TypeAlias = Literal["once", "grow", "new", "whole"]
"""What a step does at a place: what the first step does for all of them; the output channels of a layer that are new;
the operation on the new slice alone; or the operation on all slices there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """An operation of a traced forward pass.

    key     its name, the same in every step; `inputs` are the keys of what it reads
    cut     the plan's, for an elastic layer; `have` is how many output channels the step before had
    kept    whether a later operation reads all slices of what it gives
    """

    node: fx.Node
    key: str
    inputs: tuple[str, ...]
    action: Action
    cut: Any
    have: int
    kept: bool


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """The forward pass of one step. `answer` is the key of what it returns."""

    places: tuple[Place, ...]
    output: str


class StepTracer(PlanTracer):
    """Records a forward pass and, for each operation, a key that is the same under every plan, and its layer's cut."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.inside: list[str] = [""]
        self.counts: dict[str, int] = {}
        self.names: dict[fx.Node, str] = {}
        self.cuts: dict[str, Any] = {}

    def create_node(self, *args: Any, **kwargs: Any) -> fx.Node:
        node = super().create_node(*args, **kwargs)
        place = self.inside[-1]
        if node.op == "call_module":
            self.names[node] = str(node.target)
        else:
            self.counts[place] = self.counts.get(place, 0) + 1
            self.names[node] = f"{place} {self.counts[place]}"
        return node

    def call_module(self, m: nn.Module, forward: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
        path = self.path_of_module(m)
        if is_elastic(m):
            x, self.cuts[path] = (*args, None)[:2]
            return self.create_proxy("call_module", path, (x,), {})
        self.inside.append(path)
        try:
            return fx.Tracer.call_module(self, m, forward, args, kwargs)
        finally:
            self.inside.pop()


def steps_of(net: nn.Module, plans: Sequence[Plan]) -> list[Step]:
    """The forward passes of some plans, fewest slices first, each with what it adds to the one before."""
    tracers = [StepTracer(net) for _ in plans]
    graphs = [traced(tracer, net, plan) for tracer, plan in zip(tracers, plans, strict=True)]
    widths = [
        {key: width(net.get_submodule(key), cut) for key, cut in t.cuts.items()} for t in tracers
    ]
    growing = {
        key for w in widths for key in w if len({other.get(key, w[key]) for other in widths}) > 1
    }
    steps: list[Step] = []
    actions: Mapping[str, Action] | None = None
    for at, (tracer, graph) in enumerate(zip(tracers, graphs, strict=True)):
        known, actions = actions, {}
        places: list[Place] = []
        for node in graph.nodes:
            if node.op == "output":
                steps.append(Step(tuple(places), tracer.names[node.args[0]]))
                break
            key = tracer.names[node]
            inputs = tuple(tracer.names[n] for n in node.all_input_nodes)
            layer = net.get_submodule(key) if node.op == "call_module" else None
            action = action_at(
                layer, {actions[i] for i in inputs}, known is None or key in known, key in growing
            )
            actions[key] = action
            have = widths[at - 1].get(key, 0) if at else 0
            places.append(Place(node, key, inputs, action, tracer.cuts.get(key), have, False))
    return with_kept(steps)


def traced(tracer: StepTracer, net: nn.Module, plan: Plan) -> fx.Graph:
    """The forward pass of the plan's main answer, images taken as they are."""
    alone = plan.replaced(resolution=None, outputs=None)
    return tracer.trace(lambda x: net(x, alone))


def action_at(layer: nn.Module | None, inputs: set[Action], known: bool, grows: bool) -> Action:
    """What a step does at an operation whose inputs are had by `inputs`; `known`: the step before has passed it too."""
    if "whole" in inputs:
        return "whole"
    if inputs <= {"once"}:
        return "grow" if grows else "once"
    if layer is None or not is_elastic(layer):
        return "new" if known else "whole"
    growable = isinstance(layer, (nn.Conv2d, nn.Linear, _BatchNorm))
    made = hasattr(layer, "weight_eps")  # filters that are standardised differ with what they read
    return "grow" if growable and not made and grows and known else "whole"


def width(layer: nn.Module, cut: Any) -> int:
    """The output channels of an elastic layer under a cut."""
    for owner, names in (
        (cut, ("out", "features")),
        (layer, ("out_channels", "out_features", "num_features")),
    ):
        for name in names:
            if owner is not None and hasattr(owner, name):
                return int(getattr(owner, name))
    return 0


def with_kept(steps: Sequence[Step]) -> list[Step]:
    """The steps with what later operations read all slices of marked as such."""
    read = {step.output for step in steps}
    for step in steps:
        read.update(key for p in step.places if p.action in ("whole", "grow") for key in p.inputs)
    return [
        replace(
            step,
            places=tuple(
                replace(p, kept=p.key in read and p.action in ("grow", "new")) for p in step.places
            ),
        )
        for step in steps
    ]
