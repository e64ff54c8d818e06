"""Extraction: one sub-network as a plain static module.

The forward of the network is traced with torch.fx under a plan. Elastic layers become plain `nn.Conv2d`, `nn.Linear`
and `nn.BatchNorm` at the same attribute paths, with contiguous copies of the weights that the plan uses; weights that
torch makes of other parameters (pruned ones, weight norm, parametrizations) become plain. In eval mode a norm is an
affine map per channel, so it can be folded into the convolution or linear layer before it; an activation then
overwrites its input where nothing reads that afterwards, which autograd would need in training.
"""

from __future__ import annotations

import copy
import inspect
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from elastic.net.branches import (
    Filters,
    Scaling,
    merge_branches,
    merged_filters,
    windows_in,
)
from elastic.net.windows import Linear, window_of

MAKERS: Final = (prune.BasePruningMethod, SpectralNorm, WeightNorm)
"""Hooks that make a layer's weight anew before each call."""


def refresh(layer: nn.Module) -> None:
    """Has the hooks of a layer make its weight of the parameters as they are now, as its next call would."""
    for hook in layer._forward_pre_hooks.values():
        if isinstance(hook, MAKERS):
            hook(layer, ())


def settled(layer: nn.Module) -> nn.Module:
    """A copy of a layer of torch with a plain weight: what its hooks and parametrizations make of others."""
    refresh(layer)
    own = copy.deepcopy(layer)
    for key, hook in [*own._forward_pre_hooks.items()]:
        if isinstance(hook, prune.BasePruningMethod):
            prune.remove(own, hook._tensor_name)  # type: ignore[no-untyped-call]
        elif isinstance(hook, (SpectralNorm, WeightNorm)):
            hook.remove(own)
            del own._forward_pre_hooks[key]
    if parametrize.is_parametrized(own):
        for name in [*own._modules["parametrizations"]._modules]:  # type: ignore[union-attr]
            parametrize.remove_parametrizations(own, name)
    return own


OVERWRITING: Final = (F.relu, F.relu6, F.hardswish, F.silu)
ACTIVATIONS: Final = (
    *(*OVERWRITING, F.hardsigmoid, F.gelu, torch.sigmoid, torch.tanh, F.mish, F.selu, F.leaky_relu),
    *(F.elu, F.celu, F.softplus, F.hardtanh, torch.softmax),
)
FUNCTIONS: Final = (
    *(*ACTIVATIONS, operator.add, operator.sub, operator.mul, torch.add, torch.sub, torch.mul),
    *(torch.cat, F.pad),
    F.scaled_dot_product_attention,
)
"""Functions whose result lies in memory of its own, if they are not told to work in place."""
UPDATES: Final = (operator.iadd, operator.imul, operator.isub)
"""What changes its first input."""
METHODS: Final = ("mean", "amax", "sum")
LAYERS: Final = (
    *(nn.Conv2d, nn.Linear, nn.BatchNorm1d, nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm),
    *(nn.AvgPool2d, nn.MaxPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.Upsample),
    *(nn.InstanceNorm2d, nn.RMSNorm, nn.LocalResponseNorm),
    *(nn.LeakyReLU, nn.ELU, nn.CELU, nn.Softplus, nn.Hardtanh),
)


def overwrite(graph: fx.Graph, layers: Mapping[str, nn.Module]) -> None:
    """Has activations of a traced network work in place, where that changes nothing."""
    place = {node: at for at, node in enumerate(graph.nodes)}
    base: dict[fx.Node, fx.Node] = {}
    last: dict[fx.Node, int] = {}
    shared: set[fx.Node] = set()
    for node in graph.nodes:
        base[node] = node
        if node.all_input_nodes and not is_fresh(node, layers):
            base[node] = base[node.all_input_nodes[0]]
            if node.target not in UPDATES:
                shared.update(base[before] for before in node.all_input_nodes[1:])
        for before in node.all_input_nodes:
            last[base[before]] = place[node]
    for node in graph.nodes:
        if node.op != "call_function" or node.target not in OVERWRITING:
            continue
        (before,) = node.all_input_nodes
        source = base[before]
        given = source.op in ("placeholder", "get_attr")
        if given or source in shared or last[source] != place[node]:
            continue
        node.kwargs = {**node.kwargs, "inplace": True}
        for other, its in base.items():
            if its is node:
                base[other] = source
        last[source] = max(last.get(node, place[node]), place[node])


def is_fresh(node: fx.Node, layers: Mapping[str, nn.Module]) -> bool:
    """Whether the output of a step lies in memory of its own. Of a step that is not known here it may not."""
    match node.op:
        case "call_module":
            return isinstance(layers.get(str(node.target)), LAYERS)
        case "call_method":
            return node.target in METHODS
        case "call_function":
            return node.target in FUNCTIONS and not node.kwargs.get("inplace")
    return False


TRACING: Final = threading.Lock()
"""While torch.fx traces, the calls of all modules in the process come to its tracer: one at a time."""


