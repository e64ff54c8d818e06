"""search.py of a project in processes of its own: killed, started twice on one folder, one of them dying."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.scripts import run, write_project

SPEC = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width per_group 0.25..1.0 round 4
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { repeat 4 { skippable { residual { conv(16, kernel=3); norm; relu } } } }
  head { pool(avg); linear(classes) }
}
METHOD
data digits
train { epochs=1; batch_size=256; optimizer=sgd(lr=0.2); calibrate=64 }
search { calibrate=64; strategy=evolution(evaluations=48, population=12) }
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained project, and what a search that nobody disturbed found: the folder `whole`."""
    folder = write_project(tmp_path_factory.mktemp("searched"), SPEC, "method us_net(subnets=3)")
    run(folder, "train.py", "--device", "cpu")
    run(folder, *search("whole"))
    return folder


def search(output: str) -> list[str]:
    return ["search.py", "--device", "cpu", "--checkpoint", "runs/checkpoint.pt", "--output-dir", output]


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    out = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen([sys.executable, *words], cwd=folder, env=environment, start_new_session=True, **out)  # type: ignore[call-overload,no-any-return]


def evaluations(folder: Path) -> dict[str, float]:
    """The accuracies of a journal, all of whose lines are whole, each sub-network once."""
    path = folder / "search.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    found = {json.dumps(row["at"], sort_keys=True): row["accuracy"] for row in rows if "accuracy" in row}
    assert len(found) == sum("accuracy" in row for row in rows)
    return found


def whole_files(folder: Path) -> Sequence[str]:
    """The results in a folder, none of them a half of one."""
    ends = {"json": b"}\n", "html": b"</html>\n", "svg": b"</svg>\n", "png": b"IEND\xaeB`\x82"}
    found = sorted(folder.glob("pareto.*"))
    results = [path for path in found if path.suffix != ".partial"]
    assert all(path.read_bytes().endswith(ends[path.suffix[1:]]) for path in results)
    return [path.name for path in results]


def front(folder: Path) -> list[dict[str, Any]]:
    """The front without latencies, which are measured and so differ."""
    points = json.loads((folder / "pareto.json").read_text())["points"]
    return [{name: value for name, value in point.items() if "latency" not in name} for point in points]


def test_killed_at_any_moment_it_loses_nothing_and_goes_on(project: Path) -> None:
    """While it evaluates, and while it writes what it found; then it may finish."""
    rng, out, before = random.Random(0), project / "killed", dict[str, float]()
    for wanted in (5, 17, 31, 48, 48):
        process = start(project, *search("killed"))
        while process.poll() is None and len(evaluations_so_far(out)) < wanted:
            time.sleep(0.005)
        time.sleep(rng.random() * (0.02 if wanted < 48 else 2.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        after = evaluations(out)
        assert before.items() <= after.items()
        assert len(after) >= wanted
        before = after
        whole_files(out)
    process = start(project, *search("killed"))
    text = process.communicate()[0]
    assert process.returncode == 0, text
    assert "48 of them in earlier runs" in text
    assert before == evaluations(project / "whole")
    assert front(out) == front(project / "whole")
    assert [path.name for path in out.iterdir() if path.suffix == ".partial"] == []


def evaluations_so_far(folder: Path) -> list[str]:
    path = folder / "search.jsonl"
    return [line for line in path.read_text().splitlines() if "accuracy" in line] if path.exists() else []


def test_two_searches_on_one_folder_do_not_disturb_each_other(project: Path) -> None:
    """Both find the whole front, and both write it."""
    both = [start(project, *search("both")) for _ in range(2)]
    texts = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], texts
    assert front(project / "both") == front(project / "whole")
    assert len(whole_files(project / "both")) == 4
    lines = [json.loads(line) for line in (project / "both" / "search.jsonl").read_text().splitlines()]
    known = evaluations(project / "whole")
    assert all(known[json.dumps(row["at"], sort_keys=True)] == row["accuracy"] for row in lines if "accuracy" in row)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_dies_ends_all_and_what_is_done_is_kept(project: Path, rank: int) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    out = project / f"died{rank}"
    process = start(project, *torchrun, *search(out.name))
    while process.poll() is None and len(evaluations_so_far(out)) < 8:
        time.sleep(0.01)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(children[rank]), signal.SIGKILL)
    text = process.communicate(timeout=60)[0]
    assert process.returncode not in (0, None)
    assert f"rank      : {rank} (local_rank: {rank})\n  exitcode  : -9" in text
    kept = evaluations(out)
    assert len(kept) >= 8
    text = start(project, *torchrun, *search(out.name)).communicate()[0]
    assert f"evaluated 48 sub-networks, {len(kept)} of them in earlier runs," in text
    assert front(out) == front(project / "whole")
