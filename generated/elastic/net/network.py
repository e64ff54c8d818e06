"""What all generated elastic networks share: the plan in use, and extraction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from elastic.net.derive import Planner
from elastic.net.elastic import Elastic
from elastic.net.extract import extract
from elastic.net.fused import Fused, Line, fused
from elastic.net.plan import Option, Plan, Space
from elastic.net.resizing import resize as resize  # for model.py
from elastic.net.resizing import sized as sized
from elastic.net.sizes import Condition, Expr


class ElasticNet(Elastic):
    """A network whose forward takes a plan. Without one it runs the plan in use: at first the largest sub-network's.

    A network says in its constructor what a plan may ask for:

    outputs     the names of its outputs, the answer's first, in a network with one answer
    answers     in one with several: the condition under which a sub-network gets to each
    features    the same of other outputs
    answer      the name of the answer that a plain call returns
    resolution  the height and width of images where it is a choice; of several inputs one for each, None for fixed ones

    and ends it with `self.use(self.plan())`.
    """

    _plan: Plan

    def __init__(self, space: Space | None = None) -> None:
        """`space` is the project's module space.py."""
        super().__init__()
        self.planner = None if space is None else Planner(space)
        self.outputs: Sequence[str] = ("head",)
        self.predictions: Mapping[str, Condition] = {}
        self.features: Mapping[str, Condition] = {}
        self.prediction: str | Expr | None = None
        self.resolution: Any = None

    def plan(
        self, assignment: Mapping[str, Option] | str = "max", outputs: Sequence[str] | None = None
    ) -> Plan:
        """The plan of a sub-network: "max", "min" or choices by name; those left out have their last option.

        `outputs` asks for a dict of these instead of the answer, "all" for every answer that there is.
        Raises ValueError, naming the choice and its options, where the assignment is none.
        """
        if self.planner is None:
            raise TypeError(f"{type(self).__name__} has no choices")
        return self.planner.plan(self, assignment, outputs)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """As torch's, which `convert_sync_batchnorm` calls with parts whose elastic norms it has replaced: refused."""
        for path, part in [] if module is None else module.named_modules():
            if isinstance(part, nn.SyncBatchNorm):
                raise TypeError(
                    f"{name}.{path}: convert_sync_batchnorm does not know elastic norms, and this network is not to be "
                    "used further; elastic.layers.synced.synchronise(net) does it, and train.py --sync-bn"
                )
        super().add_module(name, module)

    def use(self, plan: Plan) -> None:
        """Makes `plan` the one that `net(x)` runs. One pointer is written; no module changes."""
        object.__setattr__(self, "_plan", plan)  # nn.Module's own setter is 20 times as slow

    def extract(self, plan: Plan | None = None, fold: bool = False) -> nn.Module:
        """Extracts one sub-network: a plain static module with copies of its weights, in eval mode.

        As it is, it can be trained further. With `fold` its norms are folded into the layers before them: faster,
        for inference alone. It resizes images as `net(x, plan)` does. See `extract.extract`.
        """
        return extract(self, self._plan if plan is None else plan, fold)

    def fused(self, plan: Plan | None = None, share: bool = False) -> Fused:
        """One sub-network for serving, made in a millisecond or two: see `fused.fused`.

        With `share` it has no weights of its own, and reads the network's at every call. It resizes images as
        `net(x, plan)` does.
        """
        lines: dict[Any, Line] = self.__dict__.setdefault("_lines", {})
        return fused(self, self._plan if plan is None else plan, lines, share)
