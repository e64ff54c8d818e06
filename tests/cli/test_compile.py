"""Compiling into folders: whole or not at all, and never over what specc did not write."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from specc import __version__
from specc.codegen import install
from tests.helpers.commands import SMALL, specc
from tests.helpers.folders import ROOT, SPECS

BROKEN = SMALL.replace("conv(16, kernel=3)", "convv(16, kernel=3)")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.specc"
    path.write_text(SMALL, encoding="utf-8")
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def beside(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.parent.iterdir())


def test_compile_writes_a_project(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = specc("compile", small, "-o", out)
    assert (done.code, done.out) == (0, ""), done.err
    assert "out" in done.err
    files = contents(out)
    wanted = {"README.md", "model.py", "space.py", "train.py", "search.py", "export.py", "bench.py", "settings.toml"}
    assert wanted | {"costs.py", "spec.specc", "ir.json"} <= set(files)
    assert files["spec.specc"].decode() == SMALL
    assert beside(out) == ["out", "small.specc"]
    value = specc("compile", small, "-o", out, "--json")
    assert value.code == 0
    assert value.json["files"] == sorted(files)


def test_compile_again_replaces_the_whole_folder(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out).code == 0
    before = contents(out)
    assert specc("compile", small, "-o", out).code == 0
    assert contents(out) == before


def test_a_foreign_folder_is_refused_without_force(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    assert specc("compile", small, "-o", out).code == 0, "an empty folder is nobody's"
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = specc("compile", small, "-o", mine)
    assert done.code == 1
    assert "--force" in done.err
    assert contents(mine) == {"thesis.txt": b"years of work"}
    assert specc("compile", small, "-o", mine, "--force").code == 0
    assert "model.py" in contents(mine)


def test_a_file_in_the_folder_s_place_is_refused(small: Path, tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("mine")
    done = specc("compile", small, "-o", path)
    assert done.code == 1
    assert path.read_text() == "mine"


def test_a_broken_spec_leaves_the_old_project(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out).code == 0
    before = contents(out)
    small.write_text(BROKEN)
    done = specc("compile", small, "-o", out)
    assert (done.code, done.out) == (1, "")
    assert contents(out) == before
    assert specc("compile", small, "-o", tmp_path / "never").code == 1
    assert not (tmp_path / "never").exists()


def test_a_missing_parent_is_made(small: Path, tmp_path: Path) -> None:
    assert specc("compile", small, "-o", tmp_path / "a" / "b").code == 0
    assert (tmp_path / "a" / "b" / "model.py").is_file()


def test_check_compares_and_writes_nothing(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out, "--check").code == 1
    assert not out.exists()
    specc("compile", small, "-o", out)
    assert specc("compile", small, "-o", out, "--check").code == 0
    (out / "model.py").write_text("changed")
    done = specc("compile", small, "-o", out, "--check")
    assert done.code == 1
    assert "model.py" in done.out + done.err
    assert (out / "model.py").read_text() == "changed"


def test_a_bound_sub_network_is_static(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = specc("compile", small, "-o", out, "--at", "width=0.5,keep=no")
    assert done.code == 0, done.err
    model = (out / "model.py").read_text()
    assert "nn.Conv2d(" in model
    assert "elastic" not in model
    cost = specc("cost", small, "--at", "width=0.5,keep=no", "--json").json
    code = (
        "import torch; from model import Model; m = Model().eval(); "
        "print(sum(p.numel() for p in m.parameters()), m(torch.zeros(2, 1, 12, 12)).shape[1])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=out, capture_output=True, text=True)
    assert run.stdout.split() == [str(cost["params"]), "10"], run.stderr


@pytest.mark.parametrize("moment", ["write_all", "keep_others", "exchange"])
def test_an_interrupted_compile_leaves_the_old_project(moment: str, small: Path, tmp_path: Path) -> None:
    """The process is killed while the new files are written, and when the folders are about to change places."""
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out).code == 0
    before = contents(out)
    small.write_text(SMALL.replace("conv(16,", "conv(24,"))
    code = (
        "import os, signal\n"
        "from specc.codegen import install\n"
        f"install.{moment} = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "from specc.cli.main import main\n"
        f"main({['compile', str(small), '-o', str(out)]})"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert contents(out) == before
    assert specc("compile", small, "-o", out).code == 0, "and the next compile is not in its way"
    assert contents(out) != before
    assert beside(out) == ["out", "small.specc"], "and clears away what was left"


def test_ctrl_c_is_quiet_and_leaves_the_old_project(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert specc("compile", small, "-o", out).code == 0
    before, names = contents(out), beside(out)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(install, "exchange", interrupted)
    small.write_text(SMALL.replace("conv(16,", "conv(24,"))
    done = specc("compile", small, "-o", out)
    assert done.code == 130
    assert "Traceback" not in done.err
    assert contents(out) == before
    assert beside(out) == names


@pytest.mark.parametrize(
    ("inputs", "data", "flags"),
    [
        ("input image(1, 8, 8)", "", " --dataset NAME --data-path DIR"),
        ("input vector(64)", "", " --dataset own --data-path FILE"),
        ("input image(1, 8, 8)", "data digits", ""),
        ("input image(1, 8, 8)", "data cifar10", " --data-path DIR"),
        ("input image(1, 8, 8)", 'data folder(path="images")', ""),
    ],
)
def test_what_comes_next_says_what_train_py_needs(inputs: str, data: str, flags: str, tmp_path: Path) -> None:
    """A spec without `data` gives a project whose train.py has to be told; the hint is a command that does."""
    path, head = tmp_path / "x.specc", "linear(classes)" if "vector" in inputs else "pool(avg); linear(classes)"
    path.write_text(f"supernet x {{ {inputs}; classes 10; stem {{ relu }}; head {{ {head} }} }}\n{data}\n")
    done = specc("compile", path, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    assert f"&& python train.py{flags}\n" in done.err
    assert ("the spec names no `data`" in done.err) == (not data)


def test_a_project_says_which_specc_wrote_it(tmp_path: Path) -> None:
    """In its README alone: no code changes with the version."""
    out = tmp_path / "out"
    assert specc("compile", SPECS / "digits.specc", "-o", out).code == 0
    said = [path.name for path in out.rglob("*") if path.is_file() and f"specc {__version__}" in path.read_text()]
    assert said == ["README.md"]
