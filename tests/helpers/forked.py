"""Python processes that begin with torch imported: each is forked from one that waits, instead of importing it anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

# The child leaves the loop, runs the code as a program of its own and ends as every interpreter does.
WAITING = """
import json, os, sys
sys.modules["specc"] = None
import numpy, torch, torchvision.transforms
for line in sys.stdin:
    step = json.loads(line)
    child = os.fork()
    if child == 0:
        break
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
else:
    sys.exit()
os.chdir(step["folder"])
for number, name in enumerate((os.devnull, step["out"], step["err"])):
    os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
import signal
signal.alarm(step["seconds"])
sys.path[0] = "."
exec(compile(step["code"], "<string>", "exec"), {"__name__": "__main__"})
"""


@cache
def waiting() -> subprocess.Popen[str]:
    """The process that waits, one for each process of the tests; it ends with them, as its input does."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", WAITING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def forked(folder: Path, code: str, seconds: int = 180) -> subprocess.CompletedProcess[str]:
    """Runs code in a folder, which sees nothing of specc. It is ended by SIGALRM after so many seconds."""
    process = waiting()
    assert process.stdin is not None
    assert process.stdout is not None
    with TemporaryDirectory() as beside:
        out, err = Path(beside, "out"), Path(beside, "err")
        step = {"folder": str(folder), "code": code, "out": str(out), "err": str(err), "seconds": seconds}
        process.stdin.write(json.dumps(step) + "\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(code, status, out.read_text(), err.read_text())
