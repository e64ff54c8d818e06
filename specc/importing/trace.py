"""Traces a network with torch.export: what it computes for a batch of images in evaluation mode, node by node."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, replace
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from traceback import StackSummary
from typing import TYPE_CHECKING, Any, Final

from specc.importing.drops import Drop, attention_rates, drops_shown
from specc.importing.scattered import scattered
from specc.importing.sources import CannotImport, Loaded, first_line, place_of
from specc.importing.writes import is_write, root_of, without_shared_writes
from specc.traced.graph import Frame, Node, Ref, State, Traced

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram
    from torch.fx import Node as FxNode
    from torch.nn import Module

BATCH: Final = 2
"""Images in the traced batch: two, so that what mixes images is seen."""
ATTENTION: Final = "scaled_dot_product_attention"
DROPS_IMAGES: Final = "traced.drops_images"
"""The target of a node that stands for what zeroes whole images in training."""
MOST_NUMBERS: Final = 1 << 18
"""The most numbers of a constant that operators may look at."""
FACTORIES: Final = ("new_zeros", "new_ones", "new_full", "zeros_like", "ones_like", "full_like", "new_empty")
"""What reads the shape of a tensor alone, so that its result is a constant."""


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """What was found, and the program that it was found in."""

    traced: Traced
    program: ExportedProgram


def trace(loaded: Loaded, shapes: tuple[tuple[int, ...], ...], output: str | None = None, batch: int = BATCH) -> Trace:
    """Traces a network for inputs of these shapes, without the batch. `output` names one of several that it returns.

    Raises CannotImport where it can't be traced, with the user's line.
    """
    drops: dict[str, Drop] = {}
    program = loaded.program
    rates: list[float] = []
    if program is None:
        loaded = untouched(loaded, shapes, batch)
        with ExitStack() as stack:
            drops = dict(stack.enter_context(drops_shown(loaded.module)))
            stack.enter_context(plain_attention())
            stack.enter_context(without_autocast_off())
            program = exported(loaded, shapes, batch)
            if any(short(node.target) == ATTENTION for node in program.graph.nodes if node.op == "call_function"):
                rates = attention_rates(loaded.module, [random_input(batch, shape) for shape in shapes])
    else:
        first = next(n for n in program.graph.nodes if n.name in program.graph_signature.user_inputs)
        batch = int(first.meta["val"].shape[0])
    images = frozenset(path for path, drop in drops.items() if drop.what == "images")
    traced = read_program(loaded, program, batch, images, output)
    return Trace(with_rates(traced, rates), program)


def untouched(loaded: Loaded, shapes: tuple[tuple[int, ...], ...], batch: int) -> Loaded:
    """A copy that has not run yet, once another one has: what a forward keeps for the next one, as attention its
    gathered biases, would be a constant in a trace. The network itself where it becomes what it is in its first
    forward, or can't be copied. Raises CannotImport where it does not run."""
    import copy

    from torch.nn.parameter import is_lazy

    for shape in shapes:
        if len(shape) not in (1, 3):
            raise CannotImport(
                f"inputs are images of channels, height and width, or vectors; this is {'x'.join(map(str, shape))}",
                "wrap the network in a module that takes an image: a signal of 2 channels and 64 samples is one of"
                " height 1, --input 1,2,1,64, of which `x[:, :, 0]` is the signal",
            )
    inputs = tuple(random_input(batch, shape) for shape in shapes)
    copies: list[Module] = []
    if not any(map(is_lazy, loaded.module.parameters())):
        with suppress(Exception):
            held = {id(tensor): tensor for tensor in [*loaded.module.parameters(), *loaded.module.buffers()]}
            copies = [copy.deepcopy(loaded.module, {**held}) for _ in range(2)]  # which share the weights
    if copies:
        tried, fresh = copies
        check_runs(replace(loaded, module=tried), inputs)
        if [*tried.state_dict()] == [*fresh.state_dict()]:
            return replace(loaded, module=fresh)
    check_runs(loaded, inputs)
    return loaded


def random_input(batch: int, shape: tuple[int, ...]) -> Tensor:
    import torch

    return torch.randn(batch, *shape)


