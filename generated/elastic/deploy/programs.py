"""A static network as a torch.export program or an ONNX file, for any batch size; loaded again and compared."""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from elastic.deploy.checked import Outputs, compare_all, named

AXES: Final = ("batch", "", "height", "width")
"""The names of the axes of images that may be free."""

NATIVE: Final = 18
"""The lowest opset that torch's exporter writes itself; it takes lower ones for this one, silently."""

STEPS: Final = (1, 2, 4, 8, 16, 32, 64)
"""What heights and widths may have to be multiples of: networks halve maps."""


GROWTHS: Final = ((1, 2), (3, 4), (8, 5))
"""Steps in height and width that are tried: a map that is rounded up may hide some, not all."""


@dataclass(frozen=True, slots=True)
class ProgramOptions:
    """What a program is to be like.

    opset   the version of ONNX' operators, None for the exporter's own
    free    whether height and width are free, as the batch size always is
    about   texts that are kept inside of the program, by name
    """

    opset: int | None = None
    free: bool = False
    about: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def multiple(static: nn.Module, inputs: Sequence[Tensor]) -> int:
    """What heights and widths have to grow by so that a network still takes its images: 1, 2, 4, ...

    Raises ValueError, with the network's own reason, where it takes images of one size only.
    """
    failure = "it has no images as inputs"
    for step in STEPS:
        if not any(x.dim() == 4 for x in inputs):
            break
        try:
            with torch.inference_mode():
                for down, right in GROWTHS:
                    static(*(larger(x[:1], step * down, step * right) for x in inputs))
            return step
        except (RuntimeError, ValueError) as error:
            failure = str(error).splitlines()[0]
    sizes = ", ".join("x".join(map(str, x.shape[1:])) for x in inputs)
    raise ValueError(f"the network takes inputs of {sizes} alone: {failure}")


def larger(x: Tensor, down: int, right: int) -> Tensor:
    """Images with rows and columns added; anything else as it is."""
    return F.pad(x, (0, right, 0, down), mode="constant", value=0.25) if x.dim() == 4 else x


def checks(
    static: nn.Module, inputs: tuple[Tensor, ...], wanted: Outputs, options: ProgramOptions
) -> list[tuple[tuple[Tensor, ...], Outputs]]:
    """Inputs that a program is tried on, with their answers: all, one alone, and larger ones where sizes are free."""
    found = [(inputs, wanted), first_of(inputs, wanted)]
    if options.free:
        step = multiple(static, inputs)
        grown = tuple(larger(x, step, 3 * step) for x in inputs)
        with torch.no_grad():
            found.append((grown, static(*grown)))
    return found


def first_of(inputs: tuple[Tensor, ...], wanted: Outputs) -> tuple[tuple[Tensor, ...], Outputs]:
    one: Outputs = (
        wanted[:1] if isinstance(wanted, Tensor) else {k: v[:1] for k, v in wanted.items()}
    )
    return tuple(x[:1] for x in inputs), one


def exported(
    static: nn.Module, inputs: tuple[Tensor, ...], options: ProgramOptions
) -> ExportedProgram:
    """The program of torch.export. A batch of one is given twice: torch takes sizes of 1 for fixed ones."""
    batch = Dim("batch")
    given = tuple(x if len(x) > 1 else x.repeat(2, *[1] * (x.dim() - 1)) for x in inputs)
    shapes: list[dict[int, Any]] = []
    for x in given:
        free = options.free and x.dim() == 4
        shapes.append({0: batch, **({2: Dim.DYNAMIC, 3: Dim.DYNAMIC} if free else {})})
    return torch.export.export(static, given, dynamic_shapes=tuple(shapes))


def write_program(
    static: nn.Module,
    inputs: tuple[Tensor, ...],
    wanted: Outputs,
    path: Path,
    name: str = "torch.export",
    options: ProgramOptions = ProgramOptions(),
) -> None:
    """A torch.export program. `torch.export.load(path, extra_files={"about.json": ""})` gives its texts, too."""
    tried = checks(static, inputs, wanted, options)
    program = exported(static, inputs, options)
    written = io.BytesIO()
    about = {"about.json": json.dumps(dict(options.about))}
    torch.export.save(program, written, extra_files=about if options.about else None)
    path.write_bytes(written.getvalue())
    loaded = torch.export.load(path).module()
    with torch.inference_mode():
        compare_all(name, [(loaded(*given), outputs) for given, outputs in tried])


