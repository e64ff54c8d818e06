"""torch.export programs and ONNX files: any batch, any size where it is asked for, opsets, texts, formats left out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from specc.runtime.deploy.checked import reason
from specc.runtime.deploy.programs import ProgramOptions, adaptive_max, multiple, write_onnx, write_program
from tests.helpers.comparing import relative, scramble
from tests.helpers.digits import BEGUN, DIGITS
from tests.helpers.documents import check_file
from tests.helpers.projects import from_text, project
from tests.helpers.scripts import run

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

CEIL = """
supernet ceil {
  input image(1, 13, 17); classes 10
  norm batch
  width uniform {0.5, 1.0} round 4
  stem { conv(16, kernel=3, stride=2); norm; relu; pool(avg, 2, stride=2, ceil=yes) }
  stage s1 { residual { pool(avg, 3, stride=1, padding=1, ceil=yes); conv(16, kernel=3) } }
  head { pool(avg); linear(classes) }
}
method us_net
"""
ADAPTIVE = """
supernet adaptive {
  input image(1, 9, 8); classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stage s1 { conv(16, kernel=3); norm; relu; pool(max, size=2) }
  head { flatten; linear(classes) }
}
method us_net
"""
UNET = """
supernet unet {
  input image(1, 16, 16); classes 3
  norm batch
  width per_group {0.5, 1.0} round 8
  stem { conv(16, kernel=3); norm; relu }
  stage down { maxpool(2); conv(16, kernel=3); norm; relu }
  stage low { maxpool(2); conv(16, kernel=3); relu }
  stage up { concat(down, upsample(2)); conv(16, kernel=3); relu }
  stage top { concat(stem, upsample(2)); conv(classes, kernel=1) }
  head { pool(avg) }
}
method us_net
"""
SHAPES = {CEIL: (1, 13, 17), ADAPTIVE: (1, 9, 8), UNET: (1, 16, 16)}


def extracted(text: str, folder: Path) -> tuple[Any, tuple[torch.Tensor, ...], torch.Tensor]:
    """A sub-network with its norms folded, two images and their answers."""
    torch.manual_seed(0)
    net = project(from_text(text), folder).model.Model().eval()
    scramble(net)
    static = net.extract(net.plan("min"), fold=True)
    x = torch.randn(2, *SHAPES[text])
    with torch.no_grad():
        return static, (x,), static(x)


def onnx_answers(path: Path, x: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: x.numpy()})[0])


def axes(path: Path) -> list[str | int]:
    (given,) = onnx.load(path).graph.input
    return [dim.dim_param or dim.dim_value for dim in given.type.tensor_type.shape.dim]


@pytest.mark.parametrize("text", [CEIL, ADAPTIVE], ids=["ceil", "adaptive"])
def test_batches_of_any_size_give_the_answers_of_the_network(text: str, tmp_path: Path) -> None:
    """Pooling that reaches over the border, adaptive max pooling, which ONNX does not have."""
    static, inputs, wanted = extracted(text, tmp_path / "project")
    write_program(static, inputs, wanted, tmp_path / "net.pt2")
    write_onnx(static, inputs, ["images"], wanted, tmp_path / "net.onnx")
    program = torch.export.load(tmp_path / "net.pt2").module()
    assert axes(tmp_path / "net.onnx") == ["batch", *SHAPES[text]]
    for batch in (1, 3, 5000):
        x = torch.randn(batch, *SHAPES[text])
        with torch.no_grad():
            assert relative(program(x), static(x)) < 1e-5
            assert relative(onnx_answers(tmp_path / "net.onnx", x), static(x)) < 1e-5


def test_one_image_is_enough_to_export_for_all_batches(tmp_path: Path) -> None:
    static, inputs, wanted = extracted(CEIL, tmp_path / "project")
    write_program(static, (inputs[0][:1],), wanted[:1], tmp_path / "net.pt2")
    x = torch.randn(4, 1, 13, 17)
    with torch.no_grad():
        assert relative(torch.export.load(tmp_path / "net.pt2").module()(x), static(x)) < 1e-5


def test_height_and_width_are_free_where_they_are_wished_to_be(tmp_path: Path) -> None:
    """In steps of four, where a network halves its maps twice and joins them again."""
    static, inputs, wanted = extracted(UNET, tmp_path / "project")
    assert multiple(static, inputs) == 4
    options = ProgramOptions(free=True)
    write_program(static, inputs, wanted, tmp_path / "net.pt2", options=options)
    write_onnx(static, inputs, ["images"], wanted, tmp_path / "net.onnx", options)
    assert axes(tmp_path / "net.onnx") == ["batch", 1, "height", "width"]
    program = torch.export.load(tmp_path / "net.pt2").module()
    x = torch.randn(3, 1, 24, 40)
    with torch.no_grad():
        assert relative(program(x), static(x)) < 1e-5
        assert relative(onnx_answers(tmp_path / "net.onnx", x), static(x)) < 1e-5


def test_networks_of_one_size_say_so(tmp_path: Path) -> None:
    text = CEIL.replace("head { pool(avg);", "head { flatten;")
    SHAPES[text] = SHAPES[CEIL]
    static, inputs, _ = extracted(text, tmp_path)
    with pytest.raises(ValueError, match="the network takes inputs of 1x13x17 alone: mat1 and mat2"):
        multiple(static, inputs)
    with pytest.raises(ValueError, match="it has no images as inputs"):
        multiple(torch.nn.Linear(3, 2), (torch.ones(2, 3),))


def test_the_opset_is_the_one_that_was_wished_for_or_none(tmp_path: Path) -> None:
    """The exporter takes 18 for what is lower or unknown, and says nothing."""
    static, inputs, wanted = extracted(CEIL, tmp_path / "project")
    for opset in (17, 18, 21):
        write_onnx(static, inputs, ["images"], wanted, tmp_path / "net.onnx", ProgramOptions(opset=opset))
        (row,) = onnx.load(tmp_path / "net.onnx").opset_import
        assert row.version == opset
    with pytest.raises(ValueError, match="opset 99: the installed onnx knows up to"):
        write_onnx(static, inputs, ["images"], wanted, tmp_path / "net.onnx", ProgramOptions(opset=99))
    with pytest.raises(ValueError, match="opset 8 cannot hold the network"):
        write_onnx(static, inputs, ["images"], wanted, tmp_path / "net.onnx", ProgramOptions(opset=8))


@pytest.mark.parametrize("size", [1, 2, 3, (2, 5)])
def test_adaptive_max_pooling_is_decomposed_as_torch_computes_it(size: int | tuple[int, int]) -> None:
    x = torch.randn(2, 3, 9, 10)
    pair = (size, size) if isinstance(size, int) else size
    assert torch.equal(adaptive_max(x, pair)[0], F.adaptive_max_pool2d(x, pair))


def test_a_cause_is_a_line() -> None:
    try:
        try:
            raise ValueError("no operator\nsee the manual")
        except ValueError as inner:
            raise RuntimeError("Failed to convert. Next steps: ..") from inner
    except RuntimeError as error:
        assert reason(error) == "no operator"
    assert reason(KeyError()) == "KeyError"


BROKEN = """
sys.modules["onnx"] = None
import elastic.deploy.exporting

