"""What commands say of specs: diagnostics, verdicts, rules and explanations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, RootModel

from specc.schemas.document import Count, Document, Flag, Text


class Place(Document):
    """A part of a spec's text, and what is said of it. Lines and columns count from 1; the end is exclusive."""

    message: Text
    file: Text = Field(description="as it was named on the command line")
    line: Count
    column: Count
    end_line: Count
    end_column: Count


class Diagnostic(Document):
    """An error or a warning, at its place."""

    severity: Literal["error", "warning"]
    code: Text = Field(description="of the rule, as in E212; it stays the same from version to version")
    rule: Text = Field(description="the rule's name")
    message: Text
    file: Text = Field(description="as it was named on the command line")
    line: Count
    column: Count
    end_line: Count
    end_column: Count
    help: Text = Field(description="how to fix it")
    related: tuple[Place, ...] = Field(description="other places that matter")
    path: Text = Field(
        default="", description="the part of the network that the block there was called for, as in s1.b2"
    )


class OfSpec(Document):
    """What is said of a spec, with the warnings about it."""

    warnings: tuple[Diagnostic, ...] = Field(default=(), description="about the spec and the use of it")


class Diagnostics(OfSpec):
    """What every command prints where a spec or its use is wrong; the exit code is 1."""

    diagnostics: tuple[Diagnostic, ...] = Field(description="the errors, in the order of their places")


class Verdict(Document):
    """Whether one spec is right."""

    spec: Text = Field(description="as it was named on the command line")
    ok: Flag


class Checked(OfSpec):
    """What `specc check` found."""

    ok: Flag = Field(description="whether all specs are right")
    specs: tuple[Verdict, ...]
    diagnostics: tuple[Diagnostic, ...] = Field(description="the errors, in the order of their places")


class RuleRow(Document):
    """A rule that specs must respect."""

    code: Text
    name: Text
    summary: Text


class Rules(RootModel[tuple[RuleRow, ...]]):
    """What `specc rules` prints: all rules, by their codes."""


class ExplainedRule(Document):
    """What `specc explain` prints of a rule: why it exists, and a wrong and a right example."""

    code: Text
    name: Text
    summary: Text
    explanation: Text


class ExplainedTopic(Document):
    """What `specc explain` prints of an operator, a block of the library, a method, or a topic."""

    topic: Text
    text: Text
