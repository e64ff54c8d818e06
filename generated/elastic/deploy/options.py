"""The flags of export.py that say which files it writes of a network, and how."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from elastic.deploy.checked import FILES
from elastic.run.flags import Flags, whole


def export_flags(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """The flags of export.py for a network without choices."""
    parser = Flags(description="Exports the network.")
    add_file_flags(parser)
    flags = parser.parse_args(argv)
    flags.checkpoint = flags.checkpoint or flags.output_dir / "checkpoint.pt"
    return flags


def add_file_flags(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--formats", nargs="+", choices=[*FILES], help="files to write (default: all)")
    add("--opset", type=whole(7), metavar="N", help="ONNX opset (default: the exporter's)")
    add("--dynamic-size", action="store_true", help="dynamic height and width")
    add("--int8", action="store_true", help="also quantize to int8, and report it")
    add(
        "--to-original",
        type=Path,
        metavar="FILE",
        help="also write the weights of the class it was imported from; FILE: import's .safetensors",
    )
    add("--checkpoint", type=Path, metavar="FILE", help="default: checkpoint.pt in --output-dir")
    add("--data-path", metavar="DIR", help="new location of the data set")
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
