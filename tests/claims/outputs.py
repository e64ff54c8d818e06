"""Networks of every output kind, trained: three sub-networks of one elastic network (the largest, a middle one
and the smallest), and beside each a network of that size trained alone for as many steps.

`python -m tests.claims.outputs` writes the table to RESULTS.md; `--journal FILE` keeps every row as a line and reads
those that it has.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any, cast

from specc.cost import cost
from specc.ir.expr import Option
from specc.pipeline import load
from specc.source import Source
from specc.subnets.space import complete, draw
from tests.claims.runs import answer
from tests.helpers.folders import SPECS
from tests.helpers.projects import plain

TITLE = "## Every output, trained"
RESULTS = Path(__file__).with_name("RESULTS.md")
DRAWN = 200
"""Sub-networks among which the middle one is looked for: by MACs nearest to the geometric mean of both ends."""

PROGRAM = """
train_images = loading.calibration(512)
metric = TASK.metrics[0]
fresh = train.Model().eval()
found = {"metric": metric.name, "shown": {}, "images": len(loading.data.train), "epochs": len(losses)}
for name, at in asked["ats"].items():
    plan = None if at is None else calibrated(net, net.plan(at), train_images)
    value = evaluate(net, plan, testing, TASK, world).value
    found["shown"][name] = metric.shown(value)
plan = None if None in asked["ats"].values() else calibrated(fresh, fresh.plan("max"), train_images)
found["shown"]["fresh"] = metric.shown(evaluate(fresh, plan, testing, TASK, world).value)
"""


@dataclass(frozen=True, slots=True)
class Twin:
    """A spec, with what is replaced in its text so that it trains in minutes."""

    name: str
    changes: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        text = (SPECS / f"{self.name}.specc").read_text(encoding="utf-8")
        for before, after in self.changes:
            assert before in text, (self.name, before)
            text = text.replace(before, after)
        return text


TWINS = (
    Twin("scenes_values"),
    Twin("scenes_tags"),
    Twin("ds_cnn", (("data own", "data sounds"), ("epochs=60", "epochs=40"))),
    Twin("scenes_unet", (("epochs=4", "epochs=12"),)),
    Twin("digits_mobilenet_v4"),
    Twin("digits_convnext"),
    Twin("digits_repvgg"),
    Twin("scenes_edsr", (("images=2000, test_images=400", "images=500, test_images=100"),)),
    Twin("scenes_deeplab"),
    Twin("scenes_detector_us"),
)


def row(twin: Twin) -> dict[str, Any]:
    """What one twin reaches, and networks of its sizes alone."""
    text, start = twin.text(), time.monotonic()
    graph = load(Source(f"{twin.name}.specc", text)).graph
    ends = {"largest": complete(graph, {}, "max"), "smallest": complete(graph, {}, "min")}
    macs = {name: cost(graph, at).macs for name, at in ends.items()}
    goal = sqrt(macs["largest"] * macs["smallest"])
    drawn = draw(graph, DRAWN, 0, "uniform")
    _, middle = min(((abs(found - goal), number) for number, found in enumerate(drawn.macs)), key=lambda pair: pair[0])
    ats: dict[str, Mapping[str, Option]] = {**ends, "middle": cast("dict[str, Option]", drawn.assignments[middle])}
    macs["middle"] = drawn.macs[middle]
    asked = {name: plain(graph, at) for name, at in ats.items()}
    found = dict(answer(text, 0, PROGRAM, ats=asked))
    alone = {name: answer(text, 0, PROGRAM, at=at, ats={name: None}) for name, at in ats.items()}
    minutes = (time.monotonic() - start) / 60
    found |= {"name": twin.name, "macs": macs, "alone": {name: one["shown"][name] for name, one in alone.items()}}
    return found | {"minutes": round(minutes, 1)}


def section(rows: Sequence[Mapping[str, Any]]) -> str:
    """A section of RESULTS.md."""
    how = (
        "`python -m tests.claims.outputs`: each spec as it is in specs/ (changes are named), one seed. The largest, a "
        "middle and the smallest sub-network on test images, calibrated; / the same network alone, trained anew for as "
        "many epochs with the same recipe. `before` is the largest before its first step.\n"
    )
    lines = [f"{TITLE}\n", how]
    lines.append(
        "| spec | metric | images, epochs | before | largest / alone | middle / alone | smallest / alone | MACs |"
    )
    lines.append("|---|---|---|---|---|---|---|---|")
    for found in rows:
        shown, alone = found["shown"], found["alone"]
        ends = [f"{shown[name]} / {alone[name]}" for name in ("largest", "middle", "smallest")]
        macs = ", ".join(f"{found['macs'][name] / 1e6:.3g} M" for name in ("largest", "middle", "smallest"))
        of = f"{found['images']}, {found['epochs']}"
        lines.append(f"| {found['name']} | {found['metric']} | {of} | {shown['fresh']} | {' | '.join(ends)} | {macs} |")
    changed = [
        f"{twin.name}: {', '.join(f'`{after}` for `{before}`' for before, after in twin.changes)}"
        for twin in TWINS
        if twin.changes and twin.name in [found["name"] for found in rows]
    ]
    return "\n".join([*lines, "", f"Changed: {'; '.join(changed)}."]) + "\n"


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keeps each row as a line, and reads those it has")
    parser.add_argument("--known", action="store_true", help="only the rows that the journal has")
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args(words)
    known: dict[str, Mapping[str, Any]] = {}
    if args.journal is not None and args.journal.is_file():
        known = {found["name"]: found for found in map(json.loads, args.journal.read_text().splitlines())}

    def kept(twin: Twin) -> None:
        try:
            found = row(twin)
        except CalledProcessError as error:
            print(f"{twin.name}: {error}", file=sys.stderr)
            return
        known[twin.name] = found
        if args.journal is not None:
            with args.journal.open("a") as file:
                file.write(json.dumps(found) + "\n")

    if not args.known:
        with ThreadPoolExecutor(args.jobs) as pool:
            list(pool.map(kept, [twin for twin in TWINS if twin.name not in known]))
    text = section([known[twin.name] for twin in TWINS if twin.name in known])
    before, _, behind = RESULTS.read_text().partition(TITLE)
    _, heading, others = behind.partition("\n## ")
    RESULTS.write_text(f"{before.rstrip()}\n\n{text}{heading}{others}")


if __name__ == "__main__":
    main(sys.argv[1:])
