"""What `specc import` is given: a network of torchvision or timm, a function in a file, or an exported program."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

WRAPPERS: Final = ("DataParallel", "DistributedDataParallel", "OptimizedModule")
"""Classes that hold a network and change nothing of what it computes."""
LIBRARIES: Final = ("torchvision", "timm")


PRETRAINED: Final = "pretrained"
WEIGHTS: Final = (".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".tar")
"""How files of weights end."""


class CannotImport(Exception):
    """Why nothing is written: one sentence, where it stands in the user's code, and what helps."""

    def __init__(self, message: str, help: str = "", place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.message = message
        self.help = help
        self.place = place


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """A network in memory.

    name      as a spec may call it
    module    in evaluation mode
    program   of a .pt2: what it was read from
    shapes    of its inputs where it knows them, without the batch
    folder    of the file that it was built by, if any: a user's modules can be imported from there
    notes     what was changed to read it
    """

    name: str
    module: Module
    program: ExportedProgram | None = None
    shapes: tuple[tuple[int, ...], ...] = ()
    folder: Path | None = None
    file: str = ""
    notes: tuple[str, ...] = ()


def load_source(source: str, weights: str | None = None) -> Loaded:
    """The network that a source names, with the weights of a file or, for a library's, `pretrained` ones.

    Runs Python only of the file that is named. Raises CannotImport.
    """
    require("torch", "importing reads networks in PyTorch")
    library, colon, _ = source.partition(":")
    if weights == PRETRAINED and not (colon and library in LIBRARIES):
        raise CannotImport("only networks of a library have pretrained weights", "name a file: --weights FILE")
    loaded = network_of(source, weights == PRETRAINED)
    if weights not in (None, PRETRAINED):
        load_weights(loaded, Path(str(weights)))
    return in_single(loaded)


def evaluating(module: Module) -> Module:
    """A network in evaluation mode: its own `eval`, which need not return it."""
    module.eval()
    return module


def in_single(loaded: Loaded) -> Loaded:
    """The network on the CPU and in single precision, in which projects train. Raises CannotImport for weights that
    nothing can be trained from."""
    import torch
    from torch.nn.parameter import is_lazy

    tensors = dict([*loaded.module.named_parameters(), *loaded.module.named_buffers()])
    if any(tensor.is_meta for tensor in tensors.values()):
        raise CannotImport("the network is on torch's meta device, so it has no weights", "build it on the CPU")
    for name, tensor in tensors.items():
        if tensor.layout != torch.strided:
            raise CannotImport(f"`{name}` is a sparse tensor", "make it dense, as trained weights are: `.to_dense()`")
    if not any(True for _ in loaded.module.parameters()):
        raise CannotImport("the network has no parameters, so there is nothing to train")
    for name, parameter in loaded.module.named_parameters():
        if not is_lazy(parameter) and parameter.is_floating_point() and not bool(parameter.isfinite().all()):
            raise CannotImport(f"`{name}` holds numbers that are not finite", "train or load it again")
    if loaded.program is None and any(tensor.device.type != "cpu" for tensor in tensors.values()):
        loaded.module.cpu()
    others = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors.values() if tensor.is_floating_point()}
    if others <= {"float32"} or loaded.program is not None:
        return loaded
    loaded.module.to(torch.float32)
    note = f"weights in {' and '.join(sorted(others - {'float32'}))} became float32, in which projects train"
    return replace(loaded, notes=(*loaded.notes, note))


def network_of(source: str, pretrained: bool) -> Loaded:
    library, colon, name = source.partition(":")
    if colon and library in LIBRARIES:
        return of_library(library, name, pretrained)
    if source.endswith(".pt2"):
        return of_program(Path(source))
    path, colon, function = source.rpartition(":")
    if colon and path.endswith(".py"):
        return of_file(Path(path), function)
    if source.endswith(".py"):
        raise CannotImport("a file needs the name of a function in it that builds the network", f"{source}:build")
    if Path(source).suffix in WEIGHTS:
        raise CannotImport(
            f"{source} holds weights, and no network",
            f"name the Python that builds it, and the weights beside: my_file.py:build --weights {source}",
        )
    if source.endswith(".onnx"):
        raise CannotImport(f"{source} is ONNX, which import does not read", "name the Python that it was exported from")
    raise CannotImport(
        f"`{source}` names no network",
        "write torchvision:resnet50, timm:mobilenetv4_conv_small, my_file.py:build or network.pt2",
    )


