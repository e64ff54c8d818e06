"""Somebody else's operator, norm, method and analysis: installed, checked, compiled, trained and exported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from specc.analyses import analysis_names, answers, find_analysis
from specc.cli.topics import explained
from specc.diagnostics import SpecError
from specc.ir.parameter import Call
from specc.ops import find_norm, find_operator, operators
from specc.pipeline import compile_project, load
from specc.source import Source
from tests.helpers.networks import graph_of, reported, spec
from tests.helpers.scripts import run, write_files

JITTER = {
    "__init__": '"""Noise."""\n',
    "rules": '''
"""Noise on every value, while training."""

from dataclasses import dataclass

from specc.diagnostics import Rule
from specc.ir.operator import Built, Memory, Operator
from specc.ir.parameter import Parameter, Signature

LOUD = Rule("E498", "jitter-too-loud", "noise drowns what it is added to", "Wrong: jitter(2)\\nRight: jitter(0.1)")


@dataclass(frozen=True, slots=True)
class JitterParams:
    std: object


class Jitter(Operator):
    kind = "jitter"
    example = "conv(8, kernel=3); jitter(0.2)"
    signature = Signature(
        "jitter", (Parameter("std", "number", doc="standard deviation, while training"),), "Adds noise while training."
    )
    channelwise = True
    folds = True
    silent = True

    def build(self, call):
        if call.args["std"] > 1:
            call.report(LOUD, "this is more noise than signal", at="std", help="write 0.1")
        return Built(JitterParams(call.args["std"]), ((call.inputs[0].channels, call.inputs[0].space),))

    def memory(self, op, inputs, outputs):
        return Memory("alias")


OPERATORS = (Jitter(),)
''',
    "write": '''
"""Noise in generated code."""

from specc.ops.writing import Arg, Writer, Written, each


def write(sites, elastic):
    return Written("Jitter", "jitter", args=(Arg(each(sites, lambda site: site.op.params.std), "rate"),))


WRITERS = (Writer("jitter", write),)
''',
    "torch": '''
"""Noise while training."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Jitter(nn.Module):
    """Adds noise of a standard deviation to every value, while training."""

    only_training = True

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x

    def bound(self, cut: None = None) -> Jitter:
        return Jitter(self.std).train(self.training)
''',
}
UNIT = {
    "__init__": '"""A norm without weights."""\n\nNORMS = ("unit",)\n',
    "rules": '''
"""Every pixel's channels to length 1."""

from specc.ir.operator import Built, NoParams, Operator
from specc.ir.parameter import Parameter, Signature


class Unit(Operator):
    kind = "unit_norm"
    written = False
    signature = Signature("unit", (Parameter("spare", "flag", False, "nothing"),), "Length 1.")
    normalises = True
    folds = True
    reads_runs = True

    def build(self, call):
        return Built(NoParams(), ((call.inputs[0].channels, call.inputs[0].space),))


OPERATORS = (Unit(),)
''',
    "write": '''
"""The norm in generated code."""

from specc.ops.writing import Writer, Written


def write(sites, elastic):
    return Written(call="F.normalize({0}, dim=1)")


WRITERS = (Writer("unit_norm", write),)
''',
}
CENSUS = '''
"""How many operations of each kind there are."""

from collections import Counter

from specc.analyses.protocol import Analysis


def answer(graph, request):
    least = dict(request.values)["least"]
    counts = Counter(op.kind for op in graph.ops)
    return {"kinds": {kind: count for kind, count in sorted(counts.items()) if count >= least}}


ANALYSIS = Analysis("census", answer)
'''
METHOD = {
    "__init__": '''
"""The largest and the smallest sub-network, with a file of what there is in the network."""

import json

from specc.diagnostics import Rule
from specc.ir.parameter import Call, Parameter, Signature
from specc.methods.protocol import Basics

NO_NOISE = Rule("E698", "no-noise", "nothing is noisy", "Wrong: relu\\nRight: jitter(0.1)")


class Ends(Basics):
    def lists(self, call):
        return "max", "min"

    def subnets_per_step(self, graph, call):
        return 2

    def check(self, graph, call, report):
        return None

    def asks(self, graph, call):
        return (Call("census", (("least", 1),)),)

    def check_found(self, graph, call, found, report):
        if "jitter" not in found["census"]["kinds"]:
            report(NO_NOISE, "nothing in this network is noisy", help="write `jitter(0.1)`")

    def requests(self, graph, call):
        return (Call("census", (("least", call["least"]),)),)

    def files(self, graph, call, found):
        return {"census.json": json.dumps(found["census"])}


METHOD = Ends(Signature("ends", (Parameter("least", "integer", 1, "kinds with fewer are left out"),), "both ends"))
''',
    "step": '''
"""One step: both ends learn the labels."""


def step(trainer, images, labels, plans):
    losses = []
    for plan in trainer.passes(plans):
        loss = trainer.criterion(trainer.forward(images, plan), labels)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
