"""What people write who come from PyTorch, timm, Keras or Python, and how it is written here. For help lines alone."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Final

PAIR: Final = "write height and width in square brackets: `kernel=[1, 7]`; one number is both: `kernel=3`"
"""Said of `kernel=(1, 7)`, which must never lead to `kernel={1, 7}`: that is an elastic kernel."""
SQUARE: Final = "this is square: one number for height and width"
"""Said of `[8, 16]` where there is no pair."""

NO_1D: Final = "maps have height and width, so there are no 1d and 3d layers; tokens have `linear` and `attention`"

ACTIVATIONS: Final = "among the activations are relu, relu6, hswish, silu, gelu, mish, leaky_relu and elu"

_CONV = "write `conv(out, kernel=3)`: how many channels arrive is known"
_NORM = "write `norm`, and `norm {}` before it, once"
_GLOBAL = "write `pool({})`: without a kernel it takes the whole map"
_WINDOWS = "write `pool({}, 2)`, or `pool({}, size=7)` for a map of 7x7"
_NO_SHAPES = (
    "there is no such operator: shapes follow from the operators. `flatten` makes a vector, `patch_embed` tokens"
)
_NO_SOFTMAX = "leave it out: a head ends in the values that a softmax takes, as losses do"
_NO_RECURRENT = "there are no recurrent layers: tokens have `attention` and `linear`"
_NO_PRODUCT = "there is no such operator: `multiply(a, b)`, `add(a, b)` and `subtract(a, b)` work number by number"

OPERATORS: Final[Mapping[str, str]] = {
    # convolutions
    "conv": _CONV,
    "convolution": _CONV,
    "pointwiseconv": "write `conv(out, kernel=1)`",
    "groupedconv": "write `conv(out, kernel=3, groups=4)`",
    "groupconv": "write `conv(out, kernel=3, groups=4)`",
    "dilatedconv": "write `conv(out, kernel=3, dilation=2)`",
    "atrousconv": "write `conv(out, kernel=3, dilation=2)`",
    "depthwiseconv": "write `depthwise(kernel=3)`",
    "dwconv": "write `depthwise(kernel=3)`",
    "separableconv": "write `depthwise(kernel=3); conv(out, kernel=1)`",
    "convtranspose": "write `conv_transpose(out, kernel=2, stride=2)`",
    "convtransposed": "write `conv_transpose(out, kernel=2, stride=2)`",
    "transposedconv": "write `conv_transpose(out, kernel=2, stride=2)`",
    "deconv": "write `conv_transpose(out, kernel=2, stride=2)`",
    "deformconv": "there is no deformable convolution: write `conv(out, kernel=3)`",
    "convbnrelu": "write `conv(out, kernel=3); norm; relu`, or `import std.plain` and `conv_norm_relu(out)`",
    "convbnact": "write `conv(out, kernel=3); norm; relu`, or `import std.plain` and `conv_norm_relu(out)`",
    "convnormact": "write `conv(out, kernel=3); norm; relu`, or `import std.plain` and `conv_norm_relu(out)`",
    "convnormactivation": "write `conv(out, kernel=3); norm; relu`, or `import std.plain` and `conv_norm_relu(out)`",
    # norms
    "batchnorm": _NORM.format("batch"),
    "batchnormalization": _NORM.format("batch"),
    "bn": _NORM.format("batch"),
    "syncbatchnorm": _NORM.format("batch"),
    "frozenbatchnorm": _NORM.format("batch"),
    "layernorm": _NORM.format("layer"),
    "layernormalization": _NORM.format("layer"),
    "ln": _NORM.format("layer"),
    "groupnorm": _NORM.format("group(groups=32)"),
    "groupnormalization": _NORM.format("group(groups=32)"),
    "gn": _NORM.format("group(groups=32)"),
    "instancenorm": _NORM.format("instance"),
    "rmsnorm": _NORM.format("rms"),
    "lrn": "write `local_response_norm(size)`",
    "localresponsenorm": "write `local_response_norm(size)`",
    "weightnorm": "there is no weight norm: write `norm`, and `norm batch` before it, once",
    "spectralnorm": "there is no spectral norm: write `norm`, and `norm batch` before it, once",
    # activations
    "hardswish": "write `hswish`",
    "hardsigmoid": "write `hsigmoid`",
    "swish": "write `silu`",
    "activation": f"write the activation itself: {ACTIVATIONS}",
    "act": f"write the activation itself: {ACTIVATIONS}",
    **dict.fromkeys(
        "rrelu softsign hardmish tanhshrink hardshrink softshrink threshold logsigmoid maxout".split(),
        f"there is no such activation: {ACTIVATIONS}",
    ),
    "leakyrelu": "write `leaky_relu`",
    "lrelu": "write `leaky_relu`",
    "gelutanh": "write `gelu_tanh`",
    "quickgelu": "write `quick_gelu`",
    "clamp": "write `hardtanh(low, high)`",
    "clip": "write `hardtanh(low, high)`",
    **dict.fromkeys(
        "glu geglu swiglu reglu".split(), "write `(a, b) = split(2)`, and `multiply(a, sigmoid(b))` with its activation"
    ),
    "logsoftmax": _NO_SOFTMAX,
    # pools and sizes
    "avgpool": "write `pool(avg, 2)`, or `pool(avg)` for the whole map",
    "averagepooling": "write `pool(avg, 2)`, or `pool(avg)` for the whole map",
    "maxpooling": "write `maxpool(2)`, or `pool(max)` for the whole map",
    "adaptiveavgpool": "write `pool(avg)`, or `pool(avg, size=7)`",
    "adaptivemaxpool": "write `pool(max)`, or `pool(max, size=7)`",
    "globalavgpool": _GLOBAL.format("avg"),
    "globalaveragepooling": _GLOBAL.format("avg"),
    "globalmaxpool": _GLOBAL.format("max"),
    "globalmaxpooling": _GLOBAL.format("max"),
    "gap": _GLOBAL.format("avg"),
    "mean": _GLOBAL.format("avg"),
    "reducemean": _GLOBAL.format("avg"),
    "avg": _WINDOWS.format("avg", "avg"),
    "max": _WINDOWS.format("max", "max"),
    "lppool": "there is no such pool: `pool(avg, 2)` and `maxpool(2)`",
    "fractionalmaxpool": "there is no such pool: `pool(avg, 2)` and `maxpool(2)`",
    "maxunpool": "there is no unpooling: write `upsample(2)`",
    "interpolate": "write `upsample(2)`",
    "upsampling": "write `upsample(2)`",
    "resize": "write `upsample(2)`; smaller maps come from strides and pools",
    "downsample": "write a stride: `conv(out, kernel=3, stride=2)`, or `pool(avg, 2)`",
    "pixelshuffle": "write `pixel_shuffle(2)`",
    "depthtospace": "write `pixel_shuffle(2)`",
    "pixelunshuffle": "write `space_to_depth(2)`",
    "spacetodepth": "write `space_to_depth(2)`",
    "focus": "there is no such operator: write `conv(out, kernel=6, stride=2, padding=2)`",
    **dict.fromkeys(
        "zeropad zeropadding constantpad reflectionpad replicationpad circularpad".split(),
        "write `pad(top=1, bottom=1, left=1, right=1)`, with `mode=reflect` where it is no zeros",
    ),
    "crop": "there is no cropping: images are cropped by `train { augment=[crop] }`",
    "gridsample": "there is no such operator: write `upsample(2)`",
    # joining, cutting and moving
    "cat": "write `concat(a, b)`",
    "concatenate": "write `concat(a, b)`",
    "stack": "write `concat(a, b)`: it joins channels",
    "chunk": "write `(l, r) = split(2)`",
    "channelshuffle": "write `shuffle(groups)`",
    "sum": "write `add(a, b)`, or `residual { }`",
    "plus": "write `add(a, b)`, or `residual { }`",
    "skip": "write `residual { }` for a sum, `skippable { }` for what may be left out",
    "identity": "leave it out; where a tensor is needed, `here` is what arrives",
    **dict.fromkeys(
        "view reshape permute transpose squeeze unsqueeze rearrange unflatten slice narrow".split(), _NO_SHAPES
    ),
    "roll": "there is no roll; `attention(heads, window=7, shift=3)` moves its windows",
    **dict.fromkeys("div divide pow matmul bmm einsum bilinear".split(), _NO_PRODUCT),
    **dict.fromkeys("mul prod product".split(), "write `multiply(a, b)`"),
    "sub": "write `subtract(a, b)`",
    "layerscale": "write `layer_scale(start=1e-6)`",
    "gamma": "write `layer_scale(start=1e-6)`",
    # layers on vectors and tokens
    "linear": "write `linear(out)`: how many features arrive is known",
    "dense": "write `linear(out)`: how many features arrive is known",
    "fc": "write `linear(out)`: how many features arrive is known",
    "fullyconnected": "write `linear(out)`: how many features arrive is known",
    "gemm": "write `linear(out)`: how many features arrive is known",
    "mlp": "write `linear(hidden); gelu; linear(out)`",
    "feedforward": "write `linear(hidden); gelu; linear(out)`",
    "multiheadattention": "write `attention(heads)`",
    "multiheadselfattention": "write `attention(heads)`",
    "selfattention": "write `attention(heads)`",
    "mhsa": "write `attention(heads)`",
    "msa": "write `attention(heads)`",
    "crossattention": "there is no cross-attention: `attention(heads)` is between the tokens that arrive",
    "windowattention": "it is called `attention(heads, window=7)`",
    "transformerencoderlayer": "write `import std.vit` and `encoder(heads, mlp)`",
    "transformerblock": "write `import std.vit` and `encoder(heads, mlp)`",
    "patchembed": "write `patch_embed(size, dim)`",
    "patchembedding": "write `patch_embed(size, dim)`",
    "clstoken": "write `class_token`",
    "positionembedding": "write `position`",
    "posembed": "write `position`",
    "positionalencoding": "write `position`: positions are learned",
    "embedding": "there is no embedding: what goes in are images and vectors",
    **dict.fromkeys("lstm gru rnn convlstm lstmcell grucell".split(), _NO_RECURRENT),
    # regularisation
    "stochasticdepth": "write `drop_path(rate)`, at the end of a residual's body",
    "dropconnect": "write `drop_path(rate)`, at the end of a residual's body",
    "dropblock": "there is no DropBlock: write `dropout(rate)` or `drop_path(rate)`",
    "alphadropout": "write `dropout(rate)`",
    "spatialdropout": "write `dropout(rate)`",
    "gaussiannoise": "there is no noise layer: `train { augment=[..] }` changes the images",
    # blocks
    "se": "write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "selayer": "write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "semodule": "write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "squeezeexcitation": "write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "squeezeexcite": "write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "ecalayer": "there is no ECA: write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "eca": "there is no ECA: write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "gate": "write `import std.squeeze_excite` and `scale(x, excitation(in, from=x))`",
    "cbam": "there is no CBAM: write `import std.squeeze_excite` and `squeeze_excite(in / 4)`",
    "basicblock": "write `import std.resnet` and `basic(out)`",
    "resblock": "write `import std.resnet` and `basic(out)`, or `residual { }` yourself",
    "residualblock": "write `import std.resnet` and `basic(out)`, or `residual { }` yourself",
    "bottleneckblock": "write `import std.resnet` and `bottleneck(width)`",
    "invertedresidual": "write `import std.mobilenet` and `inverted_residual(out)`",
    "invertedbottleneck": "write `import std.mobilenet` and `inverted_residual(out)`",
    "mbconv": "write `import std.efficientnet` and `mb_conv(out)`",
    "denselayer": "write `import std.densenet` and `dense_layer(growth)`",
    "sequential": "write the layers one after the other: `conv(64, kernel=3); norm; relu`",
    "modulelist": "write `repeat n { }`",
}
"""By a layer's name in small letters, without its module, its dimensions and `_`."""

