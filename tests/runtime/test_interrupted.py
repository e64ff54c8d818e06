"""Runs that are stopped: by a signal, by another run in their folder, by a disk that takes nothing; and half lines."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from specc.runtime.files.whole import claimed
from specc.runtime.run.progress import Log
from tests.helpers.folders import ROOT
from tests.helpers.scripted import Scripts
from tests.helpers.scripts import write_project

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
  epochs=3; batch_size=128; optimizer=sgd(lr=0.1); calibrate=64; evaluate_every=3; ema=0.9
  augment=[crop(padding=1)]; mixup=0.2; accumulate=2
}
search { calibrate=64 }
"""


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scripts]:
    with Scripts(write_project(tmp_path_factory.mktemp("stopped"), SPEC, "method us_net")) as found:
        assert found("train.py", "-j", "0", "--output-dir", "whole").code == 0
        yield found


KILL = """
import os, signal
from elastic.run.progress import Bar
advance, calls = Bar.advance, []

def counted(self, note=""):
    advance(self, note)
    calls.append(note)
    if len(calls) == PLACE:
        os.kill(os.getpid(), signal.SIGTERM)

Bar.advance = counted
"""


@pytest.mark.parametrize("place", [5, 22, 32])
def test_sigterm_saves_and_the_run_goes_on_with_the_next_step(scripts: Scripts, tmp_path: Path, place: int) -> None:
    """In the first epoch, in the second, at the end of one: resumed, it is bit for bit the run that never stopped."""
    scripts.do(KILL.replace("PLACE", str(place)))
    ended = scripts("train.py", "-j", "0", "--output-dir", str(tmp_path))
    scripts.do("Bar.advance = advance")
    assert ended.code == 128 + signal.SIGTERM, ended
    assert f"terminated: --resume {tmp_path}/checkpoint.pt goes on with the next step" in ended.err
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    steps = (place + 1) // 2  # an update is made of two parts
    assert 8 * saved["epoch"] + saved["batch"] == steps
    ended = scripts("train.py", "-j", "0", "--resume", f"{tmp_path}/checkpoint.pt")
    assert ended.code == 0, ended.raised or ended.err
    mine, whole = (
        torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (tmp_path, scripts.folder / "whole")
    )
    for part in ("net", "average"):
        first, second = (run[part] if part == "net" else run[part]["net"] for run in (mine, whole))
        assert all(torch.equal(first[name], value) for name, value in second.items())
    assert (tmp_path / "metrics.jsonl").read_text() == (scripts.folder / "whole" / "metrics.jsonl").read_text()


def test_a_stopped_run_takes_another_batch_size_from_where_it_was(scripts: Scripts, tmp_path: Path) -> None:
    scripts.do(KILL.replace("PLACE", "24"))
    scripts("train.py", "-j", "0", "--output-dir", str(tmp_path))
    scripts.do("Bar.advance = advance")
    ended = scripts("train.py", "-j", "0", "--resume", f"{tmp_path}/checkpoint.pt", "-b", "256")
    assert ended.code == 0, ended.raised or ended.err
    saved = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert saved["schedule"]["last_epoch"] == 3 * 4


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (("train.py",), "interrupted: --resume goes on after the last complete epoch"),
        (("search.py",), "interrupted: started again, it goes on with what is evaluated"),
        (("export.py", "--at", "max"), "interrupted: what was not finished is as it was"),
        (("bench.py", "--at", "max"), "interrupted"),
    ],
)
def test_sigint_is_a_line(scripts: Scripts, command: tuple[str, ...], told: str) -> None:
    scripts.do("import model; init = model.Model.__init__")
    scripts.do("def stopped(self): raise KeyboardInterrupt\nmodel.Model.__init__ = stopped")
    flags = ("--checkpoint", "whole/checkpoint.pt") if command[0] in ("search.py", "export.py") else ()
    ended = scripts(*command, *flags)
    scripts.do("model.Model.__init__ = init")
    assert ended.reason.startswith(told)


def test_a_folder_is_one_trainings_and_no_lock_outlives_it(scripts: Scripts, tmp_path: Path) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom specc.runtime.files.whole import claimed\n"
        f"lock = claimed(Path({str(tmp_path)!r}))\nprint('claimed', flush=True)\ntime.sleep(60)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    other = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
    assert other.stdout is not None
    assert other.stdout.readline() == "claimed\n"
    reason = scripts("train.py", "--output-dir", str(tmp_path)).reason
    assert f"{tmp_path} is in use by process {other.pid} on " in reason
    assert "name another folder by --output-dir" in reason
    other.kill()
    other.wait()
    deadline = time.monotonic() + 20
    while True:
        try:
            lock = claimed(tmp_path)
            break
        except SystemExit:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert lock is not None
    with pytest.raises(SystemExit, match="is in use by process"):
        Log(tmp_path)
    lock.close()
    Log(tmp_path).close()
    Log(tmp_path).close()


