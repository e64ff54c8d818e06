"""Warnings: what lowering made and the passes dropped, because the outputs do not depend on it."""

from __future__ import annotations

from specc.diagnostics import Findings, Rule
from specc.ir.choice import Choice
from specc.ir.expr import round_half_up
from specc.ir.graph import Graph, Op, WidthGroup
from specc.lower.settings import UNUSED_SETTING
from specc.passes.unify_channels import group_options, same_rule
from specc.source import Span

UNUSED_CHOICE = Rule(
    "W101",
    "unused-choice",
    "a choice changes nothing",
    "A choice that nothing reads is no dimension of the search space: it is dropped, and the network stays the same.\n"
    "So is one that only operations read whose results nothing needs, and a `skippable` that holds no operation.\n"
    "Wrong:  choice wide in {16, 32}   ...   stem { conv(16, kernel=3) }\n"
    "Right:  choice wide in {16, 32}   ...   stem { conv(wide, kernel=3) }",
)
UNUSED_OPERATION = Rule(
    "W104",
    "unused-operation",
    "the result of an operation is never read",
    "An operation on which no output depends is left out of the network. Every operator reads the tensor before it,\n"
    "unless `from=` names another; so nothing may read what comes before a `from=`.\n"
    "Wrong:  a = conv(16, kernel=3); b = conv(16, kernel=5, from=input); relu\n"
    "Right:  a = conv(16, kernel=3); b = conv(16, kernel=5, from=input); add(a, b); relu",
)


def warn_of_dropped(lowered: Graph, finished: Graph, findings: Findings) -> None:
    """Warns of the choices, `width` settings, operations and inputs of a lowered graph that the finished one lacks."""
    dropped_choices(lowered, finished, findings)
    fixed_widths(lowered, finished, findings)
    dropped_operations(lowered, finished, findings)


def dropped_choices(lowered: Graph, finished: Graph, findings: Findings) -> None:
    """A choice written once may be made several times, as in a block: it is unused where all of these are."""
    kept = {choice.origin.key for choice in finished.choices}
    rules = {group.rule.origin.key for group in lowered.widths if group.rule is not None}
    for choice in lowered.choices:
        if len(choice.options) < 2 or choice.origin.key in kept or choice.origin.in_library:
            continue
        if choice.kind == "width" and choice.origin.key in rules:
            continue  # `fixed_widths` tells of it
        message, help = said_of(choice)
        findings.report(UNUSED_CHOICE, choice.origin, message, help=help)


def said_of(choice: Choice) -> tuple[str, str]:
    if choice.kind == "skip":
        return "skipping this changes nothing: it holds no operation that an output needs", "fill it, or leave it out"
    if choice.kind == "depth":
        return (
            "these rounds change nothing: they hold no operation that an output needs",
            "fill them, or leave them out",
        )
    return f"nothing reads the choice `{choice.name}`", "use it, or leave it out"


def fixed_widths(lowered: Graph, finished: Graph, findings: Findings) -> None:
    """A `width` setting whose groups are all fixed: by what they are added to, or by its own rounding."""
    made = {choice.origin.key for choice in finished.choices}
    for rule in {g.rule.origin.key: g.rule for g in lowered.widths if g.rule is not None}.values():
        groups = [g for g in lowered.widths if g.rule is rule or same_rule(g.rule, rule)]
        if rule.origin.key in made or any(g.origin.key in made for g in groups) or rule.origin is None:
            continue
        if all(single(g) for g in groups):
            multiples = f", with multiples of {rule.round}" if rule.round > 1 else ""
            message = f"`width {rule.kind}` leaves every width one option{multiples}"
            help = "round to less, or begin at a smaller ratio"
        else:
            message = f"`width {rule.kind}` changes nothing: every width under it is fixed by what it must agree with"
            help = "put the setting before all operators whose channels are added up, the stem's too"
        if not rule.origin.in_library:
            places = [(g.origin, f"this stays at {g.maximum} channels") for g in groups[:3]]
            findings.report(UNUSED_SETTING, rule.origin, message, secondary=places, help=help)


def single(group: WidthGroup) -> bool:
    """Whether rounding leaves a group its maximum alone."""
    rule = group.rule
    assert rule is not None
    if rule.kind == "any":
        return round_half_up(rule.ratios[0] * group.maximum) >= group.maximum
    return rule.kind == "per_group" and len(group_options(group.maximum, rule, group.multiple)) == 1


def dropped_operations(lowered: Graph, finished: Graph, findings: Findings) -> None:
    """The operations that were left out and fed no other: what fed only them is left out with them."""
    kept = {op.name for op in finished.ops}
    read = {name for op in lowered.ops for name in op.inputs}
    for op in lowered.ops:
        if op.name not in kept and read.isdisjoint(op.outputs):
            place = own_place(op)
            message = f"no output depends on `{op.name}`"
            findings.report(UNUSED_OPERATION, place, message, help="read it with `from=name`, or leave it out")
    read_inputs = {name for op in finished.ops for name in op.inputs}
    for tensor in lowered.tensors:
        if tensor.name in lowered.inputs and tensor.name not in read_inputs:
            message = f"no output depends on the input `{tensor.name}`"
            findings.report(UNUSED_OPERATION, tensor.origin, message, help=f"read it with `from={tensor.name}`")


def own_place(op: Op) -> Span:
    """The operation in the user's files: the call of the library's block that it stands in, if it stands in one."""
    if not op.origin.in_library:
        return op.origin
    calls = [site.span for site in op.origin.calls if not site.span.in_library]
    return calls[-1] if calls else op.origin
