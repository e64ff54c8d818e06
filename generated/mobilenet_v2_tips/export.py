"""Exports one sub-network as a plain static network that needs nothing of this project.

    python export.py                             of pareto.json, the cheapest within 1 % of the best
    python export.py --max-macs 200e3            of pareto.json, the most accurate within a limit
    python export.py --at 3                      the third of pareto.json
    python export.py --at min                    the smallest; or --at CHOICE=OPTION,...

Writes its weights (subnet.pt, for the network that `specc compile --at` makes of the spec) and,
with norms folded, a torch.export program (subnet.pt2) and an ONNX file (subnet.onnx); subnet.json
says what goes with them. Programs are loaded again and must give the trained network's answers.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import space
from elastic import checkpoint
from elastic.datasets import load_data
from elastic.distributed import World
from elastic.evaluate import calibrated
from elastic.front import best, from_json, thrifty, within
from elastic.loading import Loading
from elastic.options import read_settings
from elastic.progress import amount
from elastic.subnets import parse, resolved, short
from elastic.trainer import run
from model import Model

NAME = "mobilenet_v2_tips"
IMAGE = (3, 224, 224)  # channels, height, width
TOLERANCE = 1e-4  # of the largest answer


def main() -> None:
    flags = arguments()
    world = World(0, 1, torch.device("cpu"))
    saved = checkpoint.load(flags.checkpoint or flags.output_dir / "checkpoint.pt")
    net = Model().eval()
    checkpoint.trained(net, saved)
    data = dict(saved["data"])
    if flags.data_path:
        data["path"] = flags.data_path
    loading = Loading(load_data(data), IMAGE, world)

    at = chosen(flags)
    print(f"{short(at)}: {amount(space.macs(at))} MACs, {amount(space.params(at))} parameters")
    count = flags.calibrate
    if count is None:
        count = read_settings(Path(__file__).with_name("settings.toml"))["search"]["calibrate"]
    plan = calibrated(net, net.plan(at), loading.calibration(count))
    static = net.bind(plan)
    size = plan.resolution
    images = next(iter(loading.evaluation(loading.data.test, batch_size=8)))[0]
    with torch.inference_mode():
        wanted = run(net, images, plan)
    if size:
        images = nn.functional.interpolate(
            images, (size, size), mode="bilinear", align_corners=False, antialias=True
        )
    with torch.inference_mode():
        compare("static module", static(images), wanted)

    folder = flags.output_dir / "export"
    folder.mkdir(parents=True, exist_ok=True)
    about = {
        "network": NAME,
        "at": at,
        "input": [*images.shape[1:]],
        "mean": loading.data.mean,
        "std": loading.data.std,
    }
    (folder / "subnet.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    torch.save(net.bind(plan, fold=False).state_dict(), folder / "subnet.pt")
    export_torch(static, images, wanted, folder / "subnet.pt2")
    export_onnx(static, images, wanted, folder / "subnet.onnx")
    print(f"wrote {', '.join(sorted(path.name for path in folder.iterdir()))} to {folder}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Exports one sub-network.")
    add = parser.add_argument
    add("--at", metavar="SUBNET", help="max, min, choice=option,..., a file or a number")
    add("--max-macs", type=float, metavar="N", help="of one image, as in 20e6")
    add("--max-params", type=float, metavar="N")
    add("--max-latency", type=float, metavar="MS", help="as measured by search.py")
    add("--calibrate", type=int, metavar="N", help="training images for the norms")
    add("--checkpoint", type=Path, metavar="FILE", help="default: checkpoint.pt in --output-dir")
    add("--data-path", metavar="DIR", help="where the data set lies now, if it moved")
    add("--output-dir", type=Path, default=Path("runs"), metavar="DIR", help="default: runs")
    return parser.parse_args()


def chosen(flags: argparse.Namespace) -> dict[str, Any]:
    """What --at spells, or of pareto.json the best within limits, without limits a thrifty one."""
    if flags.at and not flags.at.isdecimal():
        try:
            return resolved(space, parse(flags.at))
        except ValueError as error:
            raise SystemExit(f"--at {flags.at}: {error}") from None
    front = flags.output_dir / "pareto.json"
    if not front.is_file():
        raise SystemExit(f"there is no {front}: run search.py first, or use --at")
    limits = {"macs": flags.max_macs, "params": flags.max_params, "latency": flags.max_latency}
    if limits["latency"] is not None:
        limits["latency"] /= 1000
    points = from_json(front.read_text(encoding="utf-8"))
    if flags.at:
        if not 1 <= int(flags.at) <= len(points):
            raise SystemExit(f"--at {flags.at}: {front} has {len(points)} sub-networks")
        return dict(points[int(flags.at) - 1].at)
    budgets = [{"name": name, "most": most} for name, most in limits.items() if most is not None]
    kept = within(points, budgets)
    return dict((best(kept) if budgets else thrifty(kept)).at)


def export_torch(static: nn.Module, images: Tensor, wanted: Tensor, path: Path) -> None:
    """A torch.export program for any batch size."""
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(static, (images,), dynamic_shapes=({0: batch},))
    torch.export.save(program, path)
    with torch.inference_mode():
        compare("torch.export", torch.export.load(path).module()(images), wanted)


def export_onnx(static: nn.Module, images: Tensor, wanted: Tensor, path: Path) -> None:
    """An ONNX file for any batch size, where the packages for it are installed."""
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError:
        print("no ONNX file: pip install onnx onnxscript onnxruntime")
        return
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        static,
        (images,),
        path,
        dynamo=True,
        dynamic_shapes=({0: batch},),
        input_names=["images"],
        output_names=["logits"],
        external_data=False,
        verbose=False,
    )
    try:
        import onnxruntime
    except ImportError:
        print("the ONNX file is unchecked: pip install onnxruntime")
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (logits,) = session.run(None, {"images": images.numpy()})
    compare("onnxruntime", torch.from_numpy(logits), wanted)


def compare(name: str, logits: Tensor, wanted: Tensor) -> None:
    """Prints the largest difference. Exits where it is more than rounding explains."""
    error = float((logits - wanted).abs().max() / wanted.abs().max())
    if not error <= TOLERANCE:
        raise SystemExit(f"{name}: answers differ by {error:.1e} of the largest one")
    print(f"{name}: same answers, to {error:.0e}")


if __name__ == "__main__":
    main()