def write_onnx(
    static: nn.Module,
    inputs: tuple[Tensor, ...],
    names: Sequence[str],
    wanted: Outputs,
    path: Path,
    options: ProgramOptions = ProgramOptions(),
) -> None:
    """An ONNX file, where the packages for it are installed. Raises ImportError where they are not."""
    model = onnx_model(static, inputs, names, [*named(wanted)], options)
    tried = checks(static, inputs, wanted, options)
    path.write_bytes(model.SerializeToString())
    try:
        import onnxruntime
    except ImportError:
        print("the ONNX file is unchecked: pip install onnxruntime")
        return
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    keys = [*named(wanted)]
    found = []
    for given, outputs in tried:
        rows = session.run(keys, {key: x.numpy() for key, x in zip(names, given, strict=True)})
        found.append((dict(zip(keys, map(torch.from_numpy, rows), strict=True)), outputs))
    compare_all("onnxruntime", found)


def onnx_model(
    static: nn.Module,
    inputs: tuple[Tensor, ...],
    names: Sequence[str],
    outputs: Sequence[str],
    options: ProgramOptions = ProgramOptions(),
) -> Any:
    """The ONNX model of a static network, with its weights inside, for any batch size.

    Raises ImportError where the packages for it are not installed, ValueError for an opset that cannot hold it.
    """
    try:
        import onnx
        import onnxscript  # noqa: F401
    except ImportError:
        raise ImportError("pip install onnx onnxscript onnxruntime") from None
    latest = onnx.defs.onnx_opset_version()
    if options.opset is not None and options.opset > latest:
        raise ValueError(f"opset {options.opset}: the installed onnx knows up to {latest}")
    program = exported(static, inputs, options).run_decompositions(decompositions())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program,
            input_names=[*names],
            output_names=[*outputs],
            opset_version=None if options.opset is None else max(options.opset, NATIVE),
            external_data=False,
            verbose=False,
        )
    assert made is not None
    return finished(made.model_proto, inputs, options)


def finished(model: Any, inputs: Sequence[Tensor], options: ProgramOptions) -> Any:
    """An ONNX model with the opset that was asked for, plain names of its free axes, and texts.

    Raises ValueError where the model cannot be written in that opset.
    """
    if options.opset is not None and opset_of(model) != options.opset:
        model = converted(model, options.opset)
    images = [
        given.name for given, x in zip(model.graph.input, inputs, strict=True) if x.dim() == 4
    ]
    symbols: dict[str, str] = {}
    for given in model.graph.input:
        for dim, axis in zip(given.type.tensor_type.shape.dim, AXES, strict=False):
            alone = axis == "batch" or len(images) == 1
            symbols.setdefault(dim.dim_param, axis if alone else f"{given.name}_{axis}")
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param:
                dim.dim_param = re.sub(r"s\d+", lambda m: symbols.get(m[0], m[0]), dim.dim_param)
    for key, text in options.about.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, text
    return model


def converted(model: Any, opset: int) -> Any:
    """A model in an earlier opset. Raises ValueError where onnx cannot bring it there."""
    import onnx.version_converter

    try:
        model = onnx.version_converter.convert_version(model, opset)
    except RuntimeError as error:
        why = str(error).splitlines()[0].rpartition("failed: ")[2]
        raise ValueError(f"opset {opset} cannot hold the network: {why}") from None
    for node in model.graph.node:
        for number, attribute in reversed([*enumerate(node.attribute)]):
            # before 18 reductions have no such attribute; at 0 it says nothing, and the converter leaves it
            if attribute.name == "noop_with_empty_axes" and not attribute.i and opset < NATIVE:
                del node.attribute[number]
    return model


def opset_of(model: Any) -> int:
    """The version of ONNX' own operators in a model."""
    return next(int(row.version) for row in model.opset_import if row.domain in ("", "ai.onnx"))


def decompositions() -> dict[Any, Any]:
    """What ONNX has no operator for, in terms of what it has."""
    return {torch.ops.aten.adaptive_max_pool2d.default: adaptive_max}


def adaptive_max(x: Tensor, output_size: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Adaptive max pooling by its definition: window i of n begins at i H / n, rounded down, and ends before
    (i + 1) H / n, rounded up. The places of the maxima, which nobody reads, are not known: an empty tensor.

    Raises ValueError for maps of any size, whose windows are not known before they run.
    """
    nothing = x.new_empty((0,), dtype=torch.int64)
    for axis, count in zip((-2, -1), output_size, strict=True):
        length = x.shape[axis]
        if count == 1:
            x = x.amax(axis, keepdim=True)
            continue
        if not isinstance(length, int):
            raise ValueError("ONNX has no adaptive max pooling of maps of any size")
        ends = [(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]
        rows = [x.narrow(axis, start, end - start).amax(axis, keepdim=True) for start, end in ends]
        x = torch.cat(rows, axis)
    return x, nothing
