"""Module stacks that lie, and names that a spec can't have: the text is the network all the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from specc.importing.network import Frame, Network, Operation
from specc.importing.text.naming import legal, snake
from specc.importing.text.write import write
from specc.pipeline import load
from specc.source import Source
from tests.helpers.folders import SPECS
from tests.helpers.imported import largest, network_of, same_network

SOME = ("resnet18", "digits_msdnet", "digits_mobilenet_v3_ofa", "digits_densenet", "digits_vit_adn", "digits_inclusive")


def network(name: str) -> Network:
    return network_of(largest(load(SPECS / f"{name}.specc").graph))


def with_stacks(network: Network, stack: Callable[[int, Operation], tuple[Frame, ...]]) -> Network:
    operations = tuple(replace(op, stack=stack(i, op)) for i, op in enumerate(network.operations))
    return replace(network, operations=operations)


def check(network: Network) -> str:
    written = write(network)
    problem = same_network(network, written)
    assert not problem, f"{problem}\n{written.text}"
    return written.text


@pytest.mark.parametrize("name", SOME)
def test_no_modules(name: str) -> None:
    """One class with everything in its forward, or functions alone."""
    check(with_stacks(network(name), lambda i, op: ()))
    check(with_stacks(network(name), lambda i, op: (Frame("", "net.Net"),)))


@pytest.mark.parametrize("name", SOME)
def test_modules_at_random(name: str) -> None:
    """Operations in modules that have nothing to do with them, left and entered again, called several times."""
    rng = random.Random(name)
    types = ("a.A", "b.B", "torch.nn.modules.container.Sequential")

    def stack(i: int, op: Operation) -> tuple[Frame, ...]:
        depth = rng.randrange(4)
        numbers = [rng.randrange(3) for _ in range(depth)]
        paths = [".".join(f"m{n}" for n in numbers[: k + 1]) for k in range(depth)]
        return (Frame("", "net.Net"), *(Frame(path, types[n], rng.randrange(2)) for path, n in zip(paths, numbers)))

    for _ in range(2):
        check(with_stacks(network(name), stack))


@pytest.mark.parametrize("name", SOME)
def test_modules_of_neighbours(name: str) -> None:
    """Stretches of neighbouring operations, nested, of a few classes: modules that cut across what belongs together."""
    rng = random.Random(name)
    for _ in range(2):
        net = network(name)
        inner, outer = rng.randrange(2, 9), rng.randrange(9, 30)

        def stack(i: int, op: Operation, inner: int = inner, outer: int = outer) -> tuple[Frame, ...]:
            path = f"part{i // outer}"
            return (
                Frame("", "net.Net"),
                Frame(path, "net.Part"),
                Frame(f"{path}.{i // inner}", f"net.Small{i // inner % 2}"),
            )

        check(with_stacks(net, stack))


NASTY = (
    "0",
    "class",
    "stem",
    "head",
    "conv",
    "norm",
    "repeat",
    "größe",
    "重み",
    "in",
    "here",
    "relu",
    "max",
    "x",
    "_",
    "input",
)


@pytest.mark.parametrize("name", SOME)
def test_names_that_mean_something_else(name: str) -> None:
    """Attributes and classes called like keywords, operators and each other, and in other scripts."""
    rng = random.Random(name)
    renamed: dict[str, str] = {}

    def nasty(word: str) -> str:
        if word not in renamed:
            renamed[word] = rng.choice(NASTY) + ("" if rng.random() < 0.5 else word)
        return renamed[word]

    def stack(i: int, op: Operation) -> tuple[Frame, ...]:
        def path(frame: Frame) -> str:
            return ".".join(nasty(part) for part in frame.path.split(".")) if frame.path else ""

        def type(frame: Frame) -> str:
            return frame.type if frame.type.startswith("torch.") else f"net.{nasty(frame.type)}"

        return tuple(Frame(path(frame), type(frame), frame.call) for frame in op.stack)

    net = with_stacks(network(name), stack)
    check(replace(net, name="größtes Netz 2.0"))


def test_a_module_that_is_called_twice() -> None:
    """Its weights are shared, which is the trace's to tell; its calls are two calls of one block."""
    text = (
        "block twice(out) { residual { conv(out, kernel=3); norm; relu; conv(out, kernel=3); norm }; silu\n"
        "residual { conv(out, kernel=5); norm; relu; conv(out, kernel=1); norm }; silu }\n"
        "supernet n { input image(3, 8, 8); classes 4; norm batch; stem { conv(8, kernel=3) }\n"
        "stage s1 { twice(8); relu; twice(8) }; head { pool(avg); linear(classes) } }\n"
    )
    net = network_of(load(Source("n.specc", text)).graph)

    def stack(i: int, op: Operation) -> tuple[Frame, ...]:
        return tuple(replace(f, path="s1.b", call=int("b2" in f.path)) if ".b" in f.path else f for f in op.stack)

    found = check(with_stacks(net, stack))
    assert found.count("block twice") == 1
    assert "twice; relu; twice" in found


def test_a_loop_over_modules_and_operations_between_them() -> None:
    text = (
        "block unit(out) { conv(out, kernel=3); norm; relu; conv(out, kernel=3); norm }\n"
        "supernet n { input image(3, 8, 8); classes 4; norm batch; stem { conv(8, kernel=3) }\n"
        "stage s1 { repeat 4 { unit(8); silu } }; head { pool(avg); linear(classes) } }\n"
    )
    found = check(network_of(load(Source("n.specc", text)).graph))
    assert "repeat 3 { unit; silu }" in found


def test_layers_that_concatenate_all_before_them_are_a_repeat() -> None:
    """As torchvision's DenseNet: each layer joins the whole list again."""
    text = (
        "block layer2(out) { norm; relu; conv(16, kernel=1); norm; relu; conv(out, kernel=3) }\n"
        "supernet n { input image(3, 8, 8); classes 4; norm batch; stem { a = conv(8, kernel=3) }\n"
        "stage s1 { b = layer2(4, from=a); concat(a, b); c = layer2(4); concat(a, b, c); d = layer2(4)\n"
        "concat(a, b, c, d) }; head { pool(avg); linear(classes) } }\n"
    )
    found = check(network_of(load(Source("n.specc", text)).graph))
    assert "repeat 3 { concat(here, dense_layer(4)) }" in found


@pytest.mark.parametrize(
    ("class_name", "block"),
    [
        ("InvertedResidual", "inverted_residual"),
        ("MBConv", "mb_conv"),
        ("Conv2dNormActivation", "conv2d_norm_activation"),
        ("größe", "grosse"),
        ("2DConv", "d_conv"),
        ("ConvNeXtBlock", "convnext_block"),
        ("MobileViTBlock", "mobilevit_block"),
        ("ConvBnAct", "conv_bn_act"),
    ],
)
def test_names_of_blocks(class_name: str, block: str) -> None:
    assert snake(class_name) == block


def test_what_is_left_of_names() -> None:
    found: Sequence[str] = [legal(name) for name in ("0", "1x1", "block-2", "重み", "_a", "a b")]
    assert found == ["", "x1", "block_2", "", "a", "a_b"]