def broken(*args, **more):
    args[4].write_text("half of it")
    raise RuntimeError("torch cannot export this\\nat all")

elastic.deploy.exporting.write_program = lambda *args, **more: broken(None, *args, **more)
import export

for flags in FLAGS:
    sys.argv = ["export.py", "--at", "min", *flags]
    try:
        export.main()
        print("exit 0")
    except SystemExit as error:
        print("exit", error)
"""


def test_a_format_that_fails_does_not_keep_the_others_from_being_written(tmp_path: Path) -> None:
    """It is told, noted in subnet.json, and an error where it was asked for by a flag."""
    folder = project(from_text(DIGITS.replace("EXIT", "")), tmp_path).folder
    run(folder, BEGUN)
    cases: list[tuple[list[str], str]] = [
        (["--formats", "program", "source"], "exit asked for and not written: subnet.pt2"),
        (["--formats", "program"], "exit asked for and not written: subnet.pt2"),
        (["--formats", "source"], "exit 0"),
        (["--opset", "18"], "exit asked for and not written: subnet.onnx"),
        (["--opset", "18", "--formats", "source"], "exit --opset is of the ONNX file, which --formats leaves out"),
        (["--dynamic-size"], "exit asked for and not written: subnet.pt2, subnet.onnx"),
        ([], "exit 0"),
    ]
    out = run(folder, f"FLAGS = {[flags for flags, _ in cases]}\n" + BROKEN)
    assert [line for line in out.splitlines() if line.startswith("exit")] == [last for _, last in cases]
    assert "no subnet.pt2: torch cannot export this\n" in out
    assert "no ONNX file: pip install onnx onnxscript onnxruntime\n" in out
    export = folder / "runs" / "export"
    assert sorted(path.name for path in export.iterdir()) == ["model.py", "subnet.json", "weights.safetensors"]
    check_file(export / "subnet.json")
    about = json.loads((export / "subnet.json").read_text())
    assert [*about["left_out"]] == ["subnet.pt2", "subnet.onnx"]
    assert [*about["files"]] == ["model.py", "weights.safetensors"]


def test_class_names_and_inputs_go_with_what_is_exported(tmp_path: Path) -> None:
    folder = project(from_text(DIGITS.replace("EXIT", "")), tmp_path).folder
    run(folder, BEGUN)
    run(folder, "export.py", "--at", "min", "--dynamic-size", "--opset", "17")
    export = folder / "runs" / "export"
    check_file(export / "subnet.json")
    about = json.loads((export / "subnet.json").read_text())
    names = [str(digit) for digit in range(10)]
    assert (about["classes"], about["free"], about["left_out"]) == (names, ["batch", "height", "width"], {})
    model = onnx.load(export / "subnet.onnx")
    texts = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert (texts["classes"], texts["inputs"]) == (names, about["inputs"])
    extra = {"about.json": ""}
    torch.export.load(export / "subnet.pt2", extra_files=extra)
    assert json.loads(json.loads(extra["about.json"])["classes"]) == names
    run(folder, "export.py", "--bundle", "--at", "min")
    assert json.loads((folder / "runs" / "anytime" / "index.json").read_text())["classes"] == names


def test_sizes_that_a_network_cannot_take_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    text = DIGITS.replace("EXIT", "").replace("head { pool(avg);", "head { flatten;")
    folder = project(from_text(text), tmp_path).folder
    run(folder, BEGUN)
    done = subprocess.run(
        [sys.executable, "export.py", "--at", "min", "--dynamic-size"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "--dynamic-size: the network takes inputs of 1x8x8 alone: mat1 and mat2" in done.stderr
    assert not (folder / "runs" / "export").exists()
