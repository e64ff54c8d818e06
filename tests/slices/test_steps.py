"""Networks of slices: k slices are a network of their own, one pass gives all answers, and steps add slice to slice."""

from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.helpers.comparing import scramble
from tests.helpers.projects import from_text, project
from tests.helpers.sliced import alone, sliced
from tests.helpers.steps import drawn

torch.set_num_threads(1)

K = 4
X = drawn(3, 3, 8, 8)


def made(text: str, folder: Path) -> tuple[Any, ModuleType]:
    found = project(from_text(text), folder)
    net = found.model.Model().eval()
    scramble(net)
    net.load_state_dict(net.state_dict())  # which clears what scrambling wrote over zeros
    return net, found.modules.get("space", found.model)


def assert_close(a: Tensor, b: Tensor, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, ModuleType]:
    return made(sliced(K), tmp_path_factory.mktemp("sliced"))


def parts_of(weights: dict[str, Tensor], shapes: dict[str, Tensor], k: int) -> dict[str, Tensor]:
    """The weights of k slices under the names of a network that has no others."""
    found = {}
    for name, wanted in shapes.items():
        value = weights[name.replace("head.", f"head{k}.")]
        found[name] = value[tuple(slice(size) for size in wanted.shape)].clone()
    return found


@pytest.mark.parametrize("k", range(1, K + 1))
def test_output_k_is_that_of_a_network_of_k_slices(network: Any, k: int, tmp_path: Path) -> None:
    net, _ = network
    small, _ = made(alone(k), tmp_path)
    small.load_state_dict(parts_of(net.state_dict(), small.state_dict(), k))
    with torch.no_grad():
        wanted = small(X)
        assert_close(net(X, net.plan({"k": k})), wanted)
        assert_close(net(X, net.plan("max", outputs=[f"head{k}"]))[f"head{k}"], wanted)
        assert_close(list(net.steps(X))[k - 1], wanted)


def poisoned(net: Any, k: int) -> Any:
    """A copy whose weights and statistics beyond slice k are NaN, also those of later heads."""
    bad = copy.deepcopy(net)
    with torch.no_grad():
        for name, value in (*bad.named_parameters(), *bad.named_buffers()):
            if not value.is_floating_point():
                continue
            scope = name.split(".")[0]
            if scope.startswith("head"):
                if int(scope[4:]) > k:
                    value.fill_(float("nan"))
                continue
            keep = value.shape[0] * k // K
            value[keep:] = float("nan")
    return bad


@pytest.mark.parametrize("k", range(1, K))
def test_later_slices_do_not_reach_answer_k(network: Any, k: int) -> None:
    net, _ = network
    names = [f"head{i}" for i in range(1, K + 1)]
    bad = poisoned(net, k)
    with torch.no_grad():
        wanted = net(X, net.plan({"k": k}))
        assert bool(bad(X).isnan().all())
        assert_close(bad(X, bad.plan({"k": k})), wanted)
        assert_close(bad(X, bad.plan("max", outputs=names))[f"head{k}"], wanted)
        found = list(bad.steps(X))
    assert_close(found[k - 1], wanted)
    assert bool(found[k].isnan().all())


def test_a_step_computes_its_own_slice_alone(network: Any) -> None:
    net, space = network
    head = [cost_of_head(space, k) for k in range(K + 1)]
    steps = net.steps(X[:1])
    done = 0
    with torch.no_grad():
        for k in range(1, K + 1):
            with FlopCounterMode(display=False) as counter:
                next(steps)
            done += counter.get_total_flops() // 2 - head[k]
            assert done + head[k] == space.macs({"k": k})


def cost_of_head(space: ModuleType, k: int) -> int:
    """The classifier's multiplications: 4 k features to 5 classes."""
    return 4 * k * 5


def test_stopping_early_computes_no_more(network: Any) -> None:
    net, _ = network
    ran: list[str] = []
    late = net.head3.norm.register_forward_hook(lambda *_: ran.append("head3"))
    steps = net.steps(X)
    next(steps)
    next(steps)
    assert not ran
    next(steps)
    assert ran == ["head3"]
    late.remove()


def test_steps_follow_the_weights_of_a_copy(network: Any) -> None:
    net, _ = network
    list(net.steps(X))
    other = copy.deepcopy(net)
    with torch.no_grad():
        other.stem.conv.weight.mul_(-1)
        for a, k in zip(other.steps(X), range(1, K + 1)):
            assert_close(a, other(X, other.plan({"k": k})))
        for a, b in zip(net.steps(X), other.steps(X)):
            assert not torch.allclose(a, b)


def test_training_mode_has_no_steps(network: Any) -> None:
    net, _ = network
    net.train()
    try:
        with pytest.raises(RuntimeError, match="eval mode"):
            next(net.steps(X))
    finally:
        net.eval()


def test_one_head_for_all_reads_all_slices(tmp_path: Path) -> None:
    """A head that is not `by k`: its classifier is computed anew, all before it slice by slice."""
    net, _ = made(sliced(K, head="head"), tmp_path)
    with torch.no_grad():
        for k, answer in enumerate(net.steps(X), 1):
            assert_close(answer, net(X, net.plan({"k": k})))


def test_all_losses_flow_back_in_one_pass(network: Any) -> None:
    """The gradient of the sum of all answers' losses is that of the sub-networks one by one, for shared norms."""
    net, _ = network
    labels = torch.tensor([0, 3, 1])
    names = [f"head{i}" for i in range(1, K + 1)]

    def gradients(losses: Any) -> dict[str, Tensor]:
        net.zero_grad()
        sum(losses).backward()
        return {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}

    answers = net(X, net.plan("max", outputs=names))
    together = gradients(nn.functional.cross_entropy(answers[name], labels) for name in names)
    apart = gradients(nn.functional.cross_entropy(net(X, net.plan({"k": k})), labels) for k in range(1, K + 1))
    assert together.keys() == apart.keys()
    for name, value in together.items():
        assert_close(value, apart[name], rtol=1e-4, atol=1e-5)


def test_steps_of_a_network_that_has_other_choices(tmp_path: Path) -> None:
    """Skipped sub-paths and a smaller image: steps are those of the sub-network with these choices."""
    text = sliced(K).replace("image(3, 8, 8)", "image(3, resolution=8..12 step 4)")
    text = text.replace("stage s1 { sliced(8, 4) }", "stage s1 { sliced(8, 4); skippable { sliced(8, 4) } }")
    net, _ = made(text, tmp_path)
    x = drawn(2, 3, 12, 12)
    with torch.no_grad():
        for at in ({"s1.keep": False, "resolution": 8}, {"s1.keep": True, "resolution": 12}):
            answers = list(net.steps(x, at))
            assert len(answers) == K
            for k, answer in enumerate(answers, 1):
                assert_close(answer, net(x, net.plan({**at, "k": k})))
