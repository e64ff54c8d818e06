"""Projects written to a folder, and their scripts run as users run them: without specc."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from specc.pipeline import compile_project, load
from specc.source import Source
from tests.helpers.forked import forked

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } } }
  head { pool(avg); dropout(0.1); linear(classes) }
}
METHOD
data digits
train {
  epochs=4; batch_size=256; optimizer=sgd(lr=0.2); ema=0.9; augment=[crop(padding=1)]
  calibrate=128; evaluate_every=2; init=msra
  mixup=0.2; cutmix=1.0; repeats=2; accumulate=2
}
search { calibrate=256 }
"""


def write_project(folder: Path, spec: str, method: str) -> Path:
    return write_files(folder, compile_project(load(Source("tiny.specc", spec.replace("METHOD", method)))))


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return folder


def run(folder: Path, *command: str) -> str:
    """What a script of the project prints; the project sees nothing of specc."""
    if command[0].endswith(".py"):
        code = f"import runpy, sys; sys.argv = {list(command)!r}; runpy.run_path({command[0]!r}, run_name='__main__')"
    else:
        code = "import sys\n" + command[0]
    done = forked(folder, code)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


RESUMED = """
import train
from elastic.train import checkpoint

save = checkpoint.save

def interrupted(path, content):
    save(path, content)
    if content["epoch"] == 2:
        raise KeyboardInterrupt

checkpoint.save = interrupted
try:
    sys.argv = ["train.py", "--device", "cpu"]
    train.main()
except KeyboardInterrupt:
    checkpoint.save = save
sys.argv = ["train.py", "--device", "cpu", "--resume", "runs/checkpoint.pt"]
train.main()
sys.argv = ["train.py", "--device", "cpu", "--output-dir", "whole"]
train.main()
"""
