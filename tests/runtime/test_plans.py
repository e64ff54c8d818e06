"""Models written by hand, whose plans are derived, against what specc writes: the same weights, outputs and plans."""

from __future__ import annotations

import copy
import importlib
import itertools
import pickle
import random
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.ops.batch_norm.torch import BatchNorm2d
from specc.ops.conv.torch import Conv2d
from specc.ops.linear.torch import Linear
from specc.runtime.deploy import bundle
from specc.runtime.net.elastic import Elastic, Value, when
from specc.runtime.net.network import ElasticNet
from specc.runtime.net.plan import Part, Plan
from specc.runtime.net.sizes import OneOf
from specc.runtime.net.stage import Repeat, Skippable, Stage
from specc.runtime.train.calibrate import calibrate
from tests.helpers.comparing import scramble
from tests.helpers.parts import part
from tests.helpers.projects import Project, compiled, from_text, project

SIDES = {
    "digits": 8,
    "digits_densenet": 8,
    "vit": 8,
    "lenet3c1l_awn": 28,
    "mobilenet_v2_tips": 64,
    "mobilenet_v3_ofa": 64,
    "resnet50_adn": 64,
    "resnext29_inclusive": 32,
    "resnext47_hierarchical": 32,
    "msdnet_cifar": 32,
}
"""The twins, and the images to try them on."""
SMALL = ("digits", "digits_densenet", "vit", "lenet3c1l_awn")


class Pair:
    """A network as specc writes it and its twin, with the same weights."""

    def __init__(self, name: str, folder: Path) -> None:
        twin = importlib.import_module(f"tests.helpers.models.{name}")
        spec = from_text(twin.TEXT) if hasattr(twin, "TEXT") else compiled(name)
        self.made: Project = project(spec, folder)
        self.space: Any = self.made.modules["space"]
        torch.manual_seed(0)
        self.written: Any = self.made.model.Model().eval()
        torch.manual_seed(0)
        self.twin: Any = twin.Model(self.space).eval()
        side = SIDES[name]
        self.x = torch.randn(2, next(self.twin.parameters()).shape[1], side, side)

    def scrambled(self) -> Pair:
        scramble(self.written)
        self.twin.load_state_dict(self.written.state_dict())
        return self

    def assignments(self, count: int) -> list[Any]:
        numbers = random.Random(0)
        return ["max", "min", *(self.space.draw(numbers) for _ in range(count))]

    def plans(self, at: Any, outputs: Any = None) -> tuple[Any, Plan]:
        return self.written.plan(at, outputs), self.twin.plan(at, outputs)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    return {name: Pair(name, tmp_path_factory.mktemp(name)) for name in SMALL}


def shapes(net: nn.Module) -> dict[str, Any]:
    return {name: value.shape for name, value in net.state_dict().items()}


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    return torch.equal(one, other)


def names(net: Any) -> list[str]:
    """All outputs, one by one; "" for all answers together."""
    return ["", *(net.predictions or net.outputs), *net.features]


def answered(net: Any, x: Tensor, at: Any, outputs: Any) -> Any:
    """The outputs that are asked for, or why this sub-network has none such."""
    try:
        return net(x, net.plan(at, outputs))
    except ValueError as error:
        return str(error)


@torch.no_grad()
def check(pair: Pair, count: int, forms: bool = True) -> None:
    """First weights and outputs, bit for bit; of sub-networks in all forms, or as the network runs them."""
    assert list(shapes(pair.written).items()) == list(shapes(pair.twin).items())
    assert equal(pair.written.state_dict(), pair.twin.state_dict())
    pair.scrambled()
    for at in pair.assignments(count):
        written, derived = pair.plans(at)
        assert (derived.chosen, derived.resolution) == (written.chosen, written.resolution)
        assert equal(pair.twin(pair.x, derived), pair.written(pair.x, written)), at
        if not forms:
            continue
        pair.written.use(written)
        pair.twin.use(derived)
        assert equal(pair.twin(pair.x), pair.written(pair.x)), at
        for fold in (False, True):
            old, new = pair.written.extract(fold=fold), pair.twin.extract(fold=fold)
            assert equal(new.state_dict(), old.state_dict()), at  # what it costs is what it has
            assert equal(new(pair.x), old(pair.x)), at
        for share in (False, True):
            old, new = pair.written.fused(share=share), pair.twin.fused(share=share)
            assert equal(new(pair.x), old(pair.x)), at
        for name in names(pair.twin):
            asked = "all" if name == "" else [name]
            written, derived = [answered(net, pair.x, at, asked) for net in (pair.written, pair.twin)]
            assert type(written) is type(derived), (at, name)
            assert written == derived if isinstance(written, str) else equal(written, derived), (at, name)
    lines = [len(net.__dict__.get("_lines", ())) for net in (pair.written, pair.twin)]
    assert lines[0] == lines[1]  # structures are told apart alike