def with_rates(traced: Traced, rates: Sequence[float]) -> Traced:
    """A trace whose attention says at which rate it drops weights in training."""
    calls = [node for node in traced.nodes if node.target == f"aten.{ATTENTION}"]
    if len(calls) != len(rates) or not any(rates):
        return traced
    left = dict(zip((node.name for node in calls), rates, strict=True))

    def told(node: Node) -> Node:
        if not left.get(node.name):
            return node
        implied = tuple(name for name in node.implied if name != "dropout_p")
        return replace(node, args={**node.args, "dropout_p": left[node.name]}, implied=implied)

    return replace(traced, nodes=tuple(map(told, traced.nodes)))


def exported(loaded: Loaded, shapes: tuple[tuple[int, ...], ...], batch: int) -> ExportedProgram:
    import warnings

    import torch

    inputs = tuple(random_input(batch, shape) for shape in shapes)
    try:
        with warnings.catch_warnings(), quiet(), whole_stacks(), torch.no_grad():
            warnings.simplefilter("ignore")
            return torch.export.export(loaded.module, inputs, strict=False)
    except Exception as error:
        place = place_of(error, loaded.folder) or user_line(str(error), loaded.folder)
        text = str(error)
        if "data-dependent" in text.lower() or "DataDependent" in type(error).__name__ or ".item()" in text:
            raise CannotImport(
                "what is computed depends on the values of the image, so there is no one network to write down",
                "decide by shapes or settings, not by a tensor's values; or build the part that is always taken",
                place,
            ) from error
        raise CannotImport(f"torch.export can't trace this: {first_line(error)}", place=place) from error


def other_in_training(loaded: Loaded, shapes: tuple[tuple[int, ...], ...], traced: Traced) -> Node | None:
    """The first call of the network in training that evaluation does not make; None where there is none to be found."""
    import copy

    twin = copy.deepcopy(loaded.module)
    try:
        with ExitStack() as stack:
            drops = stack.enter_context(drops_shown(twin))
            stack.enter_context(plain_attention())
            for part in twin.modules():
                part.training = True
            program = exported(replace(loaded, module=twin), shapes, traced.batch)
    except CannotImport:
        return None
    constants = evaluated(program)
    calls = [fx for fx in program.graph.nodes if fx.op == "call_function" and "val" in fx.meta]
    theirs = [called(fx, {}, drops) for fx in calls if fx.name not in constants]
    mine = [node for node in traced.nodes if node.state is None and node.target != "input"]
    for before, node in zip_longest(mine, theirs):
        if before is None or node is None or before.target.rpartition(".")[2] != node.target.rpartition(".")[2]:
            return node or before
    return None


def check_runs(loaded: Loaded, inputs: tuple[Tensor, ...]) -> None:
    """Runs the network once as it is, so that a mistake in it is told as PyTorch tells it."""
    import torch

    try:
        with torch.no_grad():
            loaded.module(*inputs)
    except TypeError as error:
        if "missing" in str(error) and "positional argument" in str(error):
            message = f"the network needs more than {len(inputs)} input{'s' if len(inputs) != 1 else ''}: {error}"
            raise CannotImport(message, "give --input once for each: --input 1,3,32,32 --input 1,10") from error
        if "positional argument" in str(error) and "given" in str(error) and len(inputs) == 1:
            message = f"`forward` takes no tensor by its place: {error}"
            raise CannotImport(message, "wrap the network in a module whose `forward(self, x)` calls it") from error
        if "positional argument" in str(error) and "given" in str(error):
            message = f"the network takes fewer than {len(inputs)} inputs: {error}"
            raise CannotImport(message, "give --input once for each that it takes") from error
        raise CannotImport(first_line(error), place=place_of(error, loaded.folder)) from error
    except Exception as error:
        if "indices" in str(error) or "Long" in str(error):
            raise CannotImport(
                f"the network takes whole numbers, such as tokens of a text: {first_line(error)}",
                "import gives images and vectors of real numbers; wrap the part that takes these in a module",
                place_of(error, loaded.folder),
            ) from error
        shown = " and ".join("x".join(map(str, tensor.shape)) for tensor in inputs)
        raise CannotImport(
            f"the network does not run on an input of {shown}: {first_line(error)}",
            "say another with --input 1,3,224,224" if isinstance(error, OF_SHAPES) else "",
            place_of(error, loaded.folder),
        ) from error


OF_SHAPES: Final = (RuntimeError, ValueError, AssertionError, IndexError)
"""What networks raise where an input does not fit."""