def is_elastic(layer: nn.Module) -> bool:
    """Whether a layer is called with a cut and knows its plain twin."""
    return callable(getattr(type(layer), "extracted", None))


class InplaceProxy(fx.Proxy):
    """Records `y += x` as what it is; torch.fx's own proxy makes it a sum in a new tensor."""

    def __iadd__(self, other: Any) -> fx.Proxy:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class PlanTracer(fx.Tracer):
    """Records a forward pass in which every layer - of torch, of the elastic parts, and whatever has parameters of its
    own - is one step. What other threads run meanwhile is none of it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.paths = {module: path for path, module in net.named_modules()}
        self.layers: dict[str, nn.Module] = {}
        self.cuts: dict[str, Any] = {}
        self.thread = threading.get_ident()
        self.settling = False

    @contextmanager
    def off(self) -> Iterator[None]:
        """While a layer's plain twin is made, the modules that make its weight are called as always."""
        self.settling = True
        try:
            yield
        finally:
            self.settling = False

    def path_of_module(self, mod: nn.Module) -> str:
        path: str = self.paths[mod]
        return path

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return InplaceProxy(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if is_elastic(m) or super().is_leaf_module(m, module_qualified_name):
            return True
        if getattr(type(m), "only_training", False):
            return True  # in eval mode nothing would be left of it
        if getattr(type(m), "one_step", False):
            return True
        return next(m.parameters(recurse=False), None) is not None

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        if threading.get_ident() != self.thread or self.settling:
            return forward(*args, **kwargs)
        path = self.path_of_module(m)
        if is_elastic(m):
            x, cut = (*args, None)[:2]
            self.cuts[path] = cut
            with self.off():
                refresh(m)
                self.layers[path] = m.extracted(cut)  # type: ignore[operator]
            return self.create_proxy("call_module", path, (x,), {})
        if self.is_leaf_module(m, path):
            with self.off():
                self.layers[path] = settled(m)
                vars(self.layers[path]).pop("present", None)  # it is there, whatever the plan
        return super().call_module(m, forward, args, kwargs)


class Folded(fx.GraphModule):
    """An extracted network whose norms are folded into the layers before them: for inference alone."""

    def train(self, mode: bool = True) -> Folded:
        if mode:
            raise RuntimeError(
                "the norms of this network are folded into its weights, and it cannot be trained: "
                "net.extract(plan) keeps them"
            )
        return super().train(mode)


def extract(
    net: nn.Module,
    plan: Any = None,
    fold: bool = False,
    resized: bool = True,
    merge: bool = False,
) -> fx.GraphModule:
    """A plain static copy of the sub-network of `plan`, in eval mode; of all of `net` where that takes no plan.

    Its forward takes the inputs only, and resizes them as `net(x, plan)` does; with `resized=False` they have to come
    at the plan's resolution. Parameters and buffers are copies under the same names, of the sizes in use; with norm
    banks, the bank in use takes the name of the norm. The result can be saved, compiled and exported.

    To train it further, take it as it is and call `.train()`: it has norms, dropout and stochastic depth of its own
    (only dropout inside an attention is left out); weights that a triangular connection keeps at zero are free. With
    `fold` the norms are folded into the layers before them and standardised weights are made once, which is faster and
    computes the same, and the network refuses to be trained: without its norms it would lose most of what it knows.
    With `fold`, and with `merge` alone, parallel linear branches that are summed, as RepVGG's, become one convolution:
    `meta["merged"]` says which.
    """
    if plan is not None and not resized:
        plan = plan.replaced(resolution=None)
    graph, layers, _ = traced(net, plan)
    if fold:
        layers = {path: with_plain_weight(layer) for path, layer in layers.items()}
    merged = merge_all(graph, layers) if fold or merge else {}
    if fold:
        fold_norms(graph, layers)
        layers = {path: at_rest(layer) for path, layer in layers.items()}
        overwrite(graph, layers)
    # a graph of its own: the traced one keeps its tracer, which would be saved with it
    clean = fx.Graph()
    clean.output(clean.graph_copy(graph, {}))
    made = (Folded if fold else fx.GraphModule)(layers, clean, type(net).__name__).eval()
    made.meta["merged"] = merged
    return made


def merge_all(graph: fx.Graph, layers: dict[str, nn.Module]) -> dict[str, str]:
    """Merges parallel linear branches. Returns the branches of each convolution that they become, by its path."""
    ways = merge_branches(graph, layers)
    for path, way in ways.items():
        layers[path] = merged_layer(way, layers)
    left = {str(node.target) for node in graph.nodes if node.op == "call_module"}
    for path in [path for path in layers if path not in left]:
        del layers[path]
    return {path: str(way) for path, way in ways.items()}


@torch.no_grad()
def merged_layer(way: Linear, layers: Mapping[str, nn.Module]) -> nn.Conv2d:
    """The convolution that parallel branches are."""
    whole = window_of(way, windows_in(layers))
    assert whole is not None
    weight, bias = merged_filters(
        way, whole, lambda path: filters(layers[path]), lambda path: scaling(layers[path])
    )
    like = layers[way.convs()[0]].weight
    assert isinstance(like, Tensor)
    conv = nn.Conv2d(
        *whole.channels,
        whole.kernel,
        whole.stride,
        whole.padding,
        whole.dilation,
        whole.groups,
        bias is not None,
        device="meta",
    )
    conv.weight = nn.Parameter(weight.to(like))
    if bias is not None:
        conv.bias = nn.Parameter(bias.to(like))
    return conv.eval()


def filters(conv: Any) -> Filters:
    """A convolution's weight and bias in double precision."""
    return wide(conv.weight), None if conv.bias is None else wide(conv.bias)


def scaling(norm: Any) -> Scaling:
    """A norm's scale and shift in double precision: s = gamma / sqrt(var + eps), and beta - s mean."""
    scale = (wide(norm.running_var) + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * wide(norm.weight)
    shift = -wide(norm.running_mean) * scale
    return scale, shift if norm.bias is None else shift + wide(norm.bias)


def at_rest(layer: nn.Module) -> nn.Module:
    """A layer as it is in eval mode: nothing, where it does something in training alone."""
    return nn.Identity() if getattr(type(layer), "only_training", False) else layer


def with_plain_weight(layer: nn.Module) -> nn.Module:
    """A layer of torch that computes the same in inference, where one makes its weight anew in each call."""
    plain = getattr(layer, "with_plain_weight", None)
    return layer if plain is None else plain()


def traced(net: nn.Module, plan: Any) -> tuple[fx.Graph, dict[str, nn.Module], dict[str, Any]]:
    """The steps of one sub-network in eval mode, without what no output reads; its plain layers by path, and the cuts
    that those of elastic layers were made with."""
    tracer = PlanTracer(net)
    names = input_names(net)
    plans = [] if plan is None else [plan]
    with TRACING, evaluating(net):
        if len(names) == 1:
            graph = tracer.trace(lambda x: net(x, *plans))
        else:
            graph = tracer.trace(
                lambda inputs: net(*(inputs[i] for i in range(len(names))), *plans)
            )
            part_inputs(graph, names)
    drop_unread(graph)
    return graph, tracer.layers, tracer.cuts


def input_names(net: nn.Module) -> list[str]:
    """What the forward of a network takes, its plan aside."""
    parameters = inspect.signature(type(net).forward).parameters
    return [name for name in parameters if name not in ("self", "plan")]


def drop_unread(graph: fx.Graph) -> None:
    """Leaves out what no output depends on: a plan may ask for an early output alone."""
    for node in reversed(list(graph.nodes)):
        if not node.users and node.op not in ("placeholder", "output"):
            graph.erase_node(node)


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode for a while; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def part_inputs(graph: fx.Graph, names: Sequence[str]) -> None:
    """Turns the one tuple of inputs that a graph takes into an input each, by these names."""
    (whole,) = graph.find_nodes(op="placeholder")
    with graph.inserting_before(whole):
        parts = [graph.placeholder(name) for name in names]
    for item in list(whole.users):
        item.replace_all_uses_with(parts[item.args[1]])
        graph.erase_node(item)
    graph.erase_node(whole)


def fold_norms(graph: fx.Graph, layers: dict[str, nn.Module]) -> None:
    """Folds every batch norm that alone reads a convolution or linear layer into it."""
    for node in graph.nodes:
        norm = layers.get(node.target) if node.op == "call_module" else None
        if not isinstance(norm, _BatchNorm):
            continue
        before = node.args[0]
        layer = layers.get(before.target) if before.op == "call_module" else None
        if isinstance(layer, (nn.Conv2d, nn.Linear)) and len(before.users) == 1:
            fold_norm(layer, norm)
            node.replace_all_uses_with(before)
            graph.erase_node(node)
            del layers[node.target]


@torch.no_grad()
def fold_norm(layer: nn.Conv2d | nn.Linear, norm: _BatchNorm) -> None:
    """Makes `layer` compute norm(layer(x)) in eval mode.

    w' = s w and b' = s (b - mean) + beta, with s = gamma / sqrt(var + eps).
    """
    mean, var = norm.running_mean, norm.running_var
    assert mean is not None
    assert var is not None
    gamma = norm.weight if norm.affine else torch.ones_like(var)
    scale = wide(gamma) / torch.sqrt(wide(var) + norm.eps)
    bias = -wide(mean) if layer.bias is None else wide(layer.bias) - wide(mean)
    weight = wide(layer.weight) * scale.view(-1, *[1] * (layer.weight.dim() - 1))
    layer.weight.copy_(weight)
    beta = norm.bias if norm.affine else torch.zeros_like(mean)
    layer.bias = nn.Parameter((scale * bias + wide(beta)).to(layer.weight))


def wide(tensor: Tensor) -> Tensor:
    """The tensor in double precision, on the CPU if its device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