PARAMETERS: Final[Mapping[str, str]] = {
    "kernelsize": "write `kernel=3`",
    "ksize": "write `kernel=3`",
    "k": "write `kernel=3`",
    "poolsize": "write `kernel=2`",
    "outchannels": "write `out=64`, or the number alone: `conv(64, kernel=3)`",
    "outfeatures": "write `out=64`, or the number alone: `linear(64)`",
    "filters": "write `out=64`, or the number alone: `conv(64, kernel=3)`",
    "channels": "write `out=64`, or the number alone: `conv(64, kernel=3)`",
    "units": "write `out=64`, or the number alone: `linear(64)`",
    "inchannels": "leave it out: how many channels arrive is known",
    "infeatures": "leave it out: how many features arrive is known",
    "numfeatures": "leave it out: how many features arrive is known",
    "inputshape": "leave it out: what arrives is known; `input image(3, 224, 224)` says it once",
    "strides": "write `stride=2`",
    "pad": "write `padding=1`",
    "paddingmode": "write `pad(top=1, .., mode=reflect)` before it, and `padding=0`",
    "dilationrate": "write `dilation=2`",
    "usebias": "write `bias=yes`",
    "outputsize": "write `size=7`, or nothing for the whole map",
    "ceilmode": "write `ceil=yes`",
    "countincludepad": "write `count_padding=no`",
    "activation": "write the activation after it: `conv(64, kernel=3); relu`",
    "act": "write the activation after it: `conv(64, kernel=3); relu`",
    "inplace": "leave it out",
    "numheads": "write `heads=8`",
    "embeddim": "leave it out: how many features arrive is known",
    "numgroups": "write `groups=32`",
    "scalefactor": "write `factor=2`",
    "p": "write `rate=0.1`, or the number alone: `dropout(0.1)`",
    "prob": "write `rate=0.1`, or the number alone: `dropout(0.1)`",
    "dropprob": "write `rate=0.1`, or the number alone: `drop_path(0.1)`",
    "affine": "leave it out: all norms but `instance` always have scales",
    "trackrunningstats": "leave it out: batch norms have running statistics",
    "name": "write the name before it: `name = conv(64, kernel=3)`",
    **dict.fromkeys(
        "kernelh kernelw kernelheight kernelwidth kh kw strideh stridew padh padw paddingh paddingw".split(), PAIR
    ),
}
"""By a parameter's name in small letters, without `_`; only where the operator has no parameter of that name."""

