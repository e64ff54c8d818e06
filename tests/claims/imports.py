"""What `specc import` makes of published networks: seconds, lines, what can become elastic, and what has no word.

`python -m tests.claims.imports` writes the table of all networks to RESULTS.md, `python -m tests.claims.imports
timm:ghostnet_100` prints a row. Weights are random: nothing is downloaded. With `--journal FILE` rows that the file has
are not made again. Each network is imported in a process of its own.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import cast

from specc.assignments import smallest
from specc.cost import cost
from specc.elastify import elastify, read_request
from specc.imported import import_network
from specc.importing.keeping import Kept
from specc.importing.sources import CannotImport
from specc.source import Source
from specc.subnets.space import size

REQUESTS = "width per_group 0.25..1.0 round 8; skippable; kernel {3, 5}"
TIMM = (
    *("resnet18", "resnetv2_50", "resnet26d", "seresnet50", "ecaresnet50t", "resnext50_32x4d", "regnety_008"),
    *("mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv4_conv_small", "mobilenetv4_hybrid_medium"),
    *("efficientnet_b0", "efficientnetv2_rw_t", "tf_efficientnet_b0", "mixnet_s", "mnasnet_100", "fbnetc_100"),
    *("ghostnet_100", "ghostnetv2_100", "hardcorenas_a", "lcnet_050", "tinynet_e", "rexnet_100", "densenet121"),
    *("dla34", "dpn68", "ese_vovnet19b_dw", "cspresnet50", "cspdarknet53", "darknet53", "selecsls42b"),
    *("res2net50_26w_4s", "hrnet_w18_small", "inception_v3", "inception_v4", "xception41", "vgg11_bn", "repvgg_a0"),
    *("mobileone_s0", "convnext_atto", "convmixer_768_32", "vit_tiny_patch16_224"),
    *("pit_ti_224", "swin_tiny_patch4_window7_224", "mixer_s32_224", "gmlp_s16_224", "resmlp_12_224"),
    *("poolformer_s12", "visformer_tiny", "nf_resnet50", "skresnet18", "resnest14d", "gernet_s", "coatnet_nano_rw_224"),
    *("efficientformer_l1", "fastvit_t8", "hgnetv2_b0", "inception_next_tiny", "repvit_m0_9", "starnet_s1"),
)
"""A network of each of sixty families, small ones where there are several."""
RESULTS = Path(__file__).with_name("RESULTS.md")
TITLE = "## Imports of published networks"
HOW = (
    f'`python -m tests.claims.imports`, random weights, then `specc elastify --elastic "{REQUESTS}"`. Seconds are a '
    "processor's, with one thread, and include building and the proof. What is accepted has the original's parameters, "
    "MACs, outputs and a step of training.\n"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One network. `miss` says why it was refused, `modules` what stayed a module."""

    name: str
    seconds: float
    lines: int = 0
    dimensions: int = 0
    subnets: str = ""
    params: int = 0
    least: int = 0
    modules: str = ""
    miss: str = ""
    plain: str = ""


def row(source: str) -> Row:
    start = time.process_time()
    try:
        found = import_network(source)
    except CannotImport as error:
        return Row(source, time.process_time() - start, miss=str(error))
    seconds = time.process_time() - start
    kept = told(found.foreign)
    lines = len(found.written.text.splitlines())
    params = found.proof.params[1]
    try:
        with TemporaryDirectory(prefix="specc-claims-") as folder:
            for name, text in found.files.items():
                Path(folder, name).write_text(text, encoding="utf-8")
            spec = Source("net.specc", found.written.text, Path(folder, "net.specc").as_posix())
            made = elastify(spec, read_request(REQUESTS), "", "", {})
    except Exception as error:
        return Row(source, seconds, lines, params=params, modules=kept, plain=found.plain or f"elastify: {error}")
    graph = made.compiled.graph
    number, least = size(graph), cost(graph, smallest(graph)).params
    shown = f"{number:,}" if number < 10**9 else f"{number:.0e}"
    return Row(source, seconds, lines, len(graph.choices), shown, params, least, kept, plain=found.plain)


