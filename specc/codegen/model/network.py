"""The network's own class: its plan is made from an assignment, its forward takes a plan or the one in use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from specc.codegen.literals import quoted
from specc.codegen.model.answers import WANTED, Answers, answer_text, exit_test, wanted_text
from specc.codegen.model.context import Class, Context
from specc.codegen.model.forward import forward_body
from specc.codegen.model.layout import WIDTH, call, exploded, guarded, nested
from specc.codegen.model.lines import init_lines, plan_items
from specc.codegen.model.render import ATOM, COMPARED, Text, needs_rounding, number, python, whole
from specc.codegen.model.render import condition as render_condition
from specc.codegen.model.sizes import Sizes, peaks
from specc.codegen.model.steps import noted_here, statements
from specc.codegen.model.view import ClassView
from specc.codegen.names import attribute, choice_leaf, comment, fresh
from specc.ir.expr import Apply, Expr, Var, free
from specc.ir.graph import Output
from specc.passes.slices import separable


def network_view(context: Context, cls: Class, fingerprint: str) -> ClassView:
    """The class of the whole network: with choices an `ElasticNet`, without a plain `nn.Module`."""
    elastic = bool(context.graph.choices)
    names = sorted({name for expr in needed(cls) for name in free(expr)})
    slices = separable(context.graph) if elastic else None
    return ClassView(
        name=cls.name,
        base="nn.Module" if not elastic else "ElasticNet" if slices is None else "SlicedNet",
        doc=(f"The network, {comment(context.graph.origin.location())}.",),
        init_lines=(
            f"    fingerprint = {quoted(fingerprint)}  # of the network: checkpoints carry it",
            "",
            *slices_lines(context, slices),
            *init_lines(context, cls),
            *(("        self.use(self.plan())",) if elastic else ()),
        ),
        forward_lines=elastic_forward(context, cls) if elastic else static_forward(context, cls),
        plan_name=cls.plan_name if elastic else "",
        plan_base="Plan" if elastic else "",
        plan_doc=("Nothing but what every plan has.",) if elastic and not cls.plan_fields else (),
        fields=tuple(cls.plan_fields) if elastic else (),
        plan_lines=plan_method(context, cls, names) if elastic else (),
    )


def slices_lines(context: Context, slices: str | None) -> tuple[str, ...]:
    """What a network of slices says of them: the choice of how many are active, and its options."""
    if slices is None:
        return ()
    counts = number(tuple(context.choices[slices].options))
    return (f"    slices = {quoted(slices)}", f"    counts = {counts}", "")


def needed(cls: Class) -> list[Expr]:
    """What `plan` needs of the assignment."""
    assert cls.active is not None
    return [parameter.first for parameter in cls.active.parameters]


def plan_method(context: Context, cls: Class, names: Sequence[str]) -> tuple[str, ...]:
    """`plan(assignment)`: choices and channel counts in local variables, then the parts' plans."""
    lines = [
        "    def plan(",
        "        self,",
        '        assignment: Mapping[str, Option] | str = "max",',
        "        outputs: Sequence[str] | None = None,",
        f"    ) -> {cls.plan_name}:",
        '        """The plan of a sub-network: "max", "min" or choices by name. `outputs` asks for a dict of these."""',
        "        chosen = resolve(space, assignment)",
    ]
    local, texts, statements_ = local_names(context, cls)
    if statements_ or any(resolution_choices(context)) or names:
        lines.append("        a = complete(chosen, space.CHOICES)  # inactive choices have a value, too")
    for target, text in statements_:
        lines.extend(assignment(target, text))
    assert cls.active is not None
    literal = {
        (parameter.role, parameter.values): whole(parameter.first, lambda e: local_text(e, local))
        for parameter in cls.active.parameters
    }
    named = replace(cls, active=Sizes({}, (), literal))
    head = [
        "chosen=tuple(chosen.items())",
        resolution_item(context, local),
    ]
    if context.answers is None:
        head.append(f"outputs=known_outputs(outputs, {output_names(context)})")
    else:
        lines.extend(wanted_lines(context, context.answers, lambda choice: choice_text(choice, local)))
        head += ["outputs=None if outputs is None else wanted", "answer=answer", "wanted=wanted"]
    items = [*head, *plan_items(context, named, 12, texts)]
    return (*lines, *guarded(exploded(f"return {cls.plan_name}", items, indent=8)))


