"""The network's own class: its parts, what it answers, and a forward that takes a plan or the one in use."""

from __future__ import annotations

from specc.codegen.identity import Identity
from specc.codegen.model.classes import init_lines
from specc.codegen.model.context import Class, Context
from specc.codegen.model.forward import forward_body
from specc.codegen.model.guards import exits_text, text_of
from specc.codegen.model.naming import tensor_names
from specc.codegen.model.needs import Need
from specc.codegen.model.outputs import Outputs, several_heads
from specc.codegen.model.steps import noted_here, statements
from specc.codegen.names import attribute, comment, fresh
from specc.ir.choice import Choice
from specc.ir.expr import Apply, Expr, Var, free
from specc.ir.graph import Output
from specc.passes.slices import separable
from specc.portable.files.renames import Renamed
from specc.python.layout import call, guarded, lay_out
from specc.python.literals import inline, quoted


def network_lines(context: Context, cls: Class, of: Identity) -> list[str]:
    """The class of the whole network: with choices an `ElasticNet`, without a plain `nn.Module`."""
    elastic = context.elastic
    slices = separable(context.graph) if elastic else None
    base = "nn.Module" if not elastic else "ElasticNet" if slices is None else "SlicedNet"
    lines = [
        f"class {cls.name}({base}):",
        f'    """The network, {comment(context.graph.origin.location())}."""',
        "",
        f"    fingerprint = {quoted(of.fingerprint)}  # of the network: checkpoints carry it",
        *first_lines(of),
    ]
    if slices is not None:
        lines += [
            "",
            f"    slices = {quoted(slices)}",
            f"    counts = {inline(tuple(context.choices[slices].options))}",
        ]
    after = output_lines(context, cls) if elastic else []
    init = init_lines(context, cls, after=[*after, *(["        self.use(self.plan())"] if elastic else [])])
    if elastic:
        init[init.index("        super().__init__()")] = "        super().__init__(space)"
    forward = elastic_forward(context, cls) if elastic else static_forward(context, cls)
    return [*lines, "", *init, "", *forward]


def first_lines(of: Identity) -> list[str]:
    """How files of the first version are known, and what they call by other names; nothing where it is all the same."""
    if of.first == of.fingerprint:
        return []
    table = guarded(lay_out(f"renamed = {table_text(of.renamed)}", 4)) if of.renamed else ()
    return [f"    first_fingerprint = {quoted(of.first)}  # in files of specc 0.1", *table]


def table_text(table: Renamed) -> str:
    """A table of names as Python's text."""
    rows = (
        f"{quoted(scope)}: {{{', '.join(f'{quoted(first)}: {quoted(now)}' for first, now in parts.items())}}}"
        for scope, parts in table.items()
    )
    return f"{{{', '.join(rows)}}}"


def network_needs(context: Context) -> list[Need]:
    """The numbers that the network's own statements read beside those of its parts."""
    found = [Need("choice", (Var(choice),), "resolution") for choice in resolution_choices(context) if choice]
    outputs = context.outputs
    if outputs is None:
        return found
    exits = next((c.name for c in context.choices.values() if c.kind == "exit"), None)
    for _, (at, condition) in outputs.reached.items():
        if at is not None and exits is not None and at != frozenset(context.choices[exits].options):
            found.append(Need("choice", (Var(exits),), "exit"))
        if condition != 1:
            found.append(Need("choice", (condition,), "prediction"))
    found += [
        Need("choice", (c,), "prediction")
        for condition, _ in outputs.candidates
        for c in map(Var, sorted(free(condition)))
    ]
    return found


