"""Plans, extraction, calibration and export of a generated network."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.helpers.projects import Project, compiled, from_text, project


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return project(compiled("digits"), tmp_path_factory.mktemp("digits"))


@pytest.fixture
def net(digits: Project) -> Any:
    torch.manual_seed(0)
    return digits.model.Model().eval()


HALF = {"width": 0.5, "s1.depth": 1, "s2.depth": 0}


def test_a_plan_knows_its_assignment(net: Any) -> None:
    assert net.plan(HALF).assignment == HALF
    assert net.plan().assignment == net.plan("max").assignment == {"width": 1.0, "s1.depth": 2, "s2.depth": 2}
    assert net.plan("min").assignment == {"width": 0.2, "s1.depth": 0, "s2.depth": 0}
    assert net.plan({"width": 0.5}).assignment == {"width": 0.5, "s1.depth": 2, "s2.depth": 2}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ({"width": 0.35}, r"width.* 0\.35.*0\.2, 0\.3"),
        ({"s1.depth": 3}, r"s1\.depth.* 3.*0, 1, 2"),
        ({"widht": 0.5}, r"widht.*width"),
        ("medium", "medium"),
        ({"width": "0.5"}, "width"),
    ],
)
def test_an_invalid_assignment_is_named_at_once(net: Any, assignment: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        net.plan(assignment)


def test_an_unknown_output_is_named_at_once(net: Any) -> None:
    with pytest.raises(ValueError, match=r"s3.*head, s1, s2"):
        net.plan("max", outputs=["s3"])


def test_asked_outputs_come_by_name(net: Any) -> None:
    x = torch.randn(2, 1, 8, 8)
    found = net(x, net.plan(HALF, outputs=["s1", "head"]))
    assert {name: tuple(y.shape) for name, y in found.items()} == {"s1": (2, 16, 8, 8), "head": (2, 10)}
    assert torch.equal(found["head"], net(x, net.plan(HALF)))


def test_plans_are_values(net: Any) -> None:
    plan = net.plan(HALF)
    assert plan == net.plan(HALF)
    assert hash(plan) == hash(net.plan(HALF))
    assert plan != net.plan("min")
    assert plan != net.plan(HALF, outputs=["head"])
    assert plan != 1
    assert len({plan, net.plan(HALF), net.plan("min")}) == 2
    assert copy.deepcopy(plan) is plan
    with pytest.raises(AttributeError):
        plan.resolution = 3


def test_plans_travel(digits: Project, net: Any) -> None:
    plan = net.plan(HALF)
    x = torch.randn(1, 1, 8, 8)
    with torch.no_grad():
        expected = net(x, plan)
    with digits.known():
        text = pickle.dumps(plan)
        again = pickle.loads(text)
    assert len(text) < 5000
    assert again == plan
    assert torch.equal(net(x, again), expected)


def test_no_tensor_of_the_network_is_in_a_plan_or_checkpoint(net: Any) -> None:
    net.use(net.plan(HALF))
    with torch.no_grad():
        net(torch.randn(1, 1, 8, 8))
    assert all(isinstance(value, Tensor) for value in net.state_dict().values())
    own = {tensor.data_ptr() for tensor in net.state_dict().values()}

    class Watching(pickle.Pickler):
        def persistent_id(self, obj: object) -> None:
            assert not (isinstance(obj, Tensor) and obj.data_ptr() in own)

    Watching(io.BytesIO()).dump(net.plan(HALF).assignment)
    for path, cut in cuts(net._plan):
        assert "Tensor" not in repr(cut.values()), path


def cuts(plan: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name in plan.__slots__:
        value = getattr(plan, name)
        if hasattr(value, "values") and hasattr(value, "remember"):
            yield f"{path}.{name}", value
        elif hasattr(value, "__slots__") and not isinstance(value, str | int | float):
            yield from cuts(value, f"{path}.{name}")


def test_use_sets_the_default(net: Any) -> None:
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(net(x), net(x, net.plan("max")))
    net.use(net.plan("min"))
    assert torch.equal(net(x), net(x, net.plan("min")))
    twin = copy.deepcopy(net)
    net.use(net.plan("max"))
    assert torch.equal(twin(x), net(x, net.plan("min")))


def test_copies_of_the_network_share_no_memory(net: Any) -> None:
    x = torch.randn(2, 1, 8, 8)
    plan = net.plan(HALF)
    with torch.no_grad():
        before = net(x, plan)
        twin = copy.deepcopy(net)
        for parameter in twin.parameters():
            parameter.mul_(2)
        changed = twin(x, plan)
        assert not torch.equal(changed, before)
        assert torch.equal(net(x, plan), before)


def test_training_shows_through_plans_made_before(net: Any) -> None:
    plan, x = net.plan(HALF), torch.randn(16, 1, 8, 8)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    with torch.no_grad():
        net(x, plan)
    for _ in range(2):
        net.train()
        optimizer.zero_grad()
        net(x, plan).square().mean().backward()
        optimizer.step()
        net.eval()
        with torch.no_grad():
            assert torch.equal(net(x, plan), net(x, net.plan(HALF)))


def test_gradients_are_those_of_the_bound_network(net: Any) -> None:
    """In-place operations leave autograd right, in train mode as well."""
    plan, x = net.plan(HALF), torch.randn(8, 1, 8, 8)
    extracted = net.extract(plan, fold=False).train()
    net.train()
    net(x, plan).logsumexp(1).mean().backward()
    extracted(x).logsumexp(1).mean().backward()
    own = dict(net.named_parameters())
    for name, parameter in extracted.named_parameters():
        whole = own[name].grad
        part = whole[tuple(slice(size) for size in parameter.shape)]
        assert torch.allclose(part, parameter.grad, rtol=1e-4, atol=1e-6), name
        assert torch.isclose(whole.abs().sum(), part.abs().sum())


def test_a_bound_network_is_plain_and_its_own(net: Any) -> None:
    x = torch.randn(2, 1, 8, 8)
    plan = net.plan(HALF)
    with torch.no_grad():
        expected = net(x, plan)
        extracted, folded = net.extract(plan), net.extract(plan, fold=True)
        for parameter in net.parameters():
            parameter.zero_()
        assert torch.allclose(extracted(x), expected, rtol=1e-5, atol=1e-6)
        assert torch.allclose(folded(x), expected, rtol=1e-4, atol=1e-5)
    kinds = {type(m) for m in extracted.modules() if not list(m.children())}
    assert kinds == {nn.Conv2d, nn.BatchNorm2d, nn.Linear}
    assert {type(m) for m in folded.modules() if list(m.parameters(recurse=False))} == {nn.Conv2d, nn.Linear}
    assert all(p.is_contiguous() for p in extracted.parameters())
    assert not extracted.training


def test_extraction_leaves_the_network_as_it_is(net: Any) -> None:
    net.train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    numbers = torch.get_rng_state()
    net.extract(net.plan(HALF))
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert all(module.training for module in net.modules())


def test_a_bound_network_travels_and_exports(net: Any, tmp_path: Path) -> None:
    x = torch.randn(2, 1, 8, 8)
    extracted = net.extract(net.plan(HALF))
    with torch.no_grad():
        expected = extracted(x)
        torch.save(extracted, tmp_path / "bound.pt")  # needs nothing of the project
        again = torch.load(tmp_path / "bound.pt", weights_only=False)
        assert torch.equal(again(x), expected)
        exported = torch.export.export(extracted, (x,)).module()
        assert torch.allclose(exported(x), expected, atol=1e-6)


def images(count: int) -> Tensor:
    return torch.randn(count, 1, 8, 8, generator=torch.Generator().manual_seed(3)) * 2 + 1


def batches(x: Tensor, sizes: int | list[int]) -> list[Tensor]:
    return list(torch.split(x, sizes))


def test_calibration_is_exact_whatever_the_batch_sizes(digits: Project, net: Any) -> None:
    """The first norm's input does not depend on other norms, so its statistics are those of all images at once."""
    assert digits.calibrate is not None
    plan = net.plan(HALF)
    x = images(50)
    with torch.no_grad():
        y = nn.functional.conv2d(x, net.stem.conv.weight[:16], padding=1).double()
    for sizes in ([50], [20, 20, 10], [7] * 7 + [1]):
        found = digits.calibrate.calibrate(net, plan, batches(x, sizes)).stem.norm
        assert torch.allclose(found.mean.double(), y.mean((0, 2, 3)), rtol=1e-5, atol=1e-7)
        assert torch.allclose(found.var.double(), y.var((0, 2, 3)), rtol=1e-5)


