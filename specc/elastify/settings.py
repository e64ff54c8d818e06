"""What becomes elastic by one setting: all widths, the image's size; and the norm banks of adaptive depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Final

from specc.elastify.edits import Edit, inserted, replaced
from specc.elastify.flow import Flow
from specc.elastify.kernels import argument_added, bound
from specc.elastify.notes import Kept, Step
from specc.elastify.request import WrongRequest, expression
from specc.elastify.skips import nodes, stages
from specc.pipeline import Compiled
from specc.semantics.meaning import BlockCall
from specc.syntax import ast

FOLLOW, OWN = "follow", "own"


# --- widths ----------------------------------------------------------------------------------------


def elastic_widths(compiled: Compiled, setting: str) -> Step:
    """A `width` setting for the whole network. Under `per_group` hidden widths that would follow get their own."""
    body = compiled.model.names.supernet.body
    there = next((s for s in body.statements if isinstance(s, ast.WidthSetting)), None)
    if there is not None:
        return Step(kept=(Kept("width", there.span.shown(), "the network has a width setting already"),))
    edits = [inserted(first_stage(body).span.start, f"{setting}\n")]
    if setting.split()[1] == "per_group":
        edits += own_widths(compiled)
    return Step(tuple(edits), (setting,))


def first_stage(body: ast.Body) -> ast.Statement:
    """The statement before which settings for all of a network stand."""
    return next(s for s in body.statements if isinstance(s, (ast.Stage, ast.Exit)))


def own_widths(compiled: Compiled) -> Iterator[Edit]:
    """`hidden=own` for each call, in the spec itself, of a block with a width that would follow what comes in."""
    calls = {n.span.key: n for f in compiled.model.files for n in nodes(f.tree.items) if isinstance(n, ast.CallExpr)}
    found: dict[tuple[int, int], Edit] = {}
    for op in compiled.graph.ops:
        call, sites = calls.get(op.origin.key), op.origin.calls
        outer = calls.get(sites[-1].span.key) if sites else None
        width = None if call is None else bound(call, compiled).get("width")
        if outer is None or not isinstance(width, ast.Name) or outer.span.source is not compiled.files[0]:
            continue
        if width.name not in bound(outer, compiled) and follows(outer, width.name, compiled):
            edit = argument_added(outer, f"{width.name}={OWN}")
            found[edit.start, edit.end] = edit
    yield from found.values()


def follows(call: ast.CallExpr, parameter: str, compiled: Compiled) -> bool:
    """Whether the default of a block's parameter says that a width follows."""
    meaning = compiled.model.meanings.get(call.name)
    parameters = meaning.block.parameters if isinstance(meaning, BlockCall) else ()
    return any(
        p.name.name == parameter and isinstance(p.default, ast.Name) and p.default.name == FOLLOW for p in parameters
    )


def widths_that_stay(flow: Flow) -> Iterator[Kept]:
    """The layers of an elastic network that always have all of their channels, though they choose how many."""
    seen: set[tuple[int, int, int]] = set()
    answers = {output.tensor for output in flow.graph.outputs}
    for op in flow.graph.ops:
        tensor = flow.tensors[op.output]
        chooses = any(p.type == "channels" for p in op.operator.signature.parameters)
        if chooses and flow.has_weights(op) and isinstance(tensor.features, int) and op.output not in answers:
            if op.origin.key not in seen:
                seen.add(op.origin.key)
                why = (
                    f"its {tensor.features} channels stay: no smaller width fits the setting, or what it meets is fixed"
                )
                yield Kept("width", op.origin.shown(), f"{op.name}: {why}")


# --- resolution ------------------------------------------------------------------------------------

STEPS: Final[Mapping[int, int]] = {128: 32, 32: 8, 8: 2}
"""From this size on, the default step of a resolution."""


