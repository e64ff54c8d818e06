"""A network's fingerprint: what it depends on, and what it does not."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from specc.codegen.fingerprint import fingerprint
from specc.codegen.model.write import model_text
from specc.pipeline import load
from specc.source import Source
from tests.helpers.folders import ROOT, SPECS, spec_names

SPEC = """
supernet tiny {
  input image(3, 32, 32);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu6 }
  stage s1 {
    skippable keep { residual { conv(16, kernel=3); norm; relu6 } }
    conv(32, kernel={3, 5}); norm; relu
    maxpool(2)
  }
  head { pool(avg); dropout(0.1); linear(classes) }
}
method us_net
data digits
train { epochs=3 }
"""


def of(text: str) -> str:
    return fingerprint(load(Source("tiny.specc", text)).graph)


def changed(old: str, new: str) -> str:
    assert old in SPEC
    return SPEC.replace(old, new)


@pytest.mark.parametrize(
    "text",
    [
        SPEC.replace("\n  ", "\n\n      # a comment\n      "),
        changed("supernet tiny", "supernet other"),
        changed("method us_net", "method independent(subnets=[max, min])"),
        changed("data digits", 'data cifar10(path="/data")'),
        changed("epochs=3", "epochs=90; optimizer=adamw(lr=0.1); batch_size=7; seed=4"),
        changed("stride=2", "stride=4/2"),
        changed("{0.5, 1.0}", "{1/2, 1}"),
        changed("{0.5, 1.0}", "0.5..1.0 step 0.5"),
        changed("conv(16, kernel=3, stride=2)", "conv(stride=2, kernel=3, out=8 * 2)"),
        "block cr(out) { conv(out, kernel=3); norm; relu6 }\n" + SPEC,
    ],
)
def test_another_way_of_writing_the_same_network_has_the_same_fingerprint(text: str) -> None:
    assert of(text) == of(SPEC)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("norm; relu6 }\n  stage", "norm; hswish }\n  stage"),
        ("norm; relu6 }\n  stage", "norm }\n  stage"),
        ("stride=2", "stride=1"),
        ("maxpool(2)", "maxpool(2, padding=1)"),
        ("maxpool(2)", "maxpool(2, ceil=yes)"),
        ("maxpool(2)", "pool(avg, 2)"),
        ("maxpool(2)", ""),
        ("{0.5, 1.0}", "{0.25, 0.5, 1.0}"),
        ("{0.5, 1.0}", "{1.0}"),
        ("round 8", "round 4"),
        ("width uniform", "width per_group"),
        ("kernel={3, 5}", "kernel=5"),
        ("kernel={3, 5}", "kernel={1, 3, 5}"),
        ("conv(32,", "conv(40,"),
        ("norm batch", "norm batch(bank=width)"),
        ("skippable keep {", "norm batch(bank=skip); skippable keep {"),
        ("norm batch", "norm batch(eps=0.001)"),
        ("norm batch", "norm batch(momentum=0.01)"),
        ("norm batch", "norm group(groups=4)"),
        ("residual { conv(16, kernel=3)", "residual { conv(16, kernel=3, connect=triangular(2))"),
        ("skippable keep", "repeat 1"),
        ("skippable keep", "skippable kept"),
        ("stage s1", "stage s2"),
        ("dropout(0.1)", "dropout(0.2)"),
        ("classes 10", "classes 11"),
        ("image(3, 32, 32)", "image(3, 40, 40)"),
        ("image(3, 32, 32)", "image(3, resolution={24, 32})"),
        ("pool(avg); dropout", "pool(max); dropout"),
        ("  head {", "  exit early { pool(avg); linear(classes) }\n  head {"),
        ("linear(classes)", "linear(classes, bias=no)"),
    ],
)
def test_whatever_changes_the_network_changes_its_fingerprint(old: str, new: str) -> None:
    assert of(changed(old, new)) != of(SPEC)


def test_model_py_says_it_and_so_does_its_class() -> None:
    graph = load(Source("tiny.specc", SPEC)).graph
    found = re.findall(r'^    fingerprint = "([0-9a-f]{16})"', model_text(graph).text, re.MULTILINE)
    assert found == [fingerprint(graph)]


def test_other_processes_with_other_hash_seeds_find_the_same() -> None:
    code = (
        "from specc.pipeline import load; from specc.codegen.fingerprint import fingerprint; import sys\n"
        "print(fingerprint(load(sys.argv[1]).graph))"
    )
    spec = SPECS / "digits_efficientnet_tips.specc"
    seen = {
        subprocess.run(
            [sys.executable, "-c", code, str(spec)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(seen) == 1


def test_it_stays_what_it_is() -> None:
    """Checkpoints that people have must not become those of another network by an update of specc."""
    assert of(SPEC) == "3c89fd7a3e279550"


def test_specs_of_one_network_share_it_and_others_do_not() -> None:
    names = ["digits", "digits_adn", "digits_ofa", "mobilenet_v2", "mobilenet_v2_us", "resnet18", "resnet34"]
    assert set(names) <= set(spec_names())
    found = {name: fingerprint(load(SPECS / f"{name}.specc").graph) for name in names}
    assert len({*found.values()}) == len(names)
