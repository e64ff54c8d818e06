"""A method of somebody else's: one folder in an installed package, found by its entry point, compiled and trained."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from specc.diagnostics import SpecError
from specc.methods import find_method, method_folder, method_names
from specc.pipeline import compile_project, load
from specc.source import Source
from tests.helpers.scripts import run, write_files

INIT = '''
"""A method that trains the largest and one other sub-network, and says which operations matter."""

from specc.diagnostics import Rule
from specc.ir.parameter import Call, Parameter, Signature
from specc.methods.protocol import Basics, Constant

UNLUCKY = Rule("E699", "unlucky", "thirteen", "Wrong:  share=13\\nRight:  share=12")
SIGNATURE = Signature("toy", (Parameter("share", "number", 1, "of the other's loss"),), "a toy")


class Toy(Basics):
    def subnets_per_step(self, graph, call):
        return 2

    def check(self, graph, call, report):
        if call["share"] == 13:
            report(UNLUCKY, "thirteen is unlucky", at="share", help="write 12")

    def constants(self, graph, call):
        return (Constant("PAIR", ("max", Call("at", (("keep", 0),))), "The two of the first step."),)

    def requests(self, graph, call):
        return (Call("importance", (("subnets", 4), ("coupling", 1), ("damping", 0))),)

    def files(self, graph, call, found):
        important = [op["name"] for op in found["importance"]["ops"] if op["important"]]
        return {"important.txt": "\\n".join(important) + "\\n"}


METHOD = Toy(SIGNATURE)
'''
STEP = '''
"""The toy's training step."""

from __future__ import annotations

from acme_toys.toy.shares import weighed
from specc.runtime.train.subnets import resolved


class Tally:
    """How many steps there were."""

    def __init__(self):
        self.steps = 0

    def state(self):
        return {"steps": self.steps}

    def restore(self, state):
        self.steps = state["steps"]


def pair(space, rng, tally, first):
    tally.steps += 1
    return [space.largest(), space.draw(rng)] if tally.steps > 1 else [resolved(space, at) for at in first]


def step(trainer, images, labels, plans, share):
    losses = []
    for i, plan in enumerate(trainer.passes(plans)):
        loss = weighed(trainer.criterion(trainer.forward(images, plan), labels), share if i else 1)
        trainer.backward(loss)
        losses.append(loss.detach())
    return losses
'''
SHARES = '''
"""What a share of a loss is."""

from torch import Tensor


def weighed(loss: Tensor, share: float) -> Tensor:
    return loss * share
'''
TEMPLATES = {
    "loop": """\
                plans = [net.plan(at) for at in toy.pair(space, rng, trainer.memory, PAIR)]
                losses = toy.step(trainer, images, labels, plans, {{ view.values.share }})
                trainer.update()
""",
    "memory": "    trainer.memory = toy.Tally()\n",
    "epoch": '            bar.say(f"toys from step {trainer.memory.steps} on")\n',
    "validated": '    subnets = {"whole": space.largest()}\n',
    "finish": '    print(f"{trainer.memory.steps} steps of a toy")\n',
}
SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  stem { conv(8, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(8, kernel=3); norm; relu } } }
  head { pool(avg); linear(classes) }
}
method toy(share=1/2)
data digits
train { epochs=2; batch_size=512; calibrate=128 }
"""


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of installed packages with the toy's in it."""
    site = tmp_path / "site"
    home = site / "acme_toys" / "toy"
    texts = {"__init__": INIT, "step": STEP, "shares": SHARES}
    write_files(home, {f"{name}.py": text.lstrip() for name, text in texts.items()})
    write_files(home, {f"{name}.jinja": text for name, text in TEMPLATES.items()})
    write_files(site, {"acme_toys/__init__.py": '"""Toys."""\n'})
    about = {
        "METADATA": "Metadata-Version: 2.1\nName: acme-toys\nVersion: 1.0\n",
        "entry_points.txt": "[specc.methods]\ntoy = acme_toys.toy\n",
    }
    write_files(site / "acme_toys-1.0.dist-info", about)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "acme_toys.toy", raising=False)
    monkeypatch.delitem(sys.modules, "acme_toys", raising=False)
    return site


def test_a_method_from_outside_is_found_by_its_entry_point(toys: Path) -> None:
    method = find_method("toy")
    assert method is not None
    assert method.name == "toy"
    assert "toy" in method_names()
    assert method_folder("toy") == toys / "acme_toys" / "toy"
    assert find_method("no_such_toy") is None


def test_it_reports_what_it_lacks_where_the_spec_says_so(toys: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load(Source("tiny.specc", SPEC.replace("share=1/2", "share=13")))
    (found,) = caught.value.diagnostics
    assert (found.rule.code, found.primary.span.text) == ("E699", "share=13")


def test_its_project_holds_its_parts_and_trains_without_it(toys: Path, tmp_path: Path) -> None:
    files = compile_project(load(Source("tiny.specc", SPEC)))
    assert "import space\nimport toy\n" in files["train.py"]
    assert '# The two of the first step.\nPAIR = ["max", {"keep": False}]\n' in files["train.py"]
    assert "from toy_shares import weighed\n" in files["toy.py"]
    assert "from elastic.train.subnets import resolved\n" in files["toy.py"]
    assert files["important.txt"].split()[0] == "stem.conv"
    for path, text in files.items():
        assert "acme_toys" not in text, path
        if path.endswith(".py"):
            ast.parse(text)

    folder = write_files(tmp_path / "project", files)
    out, _, resumed = run(folder, TRAINED).partition("resumed")
    assert "toys from step 0 on" in out
    assert "toys from step 2 on" in out
    assert "test accuracy, whole" in out
    assert out.rstrip().endswith("4 steps of a toy")
    assert "toys from step 4 on" in resumed
    assert resumed.rstrip().endswith("6 steps of a toy")
    rows = [json.loads(line) for line in (folder / "runs" / "metrics.jsonl").read_text().splitlines()]
    assert set(rows[-1]) == {"epoch", "loss", "lr", "accuracy/whole"}


TRAINED = """
import train

sys.argv = ["train.py", "--device", "cpu"]
train.main()
print("resumed")
sys.argv += ["--resume", "runs/checkpoint.pt", "--epochs", "3"]
train.main()
"""


def test_the_command_line_plans_and_compiles_it(toys: Path, tmp_path: Path) -> None:
    spec = tmp_path / "tiny.specc"
    spec.write_text(SPEC)
    environment = {**os.environ, "PYTHONPATH": str(toys)}
    command = [sys.executable, "-m", "specc", "plan", str(spec), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout)
    assert plan["method"] == {"name": "toy", "subnets_per_step": 2, "listed": None}
    assert {"important.txt", "toy.py", "toy_shares.py"} <= {row["path"] for row in plan["files"]}
