"""All documents by name: commands by theirs for what `--json` prints, files by theirs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any, Final

from pydantic import BaseModel, Field, RootModel, TypeAdapter

from specc.schemas import (
    adjacency,
    assignment,
    bundle,
    costs,
    files,
    fronts,
    graph,
    importance,
    latency,
    query,
    told,
    training,
)
from specc.schemas.document import Document, Text

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class SchemaRow(Document):
    """A document that has a schema."""

    name: Text = Field(description="of a command, for what its --json prints, or of a file")
    summary: Text


class SchemaRows(RootModel[tuple[SchemaRow, ...]]):
    """What `specc schema` prints: the documents that have a schema."""


@dataclass(frozen=True, slots=True)
class Schema:
    """A document, which may be of several forms."""

    name: str
    models: tuple[type[BaseModel], ...]

    @property
    def summary(self) -> str:
        """What the document is, in a line."""
        return (self.models[0].__doc__ or "").splitlines()[0]

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """What validates a document of this schema."""
        return TypeAdapter(reduce(or_, self.models))

    def json_schema(self) -> dict[str, Any]:
        """The schema as JSON Schema, draft 2020-12."""
        return {"$schema": DIALECT, **self.adapter.json_schema()}


SCHEMAS: Final = (
    Schema("check", (told.Checked,)),
    Schema("compile", (files.Compiled, files.Differences)),
    Schema("cost", (costs.Cost,)),
    Schema("diagnostics", (told.Diagnostics,)),
    Schema("elastify", (files.Elastic,)),
    Schema("explain", (told.ExplainedRule, told.ExplainedTopic)),
    Schema("fmt", (files.Formatted,)),
    Schema("import", (files.Imported,)),
    Schema("importance", (importance.Importance,)),
    Schema("new", (files.Started,)),
    Schema("plan", (costs.Plan,)),
    Schema("query", (query.Answer, query.Tables, query.Questions)),
    Schema("rules", (told.Rules,)),
    Schema("sample", (costs.Draws,)),
    Schema("schema", (SchemaRows,)),
    Schema("space", (costs.Space,)),
    Schema("verify", (costs.Verified,)),
    Schema("viz", (files.Drawing,)),
    Schema("adjacency.json", (adjacency.AdjacencyFile,)),
    Schema("at.json", (assignment.AssignmentFile,)),
    Schema("answers.json", (fronts.Answers,)),
    Schema("channels.json", (training.ChannelsFile,)),
    Schema("constraints.json", (fronts.Constraints,)),
    Schema("importance.json", (training.ImportanceFile,)),
    Schema("index.json", (bundle.Bundle,)),
    Schema("ir.json", (graph.Graph,)),
    Schema("latency.json", (latency.LatencyTable,)),
    Schema("metrics.jsonl", (training.MetricsLine,)),
    Schema("pareto.json", (fronts.Front,)),
    Schema("search.jsonl", (fronts.JournalLine,)),
    Schema("shrinking.json", (training.Shrinking,)),
    Schema("subnet.json", (bundle.Exported,)),
)
"""Commands, then files."""


def schema(name: str) -> Schema | None:
    """The schema of this name, if there is one."""
    return next((found for found in SCHEMAS if found.name == name), None)
