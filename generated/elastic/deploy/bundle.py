"""Several sub-networks beside one set of weights: each is its choices and its norm statistics, and nothing more."""

from __future__ import annotations

import hashlib
import json
import string
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
from torch import Tensor, nn

from elastic.files import documents
from elastic.files.documents import read_json
from elastic.files.first_version import first_version
from elastic.files.whole import load_tensors, put_back, save_tensors, whole_folder, write_text
from elastic.net.plan import Cut, Option, Part, Plan, map_cuts
from elastic.train.scores import ACCURACY, METRIC, Metric, measured_by

WEIGHTS: Final = "weights.safetensors"
NORMS: Final = "norms.safetensors"
INDEX: Final = "index.json"
LETTERS: Final = string.digits + string.ascii_letters
LAST: Final = ',\n"checksum":"'
END: Final = '"}\n'
"""What stands before and after the checksum of an index: nothing but the braces follow it."""

FIRST_VERSION: Final = frozenset(
    {"network", "fingerprint", "space", "choices", "columns", "subnets", "latency"}
)
"""What an index without checksums holds."""


def statistics(plan: Plan) -> tuple[list[str], Tensor]:
    """The norm statistics of a calibrated plan: the norms' places in it, and all means and variances in one row.

    Of each norm come the means of its channels, then their variances.
    """
    found = [(path, cut) for path, cut in cuts(plan) if getattr(cut, "mean", None) is not None]
    values: list[Any] = [value for _, cut in found for value in (cut.mean, cut.var)]  # type: ignore[attr-defined]
    row = torch.cat([value.float().cpu() for value in values]) if values else torch.zeros(0)
    return [path for path, _ in found], row


def with_statistics(plan: Plan, norms: Sequence[str], row: Tensor) -> Plan:
    """The plan with the statistics that `statistics` took from its twin. Raises ValueError where they are another's."""
    here = dict(cuts(plan))
    start = 0
    measured: dict[str, Cut] = {}
    for path in norms:
        cut: Any = here[path]
        middle, end = start + cut.features, start + 2 * cut.features
        measured[path] = cut.calibrated(row[start:middle], row[middle:end])
        start = end
    if start != len(row):
        raise ValueError(
            f"{len(row)} norm statistics are of another sub-network, which has {start}"
        )
    return map_cuts(plan, lambda place, cut: measured.get(place, cut))


def cuts(part: Part, path: str = "") -> Iterator[tuple[str, Cut]]:
    """Every cut of a plan with its place, as in `s1.b1.norm2`."""
    for name, value in part.parts.items():
        here = f"{path}.{name}" if path else name
        if isinstance(value, Cut):
            yield here, value
        elif isinstance(value, Part):
            yield from cuts(value, here)


