"""Products of matrices in a trace, whichever operator computes them: `a @ b`, `bmm` and `einsum`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from specc.traced.found import Seen
from specc.traced.graph import Node
from specc.traced.views import View


@dataclass(frozen=True, slots=True)
class Product:
    """A product of matrices.

    left   what is read as [.., rows, inner], and `right` as [.., inner, columns]: views
    first  the arguments that these are views of, and `second`
    plain  whether the result is [.., rows, columns]; einsum can put these anywhere
    """

    node: Node
    first: object
    second: object
    left: View
    right: View
    plain: bool = True


def product_of(argument: object, seen: Seen) -> Product | None:
    """The product whose result an argument is."""
    node = seen.node(argument, "aten.matmul", "aten.bmm", "aten.einsum")
    if node is None:
        return None
    if node.target == "aten.einsum":
        return einsum(node, seen)
    first, second = node["self"], node["other"] if node.target == "aten.matmul" else node["mat2"]
    left, right = seen.view(first), seen.view(second)
    if left is None or right is None or min(len(left.axes), len(right.axes)) < 2:
        return None
    return Product(node, first, second, left, right)


def einsum(node: Node, seen: Seen) -> Product | None:
    """`einsum("bij,bjk->bik", a, b)`, also where either stands transposed."""
    named = letters(node)
    tensors = cast("tuple[object, ...]", node["tensors"])
    if named is None or len(tensors) != 2:
        return None
    (one, other), result = named
    inner = [letter for letter in one if letter in other and letter not in result]
    rows = [letter for letter in one if letter not in other]
    columns = [letter for letter in other if letter not in one]
    if [len(inner), len(rows), len(columns)] != [1, 1, 1]:
        return None
    before = [letter for letter in result if letter in one and letter in other]
    left, right = seen.view(tensors[0]), seen.view(tensors[1])
    if left is None or right is None:
        return None
    return Product(
        node,
        tensors[0],
        tensors[1],
        View(left.base, tuple(left.axes[one.index(x)] for x in (*before, *rows, *inner)), left.picks),
        View(right.base, tuple(right.axes[other.index(x)] for x in (*before, *inner, *columns)), right.picks),
        [*before, *rows, *columns] == [*result],
    )


def letters(node: Node) -> tuple[tuple[str, ...], str] | None:
    """The letters of einsum's operands and of its result; None where some stand for several axes or are implied."""
    equation = str(node["equation"]).replace(" ", "")
    before, arrow, result = equation.partition("->")
    words = tuple(before.split(","))
    if not arrow or "." in equation or any(len({*word}) != len(word) for word in words):
        return None
    return words, result
