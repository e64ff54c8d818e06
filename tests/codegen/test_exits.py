"""Generated networks with several answers: which outputs a plan computes, and that each is what it should be."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from specc.cost import cost
from specc.ir.expr import Option
from specc.passes.specialise import specialise
from specc.pipeline import load
from specc.subnets.space import complete
from tests.helpers.exits import BY_K, EXITS
from tests.helpers.projects import Project, from_text, plain, project

NESTED = """
block tail(n, classes) {
  conv(n, kernel=3); norm; relu
  exit deep { pool(avg); linear(classes) }
  residual { conv(n, kernel=3); norm }
  relu
}
supernet nested {
  input image(3, 8, 8); classes 10
  norm batch
  width uniform {0.5, 1.0} round 4
  stem { conv(8, kernel=3); norm; relu }
  stage s1 { conv(8, kernel=1); tail(8, classes); conv(8, kernel=1) }
  stage s2 { a = conv(16, kernel=3, from=s1); concat(a, conv(8, kernel=3, from=s1)); conv(16, kernel=1) }
  exit last { relu; pool(avg); linear(classes) }
  head { relu; pool(avg); linear(classes) }
}
"""


def network(text: str, folder: Path, seed: int = 0) -> tuple[Any, Project]:
    made = project(from_text(text), folder)
    torch.manual_seed(seed)
    net = made.model.Model().eval()
    for module in net.modules():
        if hasattr(module, "running_mean") and isinstance(module.running_mean, Tensor):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    return net, made


@pytest.fixture(scope="module")
def exits(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return network(EXITS, tmp_path_factory.mktemp("exits"))[0]


IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def test_forward_reads_as_a_person_would_write_it(exits: Any) -> None:
    forward = inspect.getsource(type(exits).forward)
    assert '        if p.e0 is not None:\n            outputs["e0"] = self.e0(x, p.e0)' in forward
    assert '        if p.exit == "e0":\n            return p.result(outputs)\n' in forward
    assert forward.rstrip().endswith("return p.result(outputs)")


def test_one_pass_gives_every_answer_and_each_is_what_its_plan_gives(exits: Any) -> None:
    found = exits(IMAGES, exits.plan("max", outputs="all"))
    assert list(found) == ["head", "e0", "e1", "e2"]
    for name, answer in found.items():
        assert torch.equal(exits(IMAGES, exits.plan({"exit": name})), answer)
    assert len({tuple(answer.flatten().tolist()) for answer in found.values()}) == 4
    assert torch.equal(exits(IMAGES), found["head"])


def test_what_a_plan_asks_for_it_gets(exits: Any) -> None:
    early = exits(IMAGES, exits.plan({"exit": "e2"}, outputs=("e1", "s1", "e2")))
    assert {name: tuple(x.shape) for name, x in early.items()} == {"e1": (2, 10), "s1": (2, 8, 8, 8), "e2": (2, 10)}
    assert list(exits(IMAGES, exits.plan({"exit": "e1"}, outputs="all"))) == ["e0", "e1"]
    assert exits.plan({"exit": "e1"}).prediction == "e1"
    assert exits.plan("max").outputs is None


@pytest.mark.parametrize(
    ("at", "outputs", "message"),
    [
        ({"exit": "e1"}, ("head",), r"'head' is not computed here.*returns 'e1' and computes e0, e1"),
        ({"exit": "e0"}, ("s1",), r"'s1' is not computed here"),
        ({"exit": "e1"}, ("s1",), r"'s1' is not computed here"),
        ("max", ("e9",), r"no output 'e9'; there are head, e0, e1, e2, s1, s2, s3"),
        ({"exit": "e9"}, None, r"exit = 'e9'"),
    ],
)
def test_what_a_sub_network_does_not_reach_is_refused(exits: Any, at: Any, outputs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exits.plan(at, outputs=outputs)


def test_an_exit_runs_nothing_behind_it(exits: Any) -> None:
    ran: list[str] = []
    hooks = [
        module.register_forward_pre_hook(lambda module, args, name=name: ran.append(name))
        for name, module in exits.named_modules()
        if not list(module.children())
    ]
    exits(IMAGES, exits.plan({"exit": "e1"}))
    for hook in hooks:
        hook.remove()
    assert ran == ["stem.conv", "s1.conv1", "s1.norm", "s1.e1.linear"]


def test_what_is_left_out_reaches_no_gradient(exits: Any) -> None:
    exits.zero_grad()
    exits(IMAGES, exits.plan({"exit": "e1"})).sum().backward()
    moved = {name for name, p in exits.named_parameters() if p.grad is not None}
    assert moved == {
        "stem.conv.weight",
        "s1.conv1.weight",
        "s1.norm.weight",
        "s1.norm.bias",
        "s1.e1.linear.weight",
        "s1.e1.linear.bias",
    }


@pytest.mark.parametrize("at", [{"exit": "e0"}, {"exit": "e1"}, {"exit": "e2", "s2.keep": False}, {"exit": "head"}])
def test_a_bound_exit_is_static_and_exports(exits: Any, at: Mapping[str, Any]) -> None:
    plan = exits.plan(at)
    extracted = exits.extract(plan)
    torch.testing.assert_close(extracted(IMAGES), exits(IMAGES, plan), rtol=1e-5, atol=1e-5)
    graph = from_text(EXITS).graph
    meant = complete(graph, {name: int(o) if isinstance(o, bool) else o for name, o in at.items()})
    unfolded = exits.extract(plan, fold=False)
    assert sum(p.numel() for p in unfolded.parameters()) == cost(graph, meant).params
    exported = torch.export.export(extracted, (IMAGES,)).module()
    torch.testing.assert_close(exported(IMAGES), extracted(IMAGES))


def test_binding_follows_what_is_asked_for(exits: Any) -> None:
    plan = exits.plan("max", outputs=("e0", "head"))
    extracted = exits.extract(plan)
    found, wanted = extracted(IMAGES), exits(IMAGES, plan)
    assert list(found) == ["e0", "head"]
    for name, answer in wanted.items():
        torch.testing.assert_close(found[name], answer, rtol=1e-5, atol=1e-5)
    early = exits.extract(exits.plan("max", outputs=("e0",)))
    assert {name.partition(".")[0] for name, _ in early.named_parameters()} == {"stem", "e0"}
    exported = torch.export.export(extracted, (IMAGES,)).module()
    torch.testing.assert_close(exported(IMAGES)["e0"], found["e0"])


def test_exits_in_blocks_and_stages_leave_their_modules(tmp_path: Path) -> None:
    net, made = network(NESTED, tmp_path)
    graph = from_text(NESTED).graph
    assert [o.name for o in graph.outputs] == ["head", "deep", "last", "s1", "s2"]
    for width in (0.5, 1.0):
        plan = net.plan({"width": width}, outputs="all")
        found = net(IMAGES, plan)
        for name in ("deep", "last", "head"):
            at = {"width": width, "exit": name}
            assert torch.equal(net(IMAGES, net.plan(at)), found[name])
            extracted = net.extract(net.plan(at))
            torch.testing.assert_close(extracted(IMAGES), found[name], rtol=1e-5, atol=1e-5)
    assert not re.search(r"^ +(if|elif) .*\bexit\b.*\bNone\b.*:$", (made.folder / "model.py").read_text(), re.MULTILINE)


def test_a_static_network_of_an_exit_computes_the_same(tmp_path: Path) -> None:
    spec = from_text(NESTED)
    net, _ = network(NESTED, tmp_path / "elastic")
    for name in ("deep", "head"):
        values: dict[str, Option] = {**{c.name: c.largest for c in spec.graph.choices}, "exit": name}
        static = project(spec, tmp_path / name, specialise(spec.graph, values)).model.Model().eval()
        theirs = net.state_dict()
        static.load_state_dict({key: theirs[key] for key in static.state_dict()})
        at = plain(spec.graph, values)
        torch.testing.assert_close(static(IMAGES), net(IMAGES, net.plan(at)))


def test_heads_by_a_choice_read_the_first_channels(tmp_path: Path) -> None:
    net, _ = network(BY_K, tmp_path)
    stem = net.stem.conv.weight
    for k in (1, 2, 3):
        x = F.conv2d(IMAGES, stem[: 4 * k], padding=1)
        head = getattr(net, f"head{k}")
        norm = head.norm
        x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, eps=norm.eps)
        x = F.relu(x).mean((2, 3))
        if k == 3:
            x = F.relu(F.linear(x, head.linear1.weight, head.linear1.bias))
        last = head.linear if k < 3 else head.linear2
        wanted = F.linear(x, last.weight, last.bias)
        torch.testing.assert_close(net(IMAGES, net.plan({"k": k})), wanted)
        # A larger sub-network has these channels too, so the head can be asked for beside its own.
        torch.testing.assert_close(net(IMAGES, net.plan("max", (f"head{k}",)))[f"head{k}"], wanted)
        extracted = net.extract(net.plan({"k": k}))
        torch.testing.assert_close(extracted(IMAGES), wanted, rtol=1e-5, atol=1e-5)
        assert isinstance(extracted.get_submodule(f"head{k}.linear" if k < 3 else "head3.linear2"), nn.Linear)
    with pytest.raises(ValueError, match=r"'head2' is not computed here: .*'head1' and computes head1"):
        net.plan({"k": 1}, ("head2",))


def test_a_head_of_whole_features_answers_for_its_own_option_only(tmp_path: Path) -> None:
    text = BY_K.replace("conv(4 * k, kernel=3)", "conv(8, kernel=3); conv(4 * k, kernel=1); conv(8, kernel=1)")
    net, _ = network(text, tmp_path)
    assert list(net(IMAGES, net.plan({"k": 2}, "all"))) == ["head2"]
    with pytest.raises(ValueError, match="'head1' is not computed here"):
        net.plan({"k": 2}, ("head1",))


def test_levels_are_asked_for_by_name(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("class,half\n0,0\n1,0\n2,1\n3,1\n")
    (tmp_path / "net.specc").write_text(
        'supernet net { input image(3, 8, 8); classes 4; labels { fine = classes; half = 2 from "c.csv" }\n'
        "stem { conv(4, kernel=3) }; exit e1 by level { pool(avg); linear(level.classes) }\n"
        "stage s1 { conv(4, kernel=3) }; head by level { pool(avg); linear(level.classes) } }\nmethod early_exit\n"
    )
    made = project(load(tmp_path / "net.specc"), tmp_path / "out")
    net = made.model.Model().eval()
    assert {o: tuple(x.shape) for o, x in net(IMAGES, net.plan("max", "all")).items()} == {
        "head_fine": (2, 4),
        "head_half": (2, 2),
        "e1_fine": (2, 4),
        "e1_half": (2, 2),
    }
    assert tuple(net(IMAGES, net.plan({"exit": "e1"})).shape) == (2, 4)
    extracted = net.extract(net.plan({"exit": "e1"}))
    assert {name for name, _ in extracted.named_parameters()} == {
        "stem.conv.weight",
        "e1_fine.linear.weight",
        "e1_fine.linear.bias",
    }


BESIDE = """
supernet beside {
  input image(3, 8, 8); classes 10
  width uniform {0.5, 1.0}
  stem { conv(8, kernel=3) }
  stage s1 { conv(8, kernel=3) }
  stage b { conv(16, kernel=3, from=s1) }
  stage c { conv(16, kernel=3, from=b) }
  stage d { conv(8, kernel=3, from=s1) }
  head { pool(avg); linear(classes) }
}
"""


def test_a_stage_that_no_answer_needs_runs_for_who_asks(tmp_path: Path) -> None:
    net, _ = network(BESIDE, tmp_path)
    ran: list[str] = []
    for name in ("s1", "b", "c", "d"):
        net.get_submodule(name).register_forward_pre_hook(lambda module, args, name=name: ran.append(name))
    net(IMAGES)
    assert ran == ["s1", "d"]
    ran.clear()
    found = net(IMAGES, net.plan({"width": 0.5}, ("c", "head")))
    assert ran == ["s1", "b", "c", "d"]
    assert tuple(found["c"].shape) == (2, 8, 8, 8)
    assert cost(from_text(BESIDE).graph, {"width": 1}).macs == 64 * (27 * 8 + 72 * 8 + 72 * 8) + 80
    extracted = net.extract(net.plan("max"))
    assert {name.partition(".")[0] for name, _ in extracted.named_parameters()} == {"stem", "s1", "d", "head"}


SHARED = """
supernet shared {
  input image(3, 8, 8); classes 10
  stem { conv(8, kernel=3) }
  stage s1 { a = conv(8, kernel=3); conv(8, kernel=3, from=stem) }
  exit e1 { pool(avg); linear(classes) }
  stage s2 { skippable { concat(here, a); conv(8, kernel=3) } }
  head { pool(avg); linear(classes) }
}
"""


def test_what_only_a_later_part_reads_is_made_for_it_alone(tmp_path: Path) -> None:
    net, made = network(SHARED, tmp_path)
    ran: list[bool] = []
    net.s1.a.register_forward_pre_hook(lambda module, args: ran.append(True))
    graph = from_text(SHARED).graph
    macs = {}
    for exit_, keep, runs in (("e1", False, 0), ("head", False, 0), ("head", True, 1)):
        ran.clear()
        plan = net.plan({"exit": exit_, "s2.keep": keep})
        answer = net(IMAGES, plan)
        assert len(ran) == runs
        torch.testing.assert_close(net.extract(plan)(IMAGES), answer, rtol=1e-5, atol=1e-5)
        macs[exit_, keep] = cost(graph, complete(graph, {"exit": exit_, "s2.keep": int(keep)})).macs
    conv, classifier = 64 * 8 * 9, 80
    assert macs["e1", False] == macs["head", False] == (3 + 8) * conv + classifier
    assert macs["head", True] == (3 + 8 + 8 + 16) * conv + classifier
    # Where it is left out, the stage hands on what arrives in its place.
    text = (made.folder / "model.py").read_text()
    assert 'a = x  # handed on where this is left out:\n        if p.exit != "e1" and p.keep:\n' in text


IN_ROUNDS = """
supernet rounds {
  input image(3, 8, 8); classes 10
  norm batch
  stem { conv(8, kernel=3) }
  stage s1 { %s }
  head { pool(avg); linear(classes) }
}
"""
ROUND = "residual { conv(8, kernel=3); norm; relu }; exit e%s { pool(avg); linear(classes) }"


def test_exits_in_rounds_are_those_written_out(tmp_path: Path) -> None:
    written = "; ".join(ROUND % i for i in (1, 2, 3))
    ours = network(IN_ROUNDS % f"repeat 3 {{ {ROUND % ''} }}", tmp_path / "repeat")[0]
    theirs = network(IN_ROUNDS % written, tmp_path / "written", seed=1)[0]
    ours.load_state_dict(theirs.state_dict())
    for name in ("e1", "e2", "e3", "head"):
        assert torch.equal(ours(IMAGES, ours.plan({"exit": name})), theirs(IMAGES, theirs.plan({"exit": name})))
    assert list(ours(IMAGES, ours.plan("max", outputs="all"))) == ["head", "e1", "e2", "e3"]