def told(kept: Sequence[Kept]) -> str:
    """What stayed a module: the operator without words, its line, and how many such parts there are."""
    counts = Counter((part.operator, part.place) for part in kept)
    return ", ".join(f"{operator} at {place} ({count}x)" for (operator, place), count in counts.items())


def apart(source: str) -> Row:
    """The row of a network, made in a process of its own, so that a large one leaves nothing behind."""
    context = get_context("fork")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=lambda: sending.send(row(source)))
    child.start()
    sending.close()
    try:
        return cast(Row, receiving.recv())
    except EOFError:
        child.join()
        return Row(source, 0, miss=f"the process ended with exit code {child.exitcode}")
    finally:
        child.join()


def warm_up() -> None:
    """Loads the libraries before any network is timed."""
    import timm  # noqa: F401
    import torch
    import torchvision  # noqa: F401

    torch.set_num_threads(1)


def torchvision_names() -> list[str]:
    """All of its classifiers."""
    import torchvision
    from torchvision.models import list_models

    return [f"torchvision:{name}" for name in list_models(module=torchvision.models)]


def main(words: Sequence[str]) -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", help="networks (all classifiers of torchvision, sixty families of timm)")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keeps each row as a line, and reads those it has")
    parser.add_argument("--known", action="store_true", help="only the rows that the journal has")
    args = parser.parse_args(words)
    sources = args.sources or [*torchvision_names(), *(f"timm:{name}" for name in TIMM)]
    known: dict[str, Row] = {}
    if args.journal is not None and args.journal.is_file():
        rows = (Row(**json.loads(line)) for line in args.journal.read_text().splitlines())
        known = {found.name: found for found in rows}
    if args.known:
        sources = [source for source in sources if source in known]
    warm_up()
    for source in sources:
        if source not in known:
            known[source] = apart(source)
            if args.journal is not None:
                with args.journal.open("a") as file:
                    file.write(json.dumps(asdict(known[source])) + "\n")
    text = section([known[source] for source in sources])
    if args.sources:
        print(text)
        return
    before, _, behind = RESULTS.read_text().partition(TITLE)
    _, heading, others = behind.partition("\n## ")
    RESULTS.write_text(f"{before}{text}{heading}{others}")


def section(rows: Sequence[Row]) -> str:
    """A section of RESULTS.md."""
    lines = [f"{TITLE}\n", HOW]
    for library, names in (("torchvision", torchvision_names()), ("timm", TIMM)):
        mine = [found for found in rows if found.name.startswith(library)]
        if mine:
            taken = [found for found in mine if not found.miss]
            whole = [found for found in taken if not found.modules]
            middle = median(found.seconds for found in mine)
            run = f"{len(mine)}" if len(mine) == len(names) else f"{len(mine)} that were run (of {len(names)})"
            lines.append(
                f"{library}: {len(taken)} of {run} accepted, {len(whole)} without a `module`, median {middle:.1f} s.\n"
            )
    lines.append(f"Median of all {len(rows)}: {median(found.seconds for found in rows):.1f} s.\n")
    lines.append(
        "| network | seconds | lines | elastic dimensions | sub-networks | parameters, smallest | not in words |"
    )
    lines.append("|---|---|---|---|---|---|---|")
    for found in rows:
        if found.miss:
            lines.append(f"| {found.name} | {found.seconds:.1f} | | | | | refused: {found.miss} |")
            continue
        share = f"{found.params:,}, {found.least / found.params:.0%}" if found.least else f"{found.params:,}"
        missing = "; ".join(filter(None, (found.modules, found.plain)))
        cells = (f"{found.seconds:.1f}", found.lines, found.dimensions, found.subnets, share, missing)
        lines.append(f"| {found.name} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1:])
