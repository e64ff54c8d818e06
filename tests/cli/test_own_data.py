"""`data own`: the Python file that lies beside the spec goes with the project, and is found from everywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from specc.runtime.data.datasets import load_data
from tests.helpers.commands import SMALL, specc

FILE = '''
"""Three images a class, and a share of them from a module beside this one."""
import numpy as np
from counted import COUNT

def load(settings):
    labels = np.arange(10).repeat(COUNT)
    pixels = np.full((len(labels), 1, 8, 8), 7, np.uint8)
    return (pixels, labels), (pixels, labels)
'''
ALONE = FILE.replace("from counted import COUNT", "COUNT = 4")


def spec(path: str) -> str:
    head = SMALL.split("data ", 1)[0] if "data " in SMALL else SMALL
    return f'{head}\ndata own(path="{path}")\ntrain {{ epochs=1; batch_size=8; calibrate=8 }}\n'


@pytest.mark.parametrize("path", ["pixels.py", "data/pixels.py"])
def test_the_file_beside_the_spec_goes_with_the_project(tmp_path: Path, path: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / path).write_text(ALONE)
    (tmp_path / "net.specc").write_text(spec(path))
    assert specc("compile", tmp_path / "net.specc", "-o", tmp_path / "net").code == 0
    assert (tmp_path / "net" / path).read_text() == ALONE
    readme = (tmp_path / "net" / "README.md").read_text()
    assert "python train.py  " in readme
    assert path in readme

    done = subprocess.run(
        [sys.executable, tmp_path / "net" / "train.py", "--device", "cpu"],
        cwd=tmp_path / "net" / "elastic",  # another folder than the project's
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "own: 30 training" in done.stdout


def test_a_file_that_is_elsewhere_is_named_when_training(tmp_path: Path) -> None:
    (tmp_path / "net.specc").write_text(spec("pixels.py"))
    assert specc("compile", tmp_path / "net.specc", "-o", tmp_path / "net").code == 0
    assert not (tmp_path / "net" / "pixels.py").exists()
    assert "python train.py --data-path FILE" in (tmp_path / "net" / "README.md").read_text()


@pytest.mark.parametrize("path", ["model.py", "elastic/layers/conv.py", "us_net.py", "pss_keep.py"])
def test_a_file_of_the_project_is_not_the_users(tmp_path: Path, path: str) -> None:
    (tmp_path / "net.specc").write_text(spec(path))
    done = specc("check", tmp_path / "net.specc")
    assert done.code == 1
    assert f"`{path}` is a file of the generated project" in done.err


def test_a_file_outside_the_folder_stays_there(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "pixels.py").write_text(ALONE)
    (tmp_path / "home" / "net.specc").write_text(spec("../pixels.py"))
    assert specc("compile", tmp_path / "home" / "net.specc", "-o", tmp_path / "home" / "net").code == 0
    assert ALONE not in {file.read_text() for file in (tmp_path / "home" / "net").rglob("*.py")}


def test_modules_beside_the_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "pixels.py").write_text(FILE)
    (tmp_path / "counted.py").write_text("COUNT = 3\n")
    data = load_data({"name": "own", "path": str(tmp_path / "pixels.py"), "validation": 0.2, "seed": 0})
    assert len(data.test) == 30
    assert str(tmp_path) not in sys.path


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"there is no file missing\.py.*--data-path FILE"):
        load_data({"name": "own", "path": "missing.py", "validation": 0.2, "seed": 0})
    with pytest.raises(SystemExit, match=r"no file is named.*--data-path FILE"):
        load_data({"name": "own", "path": "", "validation": 0.2, "seed": 0})
