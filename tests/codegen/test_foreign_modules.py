"""`module(..)`: a class of the user's in the network, whose parameters and output the spec says."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import torch

from specc.cost.report import cost
from specc.diagnostics import SpecError
from specc.ir.graph import Graph
from specc.passes.specialise import specialise
from specc.pipeline import Compiled, compile_project, load
from tests.helpers.commands import specc
from tests.helpers.comparing import relative, scramble
from tests.helpers.projects import assignments, image_shape, plain, project

MINE = """
    import torch
    from torch import nn

    class Mixer(nn.Module):
        def __init__(self, channels=8, twice=False):
            super().__init__()
            self.inner = nn.Linear(channels, channels)
            self.twice = twice

        def forward(self, x):
            y = self.inner(x.transpose(1, -1)).transpose(1, -1)
            if float(y.sum()) > 1e9:  # torch.fx can't follow this
                return x
            return 2 * y if self.twice else y

    class Pooled(nn.Module):
        def forward(self, x):
            return x.amax((2, 3))

    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(8, 6, 2, stride=2)

        def forward(self, x):
            return self.conv(x).flatten(2).transpose(1, 2)

    def number():
        return 3
"""

MIXER = 'module(path="mine.py", name="Mixer", out=8, size=same, params=72, macs=4096, reads=map)'
SPEC = """
supernet net {{
  input image(3, {size}); classes 5
  {settings}
  stem {{ conv(8, kernel=3); norm; relu }}
  stage {{ {stage} }}
  head {{ {head} }}
}}
"""
HEAD = "pool(avg); linear(classes)"
FIXED, ELASTIC = "norm batch", "norm batch; width per_group 0.5..1.0 round 2"


def written(folder: Path, stage: str, settings: str = FIXED, head: str = HEAD, size: str = "8, 8") -> Path:
    """A spec and the user's file beside it."""
    (folder / "mine.py").write_text(dedent(MINE))
    (folder / "net.specc").write_text(SPEC.format(stage=stage, settings=settings, head=head, size=size))
    return folder / "net.specc"


def made(compiled: Compiled, folder: Path, graph: Graph | None = None) -> Any:
    """The network of a project."""
    return project(compiled, folder, graph).model.Model().eval()


TAKEN = """module("mine.py", "Mixer", out=6, params=272, macs=1536, reads=tokens, args="16, twice=True")
take(mean); linear(classes)"""