VALUES: Final[Mapping[str, str]] = {
    "True": "write `yes`",
    "False": "write `no`",
    "true": "write `yes`",
    "false": "write `no`",
    "None": "leave the argument out",
    "same": "leave `padding` out: it then keeps height and width, at stride 1",
    "valid": "write `padding=0`",
    **dict.fromkeys(("mean", "average"), "write `avg`"),
    "maximum": "write `max`",
    **dict.fromkeys(("reflect", "replicate", "circular"), "write `pad(top=1, .., mode=reflect)` before it"),
}

STATEMENTS: Final[Mapping[str, str]] = {
    "if": "write `when condition { ... }`",
    "elif": "write `else when condition { ... }`",
    "for": "write `repeat n as i { ... }`; `i` counts from 0",
    "while": "write `repeat n { ... }`",
    "def": "write `block name(parameters) { ... }`, outside all braces",
    "class": "write `block name(parameters) { ... }`, outside all braces",
    "from": "write `import std.mobilenet`: all its blocks are then known",
}
"""By the word that a statement begins with."""

INPUTS: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("tokens", "text", "video", "volume", "points", "graph"),
        "inputs are `image(channels, height, width)` and `vector(features)`; `specc explain limits` lists what is "
        "missing",
    ),
    **dict.fromkeys(("audio", "sequence", "series", "wave"), "write `signal(channels, length)`"),
    "picture": "write `image(3, 224, 224)`",
    "features": "write `vector(64)`",
    "tensor": "write `image(3, 224, 224)` or `vector(64)`",
}
"""By what an `input` is called elsewhere."""

