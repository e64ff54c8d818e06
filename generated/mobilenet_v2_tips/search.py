"""Searches the Pareto-optimal sub-networks of a trained network: the best accuracy at every cost.

    python search.py
    python search.py --objectives accuracy latency --max-macs 2e6
    python search.py --strategy evolution --evaluations 1000
    python search.py --objectives accuracy latency --latency-table latency.cpu.json
    torchrun --nproc-per-node 4 search.py

Writes pareto.json, a page, pareto.html, and pictures of the front. Candidates are evaluated on held
out images; the test images are used once, at the end. An interrupted search continues.
"""

from __future__ import annotations

from pathlib import Path

import space
from elastic.outputs.classes import Classes
from elastic.run.distributed import join, leave
from elastic.run.progress import Bar
from elastic.run.settings import read_settings
from elastic.search.front import Point, admit
from elastic.search.options import search_options
from elastic.search.session import begin, report
from model import Model

NAME = "mobilenet_v2_tips"
IMAGE = (3, 224, 224)  # channels, height, width
TASK = Classes(1000)
HERE = Path(__file__).parent


def main() -> None:
    options = search_options(read_settings(HERE / "settings.toml"), metrics=TASK.metrics)
    world = join(options.device)
    search = begin(Model(), space, IMAGE, TASK, HERE, options, world)
    evaluated: list[Point] = []
    front: list[Point] = []
    with Bar("searching", len(search.proposals), shown=world.main) as bar:
        for generation in search.proposals:
            points = search.evaluator.points(generation, bar.advance)
            search.proposals.learn(points)
            for point in points:  # Algorithm 1 of TIPS
                front = admit(front, point, search.costs)
            search.plans.keep(front)
            evaluated += points
            bar.note = f"{len(front)} on the front"
    front = search.finished(evaluated, front)
    if world.main:
        report(search, NAME, evaluated, front)
    leave(world)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: started again, it goes on with what is evaluated") from None