@pytest.mark.parametrize("settings", [FIXED, ELASTIC])
@pytest.mark.parametrize(
    ("stage", "head", "macs"),
    [
        (MIXER, HEAD, 4096),
        (f"residual {{ conv(8, kernel=1); attn = {MIXER} }}", HEAD, 4096),
        ("relu", 'module("mine.py", "Pooled", 8, params=0, macs=0, makes=vector); linear(classes)', 0),
        ('module("mine.py", "Patches", out=6, size=16, params=198, macs=3072, makes=tokens)', TAKEN, 3072 + 1536),
    ],
    ids=["a map", "in a residual", "a vector", "tokens"],
)
def test_sliced_extracted_and_static_code_agree(
    stage: str, head: str, macs: int, settings: str, tmp_path: Path
) -> None:
    compiled = load(written(tmp_path, stage, settings, head))
    graph = compiled.graph
    net = made(compiled, tmp_path / "elastic")
    scramble(net)
    for number, at in enumerate(assignments(graph, 1)):
        expected = cost(graph, at)
        assert sum(op.macs for op in expected.ops if op.kind == "module") == macs
        plan = net.plan(plain(graph, at)) if graph.choices else None
        x = torch.randn(2, *image_shape(graph, at), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            sliced = net(x) if plan is None else net(x, plan)
        if plan is None:
            assert sum(p.numel() for p in net.parameters()) == expected.params
            continue
        extracted = net.extract(plan, fold=False)
        assert sum(p.numel() for p in extracted.parameters()) == expected.params
        twin = made(compiled, tmp_path / str(number), specialise(graph, at))
        twin.load_state_dict(extracted.state_dict())
        with torch.no_grad():
            assert relative(extracted(x), sliced) <= 1e-5
            assert relative(twin(x), sliced) <= 1e-5
            assert relative(net.extract(plan)(x), sliced) <= 1e-4
            for share in (False, True):
                assert relative(net.fused(plan, share=share)(x), sliced) <= 1e-4


def test_what_it_reads_is_as_wide_in_every_sub_network(tmp_path: Path) -> None:
    compiled = load(written(tmp_path, f"conv(16, kernel=3); conv(8, kernel=1); {MIXER}; conv(16, kernel=1)", ELASTIC))
    assert [choice.name for choice in compiled.graph.choices] == ["stem.conv.width", "s1.conv1.width", "s1.conv3.width"]


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        (MIXER.replace("params=72", "params=71"), "Mixer of mine.py has 72 parameters, and the spec says 71"),
        (
            MIXER.replace("out=8", "out=4"),
            r"Mixer of mine.py gives \(8, 8, 8\) of \(8, 8, 8\), and the spec says \(4, 8, 8\)",
        ),
        (MIXER.replace("Mixer", "Missing"), "mine.py has no Missing"),
        (MIXER.replace("Mixer", "number"), "number of mine.py makes no nn.Module but a int"),
    ],
)
def test_what_is_said_is_verified_when_the_network_is_built(stage: str, message: str, tmp_path: Path) -> None:
    compiled = load(written(tmp_path, stage))
    with pytest.raises(ValueError, match=message):
        made(compiled, tmp_path / "project")


def test_a_file_that_is_not_in_the_project_is_named(tmp_path: Path) -> None:
    found = project(load(written(tmp_path, MIXER)), tmp_path / "project")
    (tmp_path / "project" / "mine.py").unlink()
    with pytest.raises(ValueError, match=r"mine\.py is missing: the network uses Mixer of it"):
        found.model.Model()


@pytest.mark.parametrize(
    ("stage", "settings", "size", "message"),
    [
        (f"pool(avg); {MIXER}", FIXED, "8, 8", "this module reads a map, but a vector of 8 features arrives here"),
        (MIXER, FIXED, "resolution={8, 16}", "this module has one size, and what arrives depends on the resolution"),
        (MIXER.replace("Mixer", "my mixer"), FIXED, "8, 8", '"my mixer" is no name of a class'),
        (MIXER.replace("72", "7.5"), FIXED, "8, 8", "`params` is 7.5, and must be a whole number"),
        (MIXER.replace("reads=map", 'args="open()"'), FIXED, "8, 8", r"`open\(\)` are no literals of Python"),
        (MIXER.replace("mine.py", "yours.py"), FIXED, "8, 8", 'there is no "yours.py" beside the spec'),
        (MIXER.replace("mine.py", "model.py"), FIXED, "8, 8", "`model.py` is a file of the generated project"),
        (MIXER.replace("size=same", "makes=tokens"), FIXED, "8, 8", "of which size tokens leave"),
        (MIXER.replace('"mine.py"', "3"), FIXED, "8, 8", "`path` is a text"),
        (f"conv({{4, 8}}, kernel=1); {MIXER}", FIXED, "8, 8", "what arrives and what this module reads"),
    ],
)
def test_what_makes_no_sense_is_reported(stage: str, settings: str, size: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        load(written(tmp_path, stage, settings, size=size))


def test_the_file_goes_with_the_project_and_a_command_without_torch_reads_the_spec(tmp_path: Path) -> None:
    path = written(tmp_path, MIXER)
    assert compile_project(load(path))["mine.py"] == dedent(MINE)
    (tmp_path / "mine.py").write_text("raise RuntimeError('this file is not to be run')\n")
    for command in ("check", "cost"):
        assert specc(command, path).code == 0