''',
}
LOOP = """\
                plans = [net.plan(space.largest()), net.plan(space.smallest())]
                losses = ends.step(trainer, images, labels, plans)
                trainer.update()
"""
SPEC = """
supernet noisy {
  input image(1, 8, 8);  classes 10
  norm batch(bank=subnet)
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu; jitter(0.1) }
  stage s1 { norm unit; conv(16, kernel=3); norm; relu }
  head { pool(avg); linear(classes) }
}
method ends(least=2)
data digits
train { epochs=1; batch_size=512; calibrate=128 }
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with one that brings all of it."""
    folder = tmp_path / "site"
    for package, texts in {"jitter": JITTER, "unit": UNIT, "ends": METHOD}.items():
        home = folder / "acme" / package
        write_files(home, {f"{name}.py": text.lstrip() for name, text in texts.items()})
    write_files(folder / "acme", {"__init__.py": '"""Acme."""\n', "census.py": CENSUS.lstrip()})
    write_files(folder / "acme" / "ends", {"loop.jinja": LOOP})
    points = (
        "[specc.operators]\njitter = acme.jitter\nunit_norm = acme.unit\n\n"
        "[specc.methods]\nends = acme.ends\n\n[specc.analyses]\ncensus = acme.census\n"
    )
    about = {"METADATA": "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", "entry_points.txt": points}
    write_files(folder / "acme-1.0.dist-info", about)
    monkeypatch.syspath_prepend(str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        monkeypatch.delitem(sys.modules, name)
    return folder


def test_an_operator_from_outside_is_found_and_explained(site: Path) -> None:
    found = find_operator("jitter")
    assert found is not None
    assert (found.kind, found.channelwise, "jitter" in operators()) == ("jitter", True, False)
    assert find_operator("no_such") is None
    assert find_norm("unit") == "unit_norm"
    assert find_norm("no_such") is None
    text = explained("jitter")
    assert text is not None
    assert "standard deviation" in text
    assert "conv(8, kernel=3); jitter(0.2)" in text
    assert "jitter" in (explained("operators") or "")


def test_it_is_checked_as_any_other(site: Path) -> None:
    assert reported(spec("stage s1 { jitter(0.1); jitter(std=1/2) }")) == []
    assert reported(spec("stage s1 { jitter }")) == ["missing-argument"]
    assert reported(spec("stage s1 { jitter(loud=3) }")) == ["extra-argument"]
    assert reported(spec("stage s1 { jitter(2) }")) == ["jitter-too-loud"]
    assert reported(spec("stage s1 { norm unit; norm(spare=yes) }")) == []
    assert reported(spec("stage s1 { norm unit; norm(eps=1e-5) }")) == ["extra-argument"]
    assert reported(spec("stage s1 { norm uniti; norm }")) == ["unknown-name"]
    joined = graph_of(spec("stage s1 { a = conv(16, kernel=3); add(jitter(0.1), a) }"))
    assert [op.kind for op in joined.ops if op.name.startswith("s1")] == ["conv", "jitter", "add"]
    held = graph_of("block b(act) { act(0.1) }\n" + spec("stage s1 { b(jitter) }"))
    assert [op.kind for op in held.ops if op.name.startswith("s1")] == ["jitter"]


def test_a_block_of_the_spec_comes_before_it(site: Path) -> None:
    own = graph_of("block jitter(out) { conv(out, kernel=1) }\n" + spec("stage s1 { jitter(8) }"))
    assert [op.kind for op in own.ops if op.name.startswith("s1")] == ["conv"]


def test_an_analysis_from_outside_is_found_and_asked(site: Path) -> None:
    assert analysis_names() == ("census", "channels", "importance")
    assert find_analysis("protocol") is None
    assert find_analysis("no_such") is None
    graph = graph_of(spec("stage s1 { relu }"))
    assert answers(graph, (Call("census", (("least", 2),)),)) == {"census": {"kinds": {"relu": 2}}}
    with pytest.raises(ValueError, match="there is no analysis `cencus`; there are census, channels, importance"):
        answers(graph, (Call("cencus", ()),))


def test_a_method_judges_by_it(site: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(Source("noisy.specc", SPEC.replace("; jitter(0.1)", "")))
    assert [d.rule.name for d in caught.value.diagnostics] == ["no-noise"]


def test_the_network_is_compiled_trained_and_exported_without_the_package(site: Path, tmp_path: Path) -> None:
    files = compile_project(load(Source("noisy.specc", SPEC)))
    assert json.loads(files["census.json"]) == {"kinds": {"conv": 2, "relu": 2}}
    assert "from elastic.layers.jitter import Jitter\n" in files["model.py"]
    assert "F.normalize(" in files["model.py"]
    assert not [path for path, text in files.items() if "acme" in text]
    folder = write_files(tmp_path / "project", files)
    out = run(folder, TRAINED)
    assert "test accuracy" in out
    report = json.loads((folder / "runs" / "export" / "subnet.json").read_text())
    assert (report["network"], report["at"]) == ("noisy", {"width": 0.5})
    static = (folder / "runs" / "export" / "model.py").read_text()
    assert "F.normalize(" in static
    assert "class Jitter(nn.Module):" in static


@pytest.mark.parametrize(("old", "new"), [("stage s1", "stage Jitter"), ("supernet noisy", "supernet jitter")])
def test_nothing_else_in_model_py_takes_its_layer_s_name(site: Path, tmp_path: Path, old: str, new: str) -> None:
    files = compile_project(load(Source("noisy.specc", SPEC.replace(old, new))))
    assert files["model.py"].count("class Jitter(") == 0
    assert "class JitterNet(" in files["model.py"]
    folder = write_files(tmp_path / "project", files)
    said = run(folder, "from model import Model; print({type(m).__module__ for m in Model().modules()})")
    assert "elastic.layers.jitter" in said


TRAINED = """
import train, export
sys.argv = ["train.py", "--device", "cpu"]
train.main()
sys.argv = ["export.py", "--at", "min"]
export.main()
"""


def test_checking_a_spec_of_specc_s_own_words_reads_no_entry_points() -> None:
    code = (
        "import sys; from specc.cli.main import main; main(['check', 'specs/digits_mobilenet_v3_ofa.specc']); "
        "print('importlib.metadata' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "False", done.stdout + done.stderr