def user_line(text: str, folder: Path | None) -> str:
    """The last line of the user's folder that a message of torch names."""
    import re

    found = ""
    for path, line in re.findall(r'File "([^"]+)", line (\d+)', text):
        if folder is not None and folder in Path(path).parents and "site-packages" not in path:
            found = f"{Path(path).name}:{line}"
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Without torch's own lines: what goes wrong is told once."""
    import logging

    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def whole_stacks() -> Iterator[None]:
    """Every node knows all lines that led to it, also those of functions that `forward` calls."""
    from torch.fx.proxy import TracerBase

    kept = TracerBase.__dict__.get("_filter_traceback_frames")
    if kept is None:
        yield
        return

    def frames_from_forward(tracer: TracerBase, summary: StackSummary) -> StackSummary:
        at = next((i for i, frame in enumerate(summary) if frame.name == "forward"), len(summary))
        return StackSummary.from_list(summary[at:])

    TracerBase._filter_traceback_frames = frames_from_forward  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        TracerBase._filter_traceback_frames = kept  # type: ignore[method-assign]


@contextmanager
def plain_attention() -> Iterator[None]:
    """nn.MultiheadAttention written out, not as its one operator for inference."""
    import torch

    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


@contextmanager
def without_autocast_off() -> Iterator[None]:
    """Without regions that switch automatic precision off, which the trace would hold as graphs of their own: nothing
    switches it on."""
    import torch

    enter, leave = torch.autocast.__enter__, torch.autocast.__exit__

    def entering(region: Any) -> Any:
        return enter(region) if region._enabled else region  # type: ignore[no-untyped-call]

    def leaving(region: Any, *error: Any) -> Any:
        return leave(region, *error) if region._enabled else None

    torch.autocast.__enter__, torch.autocast.__exit__ = entering, leaving  # type: ignore[method-assign]
    try:
        yield
    finally:
        torch.autocast.__enter__, torch.autocast.__exit__ = enter, leave  # type: ignore[method-assign]


def multiplications(traced: Traced, program: ExportedProgram) -> dict[str, int]:
    """Multiply-accumulates of one image by torch's counter, of each node on the way to the output that has any;
    attention is counted as its products of matrices. What depends on no image is computed once for all of them.
    Nothing is computed: torch counts by shapes."""
    import torch
    from torch.fx import Interpreter
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    live = reached(traced.nodes, traced.output)
    by_image = depending(traced)
    found: dict[str, int] = {}

    class Live(Interpreter):
        def run_node(self, n: FxNode) -> Any:
            if n.op == "placeholder":
                return n.meta["val"]
            if n.op != "call_function" or n.name not in live:
                return n.meta.get("val")  # what is constant, or on no way to the output
            before = counter.get_total_flops()
            result = super().run_node(n)
            if counter.get_total_flops() != before:
                images = traced.batch if n.name in by_image else 1
                found[n.name] = (counter.get_total_flops() - before) // 2 // images
            return result

    fake = next(
        node.meta["val"].fake_mode for node in program.graph.nodes if hasattr(node.meta.get("val"), "fake_mode")
    )
    with torch.no_grad(), fake, sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        Live(program.graph_module).run(*(None for node in program.graph.nodes if node.op == "placeholder"))
    return found


def read_program(
    loaded: Loaded, program: ExportedProgram, batch: int, drops: Collection[str], output: str | None
) -> Traced:
    signature = program.graph_signature
    renamed = without_shared_writes(program, lambda: evaluated(program).keys(), line_of)
    constants = evaluated(program)
    tied = tied_states(loaded.module)
    nodes: list[Node] = []
    instead: dict[str, str] = {}
    for fx in program.graph.nodes:
        if fx.op == "placeholder":
            nodes.append(placeholder(fx, program, tied))
        elif fx.op == "call_function" and "val" in fx.meta:
            if fx.name in constants:
                if needed(fx, constants):
                    nodes.append(constant(fx, constants[fx.name]))
                continue
            if any(before.op == "get_attr" for before in fx.all_input_nodes):
                raise CannotImport(
                    f"the network has a region of its own that is not looked into: `{short(fx.target)}`",
                    "leave out `torch.autocast` and what decides by a tensor's values",
                )
            node = called(fx, instead, drops)
            nodes.append(node)
            if works_in_place(fx):
                instead[fx.args[0].name] = fx.name
                now = {name: latest(name, instead) for name in instead}
                for changed, whole in scattered(fx, fx.name, now, node.stack, node.place, node.code):
                    nodes.append(whole)
                    instead[latest(changed, instead)] = whole.name
    trained = {n.state.name for n in nodes if n.state is not None and n.state.trained}
    result = chosen_output(program, loaded, output)
    result = latest(renamed.get(result, result), instead)
    table = {node.name: node for node in nodes}
    used = {state.name for name in reached(nodes, result) if (state := table[name].state) is not None}
    frozen = [name for name, value in loaded.module.named_parameters() if not value.requires_grad]
    return Traced(
        name=loaded.name,
        nodes=tuple(nodes),
        inputs=tuple(map(str, signature.user_inputs)),
        output=result,
        batch=batch,
        unused=tuple(sorted(trained - used)),
        frozen=tuple(frozen),
    )