def output_lines(context: Context, cls: Class) -> list[str]:
    """What `__init__` says of resolutions and of outputs: which there are, and when a sub-network computes them."""
    lines: list[str] = []
    resolutions = resolution_choices(context)
    if any(resolutions):
        texts = ["None" if c is None else cls.sizes.text(Need("choice", (Var(c),), "resolution")) for c in resolutions]
        text = texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
        lines += guarded(lay_out(f"self.resolution = {text}", 8))
    outputs = context.outputs
    if outputs is None:
        names = ", ".join(quoted(output.name) for output in context.graph.outputs)
        return [
            *lines,
            *guarded(lay_out(f"self.outputs = ({names}{',' if len(context.graph.outputs) == 1 else ''})", 8)),
        ]
    for target, features in (("predictions", False), ("features", True)):
        rows = [
            f"{quoted(output.name)}: {reached_text(context, cls, outputs, output)}"
            for output in context.graph.outputs
            if (output.kind == "features") is features
        ]
        exits = next((choice for choice in context.choices.values() if choice.kind == "exit"), None)
        if exits is not None and not features and set(rows) == set(in_order(choice_text(cls, Var(exits.name)), exits)):
            lines.append(f"        self.predictions = exit_predictions({choice_text(cls, Var(exits.name))})")
            continue
        lines += guarded(lay_out(f"self.{target} = {{{', '.join(rows)}}}", 8))
    return [*lines, *guarded(lay_out(f"self.prediction = {prediction_text(context, cls, outputs)}", 8))]


def in_order(name: str, exits: Choice) -> list[str]:
    """The rows of answers that are called after the exits: each is computed where the network ends there or later."""
    before = [f"{name}.after({quoted(str(option))})" for option in exits.options[:-1]]
    return [f"{quoted(str(option))}: {test}" for option, test in zip(exits.options, ["True", *before], strict=True)]


def reached_text(context: Context, cls: Class, outputs: Outputs, output: Output) -> str:
    """When a sub-network gets to an output, as a condition over choices; True for always."""
    at, condition = outputs.reached[output.name]
    exits = next((choice for choice in context.choices.values() if choice.kind == "exit"), None)
    texts: list[str] = []
    if at is not None and exits is not None and at != frozenset(exits.options):
        texts.append(exits_text(at, exits.options, choice_text(cls, Var(exits.name))))
    if condition != 1:
        texts.append(text_of(cls, condition))
    if len(texts) > 1:
        texts = [f"({text})" if " " in text else text for text in texts]
    return " & ".join(texts) or "True"


def choice_text(cls: Class, expr: Expr) -> str:
    return cls.sizes.text(Need("choice", (expr,), "choice"))


def prediction_text(context: Context, cls: Class, outputs: Outputs) -> str:
    """The output that a plain call returns: a name, a choice of names, or a table from options to names."""
    if outputs.together:
        return quoted("all")
    exits = [(c, o) for c, o in outputs.candidates if isinstance(c, Apply) and free(c) == {"exit"}]
    heads = [(c, o) for c, o in outputs.candidates if (c, o) not in exits]
    head = head_text(context, cls, heads)
    if not exits:
        return head
    exit_names = {str(c.args[1]): o.name for c, o in exits if isinstance(c, Apply)}
    variable = choice_text(cls, Var("exit"))
    if len(heads) == 1 and all(option == name for option, name in exit_names.items()) and heads[0][1].name == "head":
        return variable
    rows = [f"{quoted(option)}: {quoted(name)}" for option, name in exit_names.items()]
    rows.append(f"{quoted('head')}: {head}")
    return f"named({variable}, {{{', '.join(rows)}}})"


def head_text(context: Context, cls: Class, heads: list[tuple[Expr, Output]]) -> str:
    if len(heads) == 1:
        return quoted(heads[0][1].name)
    first = heads[0][0]
    assert isinstance(first, Apply)
    (choice,) = free(first)
    options = context.choices[choice].options
    rows = [f"{inline(option)}: {quoted(o.name)}" for option, (_, o) in zip(options, heads, strict=True)]
    return f"named({choice_text(cls, Var(choice))}, {{{', '.join(rows)}}})"