def load_weights(loaded: Loaded, path: Path) -> None:
    """Loads a state_dict into the network, as data: a .safetensors, or what torch.save wrote of tensors alone."""
    import torch
    from safetensors.torch import load_file

    try:
        state: Any
        if path.suffix == ".safetensors":
            state = load_file(str(path))
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CannotImport(f"there is no file {path}") from None
    except Exception as error:
        message = f"{path} holds no weights that can be read as data: {first_line(error)}"
        raise CannotImport(message, "save a state_dict: torch.save(module.state_dict(), FILE)") from error
    for key in ("state_dict", "model", "model_state_dict"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        raise CannotImport(f"{path} holds {type(state).__name__}, and a state_dict is needed")
    tensors = {name: value for name, value in state.items() if isinstance(value, torch.Tensor)}
    found = {str(name).removeprefix("_orig_mod.").removeprefix("module."): v for name, v in tensors.items()}
    wanted = loaded.module.state_dict()
    wrong = [name for name in wanted if name not in found or found[name].shape != wanted[name].shape]
    if wrong or len(found) > len(wanted):
        extra = [name for name in found if name not in wanted]
        told = f"`{wrong[0]}` is missing or of another shape" if wrong else f"the network has no `{extra[0]}`"
        raise CannotImport(f"the weights of {path} are those of another network: {told}")
    loaded.module.load_state_dict(found)


def require(package: str, why: str) -> None:
    if find_spec(package) is None:
        extra = {"timm": "timm", "torch": "train", "torchvision": "train"}.get(package, package)
        raise CannotImport(f"{why}, and {package} is not installed", f"pip install 'specc[{extra}]'")


def of_library(library: str, name: str, pretrained: bool) -> Loaded:
    """A model by its name: with random weights nothing is downloaded."""
    require(library, f"`{library}:{name}` is a network of {library}")
    if library == "timm":
        import timm

        names: Sequence[str] = timm.list_models()
        build: Callable[[], Module] = lambda: timm.create_model(name, pretrained=pretrained)  # noqa: E731
    else:
        from torchvision.models import get_model, list_models

        names = list_models()
        build = lambda: get_model(name, weights="DEFAULT" if pretrained else None)  # noqa: E731
    if name not in names and name.split(".")[0] not in names:
        near = get_close_matches(name, names, 3, 0.5)
        help = f"did you mean {' or '.join(f'{library}:{other}' for other in near)}?" if near else ""
        raise CannotImport(f"{library} has no network `{name}`", help)
    try:
        module = evaluating(build())
    except Exception as error:
        raise CannotImport(f"{library} could not build `{name}`: {first_line(error)}") from error
    shapes = ()
    if library == "timm":
        shapes = (tuple(module.pretrained_cfg.get("input_size", (3, 224, 224))),)  # type: ignore[union-attr, assignment, operator]
    return Loaded(spec_name(name), module, shapes=shapes)


def of_program(path: Path) -> Loaded:
    """A program that torch.export.save wrote."""
    import torch

    if not path.is_file():
        raise CannotImport(f"there is no file {path}")
    try:
        program = torch.export.load(path)
    except Exception as error:
        raise CannotImport(f"{path} is no program that torch.export.save wrote: {first_line(error)}") from error
    shapes = []
    for node in program.graph.nodes:
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs:
            shapes.append(tuple(int(size) for size in node.meta["val"].shape[1:]))
    return Loaded(spec_name(path.stem), program.module(), program, tuple(shapes))


def of_file(path: Path, function: str) -> Loaded:
    """What a function of a user's file returns. Its own folder can be imported from while it runs."""
    from torch.nn import Module

    if not path.is_file():
        raise CannotImport(f"there is no file {path}")
    folder = path.resolve().parent
    name = f"specc_imported_{path.stem}"
    found = spec_from_file_location(name, path)
    assert found is not None
    assert found.loader is not None
    code = module_from_spec(found)
    sys.modules[name] = code
    sys.path.insert(0, str(folder))
    try:
        found.loader.exec_module(code)
        if not hasattr(code, function):
            names = [word for word, value in vars(code).items() if callable(value) and not word.startswith("_")]
            near = get_close_matches(function, names, 3, 0.5) or names[:3]
            help = f"it has {', '.join(near)}" if near else ""
            raise CannotImport(f"{path} has no function `{function}`", help)
        made = getattr(code, function)
        if callable(made) and not isinstance(made, Module):
            check_call(made, function, path)
            made = made()
    except CannotImport:
        raise
    except SyntaxError as error:
        shown = Path(error.filename or path).name
        raise CannotImport(f"{error.msg}", place=f"{shown}:{error.lineno}") from error
    except (Exception, SystemExit) as error:
        raise CannotImport(first_line(error), place=place_of(error, folder)) from error
    finally:
        sys.path.remove(str(folder))
    return Loaded(spec_name(path.stem), evaluating(a_module(made, function, path)), folder=folder, file=str(path))


def check_call(made: Callable[..., object], function: str, path: Path) -> None:
    """Raises CannotImport where a function can't be called without arguments."""
    try:
        parameters = signature(made).parameters.values()
    except (TypeError, ValueError):
        return
    needed = [
        parameter.name
        for parameter in parameters
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    ]
    if needed:
        raise CannotImport(
            f"`{function}` wants arguments, and import gives none: {', '.join(needed)}",
            f"write a function that gives them: def build(): return {function}({', '.join(f'{n}=..' for n in needed)})",
            path.name,
        )


def a_module(made: object, function: str, path: Path) -> Module:
    """The network that a function returned, without what only wraps it. Raises CannotImport for anything else."""
    import torch
    from torch.nn import Module

    while isinstance(made, Module) and type(made).__name__ in WRAPPERS:
        made = next(made.children())
    if isinstance(made, torch.jit.ScriptModule):
        message, help = "a TorchScript module, which can't be traced", "return the module that it was scripted from"
        raise CannotImport(f"`{function}` returns {message}", help, path.name)
    if isinstance(made, Module):
        return made
    help = "return an nn.Module"
    if isinstance(made, type) and issubclass(made, Module):
        told, help = f"the class {made.__name__}", f"return an instance: {made.__name__}()"
    elif isinstance(made, dict) and made and all(isinstance(value, torch.Tensor) for value in made.values()):
        told, help = "a state_dict", "return the network that it belongs to, after load_state_dict"
    elif isinstance(made, (list, tuple)):
        told = f"a {type(made).__name__} of {len(made)}"
        if any(isinstance(item, Module) for item in made):
            help = f"return one of them, or nn.Sequential(*{function}())"
    else:
        told = type(made).__name__
    raise CannotImport(f"`{function}` returns {told}, and an nn.Module is needed", help, path.name)


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__


def place_of(error: BaseException, folder: Path | None) -> str:
    """The innermost line of the user's own code that an error passed through: `mine.py:12`."""
    frames = list(traceback.extract_tb(error.__traceback__))
    for frame in reversed(frames):
        path = Path(frame.filename)
        if folder is not None and path.is_absolute() and folder in path.parents and "site-packages" not in path.parts:
            return f"{path.name}:{frame.lineno}"
    return ""


def spec_name(name: str) -> str:
    """A word that a spec may be called by."""
    word = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name).strip("_")
    return word if word and not word[0].isdigit() else f"net_{word}"


def user_modules(module: Module) -> Iterator[tuple[str, Module]]:
    """All modules but torch's own, by their paths."""
    for path, part in module.named_modules():
        if not type(part).__module__.startswith("torch.nn"):
            yield path, part