def test_half_a_line_of_the_metrics_is_dropped(tmp_path: Path) -> None:
    """And whatever else is no row of an epoch that is over."""
    lines = [
        '{"epoch": 0, "loss": 1.5}',
        '{"epoch": 1, "lo',
        "[" * 100_000,
        "7",
        '{"epoch": "x"}',
        '{"epoch": 5}',
        "\xff",
    ]
    (tmp_path / "metrics.jsonl").write_bytes("\n".join(lines).encode("latin-1"))
    log = Log(tmp_path, 2)
    log.write(2, loss=1.0)
    log.close()
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert rows == [{"epoch": 0, "loss": 1.5}, {"epoch": 2, "loss": 1.0}]


def limited(command: list[str], folder: Path, size: int) -> subprocess.CompletedProcess[str]:
    """A script whose files cannot grow past a size: as on a disk that is full."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    code = (
        f"import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {resource.RLIM_INFINITY}))\n"
        f"sys.path.insert(0, '.'); sys.argv = {command!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=180
    )


def test_a_full_disk_is_told_in_a_line_and_the_last_checkpoint_stays(scripts: Scripts, tmp_path: Path) -> None:
    (tmp_path / "checkpoint.pt").write_bytes((scripts.folder / "whole" / "checkpoint.pt").read_bytes())
    before = (tmp_path / "checkpoint.pt").read_bytes()
    command = ["train.py", "--device", "cpu", "--epochs", "1", "--output-dir", str(tmp_path), "-j", "0"]
    ended = limited(command, scripts.folder, 9000)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert f"{tmp_path}/checkpoint.pt cannot be written, and is as it was: " in ended.stderr
    assert (tmp_path / "checkpoint.pt").read_bytes() == before
    assert not [*tmp_path.glob("*.partial")]


def test_folders_that_take_nothing_are_told_in_a_line(scripts: Scripts, tmp_path: Path) -> None:
    """A file stands where the folder would: whoever runs the tests, nothing can be written there."""
    (tmp_path / "file").write_text("")
    folder = str(tmp_path / "file" / "runs")
    for command in (
        ("train.py", "--output-dir", folder),
        ("search.py", "--output-dir", folder, "--checkpoint", "whole/checkpoint.pt"),
        ("export.py", "--at", "max", "--output-dir", folder, "--checkpoint", "whole/checkpoint.pt"),
        ("export.py", "--bundle", "--at", "max", "--output-dir", folder, "--checkpoint", "whole/checkpoint.pt"),
    ):
        assert "cannot be written" in scripts(*command).reason


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--evaluate-every", "0"), "evaluate_every must be at least 1: 0"),
        (("--calibrate", "-5"), "calibrate must be at least 0: -5"),
        (("--calibrate", "1"), "calibrate must be 0, for none, or at least 2 images: 1"),
        (("--lr", "-1"), "lr must be at least 0: -1"),
        (("--lr", "nan"), "lr must be a number: nan"),
        (("--lr", "inf"), "lr must be a number: inf"),
        (("--epochs", "0"), "epochs must be at least 1: 0"),
        (("-b", "-4"), "batch_size must be at least 1: -4"),
        (("--seed", "-1"), "seed must be at least 0: -1"),
        (("--wd", "-0.1"), "weight_decay must be at least 0: -0.1"),
        (("--momentum", "1"), "momentum must be below 1: 1"),
        (("--label-smoothing", "1.5"), "label_smoothing must be between 0 and 1: 1.5"),
        (("--clip-grad-norm", "-1"), "clip must be at least 0: -1"),
        (("--mixup-alpha", "-1"), "mixup must be at least 0: -1"),
        (("--model-ema-decay", "2"), "ema must be between 0 and 1: 2"),
        (("--lr-warmup-epochs", "-1"), "warmup must be at least 0: -1"),
        (("--lr-scheduler", "multisteplr", "--lr-milestones", "-1"), "milestones must be a list of epochs: [-1.0]"),
        (("--target", "7"), "7 is no share: a number from 0 to 1 is expected"),
    ],
)
def test_flags_that_make_no_sense_are_refused(scripts: Scripts, flags: tuple[str, ...], told: str) -> None:
    assert told in scripts("train.py", *flags).reason
