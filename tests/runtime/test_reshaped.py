"""torch's own tools on elastic layers: pruning, weight norm, spectral norm, parametrizations, synchronised norms."""

from __future__ import annotations

import copy
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from tests.helpers.comparing import relative, scramble
from tests.helpers.projects import Project, from_text, project
from tests.helpers.scripts import run, write_project

TEXT = """
supernet net {
  input image(1, 8, 8);  classes 4
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu; conv(8, kernel=1, width=fixed) }
  stage s1 { concat(here, conv(8, kernel={3, 5})); norm; relu; conv(16, kernel=1); norm }
  head { pool(avg); linear(16); relu; linear(classes) }
}
method us_net
"""
LAYERS = (nn.Conv2d, nn.Linear)


def layers(net: nn.Module) -> list[nn.Module]:
    return [layer for layer in net.modules() if isinstance(layer, LAYERS)]


def pruned(net: nn.Module) -> None:
    for layer in layers(net):
        prune.l1_unstructured(layer, "weight", 0.4)  # type: ignore[no-untyped-call]


def structured(net: nn.Module) -> None:
    for layer in layers(net):
        prune.ln_structured(layer, "weight", 0.5, n=1, dim=0)  # type: ignore[no-untyped-call]


def normed(net: nn.Module) -> None:
    for layer in layers(net):
        parametrizations.weight_norm(layer)


def spectral(net: nn.Module) -> None:
    for layer in layers(net):
        parametrizations.spectral_norm(layer)


def old_weight_norm(net: nn.Module) -> None:
    for layer in layers(net):
        nn.utils.weight_norm(layer)


def old_spectral_norm(net: nn.Module) -> None:
    for layer in layers(net):
        nn.utils.spectral_norm(layer)


TOOLS: tuple[Callable[[nn.Module], None], ...] = (
    pruned,
    structured,
    normed,
    spectral,
    old_weight_norm,
    old_spectral_norm,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project(from_text(TEXT), tmp_path_factory.mktemp("net"))


def effective(made: Project, net: Any) -> Any:
    """A network of the same class whose plain weights are those that the tools make: the oracle."""
    plain = made.model.Model().eval()
    state = plain.state_dict()
    for path, layer in net.named_modules():
        if isinstance(layer, LAYERS):
            layer(torch.zeros(1, layer.weight.shape[1] * getattr(layer, "groups", 1), 5, 5)[..., 0, 0]) if isinstance(
                layer, nn.Linear
            ) else layer(torch.zeros(1, layer.in_channels, 5, 5))
            state[f"{path}.weight"] = layer.weight.detach().clone()
            if layer.bias is not None:
                state[f"{path}.bias"] = layer.bias.detach().clone()
        elif isinstance(layer, nn.BatchNorm2d) or hasattr(layer, "running_mean"):
            state |= {f"{path}.{key}": value for key, value in layer.state_dict().items()}
    plain.load_state_dict(state)
    return plain


@pytest.mark.parametrize("tool", TOOLS)
def test_every_form_computes_with_the_weights_that_tools_make(made: Project, tool: Callable[[nn.Module], None]) -> None:
    """Before and after training: what the tools keep is changed by it, and the weights are made of that."""
    torch.manual_seed(0)
    net = made.model.Model()
    scramble(net)
    tool(net)
    net.eval()
    x = torch.randn(4, 1, 8, 8)
    plans = [net.plan("min"), net.plan("max")]
    for _ in range(2):
        forms: list[Any] = [
            lambda x, plan: net(x, plan),
            lambda x, plan: net.extract(plan)(x),
            lambda x, plan: net.extract(plan, fold=True)(x),
            lambda x, plan: net.fused(plan)(x),
            lambda x, plan: net.fused(plan, share=True)(x),
            lambda x, plan: copy.deepcopy(net)(x, plan),
        ]
        found = []
        with torch.no_grad():
            for form in forms[1:] + forms[:1]:  # bound first: no call has made the weights anew
                found.append([form(x, plan) for plan in plans])
            oracle = effective(made, net)
            for answers in found:
                for answer, plan in zip(answers, plans, strict=True):
                    assert relative(answer, oracle(x, oracle.plan(plan.assignment))) < 1e-5
        optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], 0.05)
        sum(net(x, plan).square().mean() for plan in plans).backward()
        optimizer.step()
    kinds = {type(layer) for layer in net.extract(plans[0]).modules() if isinstance(layer, LAYERS)}
    assert kinds == {*LAYERS}


