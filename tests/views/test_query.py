"""Questions in SQL: what the tables hold, what is refused, how answers are shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import specc
from specc.diagnostics import SpecError
from specc.importance.marks import Marks
from specc.query import QUESTIONS, TABLES, Answer, Question, Table, ask
from specc.query.ask import FILLERS, unique
from tests.helpers.commands import SMALL
from tests.helpers.commands import specc as run
from tests.helpers.folders import ROOT, SPECS
from tests.helpers.networks import graph_of

NAMES = ("digits", "mobilenet_v2_tips", "resnet50", "resnet50_adn")
NETS = {name: specc.load(SPECS / f"{name}.specc") for name in NAMES}
TIPS = NETS["mobilenet_v2_tips"]


def refused(sql: str, seconds: float = 10) -> tuple[str, str, str]:
    """The rule that a question breaks, the text it points at, the help."""
    with pytest.raises(SpecError) as error:
        ask(NETS["digits"].graph, sql, seconds=seconds)
    diagnostic = error.value.diagnostics[0]
    return diagnostic.rule.name, diagnostic.primary.span.text, diagnostic.help


# --- what the tables hold ---


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_useful_questions_have_answers(name: str, question: Question) -> None:
    answer = NETS[name].query(question.sql)
    assert answer.columns
    if name == "mobilenet_v2_tips":
        assert answer.rows


def test_there_are_ten_useful_questions() -> None:
    assert len(QUESTIONS) >= 10
    assert len({question.text for question in QUESTIONS}) == len(QUESTIONS)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_tables_are_as_documented(table: Table) -> None:
    answer = TIPS.query(f"SELECT * FROM {table.name}")
    assert answer.columns == tuple(column.name for column in table.columns)
    assert answer.rows
    for column, cells in zip(table.columns, zip(*answer.rows, strict=True), strict=True):
        wanted = {"TEXT": str, "INTEGER": int, "REAL": float}[column.type]
        assert all(cell is None or isinstance(cell, wanted) for cell in cells), column.name


def test_every_table_can_be_filled() -> None:
    assert list(FILLERS) == [table.name for table in TABLES]


def one(answer: Answer) -> object:
    assert len(answer.rows) == len(answer.columns) == 1
    return answer.rows[0][0]


@pytest.mark.parametrize("name", NAMES)
def test_sums_are_the_networks_costs(name: str) -> None:
    net = NETS[name]
    for end, at in (("max", net.cost("max")), ("min", net.cost("min"))):
        assert net.query(f"SELECT sum(macs), sum(params) FROM costs WHERE at = '{end}'").rows == ((at.macs, at.params),)
    largest = net.cost("max")
    assert net.query("SELECT sum(macs), sum(params) FROM ops").rows == ((largest.macs, largest.params),)
    assert net.query("SELECT sum(macs), sum(params) FROM stages").rows == ((largest.macs, largest.params),)
    assert one(net.query("SELECT sum(share) FROM ops")) == pytest.approx(1)
    assert one(net.query("SELECT count(*) FROM ops")) == len(net.graph.ops)
    assert one(net.query("SELECT sum(ops) FROM stages")) == len(net.graph.ops)


@pytest.mark.parametrize("name", ["digits", "mobilenet_v2_tips"])
def test_choices_say_what_they_save(name: str) -> None:
    net = NETS[name]
    largest = net.cost("max")
    for choice, macs, params in net.query("SELECT name, macs_saved, params_saved FROM choices").rows:
        smaller = net.cost({str(choice): net.graph.choice_table()[str(choice)].smallest})
        assert (macs, params) == (largest.macs - smaller.macs, largest.params - smaller.params)


def test_answers_to_some_questions() -> None:
    sql = {question.text: question.sql for question in QUESTIONS}
    cheapest = TIPS.query(sql["the five cheapest important operations"]).rows
    assert [row[0] for row in cheapest] == [f"s{n}.b1.depthwise" for n in (6, 4, 7, 5, 3)]
    assert TIPS.query(sql["the most expensive stage"]).rows[0][0] == "s5"
    fixed = TIPS.query(sql["the operations with weights whose width no choice touches"]).rows
    assert [row[0] for row in fixed] == ["head.conv", "head.norm", "head.linear"]
    dropped = sum(row.macs for row in TIPS.cost("max").ops if ".b1." not in row.name and row.stage[0] == "s")
    dropped -= sum(row.macs for row in TIPS.cost("max").ops if row.stage == "stem")
    share = one(TIPS.query(sql["the share of the MACs that is unimportant"]))
    assert share == pytest.approx(dropped / TIPS.cost("max").macs)


def test_depth_is_read_by_guards() -> None:
    rows = NETS["digits"].query("SELECT DISTINCT op FROM reads WHERE choice = 's1.depth' AND how = 'guard'").rows
    assert {row[0].rpartition(".")[0] for row in rows if isinstance(row[0], str)} == {"s1.b2", "s1.b3"}


def test_kernels_and_sizes_are_read() -> None:
    graph = graph_of(SMALL)
    assert ask(graph, "SELECT op FROM reads WHERE how = 'kernel'").rows == (("s1.b1.depthwise",),)
    sized = ask(graph, "SELECT count(DISTINCT op) FROM reads WHERE choice = 'resolution' AND how = 'size'").rows[0][0]
    assert isinstance(sized, int)
    assert sized > 10


def test_only_what_is_named_is_computed() -> None:
    def never() -> Marks:
        raise AssertionError("nobody asked for importance")

    assert ask(TIPS.graph, "SELECT count(*) FROM inputs, stages", never).rows[0][0]


def test_static_networks_have_no_choices() -> None:
    assert NETS["resnet50"].query("SELECT * FROM choices").rows == ()
    assert one(NETS["resnet50"].query("SELECT count(*) FROM tas")) == 53


# --- what is refused ---


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM ops",
        "UPDATE ops SET macs = 0",
        "INSERT INTO ops(name) VALUES ('x')",
        "REPLACE INTO ops(name) VALUES ('x')",
        "DROP TABLE ops",
        "CREATE TABLE more (a)",
        "CREATE TEMP VIEW more AS SELECT 1",
        "ALTER TABLE ops RENAME TO mine",
        "ATTACH 'file.db' AS other",
        "DETACH main",
        "VACUUM INTO 'file.db'",
        "PRAGMA user_version = 3",
        "PRAGMA journal_mode",
        "SELECT * FROM pragma_table_info('ops')",
        "SELECT load_extension('x')",
        "BEGIN",
        "SAVEPOINT here",
        "ANALYZE",
        "WITH gone AS (SELECT 1) DELETE FROM ops",
    ],
)
def test_writing_is_refused(sql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rule, _, help = refused(sql)
    assert rule == "sql-writes"
    assert "ops, inputs, tensors" in help
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("SELECT name FORM ops", "ops"),
        ("SELEC 1", "SELEC"),
        ("SELECT nam FROM ops", "nam"),
        ("SELECT o.nam FROM ops AS o", "nam"),
        ("SELECT * FROM op", "op"),
        ("SELECT lenght(name) FROM ops", "lenght"),
        ("SELECT name FROM ops JOIN stages", "name"),
        ("SELECT 1; SELECT 2", "SELECT 1; SELECT 2"),
        ("SELECT ?", "SELECT ?"),
        ("", ""),
        ("-- nothing", "-- nothing"),
        ("SELECT '\x00'", "SELECT '\x00'"),
        ("SELECT '\ud800'", "SELECT '\ud800'"),
        ("SELECT " + "(" * 5000 + "1" + ")" * 5000, None),
        ("SELECT " + "x" * 2_000_000, None),
        ("SELECT zeroblob(1000000000)", None),
    ],
)
def test_wrong_sql_is_explained(sql: str, place: str | None) -> None:
    rule, text, help = refused(sql)
    assert rule == "wrong-sql"
    assert place is None or text == place
    assert "the tables are ops," in help


def test_near_names_are_offered() -> None:
    assert "`ops`" in refused("SELECT * FROM op")[2]
    assert "`params`" in refused("SELECT parms FROM ops")[2]


def test_time_and_rows_are_limited() -> None:
    forever = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT"
    assert refused(f"{forever} count(*) FROM c", seconds=0.2)[0] == "sql-too-long"
    assert refused(f"{forever} x FROM c")[0] == "sql-too-many-rows"


# --- how answers are shown ---


def test_odd_cells_and_names() -> None:
    answer = ask(NETS["digits"].graph, "SELECT 1 AS a, 9e999 AS a, x'00ff' AS b, NULL AS a, 'ü' AS c")
    assert answer.columns == ("a", "a_2", "b", "a_3", "c")
    assert answer.rows == ((1, "inf", "00ff", None, "ü"),)
    assert unique(iter(["a_2", "a", "a"])) == ("a_2", "a", "a_3")
    assert answer.records()[0]["a_2"] == "inf"


def test_the_command_prints_tables_json_and_csv() -> None:
    sql = "SELECT name, macs, share, NULL AS none FROM stages ORDER BY position LIMIT 2"
    spec = SPECS / "digits.specc"
    text = run("query", spec, sql)
    assert (text.code, text.err) == (0, "")
    assert text.out.splitlines()[0].split() == ["name", "macs", "share", "none"]
    assert text.out.splitlines()[1].split() == ["stem", "18,432", "0.00696392"]
    assert run("query", spec, sql, "--json").json[0]["macs"] == 18432
    assert run("query", spec, sql, "--csv").out.splitlines()[0] == "name,macs,share,none"
    assert run("query", spec, sql, "--csv").out.splitlines()[1].startswith("stem,18432,0.0069")
    assert run("query", spec, "SELECT 1 WHERE 0").err == "no rows\n"


def test_control_characters_do_not_reach_the_terminal() -> None:
    done = run("query", SPECS / "digits.specc", "SELECT char(27) || '[31m' AS a")
    assert "\x1b" not in done.out


def test_the_command_lists_tables_and_examples() -> None:
    spec = SPECS / "digits.specc"
    listed = run("query", spec)
    assert listed.code == 0
    assert all(f"{table.name}: {table.doc}" in listed.out for table in TABLES)
    assert [table["name"] for table in run("query", spec, "--json").json] == [table.name for table in TABLES]
    assert run("query", spec, "--csv").out.startswith("table,column,type,doc\nops,name,TEXT,")
    shown = run("query", spec, "--examples")
    assert all(question.text in shown.out for question in QUESTIONS)
    assert len(run("query", spec, "--examples", "--json").json) == len(QUESTIONS)


def test_the_commands_exit_codes() -> None:
    spec = SPECS / "digits.specc"
    wrong = run("query", spec, "SELECT nam FROM ops")
    assert (wrong.code, wrong.out) == (1, "")
    assert "<sql>:1:8: error[E721]" in wrong.err
    found = json.loads(run("query", spec, "DELETE FROM ops", "--json").out)["diagnostics"]
    assert [diagnostic["code"] for diagnostic in found] == ["E722"]
    assert run("query", spec, "SELECT 1", "--json", "--csv").code == 2
    assert run("query", spec, "SELECT 1", "--examples").code == 2
    assert run("query", "-", "SELECT count(*) FROM choices", stdin=SMALL).code == 0


RECURSION = "WITH RECURSIVE r(n, x) AS (SELECT 1, zeroblob(900000) UNION ALL SELECT n + 1, {} FROM r WHERE n < 20000) "


def test_an_answer_of_large_cells_is_refused() -> None:
    """20,000 rows of 900 kB would be 18 GB; the rows alone are fewer than are refused."""
    with pytest.raises(SpecError, match=r"\[sql-too-large\] the result has more than 64 MB"):
        ask(NETS["digits"].graph, RECURSION.format("zeroblob(900000)") + "SELECT x FROM r")


def test_what_sqlite_keeps_on_the_way_is_bounded(tmp_path: Path) -> None:
    """In a process of its own, as the bound is the process's."""
    (tmp_path / "net.specc").write_text(SMALL)
    sql = RECURSION.format("zeroblob(900000)") + "SELECT n FROM r ORDER BY x, n"
    program = (
        "import pathlib, resource, sys\n"
        "from specc.cli.main import main\n"
        "code = main(sys.argv[1:])\n"
        "most, status = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, pathlib.Path('/proc/self/status')\n"
        "if status.exists():  # where a process also counts what its parent held before it\n"
        "    most = status.read_text().partition('VmHWM:')[2].split()[0]\n"
        "print(most, file=sys.stderr)\n"
        "raise SystemExit(code)\n"
    )
    asked = [sys.executable, "-c", program, "query", str(tmp_path / "net.specc"), sql]
    done = subprocess.run(asked, capture_output=True, text=True, cwd=ROOT)
    *said, most = done.stderr.splitlines()
    assert done.returncode == 1
    assert "sql-too-large" in said[0]
    assert int(most) < 700_000, "kilobytes"
