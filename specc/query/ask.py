"""One question: a database in memory, the tables that the question names, and an answer within bounds.

Nothing but reading is possible: an authorizer refuses every other statement, and size, rows and time are limited.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from specc.frozen import frozen
from specc.importance.marks import Marks, marks_of
from specc.ir.graph import Graph
from specc.query import rows as plain
from specc.query import tips_rows as tips
from specc.query.refused import TOO_LARGE, TOO_LONG, TOO_MANY_ROWS, refusal, wrong_sql
from specc.query.rows import Cell, Facts, Row
from specc.query.tables import TABLES, Table

SECONDS: Final = 10.0
MOST_ROWS: Final = 100_000
STEPS: Final = 20_000
"""Instructions of SQLite's machine between two looks at the clock."""
LONGEST: Final = 1_000_000
"""Bytes of a text, so that no function makes a huge one."""
MOST_BYTES: Final = 64_000_000
"""Of all cells of an answer together."""
HEAP: Final = 256_000_000
"""Bytes that SQLite may use for all that it keeps on the way: recursions, sorted rows, groups."""

FILLERS: Final[Mapping[str, Callable[[Facts], Iterator[Row]]]] = {
    "ops": plain.op_rows,
    "inputs": plain.input_rows,
    "tensors": plain.tensor_rows,
    "choices": plain.choice_rows,
    "reads": plain.read_rows,
    "stages": plain.stage_rows,
    "costs": plain.cost_rows,
    "tas": tips.tas_rows,
    "edges": tips.edge_rows,
    "paths": tips.path_rows,
    "steps": tips.step_rows,
    "subnets": tips.subnet_rows,
    "present": tips.present_rows,
}
READING: Final = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


@frozen
class Answer:
    """The columns of an answer and its rows; a name that stands twice has `_2` added the second time."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def records(self) -> list[dict[str, Cell]]:
        """One mapping for each row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


def ask(graph: Graph, sql: str, marks: Callable[[], Marks] | None = None, seconds: float = SECONDS) -> Answer:
    """The answer to one SELECT. Raises SpecError where the SQL is wrong, writes, takes too long or gives too much.

    `marks` gives the importance analysis, and is called only where a question needs it; by default with the paper's
    settings.
    """
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        facts = Facts(graph, marks or (lambda: marks_of(graph)))
        for table in TABLES:
            create(database, table, facts, filled=mentions(sql, table.name))
        return answer(database, sql, seconds)
    finally:
        database.close()


def create(database: sqlite3.Connection, table: Table, facts: Facts, filled: bool) -> None:
    """Makes one table, with its rows where the question may read it."""
    columns = ", ".join(f"{column.name} {column.type}" for column in table.columns)
    database.execute(f"CREATE TABLE {table.name} ({columns})")
    if filled:
        places = ", ".join("?" * len(table.columns))
        database.execute("BEGIN")
        found = (tuple(map(stored, row)) for row in FILLERS[table.name](facts))
        database.executemany(f"INSERT INTO {table.name} VALUES ({places})", found)
        database.execute("COMMIT")


def mentions(sql: str, name: str) -> bool:
    """Whether a table's name stands anywhere in the SQL: what a question reads, it names."""
    return re.search(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9_])", sql, re.IGNORECASE) is not None


def stored(cell: Cell) -> Cell:
    """A cell as SQLite holds it: integers beyond 64 bits become real numbers."""
    return float(cell) if isinstance(cell, int) and not -(1 << 63) <= cell < 1 << 63 else cell


def answer(database: sqlite3.Connection, sql: str, seconds: float) -> Answer:
    """Runs a question in a database that it can only read from now on."""
    end = time.monotonic() + seconds
    refused: list[int] = []

    def authorize(action: int, *about: str | None) -> int:
        if action in READING and about[1] not in ("load_extension", "sqlite_rename_table"):
            return sqlite3.SQLITE_OK
        refused.append(action)
        return sqlite3.SQLITE_DENY

    for limit in (sqlite3.SQLITE_LIMIT_LENGTH, sqlite3.SQLITE_LIMIT_SQL_LENGTH):
        database.setlimit(limit, LONGEST)
    database.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    database.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 200)
    database.execute("PRAGMA temp_store = MEMORY")  # which the heap's limit counts, and no file does
    database.set_authorizer(authorize)
    database.set_progress_handler(lambda: int(time.monotonic() > end), STEPS)
    try:
        cursor = database.execute(sql)
        if cursor.description is None:
            raise wrong_sql(sql, "it is not a query", wrote=False)
        found = fetched(cursor, sql)
    except MemoryError:
        help = "select fewer and shorter texts, and end recursions"
        message = f"this needs more than {HEAP // 1_000_000} MB of working memory"
        raise refusal(sql, TOO_LARGE, message, help) from None
    except (sqlite3.Error, sqlite3.Warning, ValueError) as error:
        if str(error) == "interrupted":
            help = "join tables on a column they share, and end recursions"
            raise refusal(sql, TOO_LONG, f"no result within {seconds:g} seconds", help) from None
        raise wrong_sql(sql, str(error), wrote=bool(refused)) from None
    return Answer(unique(column[0] for column in cursor.description), tuple(tuple(map(shown, row)) for row in found))


def limit_memory() -> None:
    """Bounds the working memory of SQLite, in this process and for good: commands do so, the API does not."""
    database = sqlite3.connect(":memory:")
    database.execute(f"PRAGMA hard_heap_limit = {HEAP}")
    database.close()


def fetched(cursor: sqlite3.Cursor, sql: str) -> list[tuple[object, ...]]:
    """The rows of a result. Raises SpecError where there are too many, or they hold too much."""
    found: list[tuple[object, ...]] = []
    held = 0
    for row in cursor:
        found.append(row)
        held += sum(len(cell) if isinstance(cell, (str, bytes)) else 8 for cell in row)
        if len(found) > MOST_ROWS:
            help = "end it with LIMIT 100, or ask for a count or a sum"
            raise refusal(sql, TOO_MANY_ROWS, f"the result has more than {MOST_ROWS:,} rows", help)
        if held > MOST_BYTES:
            help = "end it with LIMIT 100, or select shorter texts"
            raise refusal(sql, TOO_LARGE, f"the result has more than {MOST_BYTES // 1_000_000} MB", help)
    return found


def shown(cell: object) -> Cell:
    """A cell of an answer: bytes as hexadecimal digits, infinities as text, which JSON can say."""
    if isinstance(cell, bytes):
        return cell.hex()
    if isinstance(cell, float) and cell in (float("inf"), float("-inf")):
        return str(cell)
    assert cell is None or isinstance(cell, (str, int, float))
    return cell


def unique(names: Iterator[str]) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for name in names:
        free, number = name, 1
        while free in found:
            number += 1
            free = f"{name}_{number}"
        found[free] = None
    return tuple(found)
