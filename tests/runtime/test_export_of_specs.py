"""Every spec's sub-networks as plain source, and every twin's as bundles, torch.export and ONNX programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.codegen.projects import assignments, compiled, elastic_names, image_shape, plain, project, spec_names
from tests.codegen.test_models import images, relative, scramble
from tests.codegen.test_text import formatted
from tests.runtime.test_deploy import part

TWINS = [name for name in elastic_names() if name.startswith(("digits", "glyphs"))]


@pytest.mark.slow
def test_the_source_of_every_spec_makes_the_bound_network(tmp_path: Path) -> None:
    """At a random sub-network, on tensors without memory: its state by name and shape, its answer's shape."""
    for name in spec_names():
        spec = compiled(name)
        made = project(spec, tmp_path / name)
        with torch.device("meta"):
            net = made.model.Model().eval()
        at = assignments(spec.graph, 1)[-1]
        plan = net.plan(plain(spec.graph, at)) if spec.graph.choices else None
        x = torch.empty(2, *image_shape(spec.graph, at), device="meta")
        static = made.bind.bind(net, plan, fold=False)
        writer = part(made, "static_source")
        with made.known():
            text = writer.static_source(static, f"A sub-network of {name}.", (x,))
        (tmp_path / "written").mkdir(exist_ok=True)
        (tmp_path / "written" / f"{name}.py").write_text(text)
        module: dict[str, Any] = {"__name__": name}
        exec(compile(text, name, "exec"), module)
        with torch.device("meta"):
            twin = module["Model"]().eval()
        wanted = {key: value.shape for key, value in static.state_dict().items()}
        assert {key: value.shape for key, value in twin.state_dict().items()} == wanted
        with torch.no_grad():
            assert twin(x).shape == static(x).shape
    assert formatted(tmp_path / "written") == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", TWINS)
@torch.no_grad()
def test_what_is_shipped_of_every_twin_answers_as_the_sliced_network(name: str, tmp_path: Path) -> None:
    """A bundle of 20 random sub-networks, prepared both ways; source and programs of two."""
    spec = compiled(name)
    made = project(spec, tmp_path / "project")
    net = made.model.Model().eval()
    scramble(net)
    for module in net.modules():
        if hasattr(module, "keep_zeros"):
            module.keep_zeros()
    ats = assignments(spec.graph, 18)
    plans = [net.plan(plain(spec.graph, at)) for at in ats]
    part(made, "deploy").save(tmp_path / "anytime", net, plans)
    serving = part(made, "serving")
    runtimes = [
        serving.Runtime.load(tmp_path / "anytime", made.model.Model, straight=straight) for straight in (False, True)
    ]
    for number, (at, plan) in enumerate(zip(ats, plans, strict=True)):
        x = images(spec.graph, at, 32)
        for runtime in runtimes:
            runtime.switch(number)
            assert relative(runtime.run(x), net(x, plan)) < 1e-4, at
    exporting = part(made, "exporting")
    for at, plan in zip(ats[1:3], plans[1:3], strict=True):
        x = images(spec.graph, at, 32)
        wanted = net(x, plan)
        with made.known():
            exporting.write_source(net.bind(plan, fold=False), name, (x,), wanted, tmp_path)
        assert (tmp_path / "model.py").is_file()
        exporting.write_program(net.bind(plan), (x,), wanted, tmp_path / "net.pt2")
        exporting.write_onnx(net.bind(plan), (x,), ["images"], wanted, tmp_path / "net.onnx")
