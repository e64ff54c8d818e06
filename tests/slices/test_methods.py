"""The steps of AWN and IS-ResNeXt against their definitions: losses, gradients, what moves, and what stays equal."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD

from specc.methods.awn import step as awn
from specc.methods.inclusive_sparse import step as inclusive_sparse
from specc.runtime.train.evaluate import evaluate
from specc.runtime.train.levels import Level, Levels
from specc.space.functions import seen
from tests.helpers.sliced import any_width, sliced
from tests.helpers.steps import drawn, generated, snapshot, trainer_of

torch.set_num_threads(1)

LABELS = torch.tensor([0, 1, 2, 0, 1, 2])


# --- AWN -----------------------------------------------------------------------------------------------


@pytest.fixture
def any_net(tmp_path: Path) -> tuple[Any, Any]:
    return generated(any_width("method awn"), tmp_path)


def by_hand(net: nn.Module, x: Tensor, n: dict[int, int]) -> Tensor:
    """Logits of the any-width network at widths n, from its parameters, the mask from the definition."""
    values = dict(net.named_parameters())

    def norm(x: Tensor, name: str) -> Tensor:
        c = x.shape[1]
        return F.relu(F.batch_norm(x, None, None, values[f"{name}.weight"][:c], values[f"{name}.bias"][:c], True))

    def triangular(x: Tensor, name: str, inputs: int, outputs: int, least: tuple[int, int]) -> Tensor:
        rows = []
        for o in range(n[outputs]):
            sees = seen(o, inputs, outputs, *least)
            weight, bias = values[f"{name}.weight"][o : o + 1, :sees], values.get(f"{name}.bias")
            padding = weight.shape[2] // 2
            rows.append(F.conv2d(x[:, :sees], weight, None if bias is None else bias[o : o + 1], padding=padding))
        return torch.cat(rows, 1)

    x = F.conv2d(x, values["stem.conv.weight"][: n[9]], values["stem.conv.bias"][: n[9]], padding=1)
    x = norm(x, "stem.norm")
    x = norm(triangular(x, "s1.conv", 9, 14, (3, 4)), "s1.norm1")
    x = norm(F.conv2d(x, values["s1.depthwise.weight"][: n[14]], padding=1, groups=n[14]), "s1.norm2")
    x = norm(triangular(F.max_pool2d(x, 2), "s2.conv", 14, 6, (4, 2)), "s2.norm")
    return F.linear(x.flatten(1), values["head.linear.weight"][:, : n[6] * 16], values["head.linear.bias"])


def test_the_widths_of_a_step() -> None:
    class Space:
        @property
        def CHOICES(self) -> dict[str, tuple[int, ...]]:
            return {"width": tuple(range(4, 15))}

        def largest(self) -> dict[str, int]:
            return {"width": 14}

        def smallest(self) -> dict[str, int]:
            return {"width": 4}

        def draw(self, rng: random.Random) -> dict[str, int]:
            return {"width": rng.randint(4, 14)}

    space: Any = Space()
    rng = random.Random(2)
    expected = [{"width": random.Random(2).randint(4, 14)}]
    assert awn.widths(space, rng, 3) == [{"width": 14}, {"width": 4}, *expected]
    assert awn.widths(space, rng, 2) == [{"width": 14}, {"width": 4}]
    assert awn.widths(space, rng, [14, 11, 7, 4]) == [{"width": n} for n in (14, 11, 7, 4)]
    assert [at["width"] for at in awn.spaced(space, 6)] == [4, 6, 8, 10, 12, 14]
    assert [at["width"] for at in awn.spaced(space, 50)] == list(range(4, 15))


def test_awn_sums_the_cross_entropies_of_its_widths(any_net: tuple[Any, Any]) -> None:
    net, _ = any_net
    x, reference = drawn(6, 2, 8, 8), snapshot(net)
    chosen = [{"width": 14}, {"width": 4}, {"width": 9}]
    widths = [{9: 9, 14: 14, 6: 6}, {9: 3, 14: 4, 6: 2}, {9: 6, 14: 9, 6: 4}]
    losses = awn.step(trainer_of(net.train()), x, LABELS, [net.plan(at) for at in chosen])
    mine = {name: p.grad.clone() for name, p in net.named_parameters()}
    net.load_state_dict(reference)
    net.zero_grad()
    wanted = [F.cross_entropy(by_hand(net, x, n), LABELS) for n in widths]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(mine[name], parameter.grad, rtol=1e-4, atol=1e-6)


def test_a_narrow_step_leaves_what_it_does_not_use(any_net: tuple[Any, Any]) -> None:
    net, _ = any_net
    before = snapshot(net.train())
    trainer = trainer_of(net)
    awn.step(trainer, drawn(6, 2, 8, 8), LABELS, [net.plan("min")])
    trainer.update()
    for name, keep in (("s1.conv.weight", 4), ("s1.norm1.running_mean", 4), ("s2.norm.weight", 2)):
        value = net.state_dict()[name]
        assert not torch.equal(value[:keep], before[name][:keep])
        assert torch.equal(value[keep:], before[name][keep:])


def test_masked_weights_are_zero_after_training_and_norms_fit_all_widths(any_net: tuple[Any, Any]) -> None:
    """Momentum and weight decay and all; and a channel's statistics are the same at every width it is part of."""
    net, space = any_net
    trainer = trainer_of(net.train())
    trainer.optimizer = SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-2, nesterov=True)
    rng = random.Random(0)
    for step in range(8):
        plans = [net.plan(at) for at in awn.widths(space, rng, 4)]
        awn.step(trainer, drawn(6, 2, 8, 8, seed=step), LABELS, plans)
        trainer.optimizer.step()
    for name, inputs, outputs, least in (("s1.conv", 9, 14, (3, 4)), ("s2.conv", 14, 6, (4, 2))):
        weight = net.get_submodule(name).weight
        hidden = torch.tensor([[i >= seen(o, inputs, outputs, *least) for i in range(inputs)] for o in range(outputs)])
        assert int((weight.abs().amax(dim=(2, 3)) == 0).sum()) == int(hidden.sum()) > 0
        assert bool((weight[hidden] == 0).all())

    found: dict[str, list[Tensor]] = {}
    hooks = [
        module.register_forward_hook(lambda _, inputs, __, name=name: found.setdefault(name, []).append(inputs[0]))
        for name, module in net.eval().named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    x = drawn(16, 2, 8, 8)
    with torch.no_grad():
        for width in space.CHOICES["width"]:
            logits = net(x, net.plan({"width": width}))
            assert logits.shape == (16, 3)
            assert bool(torch.isfinite(logits).all())
    for hook in hooks:
        hook.remove()
    for maps in found.values():
        widest = maps[-1]
        for narrow in maps:
            shared = narrow.shape[1]
            for moment in (torch.mean, torch.var):
                a, b = moment(narrow, (0, 2, 3)), moment(widest[:, :shared], (0, 2, 3))
                torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def test_the_area_under_the_curve_is_the_mean_accuracy(any_net: tuple[Any, Any]) -> None:
    net, space = any_net
    trainer, batches = trainer_of(net), [(drawn(6, 2, 8, 8), LABELS)]
    found = awn.validate(trainer, space, batches, 4)
    scores = [evaluate(net, net.plan({"width": n}), batches, trainer.task, trainer.world) for n in (4, 7, 11, 14)]
    assert found["auc"].value == pytest.approx(sum(score.value for score in scores) / 4)
    assert (found["narrowest"], found["widest"]) == (scores[0], scores[-1])


# --- IS-ResNeXt ----------------------------------------------------------------------------------------

COARSE = torch.tensor([0, 0, 1, 1, 1])


@pytest.fixture
def sliced_net(tmp_path: Path) -> tuple[Any, Any]:
    return generated(sliced(3, "method inclusive_sparse"), tmp_path)


def test_inclusive_sparse_is_one_pass_whose_gradient_is_that_of_all(sliced_net: tuple[Any, Any]) -> None:
    net, _ = sliced_net
    x, start = drawn(6, 3, 8, 8), snapshot(net.train())
    passes: list[int] = []
    hook = net.stem.register_forward_hook(lambda *_: passes.append(1))
    trainer = trainer_of(net)
    levels = Levels((Level("", 5),), {f"head{k}": "" for k in (1, 2, 3)})
    losses = inclusive_sparse.step(trainer, x, LABELS, inclusive_sparse.everything(net), levels)
    hook.remove()
    assert passes == [1]
    mine = {name: p.grad.clone() for name, p in net.named_parameters()}
    trainer.update()
    after = snapshot(net)

    net.load_state_dict(start)
    net.zero_grad()
    wanted = [F.cross_entropy(net(x, net.plan({"k": k})), LABELS) for k in (1, 2, 3)]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(mine[name], parameter.grad, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(after[name], start[name] - 0.1 * mine[name], rtol=0, atol=1e-6)
    for k in (1, 2, 3):  # one update of the statistics, of each head's own from its own slices
        assert not torch.equal(after[f"head{k}.norm.running_mean"], start[f"head{k}.norm.running_mean"])
    changed = {name for name, value in after.items() if not torch.equal(value, start[name])}
    for name in ("s1.b1.norm1.running_mean", "s2.b2.conv3.weight", "head2.linear.weight"):
        assert name in changed


def test_hierarchical_losses_are_summed_over_slices_and_levels() -> None:
    class Two(nn.Module):
        def plan(self, at: str, outputs: str) -> tuple[str, str]:
            return at, outputs

        def forward(self, x: Tensor, plan: Any) -> dict[str, Tensor]:
            assert plan == ("max", "all")
            fine = x @ self.weight
            return {
                "head1_fine": fine,
                "head1_coarse": fine[:, :2],
                "head2_fine": 2 * fine,
                "head2_coarse": fine[:, 2:4],
            }

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(drawn(4, 5))

    net = Two()
    x, labels = drawn(6, 4), torch.tensor([0, 1, 2, 3, 4, 0])
    of = {name: name.split("_")[1] for name in ("head1_fine", "head1_coarse", "head2_fine", "head2_coarse")}
    levels = Levels((Level("fine", 5), Level("coarse", 2, COARSE)), of)
    losses = inclusive_sparse.step(trainer_of(net), x, labels, inclusive_sparse.everything(net), levels)
    fine, above = x @ net.weight, COARSE[labels]
    wanted = [
        F.cross_entropy(fine, labels),
        F.cross_entropy(fine[:, :2], above),
        F.cross_entropy(2 * fine, labels),
        F.cross_entropy(fine[:, 2:4], above),
    ]
    torch.testing.assert_close(torch.stack(losses), torch.stack(wanted).detach(), rtol=0, atol=1e-6)
    grad = net.weight.grad.clone()  # type: ignore[union-attr]
    net.zero_grad()
    torch.stack(wanted).sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(grad, net.weight.grad)
