"""Writes specs at random, along the grammar, from every construct of the language.

A writer keeps book of what arrives where it stands - the channels, height and width of the largest network - so that
most of what it writes is right. What it does not know is the compiler's business: whether widths that are tied agree,
whether a size is whole at every option. So a part of the specs is refused, and must be so with a diagnostic.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

ACTIVATIONS = ("relu", "relu6", "hswish", "hsigmoid", "silu", "gelu", "sigmoid", "tanh")
NORMS = ("batch", "batch", "batch", "group(groups=2)", "layer", "batch(eps=1e-3, momentum=0.2)")
LIBRARY = (
    "densenet",
    "efficientnet",
    "mobilenet",
    "mobilenet_v3",
    "plain",
    "resnet",
    "resnext",
    "squeeze_excite",
    "vit",
)
LONGEST = 6
"""Statements of one body."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What arrives: channels, and height and width; `width` is 0 for tokens, both are 0 for a vector."""

    channels: int
    height: int = 0
    width: int = 0


@dataclass(slots=True)
class Writer:
    """One spec being written. `depth` counts the braces around; `fixed` says that what arrives must also leave."""

    rng: random.Random
    width: str = ""
    choices: dict[str, list[str]] = field(default_factory=dict)
    declared: list[str] = field(default_factory=list)
    exits: int = 0
    names: int = 0
    in_region: bool = False
    in_branches: bool = False
    depth: int = 0
    slices: int = 0
    norm: str = "batch"

    # --- small things ---

    def pick(self, *items: str) -> str:
        return self.rng.choice(items)

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def name(self, base: str) -> str:
        self.names += 1
        return f"{base}{self.names}"

    def shuffled(self, *options: object) -> str:
        """A set; its options stand in any order."""
        found = [str(option) for option in options]
        self.rng.shuffle(found)
        return "{" + ", ".join(found) + "}"

    def act(self) -> str:
        return self.pick(*ACTIVATIONS, "relu", "relu")

    def after(self) -> str:
        """A norm, an activation, both or nothing."""
        return self.pick("norm; {a}", "norm; {a}", "norm", "{a}", "").format(a=self.act())

    def kernel(self, largest: int = 7) -> str:
        """A kernel: odd mostly, elastic at times, also by an expression that falls."""
        odd = [k for k in (1, 3, 5, 7) if k <= largest] or [1]
        draw = self.rng.random()
        if draw < 0.6 or len(odd) == 1:
            return str(self.rng.choice(odd))
        if draw < 0.85:
            return self.shuffled(*self.rng.sample(odd, self.rng.randint(2, len(odd))))
        number = self.number_choice()
        if number is None:
            return str(odd[-1])
        name, options = number
        if max(options) <= 3:
            return f"2 * {name} + 1" if self.chance(0.5) else f"9 - 2 * {name}"
        return str(odd[-1])

    def number_choice(self) -> tuple[str, list[int]] | None:
        """A declared choice among small numbers."""
        found = [n for n, options in self.choices.items() if all(o.isdigit() and int(o) > 0 for o in options)]
        if not found:
            return None
        name = self.rng.choice(found)
        return name, [int(o) for o in self.choices[name]]

    def channels(self, near: int) -> tuple[str, int]:
        """A channel argument and its largest value; the value at times by an expression or a set."""
        base = self.rng.choice([4, 6, 8, 12, 16, 18, 20, 24, 32, near, near])
        draw = self.rng.random()
        if draw < 0.62:
            return str(base), base
        if draw < 0.72:
            return f"in * {self.shuffled(1, 2)}", 2 * near
        if draw < 0.76:
            return f"in * {self.shuffled('0.5', 1, '1.5')}", near * 3 // 2
        if draw < 0.80:
            return f"divisible(in * {self.pick('0.75', '1.5', '1/3')}, {self.pick('2', '4', '8')})", 0
        if draw < 0.84:
            return f"max({self.pick('4', '8')}, floor(in / {self.pick('2', '3', '4')}))", max(8, near // 2)
        if draw < 0.88:
            return f"{base}, width={self.pick('own', 'follow', 'fixed')}", base
        if draw < 0.94 and not self.width:
            options = self.rng.sample([4, 8, 12, 16, 24], self.rng.randint(2, 3))
            return self.shuffled(*options), max(options)
        number = self.number_choice()
        if number is not None:
            name, options = number
            return f"{self.pick('4', '8')} * {name}", 8 * max(options)
        return str(base), base

    # --- statements: each returns its text and the shape that leaves it ---

    def body(self, shape: Shape, statements: int, keep: bool = False) -> tuple[str, Shape]:
        """Statements one after another. With `keep`, what leaves has the shape of what arrives."""
        self.depth += 1
        lines: list[str] = []
        before = shape
        for _ in range(statements):
            text, shape = self.statement(shape, keep)
            lines.append(text)
        if keep and shape != before:
            lines.append(self.restored(before))
            shape = before
        self.depth -= 1
        return "; ".join(line for line in lines if line), shape

    def restored(self, shape: Shape) -> str:
        """What brings the channels back to those that arrived."""
        if not shape.height:
            return f"linear({shape.channels})"
        return f"conv({shape.channels}, kernel=1)"

    def statement(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if not shape.height:
            return self.vector_statement(shape, keep)
        simple: list[Callable[[Shape, bool], tuple[str, Shape]]] = [
            *(self.conv, self.conv, self.conv, self.depthwise, self.norm_or_act, self.pool, self.grouped),
            *(
                self.joined,
                self.added,
                self.split,
                self.squeeze,
                self.std_block,
                self.std_block,
                self.dropout,
                self.pad,
            ),
            *(self.carried, self.even),
        ]
        nested: list[Callable[[Shape, bool], tuple[str, Shape]]] = [
            *(self.residual, self.residual, self.shortcut, self.skippable, self.repeat, self.repeat, self.when),
            *(self.operators, self.branches, self.exit, self.setting, self.local),
        ]
        writers = simple if self.depth > 3 else simple + nested
        if self.in_branches:
            writers = [self.conv, self.norm_or_act]
        return self.rng.choice(writers)(shape, keep)

    def conv(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        out, most = (
            (str(shape.channels), shape.channels) if keep and self.chance(0.4) else self.channels(shape.channels)
        )
        arguments = [out, f"kernel={self.kernel(min(7, shape.height, shape.width))}"]
        height, width = shape.height, shape.width
        if not keep and min(height, width) >= 4 and self.chance(0.25):
            arguments.append("stride=2")
            height, width = (height + 1) // 2, (width + 1) // 2
        if self.chance(0.15):
            arguments.append(f"bias={self.pick('yes', 'no')}")
        if self.chance(0.08) and not self.in_branches:
            arguments.append(f"connect={self.pick('dense', 'triangular', 'triangular(2)', 'diagonal(2)')}")
        text = f"conv({', '.join(arguments)})"
        if self.chance(0.1):
            text = f"{self.name('layer')} = {text}"
        after = self.after()
        return f"{text}; {after}" if after else text, Shape(most or shape.channels, height, width)

    def carried(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """A tensor with a name that the rounds of a repeat hand on, beside the way of the others."""
        name, count = self.name("kept"), self.pick("2", "1..2", "2 as i")
        kernel = "2 * i + 1" if count.endswith("i") else self.kernel(3)
        inside = f"{name} = conv(4, kernel={kernel}, from={name}); conv({shape.channels}, kernel=1, from={name})"
        return f"{name} = conv(4, kernel=1); conv({shape.channels}, kernel=1); repeat {count} {{ {inside} }}", shape

    def even(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """A kernel without a centre, which needs its padding said."""
        if keep or min(shape.height, shape.width) < 4:
            return f"let rate = 0.1; dropout(rate); {self.act()}", shape
        half = Shape(shape.channels, shape.height // 2, shape.width // 2)
        return f"conv({shape.channels}, kernel=2, stride=2, padding=0); {self.after()}", half

    def grouped(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        groups = self.rng.choice([g for g in (2, 3, 4) if shape.channels % g == 0] or [1])
        out = shape.channels if keep else groups * self.rng.choice([2, 4, 6])
        text = f"conv({out}, kernel={self.kernel(3)}, groups={groups})"
        return f"{text}; {self.act()}", replace(shape, channels=out)

    def depthwise(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        stride, height, width = "", shape.height, shape.width
        if not keep and min(height, width) >= 4 and self.chance(0.3):
            stride, height, width = ", stride=2", (height + 1) // 2, (width + 1) // 2
        return f"depthwise(kernel={self.kernel(5)}{stride}); {self.act()}", Shape(shape.channels, height, width)

    def norm_or_act(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        return self.pick("norm", self.act()), shape

    def dropout(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        return "dropout(0.1)", shape

    def pool(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if keep or min(shape.height, shape.width) < 4:
            return self.pick("maxpool(3, stride=1)", "pool(avg, 3, stride=1)"), shape
        half = Shape(shape.channels, shape.height // 2, shape.width // 2)
        up = Shape(shape.channels, (shape.height + 1) // 2, (shape.width + 1) // 2)
        draw = self.rng.random()
        if draw < 0.3:
            return self.pick("maxpool(2)", "pool(avg, 2)"), half
        if draw < 0.6:
            return self.pick("maxpool(3, stride=2)", "pool(avg, 3, stride=2)"), up
        if draw < 0.8:
            return self.pick("maxpool(2, ceil=yes)", "pool(avg, 2, ceil=yes)"), up
        if draw < 0.9:
            return f"pool({self.pick('avg', 'max')}, size=2)", Shape(shape.channels, 2, 2)
        return f"upsample(2, {self.pick('nearest', 'bilinear')})", Shape(
            shape.channels, 2 * shape.height, 2 * shape.width
        )

    def pad(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if keep:
            return self.act(), shape
        return f"pad_channels({shape.channels + 4})", replace(shape, channels=shape.channels + 4)

    def joined(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """A concatenation, as DenseNet's or Inception's."""
        more = self.rng.choice([2, 4, 8])
        name = self.name("side")
        side = self.pick(f"conv({more}, kernel={self.kernel(3)})", f"conv({more}, kernel=1, width=fixed)")
        text = self.pick(f"concat(here, {side})", f"{name} = {side}; concat({name}, {side})")
        if not self.in_region and self.chance(0.3):
            text = f"{name} = {self.act()}; {side}; concat({name}, here)"
        total = more * 2 if text.startswith(f"{name} = conv") else shape.channels + more
        return f"{text}; {self.act()}", replace(shape, channels=total)

    def added(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        return f"add(here, conv({shape.channels}, kernel={self.kernel(3)}))", shape

    def split(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """ShuffleNet's halves, and blocks of CSP networks."""
        if shape.channels % 2:
            return self.act(), shape
        left, right = self.name("left"), self.name("right")
        half = shape.channels // 2
        text = f"({left}, {right}) = split(2); conv({half}, kernel={self.kernel(3)}, from={right})"
        text += f"; {self.act()}; concat({left}, here)"
        return text + self.pick("; shuffle(2)", ""), shape

    def squeeze(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if self.chance(0.5):
            size = self.pick("4", "max(1, floor(in / 4))", "divisible(in / 4, 4)", f"in / {self.shuffled(1, 2)}")
            return f"squeeze_excite({size}{self.pick('', ', gate=hsigmoid', ', act=silu')})", shape
        name = self.name("map")
        gate = f"pool(avg); linear(4); relu; linear({shape.channels}); sigmoid"
        return f"{name} = {self.act()}; {gate}; scale({name}, here)", shape

    def std_block(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        out = shape.channels if keep else self.rng.choice([8, 12, 16, shape.channels])
        stride = not keep and min(shape.height, shape.width) >= 4 and self.chance(0.3)
        left = Shape(out, (shape.height + 1) // 2, (shape.width + 1) // 2) if stride else replace(shape, channels=out)
        step = ", stride=2" if stride else ""
        hidden = self.pick("", "", ", hidden=own")
        kernel = self.kernel(5)
        expand = self.pick("2", "3", self.shuffled(2, 3), self.shuffled(1, 2), self.shuffled("1.5", 2))
        calls = {
            "inverted": f"inverted_residual({out}, expand={expand}, kernel={kernel}{step}{hidden})",
            "mb": f"mb_v3({out}, expand={expand}, kernel={kernel}{step}, se={self.pick('yes', 'no')}{hidden})",
            "efficient": f"mb_conv({out}, expand={expand}, kernel={kernel}{step})",
            "separable": f"depthwise_separable({out}, kernel={kernel}{step})",
            "basic": f"basic({out}{step})",
            "bottleneck": f"bottleneck({self.pick('4', '8')}, {out}{step})",
            "preactivation": f"preactivation({max(out, shape.channels)}{step})",
            "cnr": f"conv_norm_relu({out}, kernel={kernel}{step})",
            "own": f"own_block({out}{step})",
            "act": f"with_act({out}, act={self.act()})",
        }
        name = self.rng.choice(sorted(calls))
        if name == "preactivation":
            left = replace(left, channels=max(out, shape.channels))
        if name == "act":
            left = replace(shape, channels=out)
        return calls[name], left

    # --- statements with braces ---

    def residual(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        inside, _ = self.body(shape, self.rng.randint(1, 3), keep=True)
        condition = self.pick("", "", "", "(when in >= 4)")
        if self.chance(0.1) and (flag := self.flag()):
            condition = f"(when {flag})"
        return f"residual{condition} {{ {inside} }}", shape

    def shortcut(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        out = shape.channels if keep else self.rng.choice([8, 16, shape.channels])
        stride = 2 if not keep and min(shape.height, shape.width) >= 4 and self.chance(0.4) else 1
        left = Shape(out, -(-shape.height // stride), -(-shape.width // stride))
        body = f"conv({out}, kernel={self.kernel(3)}, stride={stride}); norm; {self.act()}; conv({out}, kernel=1)"
        when = self.pick("", f" when {stride} != 1 or in != {out}")
        return f"residual {{ {body} }} shortcut{when} {{ conv({out}, kernel=1, stride={stride}) }}; {self.act()}", left

    def region(self, shape: Shape) -> str:
        """A body that a choice may leave out."""
        around, self.in_region = self.in_region, True
        text, _ = self.body(shape, self.rng.randint(1, 3), keep=True)
        self.in_region = around
        return text

    def skippable(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        return f"skippable {{ {self.region(shape)} }}", shape

    def repeat(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        draw = self.rng.random()
        if draw < 0.3:
            text, _ = self.body(shape, self.rng.randint(1, 2), keep=True)
            return f"repeat {self.rng.randint(1, 3)}{self.pick('', ' as i')} {{ {text} }}", shape
        count = self.pick("0..2", "1..3", "1..2", self.shuffled(0, 1, 3), self.shuffled(1, 3))
        number = self.number_choice()
        if number is not None and self.chance(0.2):
            count = number[0]
        return f"repeat {count} {{ {self.region(shape)} }}", shape

    def flag(self) -> str:
        """A condition over a choice; "" where none is declared."""
        if not self.choices:
            return ""
        name = self.rng.choice(sorted(self.choices))
        options = self.choices[name]
        if options == ["no", "yes"]:
            return self.pick(name, f"not {name}")
        option = self.rng.choice(options)
        if option.isdigit():
            return f"{name} {self.pick('==', '!=', '<', '<=', '>', '>=')} {option}"
        return f"{name} {self.pick('==', '!=')} {option}"

    def when(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        condition = self.flag() or self.pick("in > 8", "in == 16", "yes", "not (in < 4)")
        if self.chance(0.2) and self.choices:
            condition = f"{condition} {self.pick('and', 'or')} {self.flag()}"
        text = f"when {condition} {{ {self.region(shape)} }}"
        if self.chance(0.4):
            text += f" else {{ {self.region(shape)} }}"
        return text, shape

    def operators(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """A choice of operators, as in a search for architectures."""
        name = self.name("op")
        words = self.rng.sample(["plain", "deep", "pooled", "none"], self.rng.randint(2, 3))
        if self.depth > 1 or self.in_region:
            return self.conv(shape, keep)
        self.choices[name] = words
        sides = []
        for word in words[:-1]:
            sides.append(f"when {name} == {word} {{ {self.region(shape)} }}")
        return f"choice {name} in {{{', '.join(words)}}}; " + " else ".join(
            [*sides, f"{{ {self.region(shape)} }}"]
        ), shape

    def branches(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if self.in_branches:
            return self.act(), shape
        count, own = self.rng.choice([2, 4]), self.rng.choice([2, 4])
        by = ""
        number = self.number_choice()
        if number is not None and self.chance(0.5) and count % max(number[1]) == 0:
            by = f" by {number[0]}"
        merge = self.pick("sum", "concat")
        inside = f"conv({own}, kernel=1); {self.after()}; conv({own}, kernel={self.kernel(3)}); {self.act()}"
        if merge == "sum":
            text = f"branches {count}{by} sum {{ {inside}; conv({shape.channels}, kernel=1) }}"
            return text, shape
        text = f"branches {count}{by} concat {{ {inside} }}"
        return (text, replace(shape, channels=count * own)) if not keep else (f"{text}; {self.restored(shape)}", shape)

    def exit(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        if self.in_region or self.depth > 1 or self.exits > 3:
            return self.act(), shape
        self.exits += 1
        before = self.pick("", f"conv(8, kernel={self.kernel(3)}); relu; ")
        return f"exit e{self.exits} {{ {before}pool(avg); linear(classes) }}", shape

    def setting(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        """A setting for what follows in these braces."""
        if self.depth > 1 and self.chance(0.7):
            return self.act(), shape
        return self.pick("norm batch", "norm layer", "width fixed", "connect dense", f"norm {self.norm}"), shape

    def local(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        name = self.name("c")
        value = self.pick(
            "in", "in * 2", str(shape.channels), f"round({shape.channels} * 0.75)", "floor(in / 2)", "max(in, 8)"
        )
        most = {"in": shape.channels, "in * 2": 2 * shape.channels, "floor(in / 2)": shape.channels // 2}.get(value, 0)
        if keep or not most:
            return f"let {name} = {value}; conv({name}, kernel=1); conv({shape.channels}, kernel=1)", shape
        return f"let {name} = {value}; conv({name}, kernel=1)", replace(shape, channels=most)

    def vector_statement(self, shape: Shape, keep: bool) -> tuple[str, Shape]:
        out = shape.channels if keep else self.rng.choice([8, 12, 16])
        draw = self.rng.random()
        if draw < 0.2 and self.depth < 3:
            return f"skippable {{ linear({shape.channels}); {self.act()} }}", shape
        if draw < 0.4 and self.depth < 3:
            wide = f"linear(in * {self.pick('2', self.shuffled(1, 2))})"
            return f"residual {{ {wide}; {self.act()}; linear({shape.channels}) }}", shape
        if draw < 0.5 and self.depth < 3:
            return f"repeat {self.pick('0..2', '1..2', '2')} {{ linear({shape.channels}); {self.act()} }}", shape
        if draw < 0.6:
            return f"residual_mlp({shape.channels})", shape
        return f"linear({out}); {self.after() if self.norm.startswith(('batch', 'layer')) else self.act()}", Shape(out)

    # --- whole specs ---

    def declare(self) -> None:
        """Choices with names, before or after the line that reads them."""
        kinds = [("k", ["1", "2", "3"]), ("m", ["1", "2"]), ("deep", ["no", "yes"]), ("op", ["plain", "wide", "none"])]
        for name, options in self.rng.sample(kinds, self.rng.choice([0, 0, 1, 1, 2])):
            self.choices[name] = options
            text = f"{options[0]}..{options[-1]}" if options[0] == "1" and self.chance(0.5) else self.shuffled(*options)
            self.declared.append(f"choice {name} in {text}")

    def width_setting(self) -> str:
        rounding = self.pick("", " round 2", " round 4", " round 8")
        draw = self.rng.random()
        if draw < 0.3:
            return ""
        if draw < 0.5:
            return f"width per_group {self.pick('0.5..1.0', '0.25..1.0', '{0.5, 0.75, 1.0}', '{1.0, 0.5}')}{rounding}"
        if draw < 0.75:
            return f"width uniform {self.pick('0.25..1.0 step 0.25', '{0.5, 1.0}', '{1.0, 0.3, 0.65}')}{rounding}"
        if draw < 0.88:
            return f"width any {self.pick('0.25..1.0', '0.5..1.0', '0.9..1.0')}"
        if "m" in self.choices:
            return "width by m"
        return "width fixed"


BLOCKS = """
block own_block(out, kernel=3, stride=1, act=relu) {
  let same = stride == 1 and in == out
  conv(out, kernel=kernel, stride=stride); norm; act
  when same { residual { conv(in, kernel=1) } } else { conv(out, kernel=1) }
}
block with_act(out, act=relu, bottleneck=max(4, floor(in / 2))) {
  conv(bottleneck, kernel=1); act
  conv(out, kernel=3); norm; act
}
"""


def spec_text(seed: int) -> str:
    """The spec of a seed. The same seed gives the same text, whatever the version of Python."""
    rng = random.Random(seed)
    kind = rng.choices(("map", "vector", "tokens", "several"), (10, 1, 2, 1))[0]
    w = Writer(rng)
    w.declare()
    w.norm = rng.choice(NORMS)
    w.width = w.width_setting()
    settings = [*w.declared]
    if w.norm == "batch" and rng.random() < 0.3:
        bank = {"width uniform": "width", "width any": "width"}.get(" ".join(w.width.split()[:2]), "")
        bank = bank or ("k" if "k" in w.choices else "")
        w.norm = f"batch(bank={bank})" if bank else w.norm
    if kind == "tokens":
        w.norm = "layer"
    settings += [f"norm {w.norm}", *([w.width] if w.width else [])]
    later: list[str] = []
    if w.declared and rng.random() < 0.2 and "by" not in w.width:
        later = [settings.pop(0)]
    build = {"map": of_maps, "vector": of_vectors, "tokens": of_tokens, "several": of_several}[kind]
    inputs, stages = build(w)
    imports = "".join(f"import std.{name}\n" for name in LIBRARY)
    lines = [*inputs, f"classes {rng.choice([2, 5, 10])}", *settings, *stages[:-1], *later, stages[-1]]
    inside = "\n".join(f"  {line}" for line in lines)
    return f"{imports}{BLOCKS}\nsupernet drawn {{\n{inside}\n}}\n"


def stages_of(w: Writer, shape: Shape) -> tuple[list[str], Shape]:
    found = []
    for number in range(1, w.rng.randint(1, 3) + 1):
        text, shape = w.body(shape, w.rng.randint(1, LONGEST))
        found.append(f"stage s{number} {{ {text or w.act()} }}")
        if shape.height and w.chance(0.15) and w.exits < 3:
            w.exits += 1
            found.append(f"exit e{w.exits} {{ pool(avg); linear(classes) }}")
    return found, shape


def of_maps(w: Writer) -> tuple[list[str], list[str]]:
    channels, height = w.rng.choice([1, 3]), w.rng.choice([6, 8, 9, 12, 16])
    width = height if w.chance(0.7) else w.rng.choice([5, 8, 16])
    given = f"input image({channels}, {height}, {width})"
    elastic = w.chance(0.25)
    if elastic:
        options = w.rng.sample([6, 8, 10, 12], 2)
        height = width = max(options)
        given = f"input image({channels}, resolution={w.shuffled(*options)})"
    out, most = (w.rng.choice([4, 6, 8, 16]),) * 2
    stem = f"stem {{ conv({out}, kernel={w.kernel(3)}); {w.after() or 'relu'} }}"
    stages, _ = stages_of(w, Shape(most, height, width))
    head = "head {{ {0}pool(avg); {1}linear(classes) }}"
    if w.chance(0.15) and not elastic:
        pooled = w.pick("pool(avg, size=2); flatten", "flatten")
        head = f"head {{{{ {{0}}{pooled}; {{1}}linear(classes) }}}}"
    if "m" in w.choices and w.chance(0.3):
        head = head.replace("head ", "head by m ", 1)
    before = w.pick("", f"conv({w.pick('16', '24')}, kernel=1); {w.act()}; ")
    return [given], [stem, *stages, head.format(before, w.pick("", "dropout(0.2); ", "linear(12); relu; "))]


def of_vectors(w: Writer) -> tuple[list[str], list[str]]:
    stages, _ = stages_of(w, Shape(12))
    return [f"input vector({w.pick('7', '12')})"], [
        f"stem {{ linear(12); {w.act()} }}",
        *stages,
        "head { linear(classes) }",
    ]


def of_tokens(w: Writer) -> tuple[list[str], list[str]]:
    dim = w.rng.choice([8, 12, 16])
    heads = w.pick("2", "4", w.shuffled(1, 2))
    mlp = w.pick(f"{2 * dim}", f"in * {w.shuffled(1, 2)}", f"{dim}")
    encoder = f"residual {{ norm; attention({heads}) }}; residual {{ norm; linear({mlp}); gelu; linear({dim}) }}"
    body = w.pick(
        "{0}", "repeat 2 {{ {0} }}", "repeat 1..2 {{ {0} }}", "skippable {{ {0} }}; {0}", "{0}; skippable {{ {0} }}"
    )
    take = w.pick("class_token", "mean")
    token = "class_token; " if take == "class_token" or w.chance(0.3) else ""
    stem = f"stem {{ patch_embed(4, dim={dim}); {token}{w.pick('position', 'position; dropout(0.1)')} }}"
    end = f"stage s2 {{ {w.pick('relu', 'linear(in * 2)', 'norm')} }}"
    return ["input image(3, 8, 8)"], [
        stem,
        f"stage s1 {{ {body.format(encoder)} }}",
        end,
        f"head {{ norm; take({take}); linear(classes) }}",
    ]


def of_several(w: Writer) -> tuple[list[str], list[str]]:
    size = w.rng.choice([6, 8])
    if w.chance(0.5):  # of sizes of their own, each elastic or not
        pooled = "a = conv(8, kernel=3, from=left); pool(avg, size=2); b = conv(4, kernel=1, from=right)"
        stem = f"stem {{ {pooled.replace('; b', '; c = relu; b')}; pool(max, size=2); concat(here, c) }}"
        stages, _ = stages_of(w, Shape(12, 2, 2))
        left = f"input left image(3, resolution={w.shuffled(6, 8, 9)})"
        right = w.pick("input right image(1, 5, 7)", f"input right image(1, resolution={w.shuffled(4, 10)})")
        return [left, right], [stem, *stages, "head { pool(avg); linear(classes) }"]
    right = w.pick(f"image(3, {size}, {size})", f"image(1, {size}, {size})")
    both = f"a = conv(8, kernel={w.kernel(3)}, from=left); b = conv(8, kernel=1, from=right)"
    stem = f"stem {{ {both}; {w.pick('concat', 'add')}(a, b) }}"
    channels = 16 if "concat" in stem else 8
    stages, _ = stages_of(w, Shape(channels, size, size))
    inputs = [f"input left image(3, {size}, {size})", f"input right {right}"]
    return inputs, [stem, *stages, "head { pool(avg); linear(classes) }"]
