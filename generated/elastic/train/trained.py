"""A trained network, as search.py and export.py take it up: its weights, and the data that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elastic.data.datasets import check_classes, load_data
from elastic.data.images import Shapes
from elastic.data.loading import Loading
from elastic.files.first_version import FirstVersion, first_version
from elastic.run.distributed import World
from elastic.run.settings import at_path
from elastic.train import checkpoint
from elastic.train.interfaces import Task


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A network in eval mode with the weights of a checkpoint, `saved`; what it predicts; how its data is loaded."""

    net: Any
    task: Task
    loading: Loading
    saved: Mapping[str, Any]

    @property
    def classes(self) -> list[str]:
        """The names of the classes; none where neither the data nor the checkpoint names them."""
        return [*(self.loading.data.names or self.saved.get("classes") or ())]

    def origin(self) -> dict[str, str]:
        """Of which network and of which weights a file is that names sub-networks: hashes of both."""
        weights = checkpoint.digest(checkpoint.weights(self.saved))
        return {"fingerprint": self.net.fingerprint, "weights": weights}

    def first(self) -> FirstVersion:
        """How files of the first version know the network and the weights."""
        first = first_version(self.net)
        if not first.fingerprint:
            return first
        weights = checkpoint.digest(first.then(checkpoint.weights(self.saved)))
        return first_version(self.net, weights)


def load_trained(
    net: Any,
    file: Path,
    shapes: Shapes,
    task: Task,
    device: torch.device | str = "cpu",
    *,
    data: Mapping[str, Any] | None = None,
    data_path: str | None = None,
    workers: int = 0,
) -> Trained:
    """Fills a network on `device` from a checkpoint. Exits with a plain message where one does not go with the other.

    `shapes` is what the network takes. `data` is the data set, None for the one that the checkpoint was trained on;
    that may have moved to `data_path`. Each process loads all of it.
    """
    net = net.eval()
    saved = checkpoint.renewed(net, checkpoint.load(file, device, needs=() if data else ("data",)))
    checkpoint.trained(net, saved)
    read = load_data(data or at_path(saved["data"], data_path), task)
    loading = Loading(read, shapes, World(0, 1, torch.device(device)), workers)
    check_classes(loading.data, task.count, saved)
    return Trained(net, task.fitted(loading.data), loading, saved)