def elastic_resolution(compiled: Compiled, options: str) -> Step:
    """Images of several sizes, up to the size that the network has. Raises WrongRequest for another largest."""
    inputs = [s for s in compiled.model.names.supernet.body.statements if isinstance(s, ast.InputStatement)]
    if len(inputs) != 1:
        return Step(kept=(Kept("resolution", inputs[0].span.shown(), "the network has several inputs"),))
    shape = inputs[0].shape
    tensor = {t.name: t for t in compiled.graph.tensors}[compiled.graph.inputs[0]]
    if shape.name.name != "image" or len(tensor.space) != 2:
        return Step(kept=(Kept("resolution", shape.span.shown(), "its input is no image"),))
    height, width = tensor.space
    if not isinstance(height, int) or not isinstance(width, int):
        return Step(kept=(Kept("resolution", shape.span.shown(), "it is elastic already"),))
    if height != width:
        return Step(kept=(Kept("resolution", shape.span.shown(), f"images of {height} x {width} are not square"),))
    text = default_sizes(height) if options == "default" else options
    if not text:
        return Step(kept=(Kept("resolution", shape.span.shown(), f"images of {height} are too small"),))
    most = largest_of(text)
    if most is not None and most != height:
        raise WrongRequest(
            f"the largest resolution is {most}, and the network's images are of {height}",
            f"let the range end at {height}: its largest sub-network is the network as it is",
        )
    words = f"image({shape.args[0].span.text}, resolution={text})"
    return Step((replaced(shape.span, words),), (f"resolution {text}",))


def default_sizes(size: int) -> str:
    """From about 5/8 of a size up to it; "" where there are no such sizes."""
    step = next((step for least, step in STEPS.items() if size >= least), 0)
    smaller = size * 3 // 8 // step if step else 0
    return f"{size - smaller * step}..{size} step {step}" if smaller else ""


def largest_of(text: str) -> Fraction | int | None:
    """The largest of the options, where these are numbers."""
    value = expression(text)
    items = (value.high,) if isinstance(value, ast.RangeExpr) else value.items if isinstance(value, ast.SetExpr) else ()
    numbers = [item.value for item in items if isinstance(item, ast.Number)]
    return max(numbers) if numbers and len(numbers) == len(items) else None


# --- norm banks ------------------------------------------------------------------------------------


def skip_banks(compiled: Compiled) -> Step:
    """Two banks of every norm in a stage with a skippable sub-path, one for each of its states; one elsewhere.

    The shared ones: stem, head, stages without such a sub-path, and shortcuts, which are never left out.
    """
    supernet = compiled.model.names.supernet
    settings = [s for s in supernet.body.statements if isinstance(s, ast.NormSetting)]
    if len(settings) != 1:
        return Step(kept=(Kept("norm", supernet.name.span.shown(), "the network has no single `norm` setting"),))
    setting = settings[0]
    if any(a.name is not None and a.name.name == "bank" for a in setting.norm.args):
        return Step(kept=(Kept("norm", setting.span.shown(), "its banks are set already"),))
    edits = [argument_added(setting.norm, "bank=skip")]
    shared = [s for s in stages(supernet, ("stem", "stage", "head")) if not skips(s.body)]
    for stage in shared:
        norms = [s for s in stage.body.statements if isinstance(s, ast.CallStatement) and is_plain_norm(s.call)]
        others = [
            s for s in stage.body.statements if isinstance(s, ast.Repeat | ast.Residual | ast.When | ast.Branches)
        ]
        calls = [s for s in stage.body.statements if isinstance(s, ast.CallStatement) and is_block(s.call, compiled)]
        if others or calls:
            inner = argument_added(setting.norm, "bank=shared")
            offset = inner.start - setting.span.start
            text = setting.span.text[:offset] + inner.text + setting.span.text[offset:]
            edits.append(inserted(stage.body.statements[0].span.start, f"{text}\n"))
        else:
            edits += [replaced(s.call.span, "norm(bank=shared)") for s in norms]
    inside = [n for s in stages(supernet, ("stage",)) if skips(s.body) for n in nodes(s.body)]
    blocks = [i for i in compiled.model.files[0].tree.items if isinstance(i, ast.Block)]
    for residual in (n for n in (*inside, *(m for b in blocks for m in nodes(b.body))) if isinstance(n, ast.Residual)):
        for node in nodes(residual.shortcut) if residual.shortcut is not None else ():
            if isinstance(node, ast.CallStatement) and is_plain_norm(node.call):
                edits.append(replaced(node.call.span, "norm(bank=shared)"))
    return Step(tuple(edits), ("norm banks: one for each state of their stage's skippable sub-path",))


def skips(body: ast.Body) -> bool:
    return any(isinstance(node, ast.Skippable) for node in nodes(body))


def is_plain_norm(call: ast.CallExpr) -> bool:
    return call.name.name == "norm" and not call.args


def is_block(call: ast.CallExpr, compiled: Compiled) -> bool:
    return isinstance(compiled.model.meanings.get(call.name), BlockCall)