@pytest.mark.parametrize("name", SMALL)
def test_small_twins(name: str, pairs: dict[str, Pair]) -> None:
    check(pairs[name], 1)


@pytest.mark.parametrize("name", [name for name in SIDES if name not in SMALL])
def test_large_twins(name: str, tmp_path: Path) -> None:
    check(Pair(name, tmp_path), 0, forms=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", SIDES)
def test_twenty_sub_networks(name: str, tmp_path: Path) -> None:
    check(Pair(name, tmp_path), 20)


def test_networks_of_slices_answer_step_by_step(tmp_path: Path) -> None:
    pair = Pair("resnext47_hierarchical", tmp_path).scrambled()
    with torch.no_grad():
        found = [list(net.steps(pair.x)) for net in (pair.written, pair.twin)]
    assert len(found[0]) == len(found[1]) == 6
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def three_steps(net: Any, x: Tensor, plans: list[Any]) -> list[float]:
    """The losses of three steps on two sub-networks each."""
    optimizer = torch.optim.SGD(net.train().parameters(), 0.05, momentum=0.9)
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        for plan in plans:
            loss = F.cross_entropy(net(x, plan), torch.arange(len(x)))
            loss.backward()  # type: ignore[no-untyped-call]
            losses.append(loss.item())
        optimizer.step()
    return losses


@pytest.mark.parametrize("name", ["digits", "digits_densenet"])
def test_training_is_the_same(name: str, pairs: dict[str, Pair]) -> None:
    pair = pairs[name].scrambled()
    written, twin = copy.deepcopy(pair.written), copy.deepcopy(pair.twin)
    losses = [three_steps(net, pair.x, [net.plan("max"), net.plan("min")]) for net in (written, twin)]
    assert losses[0] == losses[1]
    assert equal(twin.state_dict(), written.state_dict())
    with torch.no_grad():
        assert equal(twin.eval()(pair.x, twin.plan("min")), written.eval()(pair.x, written.plan("min")))


def test_calibrated_plans_and_bundles(pairs: dict[str, Pair], tmp_path: Path) -> None:
    """Norm statistics of their own, kept in a bundle and read again, are those of the written network's plans."""
    pair = pairs["digits"].scrambled()
    pair.twin.fingerprint = pair.written.fingerprint
    batches = torch.randn(3, 8, 1, 8, 8)
    found = []
    project: Any = part(pair.made, "deploy.bundle"), part(pair.made, "train.calibrate").calibrate
    for net, (files, measured) in ((pair.written, project), (pair.twin, (bundle, calibrate))):
        plans = [measured(net, net.plan(at), batches) for at in pair.assignments(3)]
        own = [files.statistics(plan) for plan in plans]
        folder = tmp_path / type(net).__name__
        files.save(folder, net, plans)
        read = files.plans_of(folder, net, files.read_index(folder, net))
        with torch.no_grad():
            answers = [net(pair.x, plan) for plan in read]
            assert all(equal(net(pair.x, plan), answer) for plan, answer in zip(plans, answers, strict=True))
        found.append((own, answers))
    (old, before), (new, after) = found
    assert [places for places, _ in old] == [places for places, _ in new]
    assert all(torch.equal(a[1], b[1]) for a, b in zip(old, new, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_plan_is_a_value(pairs: dict[str, Pair]) -> None:
    net = pairs["digits"].twin
    plan = net.plan({"width": 0.5})
    assert plan == net.plan({"width": 0.5})
    assert hash(plan) == hash(net.plan({"width": 0.5}))
    assert plan != net.plan({"width": 0.6})
    assert plan != net.plan({"width": 0.5}, outputs=["head"])
    assert copy.deepcopy(plan) is plan
    assert copy.copy(plan) is plan
    assert plan.assignment == {"width": 0.5, "s1.depth": 2, "s2.depth": 2}
    assert repr(plan) == "Plan(width=0.5, s1.depth=2, s2.depth=2)"
    for target, name in ((plan, "chosen"), (plan, "stem"), (plan.stem, "conv"), (plan.s1, "more")):
        with pytest.raises(AttributeError, match="a plan is immutable"):
            setattr(target, name, None)
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    x = pairs["digits"].x
    with torch.no_grad():
        assert torch.equal(net(x, again), net(x, plan))
    small = plan.replaced(resolution=16, outputs=("s1",))
    assert (small.resolution, small.outputs, small.chosen) == (16, ("s1",), plan.chosen)


def test_copies_of_a_network_plan_for_themselves(pairs: dict[str, Pair]) -> None:
    pair = pairs["digits"].scrambled()
    for again in (copy.deepcopy(pair.twin), with_space(pair, lambda: pickle.loads(pickle.dumps(pair.twin)))):
        with torch.no_grad():
            for parameter in again.parameters():
                parameter.mul_(1.1)
            for at in pair.assignments(3):
                plan = again.plan(at)
                assert torch.equal(again(pair.x, plan), again(pair.x, pair.twin.plan(at)))
                assert not torch.equal(again(pair.x, plan), pair.twin(pair.x, plan))
        assert again.planner.derivation.recipe.module is again


def with_space(pair: Pair, action: Any) -> Any:
    with pair.made.known():
        return action()


def test_threads_run_plans_of_their_own(pairs: dict[str, Pair]) -> None:
    pair = pairs["digits"].scrambled()
    net = copy.deepcopy(pair.twin)  # which has not walked its modules yet
    ats = pair.assignments(6)
    with torch.no_grad():
        wanted = [pair.twin(pair.x, pair.twin.plan(at)) for at in ats]
    wrong: list[Any] = []

    def work(start: int) -> None:
        for number in range(24):
            at = (start + number) % len(ats)
            with torch.no_grad():
                if not torch.equal(net(pair.x, net.plan(ats[at])), wanted[at]):
                    wrong.append(ats[at])

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def compiles(net: ElasticNet, x: Tensor, ats: list[Any]) -> None:
    """A graph for each plan, without breaks, and the network's outputs."""
    torch.compiler.reset()
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    fast: Any = torch.compile(net, backend=backend, fullgraph=True)
    plans = [net.plan(at) for at in ats]
    with torch.no_grad():
        for plan in (*plans, *plans):
            assert torch.allclose(fast(x, plan), net(x, plan), atol=1e-5)
    assert len(graphs) == len(set(plans))


@pytest.mark.slow
def test_a_live_twin_compiles_without_breaks(pairs: dict[str, Pair]) -> None:
    pair = pairs["digits"].scrambled()
    compiles(pair.twin, pair.x, pair.assignments(2))


def test_the_live_network_compiles_without_breaks() -> None:
    stage = Stage(Repeat(OneOf(0, 1, 2), [Block(4), Block(4)]), nn.ReLU(), Skippable(OneOf(False, True), nn.Tanh()))
    net = Net(Names(s1_depth=(0, 1, 2), s1_keep=(False, True)), stage)
    compiles(net, torch.randn(3, 4), ["max", "min", {"s1.depth": 1}])


# --- networks of a few lines ------------------------------------------------------------------------


class Names:
    """A space in which every choice always matters."""

    def __init__(self, **choices: tuple[Any, ...]) -> None:
        self.CHOICES = {name.replace("_", "."): options for name, options in choices.items()}

    def canonical(self, at: Any, /) -> dict[str, Any]:
        return dict(at)

    def largest(self) -> dict[str, Any]:
        return {name: options[-1] for name, options in self.CHOICES.items()}

    def smallest(self) -> dict[str, Any]:
        return {name: options[0] for name, options in self.CHOICES.items()}


class Block(Elastic):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.linear = Linear(channels, channels)

    def forward(self, x: Tensor, p: Part) -> Tensor:
        y: Tensor = self.linear(x, p.linear)
        return y


class Net(ElasticNet):
    """A stage alone."""

    def __init__(self, space: Any, stage: nn.Module) -> None:
        super().__init__(space)
        self.s1 = stage
        self.use(self.plan())

    def forward(self, x: Tensor, plan: Plan | None = None) -> Tensor:
        p = self._plan if plan is None else plan
        y: Tensor = self.s1(x, p.s1)
        return y


@torch.no_grad()
def through(blocks: list[Any], x: Tensor) -> Tensor:
    for block in blocks:
        x = F.linear(x, block.linear.weight, block.linear.bias)
    return x


def test_blocks_of_a_stage_are_numbered_through_its_groups() -> None:
    blocks = [Block(4) for _ in range(6)]
    stage = Stage(
        blocks[0],
        Repeat(OneOf(0, 1, 2), blocks[1:3]),
        Skippable(OneOf(False, True), blocks[3], Repeat(OneOf(1, 2), blocks[4:])),
    )
    space = Names(s1_depth1=(0, 1, 2), s1_depth2=(1, 2), s1_keep=(False, True))
    net = Net(space, stage)
    assert [name for name, _ in stage.named_children()] == [f"b{i}" for i in range(1, 7)]
    x = torch.randn(3, 4)
    for first, second, keep in itertools.product((0, 1, 2), (1, 2), (False, True)):
        plan = net.plan({"s1.depth1": first, "s1.depth2": second, "s1.keep": keep})
        present = [blocks[0], *blocks[1 : 1 + first], *(blocks[3 : 4 + second] if keep else ())]
        for run in (net, net.extract(plan), net.fused(plan), net.fused(plan, share=True)):
            found = net(x, plan) if run is net else run(x)
            assert torch.allclose(found, through(present, x), atol=1e-5)


def test_a_layer_under_a_condition_has_a_cut_wherever_it_is_there() -> None:
    """Also where nothing is cut off: None says that it is absent."""

    class Two(Elastic):
        def __init__(self, width: Any, more: Any) -> None:
            super().__init__()
            self.conv = when(more, Conv2d(4, width, 1))
            self.pool = when(more, nn.AvgPool2d(2))
            self.norm = BatchNorm2d(4)
            self.more = Value(more)

        def forward(self, x: Tensor, p: Part) -> Tensor:
            x = self.norm(x, p.norm)
            if p.conv is not None:
                x = self.conv(x, p.conv)
            return x if p.pool is None else self.pool(x)

    width, more = OneOf(2, 4, name="width"), OneOf(False, True, name="more")
    net = Net(Names(width=(2, 4), more=(False, True)), Two(width, more)).eval()
    x = torch.randn(2, 4, 6, 6)
    assert net.plan("min").s1.absent == ("conv", "pool")
    assert net.plan("max").s1.absent == ()
    for w, m in itertools.product((2, 4), (False, True)):
        plan = net.plan({"width": w, "more": m})
        assert (plan.s1.more, plan.s1.pool) == (m, True if m else None)
        with torch.no_grad():
            answer = net(x, plan)
            assert answer.shape == ((2, w, 3, 3) if m else (2, 4, 6, 6))
            for share in (False, True):
                assert torch.allclose(net.fused(plan, share=share)(x), answer, atol=1e-5)
            assert torch.equal(net.extract(plan)(x), answer)


def test_modules_may_be_replaced() -> None:
    net = Net(Names(s1_depth=(1, 2)), Stage(Repeat(OneOf(1, 2), [Block(4), Block(4)])))
    assert net.plan("max").s1.b2 is not None
    net.s1 = Stage(Block(4))
    assert net(torch.randn(3, 4), net.plan("min")).shape == (3, 4)
    assert copy.deepcopy(net).plan("max").chosen == (("s1.depth", 2),)
    net.get_submodule("s1.b1").add_module("linear", Linear(4, 2))
    assert net(torch.randn(3, 4), net.plan("min")).shape == (3, 2)
    net.get_submodule("s1").add_module("b2", Linear(2, 5))
    assert net(torch.randn(3, 4), net.plan("max")).shape == (3, 5)


@pytest.mark.parametrize(
    ("space", "stage", "message"),
    [
        (Names(), lambda: Stage(Repeat(OneOf(0, 1), [Block(4)])), "the space has no choice 's1.depth'"),
        (
            Names(s1_depth=(0, 1, 2)),
            lambda: Stage(Repeat(OneOf(0, 1), [Block(4)])),
            "'s1.depth' has the options 0, 1, in the space 0, 1, 2",
        ),
        (Names(s1_depth=(0, 1)), lambda: Stage(Block(4)), "nothing reads 's1.depth'"),
        (
            Names(),
            lambda: Stage(when(OneOf(0, 1).is_(1), Block(4))),
            r"OneOf\(0, 1\) is held by no module as an attribute, and has no name",
        ),
    ],
)
def test_choices_that_are_not_the_spaces(space: Any, stage: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Net(space, stage())