def reached(nodes: Sequence[Node], result: str) -> set[str]:
    """The nodes that a result depends on."""
    table = {node.name: node for node in nodes}
    waiting, done = [result], {result}
    while waiting:
        for value in table[waiting.pop()].args.values():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Ref) and item.name not in done:
                    done.add(item.name)
                    waiting.append(item.name)
    return done


def depending(traced: Traced) -> set[str]:
    """The nodes that depend on an input."""
    found = set(traced.inputs)
    for node in traced.nodes:
        for value in node.args.values():
            items = value if isinstance(value, tuple) else (value,)
            if any(isinstance(item, Ref) and item.name in found for item in items):
                found.add(node.name)
    return found


def chosen_output(program: ExportedProgram, loaded: Loaded, wanted: str | None) -> str:
    """The node whose value is the network's answer: the only one, or the one that is named."""
    import torch.utils._pytree as pytree

    names = list(program.graph_signature.user_outputs)
    spec = program.call_spec.out_spec
    assert spec is not None
    tree = pytree.tree_unflatten(names, spec)
    choices = dict(leaves(tree))
    if not choices:
        raise CannotImport("the network returns no tensor", "its `forward` must return what it predicts")
    if wanted is not None:
        if wanted not in choices:
            raise CannotImport(f"the network returns no `{wanted}`", f"it returns {', '.join(map(str, choices))}")
        return str(choices[wanted])
    if len(choices) > 1:
        shown = ", ".join(f"`{name}`" for name in choices)
        first = next(iter(choices))
        raise CannotImport(f"the network returns {len(choices)} tensors: {shown}", f"say which: --returns {first}")
    name = str(next(iter(choices.values())))
    if name in program.graph_signature.user_inputs:
        raise CannotImport("the network returns its input as it is", "its `forward` must return what it computes of it")
    return name


def leaves(tree: object, path: str = "") -> Iterator[tuple[str, object]]:
    """The tensors in what a network returns, by the keys and places on the way to them."""
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from leaves(value, f"{path}.{key}" if path else str(key))
    elif hasattr(tree, "_fields"):
        for key in tree._fields:
            yield from leaves(getattr(tree, key), f"{path}.{key}" if path else str(key))
    elif isinstance(tree, (list, tuple)):
        for i, value in enumerate(tree):
            yield from leaves(value, f"{path}.{i}" if path else str(i))
    elif tree is not None:
        yield path, tree


# Constants


def evaluated(program: ExportedProgram) -> dict[str, Tensor]:
    """The values of all nodes that depend on neither an input nor a parameter nor a buffer that is kept."""
    import torch

    signature = program.graph_signature
    known: dict[str, Any] = {}
    for fx in program.graph.nodes:
        if fx.op == "placeholder":
            name = signature.inputs_to_lifted_tensor_constants.get(fx.name)
            if name is None:
                buffer = signature.inputs_to_buffers.get(fx.name)
                name = buffer if buffer in signature.non_persistent_buffers else None
            if name is not None:
                value = program.constants.get(name)
                if isinstance(value, torch.Tensor):
                    known[fx.name] = value.clone()
        elif fx.op == "call_function":
            word = short(fx.target)
            args = fx.args
            if word == "empty" and not any(True for _ in argument_nodes(args)):
                known[fx.name] = torch.zeros_like(fx.target(*args, **fx.kwargs))  # not what lies in memory by chance
                continue
            if word in FACTORIES and args[0].name not in known:
                args = (torch.empty(tuple(args[0].meta["val"].shape)), *args[1:])
            if all(before.name in known for before in argument_nodes((args, fx.kwargs))):
                try:
                    values = replaced((args, dict(fx.kwargs)), known)
                    with torch.no_grad():
                        known[fx.name] = fx.target(*values[0], **values[1])
                except Exception:
                    continue
            elif is_write(fx):  # what shares the memory is no constant any more
                root = root_of(fx)
                for other in program.graph.nodes:
                    if other.name in known and root_of(other) is root:
                        del known[other.name]
    return {name: value for name, value in known.items() if isinstance(value, torch.Tensor)}