def save(
    folder: Path,
    net: nn.Module,
    plans: Sequence[Plan],
    figures: Sequence[Mapping[str, float]] = (),
    network: str = "",
    classes: Sequence[str] | None = None,
    metric: Metric = ACCURACY,
    proof: Callable[[Path], object] | None = None,
    inputs: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Writes a bundle: the weights once and, for every plan, its assignment, norm statistics and figures.

    weights.safetensors has the network's state, norms.safetensors a row of statistics for every sub-network, and
    index.json the rest: one row per sub-network: each choice as one letter, and what is known of it (`figures`: macs,
    params, accuracy or the `value` of another `metric`); the names of the classes; how each of the `inputs` is
    prepared; checksums of the files, itself included. The folder is replaced as a whole, once `proof` has looked at the
    new one: what it raises leaves the old one in its place.
    """
    options = options_of(net)
    choices = list(dict.fromkeys(name for plan in plans for name in plan.assignment))
    known = list(dict.fromkeys(name for row in figures for name in row))
    norms: dict[str, int] = {}
    places: list[list[int]] = []
    rows: dict[str, Tensor] = {}
    subnets: list[list[Any]] = []
    for number, plan in enumerate(plans):
        names, row = statistics(plan)
        places.append([norms.setdefault(name, len(norms)) for name in names])
        rows[str(number)] = row
        own = figures[number] if figures else {}
        outputs = [] if plan.outputs is None else [[*plan.outputs]]
        letters = spelt(plan.assignment, choices, options)
        subnets.append([letters, *(own.get(name) for name in known), *outputs])
    about = {"norms": json.dumps([*norms]), "places": packed(places)}
    with whole_folder(folder) as aside:
        save_tensors(aside / WEIGHTS, net.state_dict())
        save_tensors(aside / NORMS, rows, about)
        index: dict[str, Any] = {
            "network": network,
            "fingerprint": getattr(net, "fingerprint", ""),
            "space": fingerprint(options),
            "choices": choices,
            "columns": ["options", *known, "outputs"],
            "subnets": subnets,
            "latency": {},
            **({"classes": [*classes]} if classes else {}),
            **measured_by(metric),
            **({"inputs": inputs} if inputs else {}),
            "files": {name: checksum((aside / name).read_bytes()) for name in (WEIGHTS, NORMS)},
        }
        write_text(aside / INDEX, index_text(index))
        if proof is not None:
            proof(aside)


def checksum(content: bytes) -> str:
    """Sixteen letters that tell a file from the same one with a bit changed."""
    return hashlib.sha256(content).hexdigest()[:16]


@torch.inference_mode()
def differences(
    folder: Path, net: nn.Module, twin: nn.Module, plans: Sequence[Plan], *inputs: Tensor
) -> float:
    """Loads a bundle into `twin`, another network of the same class in eval mode, and returns the largest difference
    of its answers from those of `net` with the plans that the bundle was made of, as a share of the largest answer."""
    worst = 0.0
    for plan, loaded in zip(plans, load(folder, twin), strict=True):
        wanted, found = net(*inputs, plan), twin(*inputs, loaded)
        for own, mine in zip(listed(wanted), listed(found), strict=True):
            share = (mine - own).abs().max() / own.abs().max().clamp_min(1e-30)
            worst = max(worst, float(share)) if share == share else float("inf")
    return worst


def listed(outputs: Any) -> list[Tensor]:
    return [*outputs.values()] if isinstance(outputs, dict) else [outputs]


def options_of(net: Any) -> Mapping[str, Sequence[Option]]:
    """The choices of a network and their options: as its space.py has them."""
    choices: Mapping[str, Sequence[Option]] = space_of(net).CHOICES
    return choices


def space_of(net: Any) -> Any:
    """The space.py that a network makes its plans by."""
    return net.planner.space


def fingerprint(options: Mapping[str, Sequence[Option]]) -> str:
    """Eight letters by which a bundle knows the choices that it was written for."""
    return f"{zlib.crc32(json.dumps(options).encode()):08x}"


def spelt(
    at: Mapping[str, Option],
    choices: Sequence[str],
    options: Mapping[str, Sequence[Option]],
) -> str | list[str | int | None]:
    """An assignment by its options' places: 0 to 9, a to z, A to Z for the first 62 of a choice, - for inactive ones.

    Where some choices have more options than there are letters, a list in which these are numbers, null where they are
    inactive, between the letters of the others.
    """
    pieces: list[str | int | None] = []
    for name in choices:
        place = options[name].index(at[name]) if name in at else None
        if len(options[name]) > len(LETTERS):
            pieces.append(place)
            continue
        letter = "-" if place is None else LETTERS[place]
        last = pieces[-1] if pieces else None
        if isinstance(last, str):
            pieces[-1] = last + letter
        else:
            pieces.append(letter)
    (only, *more) = pieces or [""]
    return only if isinstance(only, str) and not more else pieces


def read(
    spelling: str | Sequence[str | int | None],
    choices: Sequence[str],
    options: Mapping[str, Sequence[Option]],
) -> dict[str, Option]:
    """The assignment that `spelt` has written."""
    places: list[int | None] = []
    for piece in spelling:
        if isinstance(piece, str):
            places += [None if letter == "-" else LETTERS.index(letter) for letter in piece]
        else:
            places.append(piece)
    pairs = zip(choices, places, strict=True)
    return {name: options[name][place] for name, place in pairs if place is not None}


def index_text(index: Mapping[str, Any]) -> str:
    """index.json: a line for every sub-network, without blanks, so that it stays small; then its own checksum."""
    lines = []
    for name, value in index.items():
        if name == "checksum":
            continue  # of the index before
        if name == "subnets":
            rows = ",\n".join(packed(row) for row in value)
            lines.append(f'"{name}":[\n{rows}]')
        else:
            lines.append(f'"{name}":{packed(value)}')
    text = "{" + ",\n".join(lines)
    return f"{text}{LAST}{checksum(text.encode())}{END}"


def check_index(content: bytes) -> None:
    """Raises ValueError where an index is not what was written. The first version wrote no checksums."""
    text, found, last = content.rpartition(LAST.encode())
    if found and last != (checksum(text) + END).encode():
        raise ValueError("its checksum does not match its content")
    if found:
        return
    try:
        names = {*json.loads(content)}
    except RecursionError:
        raise ValueError("its checksum is missing, and it is nested too deeply") from None
    if not names <= FIRST_VERSION:
        raise ValueError("its checksum is missing")


def packed(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def read_index(folder: Path, net: Any) -> dict[str, Any]:
    """index.json; of every sub-network a dict with its assignment, `at`, and what else is known of it.

    Raises FileNotFoundError where there is no bundle, ValueError where it is corrupt or belongs to a different network.
    """
    put_back(folder)
    try:
        content = (folder / INDEX).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(
            f"there is no bundle {folder}: export.py --bundle writes one"
        ) from None
    options = options_of(net)
    try:
        check_index(content)
        index: dict[str, Any] = read_json(content)
        check_shape(index)
        of = index["network"] or "another network"
        first, own = first_version(net), getattr(net, "fingerprint", "")
        choices = index["choices"]
        if first.wrote(index.get("fingerprint"), choices, options):
            choices, own = [*first.now(dict.fromkeys(choices))], first.fingerprint
            same_choices = index["space"] == fingerprint(first.then(options))
        else:
            same_choices = index["space"] == fingerprint(options)
        if same_choices and index.get("fingerprint") in (None, "", own):
            rows = [dict(zip(index["columns"], row, strict=False)) for row in index["subnets"]]
            for row in rows:
                row["at"] = read(row["options"], choices, options)
            return {**index, "subnets": rows}
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(
            f"{folder / INDEX} is corrupt, or not the index of a bundle: {error}"
        ) from None
    here = type(net).__name__
    differs = "operations" if same_choices else "choices"
    raise ValueError(f"{folder} is a bundle of {of}, whose {differs} are not those of {here}")


ROW: Final = documents.listed(documents.anything)
SHAPE: Final = documents.fields(
    {
        "network": documents.text,
        "space": documents.text,
        "choices": documents.listed(documents.text),
        "columns": documents.listed(documents.text),
        "subnets": documents.listed(ROW),
        "latency": documents.mapping(documents.listed(documents.number())),
    },
    {
        "fingerprint": documents.text,
        "classes": documents.listed(documents.text),
        "inputs": documents.mapping(documents.anything),
        "files": documents.mapping(documents.text),
        "checksum": documents.text,
        "metric": documents.maybe(METRIC),
    },
)
LETTER: Final = documents.maybe(documents.either(documents.text, documents.whole()))
SPELLING: Final = documents.either(documents.text, documents.listed(LETTER))
OUTPUTS: Final = documents.maybe(documents.listed(documents.text))
FIGURE: Final = documents.maybe(documents.either(documents.flag, documents.number()))


def check_shape(index: Any) -> None:
    """Raises ValueError where an index is none, whatever network it is of."""
    SHAPE(index)
    columns, rows = index["columns"], index["subnets"]
    if columns[:1] != ["options"] or not all(0 < len(row) <= len(columns) for row in rows):
        raise ValueError("its rows do not have its columns")
    for place, row in enumerate(rows):
        for number, (name, cell) in enumerate(zip(columns, row, strict=False)):
            kind = SPELLING if number == 0 else OUTPUTS if name == "outputs" else FIGURE
            documents.inside(f"subnets[{place}].{name}", kind, cell)
    if any(len(times) != len(rows) for times in index["latency"].values()):
        raise ValueError("its latencies are not those of its sub-networks")


def load(folder: Path, net: Any) -> list[Any]:
    """Gives a network the weights of a bundle, and the plans that it may run: `net(images, plan)`, `net.use(plan)`.

    Raises as `read_index` does; the network is then as it was.
    """
    return plans_of(folder, net, read_index(folder, net))


def plans_of(folder: Path, net: Any, index: Mapping[str, Any]) -> list[Any]:
    """What `load` does, with the index that `read_index` has read."""
    device = next(net.parameters()).device
    for name, wanted in index.get("files", {}).items():
        check_file(folder / name, wanted)
    weights, _ = tensors_of(folder / WEIGHTS)
    rows, about = tensors_of(folder / NORMS)
    plans = []
    try:
        norms, places = read_json(about["norms"]), read_json(about["places"])
        first = first_version(net)
        if first.wrote(index.get("fingerprint"), weights, net.state_dict()):
            weights, norms = first.now(weights), [*first.now(dict.fromkeys(norms))]
        for number, (subnet, mine) in enumerate(zip(index["subnets"], places, strict=True)):
            plan = net.plan(subnet["at"], subnet.get("outputs"))
            row = rows[str(number)].to(device)
            plans.append(with_statistics(plan, [norms[place] for place in mine], row))
        before = {name: value.shape for name, value in net.state_dict().items()}
        if before != {name: value.shape for name, value in weights.items()}:
            raise ValueError("its weights belong to a different network")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"the bundle {folder} is corrupt: {error}") from None
    net.load_state_dict(weights)
    return plans


def check_file(path: Path, wanted: str) -> None:
    """Raises ValueError where a file of a bundle is missing, or not the one that was written with its index."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise ValueError(f"the bundle {path.parent} is corrupt: it has no {path.name}") from None
    if checksum(content) != wanted:
        raise ValueError(
            f"the bundle {path.parent} is corrupt: the checksum of {path.name} differs"
        )


def tensors_of(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """A file of a bundle. Raises ValueError where it is missing."""
    try:
        return load_tensors(path)
    except FileNotFoundError:
        raise ValueError(f"the bundle {path.parent} is corrupt: it has no {path.name}") from None


def sizes(folder: Path) -> str:
    """The files of a bundle with their sizes."""
    found = [(path.name, path.stat().st_size) for path in sorted(folder.iterdir())]
    return ", ".join(f"{name} ({size:,} bytes)" for name, size in found)
