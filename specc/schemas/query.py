"""What `specc query` prints: answers, the tables that there are, and useful questions."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field, RootModel, StrictFloat, StrictInt, StrictStr

from specc.schemas.document import Document, Text

Cell: TypeAlias = StrictInt | Annotated[StrictFloat, Field(allow_inf_nan=False)] | StrictStr | None


class Answer(RootModel[tuple[dict[str, Cell], ...]]):
    """What `specc query` prints: the rows of an answer. Bytes are hexadecimal digits, infinities text."""


class Column(Document):
    """A column of a table."""

    name: Text
    type: Text = Field(description="the SQL type: INTEGER, REAL or TEXT")
    doc: Text


class Table(Document):
    """A table that can be asked about."""

    name: Text
    doc: Text
    columns: tuple[Column, ...]


class Tables(RootModel[tuple[Table, ...]]):
    """What `specc query` prints without a question: the tables that can be asked about."""


class Question(Document):
    """A useful question, in words and in SQL."""

    question: Text
    sql: Text


class Questions(RootModel[tuple[Question, ...]]):
    """What `specc query --examples` prints."""
