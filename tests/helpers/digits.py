"""The project of specs/digits.specc with a checkpoint, as if it had been trained."""

from __future__ import annotations

BEGUN = """
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

import space
from elastic.train import checkpoint
from elastic.run.settings import read_settings
from model import Model

torch.manual_seed(0)
settings = read_settings(Path("settings.toml"))
content = {"net": Model().state_dict(), "average": None, "data": settings["data"]}
checkpoint.save(Path("runs/checkpoint.pt"), content)
ats = [space.smallest(), space.largest()]
points = [{"at": at, "macs": space.macs(at), "params": space.params(at), "accuracy": 0.5} for at in ats]
Path("runs/pareto.json").write_text(json.dumps({"points": points}))
"""

DIGITS = """
supernet tiny {
  input image(1, 8, 8);  classes 10
  norm batch
  width uniform {0.5, 1.0} round 8
  stem { conv(16, kernel=3, stride=2); norm; relu }
  stage s1 { skippable keep { residual { conv(16, kernel=3); norm; relu } } }
  EXIT
  stage s2 { conv(16, kernel=1); norm; relu }
  head { pool(avg); linear(classes) }
}
method us_net(subnets=3)
data digits
search { calibrate=128 }
"""