def test_pruned_weights_stay_pruned_in_training_and_in_what_is_bound(made: Project) -> None:
    net = made.model.Model()
    pruned(net)
    x = torch.randn(4, 1, 8, 8)
    net(x, net.plan("max")).sum().backward()
    torch.optim.SGD(net.parameters(), 0.1).step()
    for path, layer in net.extract(net.plan("max")).named_modules():
        if isinstance(layer, LAYERS):
            mask = net.get_submodule(path).weight_mask
            assert bool((layer.weight[mask == 0] == 0).all())
            assert float((mask == 0).float().mean()) > 0.3


def test_tools_are_pickled_with_the_network(made: Project) -> None:
    net = made.model.Model().eval()
    scramble(net)
    pruned(net)
    x, plan = torch.randn(2, 1, 8, 8), net.plan("min")
    with made.known(), torch.no_grad():
        content = io.BytesIO()
        torch.save(net, content)
        content.seek(0)
        twin = torch.load(content, weights_only=False)
        assert relative(twin(x, plan), net(x, plan)) < 1e-6


def test_convert_sync_batchnorm_is_refused_by_name(made: Project) -> None:
    with pytest.raises(TypeError, match=r"stem\.norm: convert_sync_batchnorm does not know .*synchronise\(net\)"):
        nn.SyncBatchNorm.convert_sync_batchnorm(made.model.Model())  # type: ignore[no-untyped-call]


def test_synchronised_norms_of_one_process_are_as_they_were(made: Project) -> None:
    torch.manual_seed(0)
    net = made.model.Model()
    synchronise = __import__("specc.runtime.layers.synced", fromlist=["synchronise"]).synchronise
    twin = synchronise(copy.deepcopy(net))
    x = torch.randn(4, 1, 8, 8)
    assert torch.equal(net(x, net.plan("min")), twin(x, net.plan("min")))
    assert all(norm.synced for norm in twin.modules() if hasattr(norm, "synced"))
    with pytest.raises(TypeError, match="0 is a BatchNorm2d, which cannot be synchronised here"):
        synchronise(nn.Sequential(nn.BatchNorm2d(3)))


PROCESSES = """
import sys
import torch
import torch.distributed as dist
from specc.runtime.layers.synced import normalised

dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
whole = torch.randn(6, 3, 4, 5, dtype=torch.float32) * 2 + 1
weight, bias = torch.rand(3), torch.rand(3)
goal = torch.randn(6, 3, 4, 5)
parts = [whole[:2], whole[2:]]  # of unequal size
x = parts[rank].clone().requires_grad_()
w, b = weight.clone().requires_grad_(), bias.clone().requires_grad_()
mean, var = torch.zeros(3), torch.ones(3)
y = normalised(x, mean, var, w, b, 0.1, 1e-5, True)
mine = goal[:2] if rank == 0 else goal[2:]
(y * mine).sum().backward()
for gradient in (w.grad, b.grad):
    dist.all_reduce(gradient)
if rank == 0:
    torch.save((y.detach(), x.grad, w.grad, b.grad, mean, var), sys.argv[1])
dist.destroy_process_group()
"""


def test_two_processes_normalise_as_one_does_with_both_batches(tmp_path: Path) -> None:
    """Outputs, gradients and running statistics of torch's own norm of the whole batch."""
    (tmp_path / "two.py").write_text(PROCESSES)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, str(tmp_path / "two.py"), str(tmp_path / "found.pt")],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    found = torch.load(tmp_path / "found.pt")
    torch.manual_seed(0)
    x = (torch.randn(6, 3, 4, 5) * 2 + 1).requires_grad_()
    weight, bias = torch.rand(3).requires_grad_(), torch.rand(3).requires_grad_()
    goal = torch.randn(6, 3, 4, 5)
    mean, var = torch.zeros(3), torch.ones(3)
    y = F.batch_norm(x, mean, var, weight, bias, True, 0.1, 1e-5)
    (y * goal).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    for mine, own in zip(found, (y[:2], x.grad[:2], weight.grad, bias.grad, mean, var), strict=True):
        torch.testing.assert_close(mine, own)


@pytest.mark.slow
def test_a_flag_synchronises_the_norms_of_a_training(tmp_path: Path) -> None:
    text = "supernet tiny {\n  input image(1, 8, 8);  classes 10\n  norm batch\n  width uniform {0.5, 1.0} round 8\n"
    text += "  stem { conv(16, kernel=3, stride=2); norm; relu }\n  head { pool(avg); linear(classes) }\n}\n"
    folder = write_project(tmp_path, text + "METHOD\ndata digits\ntrain { epochs=1 }\n", "method us_net(subnets=3)")
    assert "test accuracy, largest" in run(folder, "train.py", "--device", "cpu", "--sync-bn", "--epochs", "1")
