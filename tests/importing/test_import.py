"""`specc import`: what it writes, what it is held against, and what it says of what it can't import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from specc.imported import import_network
from specc.importing.prove import Proof, after_a_step, model_of
from specc.importing.sources import CannotImport
from specc.importing.verdict import check
from specc.importing.weights import taken, write_weights
from specc.pipeline import compile_project, load
from specc.portable.files.original import METADATA, Entry, given_back, read_entries, to_original
from specc.runtime.deploy.original import write_original
from specc.runtime.files.whole import load_tensors
from tests.helpers.commands import Done, specc

NET = """
    import torch
    from torch import nn
    import torch.nn.functional as F

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(channels)

        def forward(self, x):
            return F.relu(x + self.norm(self.conv(x)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.blocks = nn.ModuleList(Block(8) for _ in range(2))
            self.drop = nn.Dropout(0.5)
            self.head = nn.Linear(8, 5)

        def forward(self, x):
            x = self.stem(x)
            for block in self.blocks:
                x = block(x)
            return self.head(self.drop(x.mean((2, 3))))

    def build():
        torch.manual_seed(0)
        net = Net()
        for name, value in net.named_buffers():
            if value.is_floating_point():
                value.uniform_(0.5, 1.5)
        return net
"""


def imported(folder: Path, code: str, *words: object, source: str = "mine.py:build") -> Done:
    (folder / "mine.py").write_text(dedent(code))
    return specc("import", folder / source, "-o", folder / "net.specc", *words)


def refused(folder: Path, code: str, *words: object, source: str = "mine.py:build") -> str:
    """The message of an import that fails, which writes nothing."""
    done = imported(folder, code, *words, source=source)
    assert done.code == 1, done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert not (folder / "net.specc").exists()
    assert not (folder / "net.safetensors").exists()
    return done.err


def line_of(code: str, word: str) -> int:
    return next(i for i, line in enumerate(dedent(code).splitlines(), 1) if word in line)


def test_a_step_that_ours_alone_cannot_take_is_a_difference() -> None:
    class Fails(torch.nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                raise RuntimeError("cannot be trained")
            return super().forward(x)

    theirs, mine = torch.nn.Linear(4, 3), Fails(4, 3)
    entries = [Entry(name, (name,), "same", (tuple(value.shape),)) for name, value in theirs.state_dict().items()]
    sizes = {name: tuple(value.shape) for name, value in theirs.state_dict().items()}
    found = after_a_step(theirs, mine, entries, sizes, [(4,)], None)
    assert found is not None
    assert found.apart == float("inf")
    assert after_a_step(mine, theirs, entries, sizes, [(4,)], None) is None
    found = after_a_step(theirs, torch.nn.Linear(4, 3), entries, sizes, [(4,)], None)
    assert found is not None
    assert found.apart == 0


def test_a_users_network(tmp_path: Path) -> None:
    done = imported(tmp_path, NET, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    told = done.json
    assert told["params"] == 224 + 2 * (576 + 16) + 45
    assert told["macs"] == 64 * (216 + 2 * 576) + 40
    assert told["difference"] <= 1e-5
    assert told["difference_trained"] <= 1e-5
    assert told["modules"] == []
    compiled = load(tmp_path / "net.specc")
    assert compiled.model.train["start"] == "net.safetensors"
    assert specc("fmt", "--check", tmp_path / "net.specc").code == 0
    assert specc("compile", tmp_path / "net.specc", "-o", tmp_path / "net").code == 0
    assert (tmp_path / "net" / "net.safetensors").read_bytes() == (tmp_path / "net.safetensors").read_bytes()
    sys.path.insert(0, str(tmp_path))
    try:
        from mine import build  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(tmp_path))
    original = build().eval()
    state = load_file(tmp_path / "net.safetensors")
    with model_of(compile_project(compiled)) as net:
        net.load_state_dict(state)
        x = torch.randn(2, 3, 8, 8)
        assert torch.allclose(net.eval()(x), original(x), atol=1e-6)
    back, missing = to_original(read_entries(load_tensors(tmp_path / "net.safetensors")[1][METADATA]), state)
    assert not missing
    assert back.keys() == original.state_dict().keys()
    assert all(torch.equal(back[name], value) for name, value in original.state_dict().items())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_text("mine")
    (tmp_path / "mine.py").write_text(dedent(NET))
    done = specc("import", tmp_path / "mine.py:build", "-o", tmp_path / "net.specc")
    assert done.code == 1
    assert "net.safetensors exists" in done.err
    assert (tmp_path / "net.safetensors").read_text() == "mine"


def test_weights_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(dedent(NET))
    torch.save({"head.weight": torch.zeros(5, 8)}, tmp_path / "other.pt")
    said = refused(tmp_path, NET, "--input", "1,3,8,8", "--weights", tmp_path / "other.pt")
    assert "another network: `stem.weight` is missing" in said
    torch.save(nn.Linear(2, 2), tmp_path / "pickled.pt")
    said = refused(tmp_path, NET, "--input", "1,3,8,8", "--weights", tmp_path / "pickled.pt")
    assert "no weights that can be read as data" in said


def test_a_typo_is_told_with_the_users_line(tmp_path: Path) -> None:
    said = refused(tmp_path, "from torch import nn\n\ndef build():\n    return nn.Lineer(3, 2)\n")
    assert "mine.py:4: AttributeError" in said
    said = refused(tmp_path, "def build(:\n    pass\n")
    assert "mine.py:1: invalid syntax" in said
    code = NET.replace("self.drop(x", "self.dropp(x")
    said = refused(tmp_path, code, "--input", "1,3,8,8")
    assert f"mine.py:{line_of(code, 'dropp')}: " in said
    assert "no attribute 'dropp'" in said
    assert "--input" not in said


def test_names_that_are_none(tmp_path: Path) -> None:
    assert "has no function `biuld`" in refused(tmp_path, NET, source="mine.py:biuld")
    assert "there is no file" in refused(tmp_path, NET, source="other.py:build")
    assert "needs the name of a function" in refused(tmp_path, NET, source="mine.py")
    done = specc("import", "torchvision:resnet5", "-o", tmp_path / "net.specc")
    assert "did you mean torchvision:resnet50" in done.err
    assert "names no network" in specc("import", "resnet50", "-o", tmp_path / "net.specc").err
    assert specc("import", "torchvision:resnet18", "-o", tmp_path / "net.txt").code == 2
    assert specc("import", "torchvision:resnet18", "-o", tmp_path / "n.specc", "--input", "1,3,a").code == 2


def test_control_flow_by_values(tmp_path: Path) -> None:
    code = NET.replace("x = self.stem(x)", "x = self.stem(x)\n            if x.sum() > 0:\n                x = x * 2")
    said = refused(tmp_path, code, "--input", "1,3,8,8")
    assert "depends on the values of the image" in said
    assert f"mine.py:{line_of(code, 'if x.sum')}: " in said


TWO = """
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right, self.head = nn.Linear(4, 3), nn.Linear(6, 3), nn.Linear(3, 2)

        def forward(self, x, y):
            return {"logits": self.head(torch.tanh(self.left(x)) + self.right(y)), "features": self.left(x)}

    def build():
        return Net()
"""


def test_two_inputs_and_several_outputs(tmp_path: Path) -> None:
    said = refused(tmp_path, TWO, "--input", "1,4")
    assert "needs more than 1 input" in said
    assert "--input once for each" in said
    said = refused(tmp_path, TWO, "--input", "1,4", "--input", "1,6")
    assert "returns 2 tensors: `logits`, `features`" in said
    assert "--returns logits" in said
    done = imported(tmp_path, TWO, "--input", "1,4", "--input", "1,6", "--returns", "logits", "--json")
    assert done.code == 0, done.err
    assert done.json["params"] == 15 + 21 + 8


ATTENTION = """
    import torch
    from torch import nn
    from timm.layers import RmsNorm
    from timm.layers.attention import Attention

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches = nn.Conv2d(3, 12, 2, stride=2)
            self.position = nn.Parameter(torch.randn(1, 16, 12))
            self.one = Attention(12, 3, attn_head_dim=6, proj_bias=False)
            self.two = Attention(12, 2, qkv_bias=True, qk_norm=True, norm_layer=RmsNorm)
            self.three = Attention(12, 4, qk_norm=True, norm_layer=nn.LayerNorm)
            self.head = nn.Linear(12, 5)

        def forward(self, x):
            x = self.patches(x).flatten(2).transpose(1, 2) + self.position
            for layer in (self.one, self.two, self.three):
                x = x + layer(x)
            return self.head(x.mean(1))

    def build():
        torch.manual_seed(0)
        return Net()
"""


def test_attention_as_timm_has_it(tmp_path: Path) -> None:
    pytest.importorskip("timm")
    done = imported(tmp_path, ATTENTION, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    assert done.json["modules"] == []
    text = (tmp_path / "net.specc").read_text()
    for call in (
        "attention(3, head_dim=6, bias=no, out_bias=no)",
        "attention(2, qk_norm=rms)",
        "attention(4, bias=no, qk_norm=layer, qk_eps=1e-5)",
    ):
        assert call in text


def test_what_has_no_word_is_kept_and_told(tmp_path: Path) -> None:
    code = NET.replace("x = self.stem(x)", "x = self.stem(x)\n            x = torch.cumsum(x, 3)")
    done = imported(tmp_path, code, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    (kept,) = done.json["modules"]
    assert kept["operator"] == "aten.cumsum"
    assert kept["place"] == f"mine.py:{line_of(code, 'cumsum')}"
    assert [Path(file).name for file in done.json["files"]] == ["net.specc", "net_modules.py", "net.safetensors"]
    assert specc("check", tmp_path / "net.specc").code == 0


TOKENS = """
import torch
from torch import nn

class Token(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, dim))
    def forward(self, x):
        return torch.cat([self.token.expand(len(x), -1, -1), x], 1)

class Stage(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.embed = nn.Conv2d(n, dim, 2, 2)
        self.token = Token(dim)
        self.mlp = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 8), nn.GELU(), nn.Linear(8, dim))
    def forward(self, x):
        x = self.token(self.embed(x).flatten(2).transpose(1, 2))
        return x + self.mlp(x)

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.s1, self.s2, self.head = Stage(3, 4), Stage(4, 6), nn.Linear(6, 5)
    def forward(self, x):
        x = self.s1(x)[:, 1:].transpose(1, 2).reshape(len(x), 4, 4, 4)
        return self.head(self.s2(x)[:, 0])

