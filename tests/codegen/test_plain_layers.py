"""Layers of a network without choices: their text stands in model.py, which imports torch alone."""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from specc.codegen.model.plain import plain_layers
from specc.codegen.model.write import ModelText, model_text
from specc.pipeline import compile_project
from tests.helpers.projects import STATIC, compiled, from_text, project

TEXT = """
supernet plainly {
  input image(3, 16, 16);  classes 10
  norm layer
  stem { conv(8, kernel=3, stride=2); layer_scale; prelu(channels=yes); quick_gelu; patch_embed(2, dim=24)
         to_map; attention(heads=4, window=2, shift=1, position=relative); to_tokens; class_token; position }
  stage s1 { residual { norm; attention(heads=4); drop_path(0.5) }
             residual { norm; attention(heads=4, kv_heads=2) }; prelu }
  head { norm; take(class_token); linear(classes) }
}
"""
LAYERS = {
    "QuickGELU": "activation",
    "Attention": "attention",
    "ClassToken": "class_token",
    "DropPath": "drop_path",
    "GroupedAttention": "grouped_attention",
    "LayerScale": "layer_scale",
    "Position": "position",
    "PReLU": "prelu",
    "WindowAttention": "window_attention",
}
"""All layers of plain torch that specc's operators bring, with the folders of these."""
HELPERS = ("begin", "attend", "beside", "norm_of_heads", "begin_projections", "parted", "attend_in_groups")


def roots(text: str) -> set[str]:
    """The packages that a text imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(str(node.module).split(".")[0])
    return found


def written(name: str) -> ModelText:
    return model_text((from_text(TEXT) if name == "plainly" else compiled(name)).graph)


@pytest.mark.parametrize("name", [*STATIC, "plainly"])
def test_a_static_network_imports_torch_alone(name: str) -> None:
    found = written(name)
    assert roots(found.text) - {"typing", "collections", "math"} == {"__future__", "torch"}
    assert found.modules == ()


def test_nothing_that_makes_networks_elastic_comes_with_them() -> None:
    rooms = {path.split("/")[1] for path in compile_project(from_text(TEXT)) if path.startswith("elastic/")}
    assert not rooms & {"layers", "space"}


def test_every_definition_stands_once_and_nothing_undefined_is_read() -> None:
    tree = ast.parse(written("plainly").text)
    names = [node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))]
    assert len(names) == len(set(names))
    assert {*LAYERS, *HELPERS} < set(names)
    assert not [name for name in names if name.startswith("Elastic") or name.endswith("Cut")]


def trained(module: Any) -> tuple[dict[str, Tensor], Tensor, Tensor, list[Tensor]]:
    """First weights, answer in eval mode, loss and gradients in training, all from one seed."""
    torch.manual_seed(0)
    net, images = module["Model"](), torch.randn(4, 3, 16, 16)
    state = {name: value.clone() for name, value in net.state_dict().items()}
    answer = net.eval()(images)
    loss = F.cross_entropy(net.train()(images), torch.arange(4))
    return state, answer, loss, list(torch.autograd.grad(loss, list(net.parameters())))


def test_the_network_is_that_of_the_operators_own_layers() -> None:
    text = written("plainly").text
    tree = ast.parse(text)
    own = {*LAYERS, *HELPERS}
    tree.body = [node for node in tree.body if getattr(node, "name", "") not in own]
    imports = [f"from specc.ops.{folder}.torch import {name}" for name, folder in LAYERS.items()]
    tree.body[2:2] = ast.parse("\n".join(imports)).body
    here: dict[str, Any] = {"__name__": "here"}
    there: dict[str, Any] = {"__name__": "there"}
    exec(compile(text, "model.py", "exec"), here)
    exec(compile(tree, "model.py", "exec"), there)
    ours, theirs = trained(here), trained(there)
    assert list(ours[0]) == list(theirs[0])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_it_is_extracted_with_stochastic_depth_and_folded_without(tmp_path: Path) -> None:
    made = project(from_text(TEXT), tmp_path)
    net, images = made.model.Model(), torch.randn(2, 3, 16, 16)
    plain, folded = made.extract.extract(net), made.extract.extract(net, fold=True)
    kinds = [[type(layer).__name__ for layer in found.modules()].count("DropPath") for found in (plain, folded)]
    assert kinds == [1, 0]
    torch.testing.assert_close(plain(images), net.eval()(images), rtol=0, atol=0)
    torch.testing.assert_close(folded(images), net(images))
    plain.train()
    drawn = [plain(images) for _ in range(8)]
    assert any(not torch.equal(drawn[0], other) for other in drawn)


@pytest.mark.parametrize("layer", LAYERS)
def test_no_class_of_the_spec_takes_a_layer_s_name(layer: str) -> None:
    text = model_text(from_text(TEXT.replace("stage s1", f"stage {layer}")).graph).text
    assert text.count(f"class {layer}(") == 1
    assert f"class {layer}Net(" in text


PARTS = {
    "shared": "from torch import Tensor\n\n\ndef twice(x: Tensor) -> Tensor:\n    return 2 * x\n",
    "first": """
import math
from functools import partial

import torch as t
from torch import nn, special as sp

from {package}.shared import twice

START, more = 3, partial(max, 1)
LIMIT: float = math.pi


def mine(x):
    return x if x is None else other(x)


def other(x):
    return mine(None) or twice(x) + LIMIT


@staticmethod
def spare() -> None: ...


class First(nn.Identity):
    def forward(self, x: t.Tensor) -> t.Tensor:
        return sp.expit(other(x))
""",
    "second": """
from torch import nn


def other(x):
    return x


class Second(nn.Identity):
    made = other
""",
    "foreign": "import numpy as np\nfrom torch import nn\n\n\nclass Foreign(nn.Identity):\n    made = np.pi\n",
}


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An installed package of a few parts."""
    name = "acme_plain"
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").touch()
    for part, text in PARTS.items():
        (tmp_path / name / f"{part}.py").write_text(text.replace("{package}", name))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_layer_comes_with_what_it_reads_and_no_more(package: str) -> None:
    layers, kept = plain_layers([(f"{package}.first", "First")], frozenset())
    assert kept == []
    assert sorted(layers.definitions) == ["First", "LIMIT", "mine", "other", "twice"]
    assert [*layers.definitions][-1] == "First"
    names = {("torch", name) for name in ("nn", "special as sp", "Tensor")}
    assert layers.imports == {("math", ""), ("torch as t", ""), *names}


def test_a_layer_stays_a_part_where_its_text_cannot_stand(package: str) -> None:
    first, second = (f"{package}.first", "First"), (f"{package}.second", "Second")
    foreign = (f"{package}.foreign", "Foreign")
    assert plain_layers([foreign], frozenset())[1] == [foreign]
    assert plain_layers([first], {"twice"})[1] == [first]
    layers, kept = plain_layers([first, second], frozenset())
    assert kept == [second]
    assert layers.definitions["other"].endswith("LIMIT")
