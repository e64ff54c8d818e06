"""Scripts of a generated project, called many times in one process of their own, as users would start them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CALLS = """
import contextlib, io, json, os, runpy, sys, traceback
sys.modules["specc"] = None
sys.path.insert(0, os.getcwd())
def enter(folder):
    if os.getcwd() != folder:
        os.chdir(folder)
        left, sys.path[0] = sys.path[0], folder
        for name in [*sys.modules]:
            file = getattr(sys.modules[name], "__file__", None) or ""
            if file.startswith(os.path.join(left, "")):
                del sys.modules[name]

def call(script, *flags):
    out, err, code, raised = io.StringIO(), io.StringIO(), 0, ""
    sys.argv = [script, *flags]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            code = 0 if end.code is None else end.code if isinstance(end.code, int) else 1
            if isinstance(end.code, str):
                print(end.code, file=sys.stderr)
        except BaseException:
            raised = traceback.format_exc()
    return [code, out.getvalue(), err.getvalue(), raised]

names = {"call": call}
for line in sys.stdin:
    step = json.loads(line)
    enter(step["folder"])
    if step["code"]:
        exec(step["code"], names)
        print(json.dumps([0, "", "", ""]), flush=True)
    else:
        print(json.dumps(call(*step["command"])), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a script ended: its exit code, what it printed, and a traceback where it raised anything but SystemExit."""

    code: int
    out: str
    err: str
    raised: str

    @property
    def reason(self) -> str:
        """The last line of standard error: why it stopped. Fails where there is a traceback."""
        assert not self.raised, self.raised
        assert self.code, self.out
        return self.err.strip().splitlines()[-1]


class Scripts:
    """A process in a project's folder that runs its scripts one after another; torch is imported once for all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", CALLS],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *command: str, folder: Path | None = None) -> Ended:
        """Runs a script with flags, of this project or of another one."""
        device = ("--device", "cpu") if command[0] in ("train.py", "search.py") else ()
        return self.ask({"command": [*command, *device], "code": "", "folder": str(folder or self.folder)})

    def do(self, code: str) -> None:
        """Runs code in the process, which may change modules for the scripts that come."""
        self.ask({"command": [], "code": code, "folder": str(self.folder)})

    def ask(self, step: dict[str, object]) -> Ended:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(step) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the process has died"
        return Ended(*json.loads(line))

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def __enter__(self) -> Scripts:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