def test_calibration_is_what_training_mode_averages(digits: Project, net: Any) -> None:
    """Batches of one size, momentum None: means are torch's cumulative average, in every layer."""
    assert digits.calibrate is not None
    plan = net.plan(HALF)
    parts = batches(images(60), 20)
    twin = copy.deepcopy(net).train()
    for module in twin.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
            module.reset_running_stats()
    with torch.no_grad():
        for batch in parts:
            twin(batch, plan)
    calibrated = digits.calibrate.calibrate(net, plan, [(b, torch.zeros(len(b))) for b in parts])
    for (path, cut), (_, before) in zip(cuts(calibrated), cuts(plan), strict=True):
        if "norm" in path:
            running = twin.get_submodule(path[1:]).running_mean[: cut.features]
            assert torch.allclose(cut.mean, running, rtol=1e-4, atol=1e-5), path
            assert before.mean is None


def test_calibration_leaves_the_network_as_it_is(digits: Project, net: Any) -> None:
    assert digits.calibrate is not None
    net.s1.eval()
    net.head.train()
    modes = [module.training for module in net.modules()]
    state = {name: value.clone() for name, value in net.state_dict().items()}
    numbers = torch.get_rng_state()
    plan = net.plan(HALF)
    calibrated = digits.calibrate.calibrate(net, plan, batches(images(30), 10))
    assert [module.training for module in net.modules()] == modes
    assert torch.equal(torch.get_rng_state(), numbers)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    assert calibrated == plan
    net.eval()
    x = images(4)
    with torch.no_grad():
        assert not torch.equal(net(x, calibrated), net(x, plan))
        assert torch.allclose(net.extract(calibrated)(x), net(x, calibrated), rtol=1e-4, atol=1e-5)
        with digits.known():
            again = pickle.loads(pickle.dumps(calibrated))
        assert torch.equal(net(x, again), net(x, calibrated))
    with pytest.raises(ValueError, match="no images"):
        digits.calibrate.calibrate(net, plan, [])