def resolution_choices(context: Context) -> tuple[str | None, ...]:
    """For each input the choice of its height and width; None where these are fixed."""
    images = [context.structure.tensors[name] for name in context.graph.inputs]
    return tuple(next((size.choice for size in image.space if isinstance(size, Var)), None) for image in images)


def input_names(context: Context) -> dict[str, str]:
    """The parameter of forward for every input: `x`, or the spec's names where there are several."""
    if len(context.graph.inputs) == 1:
        return {context.graph.inputs[0]: "x"}
    taken = {"self", "plan", "outputs", "p", *context.reserved}
    return {name: fresh(attribute(name), taken) for name in context.graph.inputs}


def inner_names(context: Context, cls: Class) -> dict[str, str]:
    """The network's tensors by what its class calls them."""
    called = dict(zip(cls.first.inputs, cls.merged.inputs, strict=True))
    for place in cls.merged.places():
        called.update(zip(place.first.outputs, place.outputs, strict=True))
    return called


def given_inputs(context: Context, cls: Class) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The tensors that come in by what the class calls them, and the parameters of forward."""
    names = input_names(context)
    called = inner_names(context, cls)
    return tuple(called.get(name, f"unread.{name}") for name in names), tuple(names.values())


def static_forward(context: Context, cls: Class) -> list[str]:
    tensors, names = given_inputs(context, cls)
    parameters = ["self", *(f"{name}: Tensor" for name in names)]
    if heads := several_heads(context.graph):
        tensors_of = {output.name: output.tensor for output in context.graph.outputs}
        inner, noted = inner_names(context, cls), dict[str, str]()
        for head in heads:
            tensor = inner[tensors_of[head]]
            noted[tensor] = f"{noted.get(tensor, '')}outputs[{quoted(head)}] = "
        called = tensor_names(context, cls)
        body = forward_body(statements(context, cls), tensors, [], names, 8, noted, "outputs", called)
        lines = guarded(call("def forward", parameters, ") -> dict[str, Tensor]:", 4))
        return [*lines, "        outputs: dict[str, Tensor] = {}", *body]
    main = inner_names(context, cls)[context.graph.prediction()]
    body = forward_body(statements(context, cls), tensors, [main], names, 8, called=tensor_names(context, cls))
    return [*guarded(call("def forward", parameters, ") -> Tensor:", 4)), *body]


def elastic_forward(context: Context, cls: Class) -> list[str]:
    """The plan's parts one after another, and every output noted for a plan that asks for some."""
    main = inner_names(context, cls).get(context.graph.prediction(), "")
    several = len(context.graph.outputs) > 1
    result = "Tensor | dict[str, Tensor]" if several else "Tensor"
    tensors, names = given_inputs(context, cls)
    called = tensor_names(context, cls)
    parameters = ["self", *(f"{name}: Tensor" for name in names), "plan: Plan | None = None"]
    lines = list(call("def forward", parameters, f") -> {result}:", 4))
    lines.append("        p = self._plan if plan is None else plan")
    if any(resolution_choices(context)) and len(names) == 1:
        lines.append("        if p.resolution is not None:")
        lines.append("            x = resize(x, p.resolution)")
    elif any(resolution_choices(context)):
        together = ", ".join(names)
        lines.extend(call(f"{together} = sized", [f"({together})", "p.resolution"], indent=8))
    if not several:
        return [*lines, *forward_body(statements(context, cls), tensors, [main], names, 8, called=called)]
    lines.append("        outputs: dict[str, Tensor] = {}")
    prefixes = noted_here(context, cls)
    if context.outputs is not None:
        body = forward_body(statements(context, cls), tensors, [], names, 8, prefixes, "p.result(outputs)", called)
        return [*lines, *body]
    body = forward_body(statements(context, cls), tensors, [main], names, 8, prefixes, called=called)
    last = body[-1].removeprefix("        return ")
    final = f"        return {last} if p.outputs is None else {{name: outputs[name] for name in p.outputs}}"
    return [*lines, *body[:-1], final]
