"""Exports sub-networks as plain static networks that need nothing of this project.

    python export.py                   of pareto.json, the cheapest within 1 % of the best
    python export.py --max-macs 200e3  of pareto.json, the most accurate within this budget
    python export.py --at 3            the third of pareto.json; or max, min, CHOICE=OPTION,...
    python export.py --pareto 4        four points of pareto.json, spread over its costs; or all
    python export.py --bundle          all of pareto.json with one set of weights; --onnx: without torch

A sub-network becomes a folder with its source and weights, and, norms folded, a torch.export program
and an ONNX file. All are loaded again and must give the trained network's outputs. A bundle is
served by `elastic.deploy.serving.Runtime`, which changes between its sub-networks while it runs.
"""

from __future__ import annotations

from pathlib import Path

import space
from elastic.deploy.checked import finish
from elastic.deploy.choosing import calibration, export_flags, wanted
from elastic.deploy.several import announce, export_point, plan_of, tell_left_over, write_bundle
from elastic.outputs.classes import Classes
from elastic.train.calibrate import calibrated
from elastic.train.trained import load_trained
from model import Model

NAME = "resnet50_adn"
IMAGE = (3, 224, 224)  # channels, height, width
TASK = Classes(1000)
NAMES = ["images"]  # of the inputs, in the ONNX file
SETTINGS = Path(__file__).with_name("settings.toml")
# train.py trains only these sub-networks; a choice that is not listed has its largest option.
TRAINED = ["max", "min"]


def main() -> None:
    flags = export_flags()
    data = flags.data_path
    trained = load_trained(Model(), flags.checkpoint, IMAGE, TASK, data_path=data)
    points = wanted(space, flags, trained.origin(), TRAINED, first=trained.first())
    images = trained.loading.calibration(calibration(flags, SETTINGS))
    plans, written = {}, []
    for number, point in points.items():
        announce(point)
        plan = calibrated(trained.net, plan_of(trained.net, point.at, flags.outputs), images)
        plans[number] = plan
        if not flags.bundle:
            written.append(export_point(trained, NAME, NAMES, flags, number, point, plan))
    if flags.bundle:
        write_bundle(trained, Model(), NAME, NAMES, flags, plans, points)
    elif flags.pareto:
        tell_left_over(flags, points)
    finish(written)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit("interrupted: what was not finished is as it was") from None
