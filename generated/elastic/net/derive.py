"""Plans derived from the module tree: each layer is asked for its cut at the sizes that it holds.

The tree is walked once, which gives a recipe: the sizes in the order in which they are evaluated,
and of every module what its part of a plan consists of. What is the same in all sub-networks is made
once. Where modules were put in, taken out or replaced since, the tree is walked anew.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from torch import nn

from elastic.net.elastic import Elastic, Value, presence, takes_plan
from elastic.net.plan import (
    Option,
    Part,
    Plan,
    Space,
    complete,
    known_outputs,
    listed,
    resolve,
    wanted_outputs,
)
from elastic.net.sizes import Expr, OneOf, Program, Read, Step, is_plain


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """What a child has in its module's part: `make(*read(values))`."""

    name: str
    make: Callable[..., Any]
    read: Read


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """How the part of one module is made.

    children  what the module consisted of when its recipe was made
    fixed     the entries that are the same in all sub-networks; None for others
    numbers   the names of values, with their places
    always    what is there in every sub-network
    guarded   what is there where the value at a place holds
    inner     the recipes of the modules in it
    """

    module: nn.Module
    children: Mapping[str, nn.Module | None]
    fixed: dict[str, Any]
    numbers: Sequence[tuple[str, int]]
    always: Sequence[Entry]
    guarded: Sequence[tuple[int, Entry]]
    inner: Sequence[Recipe]

    def entries(self, values: Sequence[Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The entries of the part, and the names of those that are absent."""
        found = self.fixed.copy()
        for name, place in self.numbers:
            found[name] = values[place]
        for entry in self.always:
            found[entry.name] = entry.make(*entry.read(values))
        if not self.guarded:
            return found, ()
        absent = []
        for place, entry in self.guarded:
            if values[place]:
                found[entry.name] = entry.make(*entry.read(values))
            else:
                absent.append(entry.name)
        return found, tuple(absent)

    def part(self, values: Sequence[Any]) -> Part:
        return Part(*self.entries(values))

    def is_fixed(self) -> bool:
        return not (self.numbers or self.always or self.guarded)

    def is_current(self) -> bool:
        """Whether the modules are those that the recipe was made of."""
        if self.module._modules != self.children:
            return False
        return all(recipe.is_current() for recipe in self.inner)


def recipe_of(module: nn.Module, program: Program) -> Recipe:
    """The recipe of a module; the sizes in it are placed in the program."""
    fixed: dict[str, Any] = {}
    numbers: list[tuple[str, int]] = []
    always: list[Entry] = []
    guarded: list[tuple[int, Entry]] = []
    inner: list[Recipe] = []
    for name, value in vars(module).items():
        if isinstance(value, Value):
            fixed[name] = value.size if is_plain(value.size) else None
            if fixed[name] is None:
                numbers.append((name, program.place(value.size)))
    for name, child in module._modules.items():
        if child is None:
            continue
        condition = presence(child)
        recipe = recipe_of(child, program) if has_parts(child) else None
        if recipe is not None:
            inner.append(recipe)
        entry = entry_of(name, child, recipe, condition, program)
        if entry is None:
            continue
        fixed[name] = None
        if isinstance(condition, Expr) or not condition:
            guarded.append((program.place(condition), entry))
        elif entry.read is nothing:
            fixed[name] = entry.make()
        else:
            always.append(entry)
    return Recipe(module, dict(module._modules), fixed, numbers, always, guarded, inner)


def entry_of(
    name: str, child: nn.Module, recipe: Recipe | None, condition: Any, program: Program
) -> Entry | None:
    """What a child has in a part; None where that is nothing: a module of torch that is always there."""
    if recipe is not None:
        if recipe.is_fixed():
            return fixed_entry(name, Part(recipe.fixed))
        return Entry(name, recipe.part, whole)
    if "sizes" in vars(child):
        layer: Any = child
        cut = layer.cut if condition == 1 else layer.part
        if all(is_plain(size) for size in layer.sizes):
            return fixed_entry(name, cut(*layer.sizes))
        return Entry(name, cut, program.reader(layer.sizes))
    return None if condition == 1 else fixed_entry(name, True)


def has_parts(module: nn.Module) -> bool:
    """Whether a module has a part of its own: an elastic one, or a list with something that takes a plan."""
    if isinstance(module, Elastic):
        return True
    return "sizes" not in vars(module) and any(takes_plan(part) for part in module.modules())


def fixed_entry(name: str, value: Any) -> Entry:
    return Entry(name, lambda: value, nothing)


def nothing(values: Sequence[Any]) -> tuple[()]:
    return ()


def whole(values: Sequence[Any]) -> tuple[Sequence[Any]]:
    return (values,)


@dataclass(frozen=True, slots=True, eq=False)
class Derivation:
    """All that a network's plans are made of.

    names       of the outputs of a network with one answer, that first
    first       how many steps the answers need, by which the plan knows what it wants
    answers     whether a sub-network gets to each answer: the places of these values; features likewise
    answer      the place of the name of the output that a plain call returns, None where there is one answer
    resolution  the place of the resolution
    """

    recipe: Recipe
    start: list[Any]
    choices: Sequence[tuple[int, str]]
    wanted: Sequence[tuple[int, str]]
    steps: Sequence[Step]
    first: int
    names: Sequence[str]
    predictions: Mapping[str, int]
    features: Mapping[str, int]
    prediction: int | None
    resolution: int
    network: str

    def plan(
        self, chosen: Mapping[str, Option], assignment: Mapping[str, Any], outputs: Any
    ) -> Plan:
        """The plan of the canonical assignment `chosen`; `assignment` has every choice."""
        values = self.start.copy()
        for place, name in self.choices:
            values[place] = assignment[name]
        for place, function, read in self.steps[: self.first]:
            values[place] = function(*read(values))
        asked, prediction, wanted = self.asked(outputs, values)
        for place, name in self.wanted:
            values[place] = name in wanted
        for place, function, read in self.steps[self.first :]:
            values[place] = function(*read(values))
        return Plan(
            *self.recipe.entries(values),
            tuple(chosen.items()),
            values[self.resolution],
            asked,
            prediction,
            wanted,
            self.network,
        )

    def asked(
        self, outputs: Any, values: Sequence[Any]
    ) -> tuple[tuple[str, ...] | None, str, tuple[str, ...]]:
        """The outputs to return in a dict, if any, the main one, and those to compute."""
        if self.prediction is None:
            return known_outputs(outputs, self.names), "head", ("head",)
        prediction = values[self.prediction]
        if prediction == "all" and outputs is None:
            outputs = "all"
        predictions = {name: bool(values[place]) for name, place in self.predictions.items()}
        features = {name: bool(values[place]) for name, place in self.features.items()}
        wanted = wanted_outputs(outputs, prediction, predictions, features)
        return None if outputs is None else wanted, prediction, wanted


def derivation_of(net: Any, space: Space, whole: bool) -> Derivation:
    """Walks a network. Raises ValueError where its choices are not those of the space, all of them if `whole`."""
    program = Program()
    prediction = None if net.prediction is None else program.place(net.prediction)
    predictions = {name: program.place(condition) for name, condition in net.predictions.items()}
    features = {name: program.place(condition) for name, condition in net.features.items()}
    resolution = program.place(net.resolution)
    first = len(program.steps)
    recipe = recipe_of(net, program)
    names = called(net)
    check_choices(program, names, space, whole)
    return Derivation(
        recipe,
        program.start,
        [(place, names[id(choice)]) for place, choice in program.choices],
        program.outputs,
        program.steps,
        first,
        tuple(net.outputs),
        predictions,
        features,
        prediction,
        resolution,
        type(net).__name__,
    )


def called(net: nn.Module) -> dict[int, str]:
    """The names of a network's choices, by their ids: their own, or the place of the module that first holds them."""
    found: dict[int, str] = {}
    for path, module in net.named_modules():
        for name, value in vars(module).items():
            size = value.size if isinstance(value, Value) else value
            for leaf, choice in sides(name, size):
                if isinstance(choice, OneOf) and not choice.name:
                    found.setdefault(id(choice), f"{path}.{leaf}" if path else leaf)
    return found


def sides(name: str, size: Any) -> Sequence[tuple[str, Any]]:
    """An attribute and what it holds; of a kernel that is not square, its height and its width."""
    if name == "kernel" and isinstance(size, tuple):
        return [
            (f"{name}.{side}", number)
            for side, number in zip(("height", "width"), size, strict=True)
        ]
    return [(name, size)]


def check_choices(program: Program, names: dict[int, str], space: Space, whole: bool) -> None:
    """Gives choices of the program their names, and compares all with the space's."""
    known = {name: tuple(options) for name, options in space.CHOICES.items()}
    wrong = []
    for _, choice in program.choices:
        name = choice.name or names.get(id(choice), "")
        names[id(choice)] = name
        if not name:
            wrong.append(f"{choice} is held by no module as an attribute, and has no name")
        elif name not in known:
            wrong.append(f"the space has no choice {name!r}")
        elif tuple(choice.options) != known[name]:
            here, there = listed(choice.options), listed(known[name])
            wrong.append(f"{name!r} has the options {here}, in the space {there}")
    read = {names[id(choice)] for _, choice in program.choices}
    wrong += [f"nothing reads {name!r}" for name in known if whole and name not in read]
    if wrong:
        raise ValueError(f"the network's choices are not those of its space: {'; '.join(wrong)}")


class Planner:
    """Makes a network's plans. A copy of the network, or one that is pickled, walks its modules anew."""

    def __init__(self, space: Space, whole: bool = True) -> None:
        """`whole`: whether all choices of the space must be read; later, modules may have been taken out."""
        self.space = space
        self.whole = whole
        self.derivation: Derivation | None = None

    def plan(self, net: nn.Module, assignment: Mapping[str, Option] | str, outputs: Any) -> Plan:
        derivation = self.derivation
        if (
            derivation is None
            or derivation.recipe.module is not net
            or not derivation.recipe.is_current()
        ):
            derivation = self.derivation = derivation_of(net, self.space, self.whole)
            self.whole = False
        chosen = resolve(self.space, assignment)
        return derivation.plan(chosen, complete(chosen, self.space.CHOICES), outputs)

    def __deepcopy__(self, memo: dict[int, object]) -> Planner:
        return Planner(self.space, self.whole)

    def __reduce__(self) -> tuple[Any, ...]:
        if isinstance(self.space, ModuleType):
            return planner_of, (self.space.__name__, self.whole)
        return Planner, (self.space, self.whole)


def planner_of(module: str, whole: bool) -> Planner:
    """A planner from its pickle, which names the module of its space."""
    space: Any = sys.modules.get(module) or import_module(module)
    return Planner(space, whole)
