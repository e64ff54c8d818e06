"""Which sub-networks to export: by name, by number, by constraints, or several of a front."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from elastic.deploy.exporting import add_file_flags
from elastic.files.documents import read_json
from elastic.files.first_version import UNCHANGED, FirstVersion
from elastic.run.distributed import warn
from elastic.run.flags import Flags, cost, whole
from elastic.run.settings import read_settings
from elastic.search.front import Point, best, points_of, thrifty, within
from elastic.train.interfaces import Assignment, Space
from elastic.train.scores import valued
from elastic.train.subnets import parse, resolved

COSTS: Final = ("macs", "params", "latency", "memory")


def export_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of export.py for a network with choices. Exits with status 2 where they contradict each other."""
    parser = Flags(description="Exports sub-networks.")
    add = parser.add_argument
    add("--at", metavar="SUBNET", help="max, min, choice=option,..., a file or a number")
    add("--pareto", metavar="N", help="export N points of the Pareto front, or all")
    add("--bundle", action="store_true", help="one folder with shared weights: anytime/")
    add("--onnx", action="store_true", help="the bundle for onnxruntime: anytime_onnx/")
    add("--front", type=Path, metavar="FILE", help="use this front instead of pareto.json")
    add("--outputs", nargs="+", metavar="NAME", help="outputs of each sub-network, or all")
    add("--max-macs", type=cost, metavar="N", help="per image, as in 20e6")
    add("--max-params", type=cost, metavar="N")
    add("--max-latency", type=cost, metavar="MS", help="as measured by search.py")
    add("--max-memory", type=cost, metavar="BYTES", help="peak activation memory")
    add("--calibrate", type=whole(0), metavar="N", help="images for batch-norm calibration")
    add_file_flags(parser)
    flags = parser.parse_args(argv)
    if reason := clash(flags):
        parser.error(reason)
    flags.checkpoint = flags.checkpoint or flags.output_dir / "checkpoint.pt"
    flags.front = flags.front or flags.output_dir / "pareto.json"
    return flags


def clash(flags: argparse.Namespace) -> str:
    """Why the flags of export.py cannot all be followed; "" where they can."""
    constraints = [
        name for name, value in vars(flags).items() if name.startswith("max_") and value is not None
    ]
    if flags.at is not None and flags.pareto:
        return "--at is one sub-network and --pareto several: only one of both can be asked for"
    if flags.at is not None and constraints:
        return f"--at says which sub-network: --{constraints[0].replace('_', '-')} would choose another"
    if flags.onnx and not flags.bundle:
        return "--onnx is of a bundle; of a single sub-network --formats onnx writes the file"
    if flags.bundle and flags.int8:
        return "--int8 is of single sub-networks: a bundle shares its weights"
    single = [name for name in ("formats", "opset", "dynamic_size") if getattr(flags, name, None)]
    if flags.bundle and single:
        return f"--{single[0].replace('_', '-')} is of single sub-networks: a bundle has one format"
    return ""


def read_points(
    path: Path,
    space: Space,
    of: Mapping[str, str] = MappingProxyType({}),
    first: FirstVersion = UNCHANGED,
) -> list[Point]:
    """The sub-networks of pareto.json, or of the constraints.json that prioritised sampling writes, in its order.

    `of` has the network's `fingerprint` and a hash of the `weights`, which are the front's own, too. Of rows that name
    the same sub-network the first counts. `first` is how a front of the first version names all that. Exits where there
    is no such file, or what it names is of another network,
    or of other weights: their accuracies are not these.
    """
    if not path.is_file():
        raise SystemExit(f"there is no {path}: run search.py first, or use --at")
    points: dict[str, Point] = {}
    try:
        content = read_json(path.read_bytes())
        rows = points_of(content)
        check_origin(path, content, of, first)
        translated = of_first(content, first)
        for point in rows:
            at = resolved(space, first.now(point.at) if translated else point.at, first)
            points.setdefault(json.dumps(at, sort_keys=True), point.with_(at=at))
    except (ValueError, TypeError) as error:
        raise SystemExit(f"{path} is corrupt or belongs to a different network: {error}") from None
    except OSError as error:
        raise SystemExit(f"cannot read {path}: {error.strerror}") from None
    if not points:
        raise SystemExit(f"{path} names no sub-networks")
    return [*points.values()]


def of_first(front: Mapping[str, Any], first: FirstVersion) -> bool:
    """Whether a front says that it is of the first version."""
    return bool(first.fingerprint) and front.get("fingerprint") == first.fingerprint


def check_origin(
    path: Path, front: Mapping[str, Any], of: Mapping[str, str], first: FirstVersion = UNCHANGED
) -> None:
    """Exits where a front is of another network or of other weights; one that does not say so gets a warning."""
    if of and of_first(front, first):
        of = {"fingerprint": first.fingerprint, "weights": first.weights}
    again = "run search.py again, or name a sub-network by --at CHOICE=OPTION"
    for name, what in (("fingerprint", "a different network"), ("weights", "different weights")):
        here, there = of.get(name), front.get(name)
        if here and there and here != there:
            raise SystemExit(f"{path} belongs to {what} than the checkpoint: {again}")
    if of and not front.get("weights"):
        warn(f"{path} does not name its weights: its accuracies may belong to others")