def wanted_lines(context: Context, answers: Answers, text: Callable[[str], str]) -> list[str]:
    """Which output a plain call returns, which ones this sub-network computes, and which of them the plan wants."""
    read = {name for condition, _ in answers.candidates for name in free(condition)}
    variables = {name: text(name) for name in read}
    exits = next((choice for choice in context.choices.values() if choice.kind == "exit"), None)
    lines = list(assignment("answer", answer_text(answers, variables, context.choices)))
    for target, features in (("answers", False), ("features", True)):
        rows = []
        for output in asked_outputs(context):
            if (output.kind == "features") is features:
                at, condition = answers.reached[output.name]
                tests = [] if at is None or exits is None else [exit_test(at, exits, text(exits.name))]
                tests += [] if condition == 1 else [render_condition(condition, text)]
                kept = [test for test in tests if test != "True"]
                rows.append(f"{quoted(output.name)}: {' and '.join(kept) or 'True'}")
        one = f"        {target} = {{{', '.join(rows)}}}"
        many = (f"        {target} = {{", *(f"            {row}," for row in rows), "        }")
        lines.extend((one,) if len(one) <= WIDTH else many)
    lines.append("        wanted = wanted_outputs(outputs, answer, answers, features)")
    return lines


def assignment(target: str, text: str) -> tuple[str, ...]:
    """`target = text`, a long list of options broken as the formatter would."""
    function, bracket, args = text.removesuffix(")").partition("(")
    if function == "position" and bracket:
        return guarded(call(f"{target} = {function}", args.split(", "), indent=8))
    return guarded([f"        {target} = {text}"])


def local_text(expr: Expr, local: dict[Expr, str]) -> Text | None:
    """A variable, a choice of the assignment or whether an output is wanted; None for anything else."""
    if expr in local:
        return local[expr], ATOM
    if isinstance(expr, Var) and expr.choice.startswith(WANTED):
        return wanted_text(expr.choice, "wanted"), COMPARED
    return (f"a[{quoted(expr.choice)}]", ATOM) if isinstance(expr, Var) else None


def choice_text(choice: str, local: dict[Expr, str]) -> str:
    return local.get(Var(choice), f"a[{quoted(choice)}]")


def local_names(context: Context, cls: Class) -> tuple[dict[Expr, str], dict[str, str], list[tuple[str, str]]]:
    """Local variables for choices of one word and for rounded channel counts: `c32 = divisible(32 * width, 8)`.

    Also what the choices that the network's own guards read are called.
    """
    taken = {"self", "a", "chosen", "assignment", "outputs", "answer", "answers", "features", "wanted"}
    taken.update(context.reserved)
    local: dict[Expr, str] = {}
    lines: list[tuple[str, str]] = []
    wanted: dict[Expr, str] = {}
    conditions = context.answers.candidates if context.answers is not None else ()
    read = dict.fromkeys([*cls.choices, *(name for condition, _ in conditions for name in sorted(free(condition)))])
    texts = {choice: fresh(choice_leaf(choice), taken) for choice in read}
    for choice, name in texts.items():
        local[Var(choice)] = name
        lines.append((name, f"a[{quoted(choice)}]"))
    texts.update({flag: wanted_text(flag, "wanted") for flag in (context.answers.flags if context.answers else ())})
    assert cls.active is not None
    for parameter in cls.active.parameters:
        collect(parameter.first, parameter.role, context, wanted)
    for expr, name in wanted.items():
        if isinstance(expr, Var) and expr not in local:
            local[expr] = fresh(name, taken)
            lines.append((local[expr], f"a[{quoted(expr.choice)}]"))
    for expr, name in wanted.items():
        if not isinstance(expr, Var):
            text = python(expr, lambda e, own=expr: None if e == own else local_text(e, local))[0]  # type: ignore[misc]
            local[expr] = fresh(name, taken)
            lines.append((local[expr], text))
    return local, texts, lines


