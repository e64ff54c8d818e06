"""Sub-networks without an active batch norm: there is nothing to calibrate, and that is fine."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.helpers.projects import from_text, project
from tests.helpers.scripts import run, write_project
from tests.helpers.steps import drawn

SKIPPED = """
supernet no_active_norm {
  input image(1, 8, 8); classes 10
  norm batch
  stem { conv(16, kernel=3); relu }
  stage s { skippable { residual { conv(16, kernel=3); norm; relu } } }
  head { pool(avg); linear(classes) }
}
method METHOD
data digits
train { epochs=1; batch_size=512; calibrate=64 }
search { calibrate=64 }
"""
SPECS = {
    "a skipped residual": SKIPPED,
    "no round of a repeat": SKIPPED.replace("skippable {", "repeat 0..2 {"),
    "an exit before the first norm": SKIPPED.replace("relu }", "relu; exit e { pool(avg); linear(classes) } }", 1),
    "an operator without one": SKIPPED.replace(
        "skippable { residual { conv(16, kernel=3); norm; relu } }",
        "choice op in {pool3, conv3}\nwhen op == pool3 { maxpool(3, stride=1, padding=1) }\n"
        "when op == conv3 { conv(16, kernel=3); norm; relu }",
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_plan_without_a_norm_is_calibrated_as_it_is(name: str, tmp_path: Path) -> None:
    found = project(from_text(SPECS[name].replace("METHOD", "us_net(subnets=2)")), tmp_path)
    assert found.calibrate is not None
    calibrate, net = found.calibrate.calibrate, found.model.Model().eval()
    images, plans = drawn(8, 1, 8, 8), [net.plan("max"), net.plan("min")]
    largest, smallest = (calibrate(net, plan, [images]) for plan in plans)
    with torch.no_grad():
        assert torch.equal(net(images, smallest), net(images, plans[1]))
        assert not torch.equal(net(images, largest), net(images, plans[0]))
    for plan in plans:
        with pytest.raises(ValueError, match="there are no images to calibrate with"):
            calibrate(net, plan, [])


@pytest.mark.slow
@pytest.mark.parametrize("name", SPECS)
def test_it_is_trained_searched_and_exported(name: str, tmp_path: Path) -> None:
    folder = write_project(tmp_path, SPECS[name].replace("METHOD", "us_net(subnets=2)"), "")
    run(folder, "train.py", "--device", "cpu")
    assert "evaluated" in run(folder, "search.py", "--device", "cpu")
    assert "onnxruntime: same outputs" in run(folder, "export.py", "--at", "min")
    run(folder, "export.py", "--bundle")
    run(
        folder,
        "import torch\nfrom elastic.deploy.serving import Runtime\nfrom model import Model\n"
        "for fused in (True, False):\n"
        "    runtime = Runtime.load('runs/anytime', Model, fused=fused)\n"
        "    for number in range(len(runtime)):\n"
        "        runtime.switch(number)\n"
        "        assert runtime.run(torch.randn(2, 1, 8, 8)).shape == (2, 10)\n",
    )


@pytest.mark.slow
def test_it_stands_in_the_pools_of_prioritised_sampling(tmp_path: Path) -> None:
    pss = "pss(pool=2, budgets=[macs(step=10k)])"
    out = run(write_project(tmp_path, SKIPPED.replace("METHOD", pss), ""), "train.py", "--device", "cpu")
    assert "constraint" in out
