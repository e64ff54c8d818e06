"""The rules that a question must respect. They point into the SQL, not into the spec."""

from __future__ import annotations

import re

from specc.diagnostics import Findings, Rule, SpecError
from specc.diagnostics.near import near
from specc.query.tables import TABLES, table_list
from specc.source import Source, Span

WRONG_SQL = Rule(
    "E721",
    "wrong-sql",
    "a SQL query does not parse, or names something that does not exist",
    "`specc query` hands the text to SQLite, whose own words say what is wrong; `specc query SPEC` lists the tables.\n"
    "Wrong:  SELECT nam FORM ops\n"
    "Right:  SELECT name FROM ops",
)
WRITES = Rule(
    "E722",
    "sql-writes",
    "a SQL query would change something",
    "The tables show what the compiler knows; they can be read and nothing else. PRAGMA and ATTACH count as writing.\n"
    "Wrong:  DELETE FROM ops WHERE kind = 'relu'\n"
    "Right:  SELECT * FROM ops WHERE kind != 'relu'",
)
TOO_LONG = Rule(
    "E723",
    "sql-too-long",
    "a SQL query takes too long",
    "A question has ten seconds, so that a join without a condition, or a recursion without an end, stops.\n"
    "Wrong:  SELECT count(*) FROM ops a, ops b, ops c, ops d\n"
    "Right:  SELECT count(*) FROM ops a JOIN inputs b ON b.op = a.name",
)
TOO_MANY_ROWS = Rule(
    "E724",
    "sql-too-many-rows",
    "a SQL query returns too many rows",
    "A result has at most 100,000 rows. Ask for a sum, or for the first rows.\n"
    "Wrong:  SELECT * FROM ops a, ops b\n"
    "Right:  SELECT * FROM ops a, ops b LIMIT 100",
)

TOO_LARGE = Rule(
    "E725",
    "sql-too-large",
    "a SQL query or its result takes too much memory",
    "A result holds at most 64 MB, and SQLite uses at most 256 MB to compute it.\n"
    "Wrong:  WITH RECURSIVE r(x) AS (SELECT zeroblob(900000) UNION ALL SELECT x FROM r) SELECT * FROM r\n"
    "Right:  SELECT name FROM ops LIMIT 100",
)


def wrong_sql(sql: str, said: str, wrote: bool) -> SpecError:
    """SQLite's message as a diagnostic at the place it speaks of."""
    rule = WRITES if wrote else WRONG_SQL
    message = "a question can only read" if said == "not authorized" else said
    unknown = re.match(r"no such table: (?:main\.)?(.*)", said)
    close = near(unknown[1], [table.name for table in TABLES]) if unknown else ""
    column = re.match(r"no such column: (?:[^.]*\.)?(.*)", said)
    if column:
        close = near(column[1], [c.name for table in TABLES for c in table.columns])
    help = f"{close + '; ' if close else ''}the tables are {table_list()}"
    return refusal(sql, rule, message, help, at=place(sql, said))


def place(sql: str, said: str) -> tuple[int, int]:
    """Where the word stands that a message of SQLite names; the whole text where it names none."""
    kinds = "no such column|no such table|no such function|unrecognized token|ambiguous column name"
    word = re.search(rf'near "(.*)":|(?:{kinds}): "?([^"]*)', said)
    name = (word[1] or word[2] or "").split(".")[-1] if word else ""
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)|{re.escape(name)}", sql) if name else None
    return found.span() if found else (0, len(sql))


def refusal(sql: str, rule: Rule, message: str, help: str, at: tuple[int, int] | None = None) -> SpecError:
    """One diagnostic in the text of a question."""
    start, end = at or (0, len(sql))
    findings = Findings()
    findings.report(rule, Span(Source("<sql>", sql), start, end), message, help=help)
    return SpecError(findings.diagnostics)
