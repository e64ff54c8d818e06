"""Names and text of a spec as they may stand in generated code: identifiers, class names, comments."""

from __future__ import annotations

import keyword
from collections.abc import MutableSet, Set
from typing import Final

from specc.ir.window import SIDES

_ATTRIBUTES: Final = """
    T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double
    dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu
    load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters
    register_backward_hook register_buffer register_forward_hook register_forward_pre_hook
    register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook
    register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook
    register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to
    to_empty train training type xpu zero_grad plan use extract extracted fused cut self chosen resolution outputs
    assignment prediction wanted result
    normalise_batch slices counts steps predictions features present space parts absent sizes planner held
"""
MODULE_ATTRIBUTES: Final = frozenset(_ATTRIBUTES.split())
"""What a module or plan has already; an op of such a name gets an underscore."""

_GLOBALS: Final = """
    Any Attention BatchNorm1d BatchNorm2d BlockConv2d BlockLinear Callable ClassToken Condition Conv2d Counter
    DiagonalLinear DropPath Elastic ElasticAttention ElasticClassToken ElasticGroupedAttention ElasticLayerScale
    ElasticNet ElasticPReLU ElasticPosition ElasticWindowAttention F Fraction GroupNorm GroupedAttention LayerNorm
    LayerScale Linear Model OneOf OrderedDict PReLU PadSlices Part Plan Position QuickGELU Repeat Round
    SegmentedBatchNorm1d SegmentedBatchNorm2d SegmentedConv2d SegmentedGroupNorm SegmentedLayerNorm SegmentedLinear
    Size Skippable SlicedNet Stage Tensor TransformedConv2d TriangularConv2d TriangularLinear Value WindowAttention
    annotations blocks bool ceil choice dict divisible enumerate exit_predictions float floor gelu greatest half_up
    hsigmoid hswish int layer named nn pick position range relu relu6 resize rounds sigmoid silu sized smallest
    space stage str super tanh torch tuple wanted when
"""
MODEL_GLOBALS: Final = frozenset(_GLOBALS.split())
"""Names that the code of model.py uses; no class, parameter or variable made from a spec may take one."""


def identifier(name: str) -> str:
    """A Python identifier: ASCII letters, digits and underscores; no keyword, no dunder, no private name."""
    text = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in name)
    text = text.rstrip("_") + "_" if text.startswith("__") else text
    text = text.lstrip("_") or "op"
    if text[0].isdigit():
        text = f"n{text}"
    return f"{text}_" if keyword.iskeyword(text) else text


def attribute(name: str) -> str:
    """The attribute of a generated module for an op or scope of this name."""
    text = identifier(name)
    return f"{text}_" if text in MODULE_ATTRIBUTES else text


def class_name(name: str, reserved: Set[str] = MODEL_GLOBALS) -> str:
    """`inverted_residual` as `InvertedResidual`; a name that model.py uses gets something behind it."""
    text = camel(name)
    return f"{text.rstrip('_')}Net" if text in reserved or text.endswith("_") else text


def camel(name: str) -> str:
    """`inverted_residual` as `InvertedResidual`, as a part of a class's name."""
    words = identifier(name).strip("_").split("_")
    return identifier("".join(word[:1].upper() + word[1:] for word in words))


def fresh(name: str, taken: MutableSet[str]) -> str:
    """The name, or the name with the first number that makes it new. Adds it to `taken`."""
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name.rstrip('_')}{number}"
    taken.add(candidate)
    return candidate


def comment(text: str) -> str:
    """Text of a spec fit for a comment or docstring: printable ASCII without quotes and backslashes, one line."""
    return "".join(c if c.isascii() and c.isprintable() and c not in "\"'\\" else "?" for c in text)


def choice_leaf(name: str) -> str:
    """The last part of a choice's name: `depth` of `s1.depth`, and `kernel_height` of `s1.conv.kernel.height`."""
    *_, before, leaf = ("", *name.split("."))
    return identifier(f"{before}_{leaf}" if before == "kernel" and leaf in SIDES else leaf)
