"""What a project's README shows under "In your own code" runs, and gives the accuracy that train.py says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.pairs import PAIRS
from tests.helpers.pairs import SPEC as PAIRED
from tests.helpers.scripts import SPEC, run, write_project

JUDGED = """
right = count = 0
loading = trained.loading
for x, y in loading.evaluation(loading.data.test):
    right += int((net(x, plan).argmax(1) == y).sum())
    count += len(y)
print(f"{right / count:.2%} of {count} images")
"""


def shown(folder: Path) -> str:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"## In your own code\n.*?```python\n(.*?)```", readme, re.DOTALL)
    return str(block)


def test_the_code_gives_the_accuracy_of_a_calibrated_sub_network(tmp_path: Path) -> None:
    folder = write_project(tmp_path, SPEC.replace("epochs=4", "epochs=2"), "method us_net(subnets=3)")
    said = run(folder, "train.py", "--device", "cpu")
    (smallest,) = re.findall(r"test accuracy, smallest: (.*)", said)
    assert run(folder, shown(folder) + JUDGED).splitlines()[-1] == smallest


def test_the_code_feeds_several_inputs(tmp_path: Path) -> None:
    folder = write_project(tmp_path, PAIRED, "method us_net(subnets=2)")
    (folder / "pairs.py").write_text(PAIRS)
    run(folder, "train.py", "--device", "cpu")
    run(folder, shown(folder))


@pytest.mark.parametrize("method", ["method us_net", "method tips(boost=1)"])
def test_the_code_names_calibration_where_norms_need_it(tmp_path: Path, method: str) -> None:
    assert "calibrate(" in shown(write_project(tmp_path, SPEC, method))


def test_norms_of_their_own_are_not_calibrated(tmp_path: Path) -> None:
    spec = SPEC.replace("norm batch", "norm batch(bank=keep)").replace("width uniform {0.5, 1.0} round 8", "")
    spec = spec.replace("calibrate=128; ", "")
    folder = write_project(tmp_path, spec, "method adn")
    assert "calibrate(" not in shown(folder)
    run(folder, "train.py", "--device", "cpu", "--epochs", "1")
    run(folder, shown(folder))
