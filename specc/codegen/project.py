"""A generated project as a mapping from paths to texts."""

from __future__ import annotations

from collections.abc import Mapping

from specc.codegen.backbone import is_backbone
from specc.codegen.blocks import blocks_of
from specc.codegen.graph_json import graph_json
from specc.codegen.model.write import model_text
from specc.codegen.parts import imported, localised, project_parts
from specc.codegen.training import Sections, has_table, step_modules, training_files
from specc.ir.graph import Graph


def project_files(graph: Graph, model: Sections, texts: Mapping[str, str], own: tuple[str, ...] = ()) -> dict[str, str]:
    """Every file of the project of a graph, by its path in the project, sorted.

    `model` has the spec's sections. `texts` are files that other parts of the compiler made (space.py, spec.specc);
    what of specc they import is copied as well. `own` are files of the user's that go with the project.
    """
    written = model_text(graph)
    scripts = training_files(graph, model, tuple(path for path in texts if path.endswith(".json")), own)
    copied = {path: text for path, text in texts.items() if path.endswith(".py")}
    modules = [*step_modules(graph, model), *written.modules, *(m for text in copied.values() for m in imported(text))]
    if is_backbone(graph):
        modules.append("specc.runtime.net.pyramid")
    files = {
        "model.py": written.text,
        **scripts,
        "ir.json": graph_json(graph, blocks_of(graph) if has_table(graph) else {}),
        **texts,
        **{path: localised(text) for path, text in copied.items()},
    }
    parts = project_parts(scripts, modules)
    clash = files.keys() & parts.keys()
    assert not clash, f"two files would be {min(clash)}"
    return dict(sorted({**files, **parts}.items()))