def argument_nodes(value: object) -> Iterator[FxNode]:
    from torch.fx import Node as FxNode

    if isinstance(value, FxNode):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from argument_nodes(item)
    elif isinstance(value, Mapping):
        yield from argument_nodes(list(value.values()))


def replaced(value: Any, known: Mapping[str, Any]) -> Any:
    from torch.fx import Node as FxNode

    if isinstance(value, FxNode):
        return known[value.name]
    if isinstance(value, (list, tuple)):
        return type(value)(replaced(item, known) for item in value)
    if isinstance(value, Mapping):
        return {key: replaced(item, known) for key, item in value.items()}
    return value


def needed(fx: FxNode, constants: Mapping[str, Tensor]) -> bool:
    """Whether something that is no constant reads this one."""
    return any(user.name not in constants for user in fx.users)


def constant(fx: FxNode, value: Tensor) -> Node:
    return Node(
        name=fx.name,
        target="state",
        args={},
        shape=tuple(value.shape),
        state=State(fx.name, trained=False, kept=False, numbers=numbers(value)),
        dtype=str(value.dtype).removeprefix("torch."),
    )


def numbers(value: Tensor) -> tuple[float, ...]:
    return tuple(value.flatten().tolist()) if value.numel() <= MOST_NUMBERS else ()


# Nodes


def tied_states(module: Module) -> dict[str, str]:
    """Names in the state of what is there under an earlier name already, and that name."""
    first: dict[tuple[int, tuple[int, ...], tuple[int, ...]], str] = {}
    tied = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if value.numel():
            key = (value.data_ptr(), tuple(value.shape), tuple(value.stride()))
            if first.setdefault(key, name) != name:
                tied[name] = first[key]
    return tied


def placeholder(fx: FxNode, program: ExportedProgram, tied: Mapping[str, str]) -> Node:
    signature = program.graph_signature
    value: Any = fx.meta.get("val")
    shape = tuple(int(size) for size in value.shape) if hasattr(value, "shape") else ()
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    parameter = signature.inputs_to_parameters.get(fx.name)
    buffer = signature.inputs_to_buffers.get(fx.name)
    lifted = signature.inputs_to_lifted_tensor_constants.get(fx.name)
    if parameter is not None:
        return Node(fx.name, "state", {}, shape, state=State(tied.get(parameter, parameter), trained=True), dtype=dtype)
    if buffer is not None:
        kept = buffer not in signature.non_persistent_buffers
        held = numbers((program.state_dict if kept else program.constants)[buffer])
        return Node(fx.name, "state", {}, shape, state=State(buffer, False, kept, held), dtype=dtype)
    if lifted is not None:
        held = numbers(program.constants[lifted])
        return Node(fx.name, "state", {}, shape, state=State(lifted, False, False, held), dtype=dtype)
    return Node(fx.name, "input", {}, shape, dtype=dtype)


def short(target: Any) -> str:
    """An ATen operator's name without its overload, and without the sign that it works in place."""
    name: str = target._schema.name.split("::")[-1] if hasattr(target, "_schema") else getattr(target, "__name__", "")
    return name.removesuffix("_") if not name.endswith("__") else name


def works_in_place(fx: FxNode) -> bool:
    schema = getattr(fx.target, "_schema", None)
    return schema is not None and schema.is_mutable and schema.name.endswith("_")


def latest(name: str, instead: Mapping[str, str]) -> str:
    """The node that holds a value now: what worked in place on it last."""
    while name in instead:
        name = instead[name]
    return name