def build():
    return Net()
"""


def test_a_class_token_is_dropped_and_another_added(tmp_path: Path) -> None:
    done = imported(tmp_path, TOKENS, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    assert done.json["modules"] == []
    text = (tmp_path / "net.specc").read_text()
    assert "take(patches); to_map" in text
    assert text.count("class_token") == 3


def test_what_the_language_refuses_where_it_stands_is_kept(tmp_path: Path) -> None:
    """Tokens have one class token; a second one before it is a module of the user's."""
    code = TOKENS.replace("x + self.mlp(x)", "self.more(x + self.mlp(x))")
    code = code.replace("self.token = Token(dim)", "self.token, self.more = Token(dim), Token(dim)")
    code = code.replace("[:, 1:]", "[:, 2:]")
    done = imported(tmp_path, code, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    kept = done.json["modules"]
    assert {part["operator"] for part in kept} <= {"aten.cat", "aten.slice"}
    assert any(part["name"] == "Token" for part in kept)
    assert specc("check", tmp_path / "net.specc").code == 0


KEEPING = """
import torch
from torch import nn

class Biased(nn.Module):
    def __init__(self):
        super().__init__()
        self.bias, self.proj, self.kept = nn.Parameter(torch.randn(2, 8)), nn.Linear(4, 4), {}
        self.register_buffer("places", torch.arange(64).reshape(8, 8) % 8, persistent=False)
    def train(self, mode=True):
        self.kept = {}
        return super().train(mode)
    def biases(self):
        if self.training:
            return self.bias[:, self.places]
        if "biases" not in self.kept:
            self.kept["biases"] = self.bias[:, self.places]
        return self.kept["biases"]
    def forward(self, x):
        y = x.reshape(len(x), 8, 2, 2).transpose(1, 2)
        a = (y @ y.transpose(-2, -1) + self.biases()).softmax(-1)
        return self.proj((a @ y).transpose(1, 2).reshape(len(x), 8, 4))

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem, self.part, self.head = nn.Conv2d(3, 4, (4, 2), (4, 2)), Biased(), nn.Linear(4, 5)
    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        return self.head((x + self.part(x)).mean(1))

def build():
    return Net()
"""


def test_what_a_forward_keeps_for_the_next_is_no_constant(tmp_path: Path) -> None:
    done = imported(tmp_path, KEEPING, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    assert done.json["params"] == 4 * 3 * 8 + 4 + 16 + 20 + 25
    assert done.json["difference_trained"] <= 1e-5


def test_what_stays_as_it_is_is_told_with_its_line(tmp_path: Path) -> None:
    """The text that the line numbers would count is not written; it lies in a temporary folder."""
    done = imported(tmp_path, NET, "--input", "1,3,8,8", "--elastic", "width per_group 0.5..1.0 round 8; kernel {1, 3}")
    assert done.code == 0, done.err
    told = [line for line in done.err.splitlines() if line.startswith("not elastic")]
    assert any("at `" in line for line in told), done.err
    assert not any("net.specc:" in line for line in told)


def test_a_layer_that_is_called_twice(tmp_path: Path) -> None:
    """Its weights are counted once, its multiply-accumulates twice."""
    code = NET.replace("for block in self.blocks:", "for block in [self.blocks[0], self.blocks[0]]:")
    done = imported(tmp_path, code, "--input", "1,3,8,8", "--json")
    assert done.code == 0, done.err
    assert done.json["params"] == 224 + 576 + 16 + 45
    assert done.json["macs"] == 64 * (216 + 2 * 576) + 40
    assert done.json["modules"][0]["operator"] == "weights that are used twice"


def test_frozen_and_unused_parameters_are_told(tmp_path: Path) -> None:
    code = NET.replace(
        "self.drop = nn.Dropout(0.5)",
        "self.aux, self.drop = nn.Linear(8, 2), nn.Dropout(0.5)\n            self.stem.requires_grad_(False)",
    )
    done = imported(tmp_path, code, "--input", "1,3,8,8", "--json")
    assert done.json["unused"] == ["aux.bias", "aux.weight"]
    assert done.json["frozen"] == ["stem.weight", "stem.bias"]


def test_a_program(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2)).eval()
    program = torch.export.export(net, (torch.randn(1, 3, 8, 8),))
    torch.export.save(program, tmp_path / "net.pt2")
    found = import_network(str(tmp_path / "net.pt2"))
    assert [operation.operator for operation in found.network.operations] == ["conv", "relu", "flatten", "linear"]
    assert found.proof.holds
    (tmp_path / "bad.pt2").write_bytes(b"PK")
    with pytest.raises(CannotImport, match=r"is no program"):
        import_network(str(tmp_path / "bad.pt2"))


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (Proof((1, 2), (3, 3), 0.0, 0.0, {}), "1 parameters, and the spec 2"),
        (Proof((1, 1), (3, 4), 0.0, 0.0, {}), "3 multiply-accumulates, and the spec 4"),
        (Proof((1, 1), (3, 3), 1e-3, 0.0, {}), "outputs differ"),
        (Proof((1, 1), (3, 3), float("inf"), None, {}), "outputs differ"),
        (Proof((1, 1), (3, 3), 0.0, 1e-3, {}), "after a step of training differ"),
    ],
)
def test_what_differs_is_not_written(proof: Proof, told: str) -> None:
    with pytest.raises(CannotImport, match=told):
        check(proof)