def wanted(
    space: Space,
    flags: argparse.Namespace,
    of: Mapping[str, str],
    listed: Sequence[Assignment | str] | None = None,
    first: FirstVersion = UNCHANGED,
) -> dict[int, Point]:
    """The sub-networks that the flags ask for, by their numbers in the front from 1 on; one alone may have any number.

    `of` has hashes of the network and of its weights, as `read_points` takes them. `listed` is what training runs,
    where that is but a few sub-networks: points say whether they are of these. `first` is how files of the first
    version name the network, its weights and its choices.
    """
    constraints = {name: getattr(flags, f"max_{name}") for name in COSTS}
    if constraints["latency"] is not None:
        constraints["latency"] = round(constraints["latency"] / 1000, 12)
    if flags.pareto or (flags.bundle and flags.at is None):
        points = read_points(flags.front, space, of, first)
        places = several(flags.pareto or "all", points, constraints)
    else:
        at = chosen(space, flags.at, flags.front, constraints, of, first)
        points, places = [Point(at, space.macs(at), space.params(at))], [0]
    if listed is not None:
        run = [resolved(space, at) for at in listed]
        points = [point.with_(trained=point.at in run) for point in points]
    return {place + 1: points[place] for place in places}


def calibration(flags: argparse.Namespace, settings: Path) -> int:
    """How many training images norms are calibrated with: by the flag, else as settings.toml says for the search."""
    if flags.calibrate is not None:
        return int(flags.calibrate)
    return int(read_settings(settings)["search"]["calibrate"])


def sub_networks(
    space: Space, texts: Sequence[str] | None, front: Path, first: FirstVersion = UNCHANGED
) -> list[dict[str, Any]]:
    """The sub-networks of some texts as --at takes them; else those of a front; else the largest and the smallest."""
    if not texts and front.is_file():
        return [dict(point.at) for point in read_points(front, space, first=first)]
    try:
        return [resolved(space, parse(text, first), first) for text in texts or ["max", "min"]]
    except ValueError as error:
        raise SystemExit(f"--at: {error}") from None


def chosen(
    space: Space,
    at: str | None,
    front: Path,
    constraints: Mapping[str, float | None],
    of: Mapping[str, str] = MappingProxyType({}),
    first: FirstVersion = UNCHANGED,
) -> dict[str, Any]:
    """What --at spells, or of a front the best that satisfies the constraints; without any a thrifty one."""
    if at is not None and not at.isdecimal():
        try:
            return resolved(space, parse(at, first), first)
        except ValueError as error:
            raise SystemExit(f"--at {at}: {error}") from None
    points = read_points(front, space, of, first)
    if at is not None:
        if not 1 <= int(at) <= len(points):
            raise SystemExit(f"--at {at}: {front} numbers its sub-networks from 1 to {len(points)}")
        return dict(points[int(at) - 1].at)
    budgets = budgets_of(constraints, points)
    kept = within(points, budgets)
    return dict((best(kept) if budgets else thrifty(kept)).at)


def budgets_of(
    constraints: Mapping[str, float | None], points: Sequence[Point]
) -> list[dict[str, Any]]:
    """The given constraints as budgets. Exits where the points lack the cost of one."""
    budgets = [
        {"name": name, "most": most} for name, most in constraints.items() if most is not None
    ]
    for name in (str(budget["name"]) for budget in budgets):
        if all(getattr(point, name) is None for point in points):
            raise SystemExit(f"--max-{name}: the {name} of these sub-networks is not known")
    return budgets


def spread(points: Sequence[Point], count: int) -> list[int]:
    """The places of `count` points whose MACs are spread evenly from the cheapest to the dearest, by rising MACs.

    Each step of the way takes the point nearest to it that is not taken yet; the ends come first.
    """
    order = sorted(range(len(points)), key=lambda place: points[place].macs)
    if count >= len(order):
        return order
    low, high = points[order[0]].macs, points[order[-1]].macs
    steps = [low + (high - low) * n / max(1, count - 1) for n in range(count)]
    taken: set[int] = set()
    for step in [steps[0], steps[-1], *steps[1:-1]][:count]:
        free = [place for place in order if place not in taken]
        taken.add(min(free, key=lambda place: abs(points[place].macs - step)))
    return [place for place in order if place in taken]


def several(
    text: str, points: Sequence[Point], constraints: Mapping[str, float | None]
) -> list[int]:
    """The places of the points that --pareto asks for: a number of them, or all, that satisfy the constraints."""
    kept = within(points, budgets_of(constraints, points))
    places = [place for place, point in enumerate(points) if point in kept]
    if text == "all":
        return places
    if not text.isdecimal() or int(text) < 1:
        raise SystemExit(f"--pareto {text}: expected a number of sub-networks, or all")
    return [places[place] for place in spread(kept, int(text))]


def left_over(folder: Path, numbers: Sequence[int]) -> list[str]:
    """The sub-networks, by number, that an earlier export left in a folder beside those of `numbers`, from 1 on."""
    written = {str(number) for number in numbers}
    found = [path.parent.name for path in folder.glob("*/subnet.json")]
    return sorted((name for name in found if name.isdecimal() and name not in written), key=int)


def figures(point: Point) -> dict[str, float]:
    """What a bundle keeps of a sub-network beside its choices; no value of the metric where there was no search. That
    it was never trained, where it was not."""
    known: dict[str, float] = {"macs": point.macs, "params": point.params}
    known |= valued(point.metric, round(point.value, 5)) if point.value else {}
    return known if point.trained else known | {"trained": False}