def called(fx: FxNode, instead: Mapping[str, str], drops: Collection[str]) -> Node:
    """A call with all its arguments by name."""
    value = fx.meta["val"]
    several = isinstance(value, (list, tuple))
    shapes = tuple(fixed_shape(v, fx) for v in value if hasattr(v, "shape")) if several else ()
    shape = fixed_shape(value, fx) if hasattr(value, "shape") else shapes[0] if shapes else ()
    stack = frames(fx)
    if fx.target is operator.getitem:
        target, args = "item", {"self": fx.args[0], "index": fx.args[1]}
    else:
        target, args = f"aten.{short(fx.target)}", by_name(fx)
    if stack and stack[-1].path in drops and target == "aten.dropout":
        target = DROPS_IMAGES
    place, code = line_of(fx)
    plain = {name: plain_value(item, instead) for name, item in args.items()}
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    call = overload_of(fx) if target != "item" else ""
    named = by_name_alone(fx)
    return Node(fx.name, target, plain, shape, stack, place, None, shapes, dtype, code, call, named, implied(fx, args))


def fixed_shape(value: Tensor, fx: FxNode) -> tuple[int, ...]:
    """Raises CannotImport where a size is known only when the network has run."""
    if not all(isinstance(size, int) for size in value.shape):
        place, code = line_of(fx)
        raise CannotImport(
            f"how much is computed here depends on the values of the image: `{code}`",
            "give the result a size that follows from the input's: a mask in place of a selection",
            place,
        )
    return tuple(value.shape)


def by_name(fx: FxNode) -> dict[str, Any]:
    schema = schema_of(fx)
    if schema is None:
        return {str(i): value for i, value in enumerate(fx.args)} | dict(fx.kwargs)
    args = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(fx.args):
            args[argument.name] = fx.args[i]
        elif argument.name in fx.kwargs:
            args[argument.name] = fx.kwargs[argument.name]
        else:
            args[argument.name] = argument.default_value if argument.has_default_value() else None
    return args


def schema_of(fx: FxNode) -> Any:
    """A call's schema; of what works in place that of its twin which does not, whose arguments have other names."""
    import torch

    schema: Any = getattr(fx.target, "_schema", None)
    twin = getattr(torch.ops.aten, short(fx.target), None) if schema is not None and works_in_place(fx) else None
    overload = getattr(twin, schema.overload_name or "default", None) if twin is not None else None
    return schema if overload is None else overload._schema


def by_name_alone(fx: FxNode) -> tuple[str, ...]:
    """The arguments of a call that have no place."""
    schema = schema_of(fx)
    return () if schema is None else tuple(a.name for a in schema.arguments if a.kwarg_only)


def implied(fx: FxNode, args: Mapping[str, Any]) -> tuple[str, ...]:
    """The arguments of a call that are their defaults."""
    schema = schema_of(fx)
    found = []
    for argument in schema.arguments if schema is not None else ():
        given, default = args.get(argument.name), argument.default_value
        sides = list(given) if isinstance(given, (list, tuple)) else [given]
        wanted = default if isinstance(default, (list, tuple)) else [default] * len(sides)
        if argument.has_default_value() and sides == list(wanted):
            found.append(argument.name)
    return tuple(found)


def overload_of(fx: FxNode) -> str:
    schema = schema_of(fx)
    return "" if schema is None else f"{short(fx.target)}.{schema.overload_name or 'default'}"


def plain_value(value: Any, instead: Mapping[str, str]) -> object:
    from torch.fx import Node as FxNode

    if isinstance(value, FxNode):
        return Ref(latest(value.name, instead))
    if isinstance(value, (list, tuple)):
        return tuple(plain_value(item, instead) for item in value)
    if isinstance(value, (bool, int, float, str, type(None))):
        return value
    return str(value)


def frames(fx: FxNode) -> tuple[Frame, ...]:
    """The modules around a call, outermost first."""
    found = []
    for key, (path, kind) in (fx.meta.get("nn_module_stack") or {}).items():
        call = key.rpartition("@")[2] if "@" in key else "0"
        name = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
        found.append(Frame(path, name, int(call) if call.isdigit() else 0))
    return tuple(found)


def line_of(fx: FxNode) -> tuple[str, str]:
    """The innermost line outside torch that made a call, as `resnet.py:147`, and what stands there."""
    lines = (fx.meta.get("stack_trace") or "").splitlines()
    place = code = ""
    for at, line in enumerate(lines):
        if not line.strip().startswith('File "'):
            continue
        path, _, rest = line.strip().removeprefix('File "').partition('", line ')
        parts = Path(path).parts
        if "torch" in parts and "site-packages" in parts:
            continue
        place = f"{parts[-1]}:{rest.partition(',')[0]}"
        code = lines[at + 1].strip() if at + 1 < len(lines) else ""
    return place, code
