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
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from specc.assignments import smallest
from specc.cost import cost
from specc.elastify import elastify, read_request
from specc.imported import import_network
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
    kept = ", ".join(f"{part.name} ({part.operator})" for part in found.foreign)
    lines = len(found.written.text.splitlines())
    params = found.proof.params[1]
    try:
        made = elastify(Source("net.specc", found.written.text), read_request(REQUESTS), "", "", {})
    except Exception as error:
        return Row(source, seconds, lines, params=params, modules=kept, plain=found.plain or f"elastify: {error}")
    graph = made.compiled.graph
    number, least = size(graph), cost(graph, smallest(graph)).params
    shown = f"{number:,}" if number < 10**9 else f"{number:.0e}"
    return Row(source, seconds, lines, len(graph.choices), shown, params, least, kept, plain=found.plain)


def torchvision_names() -> list[str]:
    """All of its classifiers."""
    import torchvision
    from torchvision.models import list_models

    return [f"torchvision:{name}" for name in list_models(module=torchvision.models)]


def main(words: Sequence[str]) -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("sources", nargs="*", help="networks (all classifiers of torchvision, sixty families of timm)")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="keeps each row as a line, and reads those it has")
    args = parser.parse_args(words)
    sources = args.sources or [*torchvision_names(), *(f"timm:{name}" for name in TIMM)]
    known: dict[str, Row] = {}
    if args.journal is not None and args.journal.is_file():
        rows = (Row(**json.loads(line)) for line in args.journal.read_text().splitlines())
        known = {found.name: found for found in rows}
    for source in sources:
        if source not in known:
            known[source] = row(source)
            if args.journal is not None:
                with args.journal.open("a") as file:
                    file.write(json.dumps(asdict(known[source])) + "\n")
    show([known[source] for source in sources])


def show(rows: Sequence[Row]) -> None:
    """Prints a section of RESULTS.md."""
    print("## specc import: published networks\n")
    print(f'Random weights, then `specc elastify --elastic "{REQUESTS}"`. Seconds include building and proof.\n')
    for library in ("torchvision", "timm"):
        mine = [found for found in rows if found.name.startswith(library)]
        if mine:
            taken = [found for found in mine if not found.miss]
            whole = [found for found in taken if not found.modules]
            middle = median(found.seconds for found in mine)
            print(
                f"{library}: {len(taken)} of {len(mine)} accepted, {len(whole)} without a module, "
                f"median {middle:.1f} s.\n"
            )
    print("| network | seconds | lines | elastic dimensions | sub-networks | parameters, smallest | not in words |")
    print("|---|---|---|---|---|---|---|")
    for found in rows:
        told = f"refused: {found.miss}" if found.miss else "; ".join(filter(None, (found.modules, found.plain)))
        if found.miss:
            print(f"| {found.name} | {found.seconds:.1f} | | | | | {told} |")
            continue
        share = f"{found.params:,}, {found.least / found.params:.0%}" if found.least else f"{found.params:,}"
        cells = (f"{found.seconds:.1f}", found.lines, found.dimensions, found.subnets, share, told)
        print(f"| {found.name} | {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main(sys.argv[1:])
