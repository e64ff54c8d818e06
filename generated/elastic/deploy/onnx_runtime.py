"""Runs the sub-networks of this folder, which share their weights, with onnxruntime and numpy alone.

    from anytime import Anytime

    net = Anytime("anytime_onnx")
    net.subnets                                 # a row each: name, macs, params, accuracy, milliseconds
    logits = net.run(images)                    # of the best one
    net.switch("3")                             # from now on the third; "smallest" and "largest" are names, too
    logits = net.run(images)
    logits = net.run(images, macs=100e6)        # the best with at most so many
    logits = net.run(images, budget_ms=5)       # the best that takes at most so long for one image here

Images are floats as index.json says under "inputs"; `net.prepare(pixels)` makes them of bytes. Written by export.py.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime


class Anytime:
    """The sub-networks of a folder. `keep` sessions stay loaded, those that were used last.

    Raises FileNotFoundError where there is no such folder, ValueError where a file is not the one that was written.
    """

    def __init__(self, folder: str | Path, threads: int = 0, keep: int = 8) -> None:
        self.folder, self.threads, self.keep = Path(folder), threads, keep
        self.index = json.loads((self.folder / "index.json").read_text(encoding="utf-8"))
        if self.index["version"] != 1:
            raise ValueError(
                f"{folder} is of version {self.index['version']}; this runtime reads 1"
            )
        for name, wanted in self.index["files"].items():
            path = self.folder / name
            if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != wanted:
                raise ValueError(f"{path} is missing, or not the file that export.py wrote")
        self.subnets: list[dict[str, Any]] = self.index["subnets"]
        self.sessions: OrderedDict[str, Any] = OrderedDict()
        self.measured: dict[str, float] = {}
        self.current = self.best(self.subnets)["name"]

    def best(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """The row with the best value of the metric; without values, the one with most MACs."""
        metric = self.index.get("metric", {"name": "accuracy", "higher_is_better": True})
        sign = 1 if metric.get("higher_is_better", True) else -1

        def worth(row: dict[str, Any]) -> tuple[float, float]:
            value = row.get("accuracy", row.get("value"))
            return (float("-inf"), row["macs"]) if value is None else (sign * value, -row["macs"])

        return max(rows, key=worth)

    def choose(self, macs: float | None = None, budget_ms: float | None = None) -> str:
        """The name of the best sub-network within these limits. Raises ValueError where there is none."""
        rows = [row for row in self.subnets if macs is None or row["macs"] <= macs]
        if budget_ms is not None:
            rows = [row for row in rows if self.milliseconds(row["name"]) <= budget_ms]
        if not rows:
            least = min(row["macs"] for row in self.subnets)
            raise ValueError(
                f"no sub-network keeps macs={macs}, budget_ms={budget_ms}; the least has {least} MACs"
            )
        return str(self.best(rows)["name"])

    def load(self, name: str) -> Any:
        """The session of a sub-network; it is loaded where it is not yet."""
        if name not in self.sessions:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = self.threads
            path = self.folder / self.row(name)["file"]
            self.sessions[name] = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
            while len(self.sessions) > self.keep:
                self.sessions.popitem(last=False)
        self.sessions.move_to_end(name)
        return self.sessions[name]

    def row(self, name: str) -> dict[str, Any]:
        """What the index says of a sub-network. Raises ValueError where there is none of this name."""
        if name in ("smallest", "largest"):
            return sorted(self.subnets, key=lambda row: row["macs"])[
                0 if name == "smallest" else -1
            ]
        rows = [row for row in self.subnets if row["name"] == name]
        if not rows:
            raise ValueError(
                f"there is no sub-network {name!r}, but {', '.join(row['name'] for row in self.subnets)}"
            )
        return rows[0]

    def switch(self, name: str) -> None:
        """Has `run` use this sub-network from now on."""
        name = self.row(name)["name"]
        self.load(name)
        self.current = name

    def run(self, *inputs: Any, macs: float | None = None, budget_ms: float | None = None) -> Any:
        """What the current sub-network answers, or the best within these limits: an array, or several by name."""
        limited = macs is not None or budget_ms is not None
        name = self.choose(macs, budget_ms) if limited else self.current
        session, row = self.load(name), self.row(name)
        outputs = session.run(row["outputs"], dict(zip(row["shapes"], inputs, strict=True)))
        return outputs[0] if len(outputs) == 1 else dict(zip(row["outputs"], outputs, strict=True))

    def milliseconds(self, name: str) -> float:
        """How long a sub-network takes for one image on this machine: measured once."""
        if name not in self.measured:
            inputs = [
                np.zeros((1, *shape), np.float32) for shape in self.row(name)["shapes"].values()
            ]
            session, times = self.load(name), []
            given = dict(zip(self.row(name)["shapes"], inputs, strict=True))
            for _ in range(7):
                start = time.perf_counter()
                session.run(None, given)
                times.append(time.perf_counter() - start)
            self.measured[name] = sorted(times)[3] * 1000
        return self.measured[name]

    def prepare(self, pixels: Any, name: str = "") -> Any:
        """Floats of images [N, C, H, W] as the data has them, for the input `name` or the first."""
        about = self.index["inputs"][name or next(iter(self.index["inputs"]))]
        shape = (1, -1, *[1] * (np.ndim(pixels) - 2))
        mean, std = (np.reshape(about[key], shape) for key in ("mean", "std"))
        return ((pixels / about["scale"] - mean) / std).astype(np.float32)