def test_a_failed_calibration_leaves_no_trace(digits: Project, net: Any) -> None:
    assert digits.calibrate is not None
    net.train()
    with pytest.raises(RuntimeError):
        digits.calibrate.calibrate(net, net.plan(HALF), [images(4), torch.zeros(4, 3, 8, 8)])
    assert all(module.training for module in net.modules())
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_images_are_resized_to_the_plans_resolution(tmp_path: Path) -> None:
    spec = from_text(
        "supernet small { input image(3, resolution=8..16 step 4); classes 5; norm batch\n"
        "  stem { conv(8, kernel=3, stride=2); norm; relu }\n"
        "  head { pool(avg); linear(classes) } }\n"
    )
    net = project(spec, tmp_path).model.Model().eval()
    seen: list[tuple[int, ...]] = []
    hook = net.stem.register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape)))
    x = torch.randn(2, 3, 16, 16)
    for resolution in (8, 12, 16):
        net(x, net.plan({"resolution": resolution}))
    hook.remove()
    assert [shape[-1] for shape in seen] == [8, 12, 16]
    small = torch.randn(2, 3, 8, 8)
    plan = net.plan({"resolution": 8})
    with torch.no_grad():
        assert torch.allclose(net.extract(plan, fold=False)(small), net(small, plan), atol=1e-6)


def test_two_networks_have_nothing_in_common(tmp_path: Path) -> None:
    one = project(compiled("digits"), tmp_path / "a")
    two = project(compiled("digits"), tmp_path / "b")
    assert one.model.Model is not two.model.Model
    x = torch.randn(1, 1, 8, 8)
    assert one.model.Model().eval()(x).shape == two.model.Model().eval()(x).shape


def test_plans_pass_through_distributed_training(net: Any, tmp_path: Path) -> None:
    """DDP hands a plan on as it is, and averages the gradients of what was present."""
    from torch import distributed
    from torch.nn.parallel import DistributedDataParallel

    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        net.train()
        wrapped = DistributedDataParallel(net, find_unused_parameters=True)
        x = torch.randn(8, 1, 8, 8)
        with wrapped.no_sync():
            wrapped(x, net.plan("max")).square().mean().backward()
        wrapped(x, net.plan("min")).square().mean().backward()
    finally:
        distributed.destroy_process_group()
    assert all(parameter.grad is not None for parameter in net.parameters())
