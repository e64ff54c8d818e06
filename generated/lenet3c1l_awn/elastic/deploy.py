"""Several sub-networks beside one set of weights: each is its choices and its norm statistics, and nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from . import checkpoint
from .plan import Cut, Plan
from .tensors import load_tensors, save_tensors
from .whole import put_back, whole_folder, write_text

WEIGHTS: Final = "weights.safetensors"
NORMS: Final = "norms.safetensors"
INDEX: Final = "index.json"


def statistics(plan: Plan) -> tuple[list[str], Tensor]:
    """The norm statistics of a calibrated plan: the norms' places in it, and all means and variances in one row.

    Of each norm come the means of its channels, then their variances.
    """
    found = [(path, cut) for path, cut in cuts(plan) if getattr(cut, "mean", None) is not None]
    values: list[Any] = [value for _, cut in found for value in (cut.mean, cut.var)]  # type: ignore[attr-defined]
    row = torch.cat([value.float().cpu() for value in values]) if values else torch.zeros(0)
    return [path for path, _ in found], row


def with_statistics(plan: Any, norms: Sequence[str], row: Tensor) -> Any:
    """The plan with the statistics that `statistics` took from its twin."""
    here = dict(cuts(plan))
    start = 0
    measured: dict[str, Cut] = {}
    for path in norms:
        cut: Any = here[path]
        middle, end = start + cut.features, start + 2 * cut.features
        measured[path] = cut.calibrated(row[start:middle], row[middle:end])
        start = end
    return placed(plan, measured)


def cuts(plan: Any, path: str = "") -> Iterator[tuple[str, Cut]]:
    """Every cut of a plan with its place, as in `s1.b1.norm2`."""
    for field in fields(plan):
        value = getattr(plan, field.name)
        here = f"{path}.{field.name}" if path else field.name
        if isinstance(value, Cut):
            yield here, value
        elif is_dataclass(value):
            yield from cuts(value, here)


def placed(plan: Any, changed: dict[str, Cut], path: str = "") -> Any:
    """A copy of a plan in which some cuts, by their places, are others."""
    new = {}
    for field in fields(plan):
        value = getattr(plan, field.name)
        here = f"{path}.{field.name}" if path else field.name
        if here in changed:
            new[field.name] = changed[here]
        elif is_dataclass(value) and not isinstance(value, (Cut, type)):
            new[field.name] = placed(value, changed, here)
    return replace(plan, **new)


def save(
    folder: Path,
    net: nn.Module,
    plans: Sequence[Plan],
    figures: Sequence[Mapping[str, float]] = (),
    network: str = "",
) -> None:
    """Writes a bundle: the weights once and, for every plan, its assignment, norm statistics and figures.

    weights.safetensors has the network's state, norms.safetensors a row of statistics for every sub-network, and
    index.json the rest: of every sub-network its options, in the order of the choices, and what is known of it
    (`figures`: macs, params, accuracy). The folder is replaced as a whole.
    """
    choices = list(dict.fromkeys(name for plan in plans for name in plan.assignment))
    norms: dict[str, int] = {}
    places: list[list[int]] = []
    rows: dict[str, Tensor] = {}
    subnets: list[dict[str, Any]] = []
    for number, plan in enumerate(plans):
        names, row = statistics(plan)
        places.append([norms.setdefault(name, len(norms)) for name in names])
        rows[str(number)] = row
        at = plan.assignment
        known = dict(figures[number]) if figures else {}
        outputs = {} if plan.outputs is None else {"outputs": [*plan.outputs]}
        subnets.append({"at": [at.get(name) for name in choices], **known, **outputs})
    about = {"norms": json.dumps([*norms]), "places": json.dumps(places, separators=(",", ":"))}
    with whole_folder(folder) as aside:
        save_tensors(aside / WEIGHTS, net.state_dict())
        save_tensors(aside / NORMS, rows, about)
        index = {"network": network, "choices": choices, "subnets": subnets, "latency": {}}
        write_text(aside / INDEX, index_text(index))


def index_text(index: Mapping[str, Any]) -> str:
    """index.json: a line for every sub-network, without blanks, so that it stays small."""
    lines = []
    for name, value in index.items():
        if name == "subnets":
            rows = ",\n".join(packed(row) for row in value)
            lines.append(f'"{name}":[\n{rows}]')
        else:
            lines.append(f'"{name}":{packed(value)}')
    return "{" + ",\n".join(lines) + "}\n"


def packed(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def read_index(folder: Path) -> dict[str, Any]:
    """index.json with every sub-network's assignment by choice. Exits where there is no bundle."""
    put_back(folder)
    try:
        index: dict[str, Any] = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except OSError:
        raise SystemExit(f"there is no bundle {folder}: export.py --bundle writes one") from None
    for row in index["subnets"]:
        pairs = zip(index["choices"], row["at"], strict=True)
        row["at"] = {name: option for name, option in pairs if option is not None}
    return index


def load(folder: Path, net: Any) -> list[Any]:
    """Gives a network the weights of a bundle, and the plans that it may run: `net(images, plan)`, `net.use(plan)`."""
    index = read_index(folder)
    weights, _ = load_tensors(folder / WEIGHTS)
    checkpoint.fill(net, weights)
    rows, about = load_tensors(folder / NORMS)
    norms, places = json.loads(about["norms"]), json.loads(about["places"])
    device = next(net.parameters()).device
    plans = []
    for number, (subnet, mine) in enumerate(zip(index["subnets"], places, strict=True)):
        plan = net.plan(subnet["at"], subnet.get("outputs"))
        row = rows[str(number)].to(device)
        plans.append(with_statistics(plan, [norms[i] for i in mine], row))
    return plans


def sizes(folder: Path) -> str:
    """The files of a bundle with their sizes."""
    found = [(path.name, path.stat().st_size) for path in sorted(folder.iterdir())]
    return ", ".join(f"{name} ({size:,} bytes)" for name, size in found)
