"""Weights as safetensors files: what train.py writes beside its checkpoint, and what every script takes instead."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=1; batch_size=256; optimizer=adamw; calibrate=64; ema=0.9 }
search { calibrate=64 }
"""
NO_PICKLE = """
import pickle, torch
def refused(*_, **__):
    raise AssertionError("something is unpickled")
loads, torch.load, unpickler, pickle.Unpickler = torch.load, refused, pickle.Unpickler, refused
"""
PICKLE = "torch.load, pickle.Unpickler = loads, unpickler"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    folder = write_project(tmp_path_factory.mktemp("weights"), SPEC, "method pss(budgets=[macs(step=10k)])")
    with Scripts(folder) as found:
        assert found("train.py").code == 0
        yield found


def test_the_weights_to_evaluate_are_those_of_the_checkpoint(scripts: Scripts) -> None:
    """Here the moving average's; read by the package, not by ours. The texts say of what they are."""
    runs = scripts.folder / "runs"
    saved = torch.load(runs / "checkpoint.pt", weights_only=True)
    found, wanted = load_file(runs / "weights.safetensors"), saved["average"]["net"]
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], value) for name, value in wanted.items())
    content = (runs / "weights.safetensors").read_bytes()
    texts = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    about = json.loads(texts["checkpoint"])
    assert about == {name: saved[name] for name in about}
    assert {"network", "method", "classes", "data"} <= about.keys()


def test_every_script_evaluates_them_as_it_does_the_checkpoint_and_unpickles_nothing(scripts: Scripts) -> None:
    runs = scripts.folder / "runs"
    outs = []
    for name in ("checkpoint.pt", "weights.safetensors"):
        if name == "weights.safetensors":
            scripts.do(NO_PICKLE)
        ended = [
            scripts("train.py", "--test-only", "-j", "0", "--resume", f"runs/{name}"),
            scripts("search.py", "-j", "0", "--checkpoint", f"runs/{name}"),
            scripts("export.py", "--checkpoint", f"runs/{name}", "--at", "max", "--formats", "source"),
        ]
        assert [one.code for one in ended] == [0, 0, 0], ended
        lines = ended[0].out.splitlines()
        outs.append(
            (
                [line for line in lines if line.startswith("test accuracy")],
                json.loads((runs / "pareto.json").read_text())["weights"],
                load_file(runs / "export" / "weights.safetensors"),
            )
        )
    scripts.do(PICKLE)
    assert outs[0][:2] == outs[1][:2]
    assert all(torch.equal(outs[0][2][name], value) for name, value in outs[1][2].items())


def test_a_run_does_not_go_on_from_weights_alone(scripts: Scripts) -> None:
    reason = scripts("train.py", "--resume", "runs/weights.safetensors", "--epochs", "2").reason
    assert reason.startswith(
        "runs/weights.safetensors is no checkpoint of train.py: it lacks optimizer, schedule, scaler"
    )


def test_weights_from_elsewhere_go_by_names_and_shapes(scripts: Scripts, tmp_path: Path) -> None:
    """Without what ours say of themselves: with a warning where they fit, refused where they do not."""
    weights = load_file(scripts.folder / "runs" / "weights.safetensors")
    file = tmp_path / "theirs.safetensors"
    save_file(weights, file, {"format": "pt"})
    ended = scripts("train.py", "--test-only", "--resume", str(file))
    assert ended.code == 0, ended.err
    assert "the checkpoint does not say of which network it is: names and shapes decide" in ended.err
    assert "it lacks data" in scripts("export.py", "--checkpoint", str(file), "--at", "max").reason
    name, value = next((name, value) for name, value in weights.items() if value.dim() > 1)
    save_file(weights | {name: value[:1].clone()}, file)
    assert f"{name} has shape" in scripts("train.py", "--test-only", "--resume", str(file)).reason
    bad = weights | {name: torch.full_like(value, torch.nan)}
    save_file(bad, file)
    assert "NaN or infinite" in scripts("train.py", "--test-only", "--resume", str(file)).reason


def test_damaged_weights_are_refused_in_a_line(scripts: Scripts, tmp_path: Path) -> None:
    whole = (scripts.folder / "runs" / "weights.safetensors").read_bytes()
    file = tmp_path / "weights.safetensors"
    rng = random.Random(0)
    contents = [whole[:length] for length in (0, 7, 8, 100, len(whole) - 1)] + [b"PK\x03\x04", b"\x80\x02." * 40]
    for _ in range(20):
        changed = bytearray(whole)
        changed[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        contents.append(bytes(changed))
    for text in ("[]", "7", "{", "[" * 10_000, '{"format": "x"}', '{"format": 3}', '{"network": 7}', '{"data": {}}'):
        save_file(load_file(scripts.folder / "runs" / "weights.safetensors"), file, {"checkpoint": text})
        contents.append(file.read_bytes())
    refused = 0
    for content in contents:
        file.write_bytes(content)
        ended = scripts("export.py", "--checkpoint", str(file), "--at", "nothing")
        assert not ended.raised, ended.raised
        assert len(ended.reason) < 400
        refused += ended.reason.startswith(str(file))
    assert refused >= len(contents) - 3  # a flipped bit in what it says of itself may leave JSON of the same kind
