"""A smoke test: one telling test of every part, in some 20 seconds on one core. `make smoke` runs this file alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.models import resnet18

from specc.api import Network
from specc.diagnostics import Findings, SpecError
from specc.pipeline import compile_project, load
from specc.source import Source
from specc.syntax.format import format_spec
from specc.syntax.parse import parse
from tests.helpers.comparing import hand_over, relative, scramble
from tests.helpers.folders import SPECS
from tests.helpers.projects import from_text, image_shape, project

TINY = """
supernet tiny {
  input image(1, 8, 8); classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { repeat 0..1 { residual { conv(16, kernel={3, 5}); norm; relu } } }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=3)
data digits
train { epochs=2; batch_size=64; calibrate=128 }
"""


def test_every_spec_is_read_and_written_again() -> None:
    for path in SPECS.glob("*.specc"):
        text = path.read_text(encoding="utf-8")
        findings = Findings()
        tree = parse(Source(path.name, text), findings)
        assert tree is not None, findings.diagnostics
        assert format_spec(tree) == text, path.name


def test_what_is_wrong_is_reported() -> None:
    wrong = TINY.replace("conv(16, kernel=3, stride=2)", "convv(16, kernel=3)").replace("linear(", "linera(")
    with pytest.raises(SpecError) as caught:
        from_text(wrong)
    assert [d.rule.name for d in caught.value.diagnostics] == ["unknown-name", "unknown-name"]


def test_costs_and_sizes_are_the_published_ones() -> None:
    """MobileNetV2 of torchvision; once-for-all's MobileNetV3 has 544 billion billion sub-networks at 25 sizes."""
    report = Network(load(SPECS / "mobilenet_v2.specc")).cost()
    assert (report.params, report.macs) == (3_504_872, 300_774_272)
    net = Network(from_text(TINY))
    assert net.space().size == 2 * (1 + 2)
    assert net.cost("max").macs == 16 * (16 * 9 + 16 * 16 * 25) + 160
    assert net.cost({"width": "0.5", "s1.depth": 0}).macs == 16 * 8 * 9 + 80


def test_a_generated_network_is_torchvisions(tmp_path: Path) -> None:
    theirs = resnet18().eval()
    ours = project(load(SPECS / "resnet18.specc"), tmp_path).model.Model().eval()
    scramble(theirs)
    hand_over(theirs, ours)
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert relative(ours(images), theirs(images)) <= 1e-5


def test_a_step_of_training_moves_what_is_there_and_extraction_keeps_the_answers(tmp_path: Path) -> None:
    spec = from_text(TINY)
    net = project(spec, tmp_path).model.Model()
    x = torch.randn(4, *image_shape(spec.graph, {}), generator=torch.Generator().manual_seed(0))
    small = net.plan({"width": 0.5, "s1.depth": 0})
    net(x, small).logsumexp(1).mean().backward()
    moved = {name for name, parameter in net.named_parameters() if parameter.grad is not None}
    assert {name.split(".")[0] for name in moved} == {"stem", "head"}
    net.eval()
    with torch.no_grad():
        for plan in (small, net.plan("max")):
            for module in (net.extract(plan), net.extract(plan, fold=True), net.fused(plan)):
                assert relative(module(x), net(x, plan)) <= 1e-5


RUN = """
import json, sys
sys.modules["specc"] = None
sys.path.insert(0, ".")
import train, export
exported = ["--at", "max", "--calibrate", "128", "--formats", "source", "program"]
for module, flags in ((train, ["--device", "cpu"]), (export, exported)):
    sys.argv = [f"{module.__name__}.py", *flags]
    module.main()
"""


def test_a_project_trains_and_exports_without_specc(tmp_path: Path) -> None:
    for path, text in compile_project(from_text(TINY)).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    assert "torch.export: same outputs" in done.stdout
    first, second = map(json.loads, (tmp_path / "runs" / "metrics.jsonl").read_text().splitlines())
    assert second["loss"] < first["loss"]
    assert second["accuracy/largest"] > 0.2  # of ten digits