WINDOWS: Final = ("kernel", "stride", "padding", "dilation", "size", "kernel_size", "pool_size", "strides")
"""Parameters that may have two numbers, for height and width."""


TUPLES: Final = "there are no tuples: `{16, 32}` is a choice between two options, `[a, b]` a list of settings"


def tuple_elsewhere(call: str, parameter: str, first: bool = False) -> str:
    """What is said of `(1, 7)`, given as a parameter ("" where it has no name) of a call ("" outside calls).

    `first` says that it is the first of the arguments, which for a convolution is its width.
    """
    if first and not parameter and re.search("conv", squeezed(call)):
        return TUPLES
    if call in ("image", "input"):
        return "write the sizes one after the other: `image(3, 32, 16)`"
    if squeezed(parameter) in map(squeezed, WINDOWS) or (not parameter and re.search(WINDOWED, squeezed(call))):
        return SQUARE if re.search("patch", squeezed(call)) else PAIR
    return TUPLES if call else "options are written `{3, 5}`, and lists of settings `[a, b]`"


WINDOWED: Final = "conv|depthwise|pool|upsampl|patch"


def squeezed(name: str) -> str:
    """A name without its module, its capitals and its `_`."""
    return name.rsplit(".", 1)[-1].lower().replace("_", "")


def operator_elsewhere(name: str) -> str:
    """How the layer that another library calls so is written here, or nothing: `nn.BatchNorm2d`, `batch_norm`."""
    word = squeezed(name)
    plain = re.sub(r"(?<=[a-z])[123]d(?=$|[a-z])", "", word)
    if re.search(r"[13]d", word) and re.search(r"conv|pool|pad|upsampl", word):
        return NO_1D
    return OPERATORS.get(plain, "")


def parameter_elsewhere(name: str, known: Container[str]) -> str:
    """How an argument that another library takes is written here, where the operator has the parameter it means."""
    help = PARAMETERS.get(squeezed(name), "")
    meant = re.match(r"write `(\w+)=", help)
    return help if meant is None or meant[1] in known else ""
