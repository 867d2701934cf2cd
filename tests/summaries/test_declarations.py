"""What holds for every declared summary: its SQL file, its columns, and that each of them is described."""

import re
from collections.abc import Iterator
from importlib.resources import files

import duckdb
import pytest

from dcycle_pipeline import summaries
from dcycle_pipeline.schema import QUANTITY, TOTAL, Table
from dcycle_pipeline.summaries.declaration import RATIO
from tests.summaries import worlds

FOLDER = files("dcycle_pipeline.summaries")
EVERY = pytest.mark.parametrize("summary", summaries.SUMMARIES, ids=lambda summary: summary.name)


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with worlds.opened() as opened, summaries.in_reach(opened):
        yield opened


def test_there_is_a_sql_file_for_every_summary_and_no_other() -> None:
    there = {file.name for file in FOLDER.iterdir() if file.name.endswith(".sql")}
    assert there == {f"{summary.name}.sql" for summary in summaries.SUMMARIES} | {"rules.sql"}


@EVERY
def test_the_file_gives_the_declared_columns(connection: duckdb.DuckDBPyConnection, summary: summaries.Summary) -> None:
    given = connection.execute(f"DESCRIBE {summaries.query(summary)}").fetchall()
    types = {name: type_.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ") for name, type_, *_ in given}
    assert types == {column.name: column.type for column in summary.columns}


@EVERY
def test_the_file_reads_what_is_declared_and_what_stands_before(summary: summaries.Summary) -> None:
    text = re.sub(r"--[^\n]*", "", summaries.query(summary))
    read = set(re.findall(r"\b(?:dcycle|history|summaries|sync)\.[a-z_]+", text))
    read |= {
        f"sync.{name}"
        for name in ("lists", "quarantine", "doubtful_rows")
        if any(f"{which}_{name}" in text for which in ("current", "last", "totals"))
    }
    assert read == set(summary.sources)
    before = [table.qualified for table in summaries.SUMMARIES[: summaries.SUMMARIES.index(summary)]]
    made = [table.qualified for table in summaries.SUMMARIES]
    assert not [source for source in summary.sources if source in made and source not in before]


@pytest.mark.parametrize("table", summaries.STORED, ids=lambda table: table.name)
def test_every_column_is_described(table: Table) -> None:
    assert table.grain.startswith("One row per")
    assert set(table.key) <= set(table.names())
    for column in table.columns:
        assert column.meaning
        assert column.source
        if column.type in (TOTAL, QUANTITY, RATIO, "BIGINT"):
            assert column.unit, f"{table.name}.{column.name} has no unit"
        if table.name != summaries.SCOPE_MAPPING.name:
            assert column.example, f"{table.name}.{column.name} has no example"


@EVERY
def test_examples_have_the_type_of_their_column(
    connection: duckdb.DuckDBPyConnection, summary: summaries.Summary
) -> None:
    for column in summary.columns:
        connection.execute(f"SELECT CAST(? AS {column.type})", [column.example]).fetchall()


@EVERY
def test_units_stand_in_the_names(summary: summaries.Summary) -> None:
    for column in summary.columns:
        if column.type == TOTAL:
            assert column.name.endswith("_kg" if column.unit != "m3" else "_m3")
        if column.unit == "d":
            assert "days" in column.name


PERIODS = {"month", "year", "first_date", "published_at"}


@EVERY
def test_counts_that_do_not_add_up_over_time_say_so(summary: summaries.Summary) -> None:
    counts = [column for column in summary.columns if column.type == "BIGINT" and column.unit == "1"]
    assert all(column.additivity for column in counts)
    if PERIODS & set(summary.key):
        assert [column.name for column in counts if column.additivity == "sum"] == []
    for column in counts:
        assert (column.additivity == "none") == ("Never add up over" in summary.comment_of(column))


@EVERY
def test_conserved_columns_exist(connection: duckdb.DuckDBPyConnection, summary: summaries.Summary) -> None:
    for conserved in summary.conserves:
        assert set(conserved.columns) <= set(summary.names())
        connection.execute(f"SELECT {', '.join(there for _, there in conserved.pairs)} FROM {conserved.source}")