def collect(expr: Expr, role: str, context: Context, wanted: dict[Expr, str]) -> None:
    """Notes what deserves a name, inner expressions first."""
    if expr in wanted:
        return
    if isinstance(expr, Apply):
        for arg in expr.args:
            collect(arg, role, context, wanted)
        if needs_rounding(expr):
            peak = peaks((expr,), context.largest)[0]
            wanted[expr] = f"c{peak}" if role == "channels" else role
    elif isinstance(expr, Var) and "." not in expr.choice:
        wanted[expr] = choice_leaf(expr.choice)


def resolution_choices(context: Context) -> tuple[str | None, ...]:
    """For each input the choice of its height and width; None where these are fixed."""
    images = [context.structure.tensors[name] for name in context.graph.inputs]
    return tuple(next((size.choice for size in image.space if isinstance(size, Var)), None) for image in images)


def resolution_item(context: Context, local: dict[Expr, str]) -> str:
    """What a plan says of the inputs' sizes: nothing, that of the one input, or a size or None for each of several."""
    choices = resolution_choices(context)
    if not any(choices):
        return "resolution=None"
    each = ["None" if choice is None else choice_text(choice, local) for choice in choices]
    return f"resolution={each[0]}" if len(each) == 1 else nested("resolution=", each, 12)


def input_names(context: Context) -> dict[str, str]:
    """The parameter of forward for every input: `x`, or the spec's names where there are several."""
    if len(context.graph.inputs) == 1:
        return {context.graph.inputs[0]: "x"}
    taken = {"self", "plan", "outputs", "p", *context.reserved}
    return {name: fresh(attribute(name), taken) for name in context.graph.inputs}


def asked_outputs(context: Context) -> tuple[Output, ...]:
    return context.graph.outputs


def output_names(context: Context) -> str:
    names = [quoted(output.name) for output in asked_outputs(context)]
    return f"({', '.join(names)}{',' if len(names) == 1 else ''})"


def static_forward(context: Context, cls: Class) -> tuple[str, ...]:
    main = [main_output(context)]
    names = input_names(context)
    body = forward_body(statements(context, cls), tuple(names), main, tuple(names.values()), 8)
    parameters = ["self", *(f"{name}: Tensor" for name in names.values())]
    return (*guarded(call("def forward", parameters, ") -> Tensor:", 4)), *body)


def main_output(context: Context) -> str:
    """What a plain call returns: the head's tensor."""
    return context.graph.answer()


def elastic_forward(context: Context, cls: Class) -> tuple[str, ...]:
    """The plan's parts one after another, and every output noted for a plan that asks for some."""
    main = main_output(context)
    several = len(asked_outputs(context)) > 1
    result = "Tensor | dict[str, Tensor]" if several else "Tensor"
    inputs = input_names(context)
    given = tuple(inputs), tuple(inputs.values())
    parameters = ["self", *(f"{name}: Tensor" for name in inputs.values()), f"plan: {cls.plan_name} | None = None"]
    lines = list(call("def forward", parameters, f") -> {result}:", 4))
    lines.append("        p = self._plan if plan is None else plan")
    if any(resolution_choices(context)) and len(inputs) == 1:
        lines.append("        if p.resolution is not None:")
        lines.append("            x = resize(x, p.resolution)")
    elif any(resolution_choices(context)):
        together = ", ".join(inputs.values())
        lines.extend(call(f"{together} = sized", [f"({together})", "p.resolution"], indent=8))
    if not several:
        return (*lines, *forward_body(statements(context, cls), given[0], [main], given[1], 8))
    lines.append("        outputs: dict[str, Tensor] = {}")
    prefixes = noted_here(context, cls)
    if context.answers is not None:
        ending = "p.result(outputs)"
        return (*lines, *forward_body(statements(context, cls), given[0], [], given[1], 8, prefixes, ending))
    body = forward_body(statements(context, cls), given[0], [main], given[1], 8, prefixes)
    last = body[-1].removeprefix("        return ")
    final = f"        return {last} if p.outputs is None else {{name: outputs[name] for name in p.outputs}}"
    return (*lines, *body[:-1], final)