def test_without_torch_it_says_what_to_install(tmp_path: Path) -> None:
    code = (
        "import sys, importlib.util as u; find = u.find_spec; "
        "u.find_spec = lambda name, *a: None if name == 'torch' else find(name, *a); "
        "from specc.cli.main import main; sys.exit(main(['import', 'torchvision:resnet18', '-o', 'net.specc']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "torch is not installed" in done.stderr
    assert "pip install 'specc[train]'" in done.stderr


@pytest.mark.parametrize(
    ("how", "shapes"),
    [("same", [(6, 4, 1, 1)]), ("join", [(2, 4), (4, 4)]), ("rows 3,2 by 1,0", [(6, 4)]), ("same", [()])],
)
def test_weights_go_there_and_back(how: str, shapes: list[tuple[int, ...]]) -> None:
    sources = [torch.randn(shape) for shape in shapes]
    ours = taken(sources, how, (6, 4) if shapes != [()] else ())
    assert all(torch.equal(a, b) for a, b in zip(given_back(ours, how, shapes), sources, strict=True))


@pytest.mark.parametrize(
    "text", ["", "[]]", "[1]", '[["a", ["b"], "rows 2 by 1", [[2]]]]', '[["a", ["b"], "mixed", [[2]]]]']
)
def test_corrupt_names_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="corrupt"):
        read_entries(text)


class Named(nn.Module):
    """A network whose state has other names."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.state = state

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, torch.Tensor]:  # type: ignore[override]
        return self.state


def test_an_exported_network_goes_back_to_its_class(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6))
    state = net.state_dict()
    entries = [Entry(f"s1.{name}", (name,), "same", (tuple(value.shape),)) for name, value in state.items()]
    imported = tmp_path / "net.safetensors"
    ours = {f"s1.{name}": value + 1 for name, value in state.items()}
    write_weights(imported, ours, entries)
    write_original(Named(ours), imported, tmp_path)
    back, _ = load_tensors(tmp_path / "original.safetensors")
    net.load_state_dict(back)
    assert all(torch.equal(value, ours[f"s1.{name}"]) for name, value in net.state_dict().items())
    narrow = {**ours, "s1.0.weight": torch.zeros(4, 1, 3, 3)}
    with pytest.raises(SystemExit, match=r"0\.weight would be missing"):
        write_original(Named(narrow), imported, tmp_path)
    with pytest.raises(SystemExit, match="--to-original"):
        write_original(Named(ours), tmp_path / "none.safetensors", tmp_path)
