"""What every transformer must keep, whatever its form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tests.helpers import checks
from tests.helpers.formatting import formatted
from tests.helpers.projects import Project, assignments, image_shape, plain


def check(text: str, folder: Path, count: int = 2) -> Project:
    """What every network must keep; a step of training of each sub-network; and code as a formatter leaves it."""
    spec, made, module = checks.check(text, folder, count)
    net: Any = module.train()
    for at in assignments(spec.graph, count):
        answers = net(torch.randn(2, *image_shape(spec.graph, at)), net.plan(plain(spec.graph, at)))
        answers.logsumexp(1).mean().backward()
    assert formatted(folder / "elastic" / "model.py") == ""
    return made
