"""The macros of the published file, called while another database is in use that has the same tables and macros."""

from collections.abc import Iterator

import duckdb
import pytest

from dcycle_pipeline.publish.catalog import versioned_tables
from dcycle_pipeline.sandbox import Sandbox, World
from tests.conftest import ROOT, settings_for, sync

MOMENT = "TIMESTAMPTZ '2100-01-01 00:00:00Z'"
CALLS = {
    "is_counted": "'active', DATE '2025-01-01', DATE '2025-01-31'",
    "day_count": "DATE '2025-01-01', DATE '2025-01-31'",
    "months_touched": "DATE '2025-01-01', DATE '2025-03-31'",
    "billionths": "1.5",
    "from_billionths": "1500000000::HUGEINT",
    "fraction_billionths": "0.25",
    "from_small_billionths": "1500000000::BIGINT",
    "accumulated_small": "7::BIGINT, 0.5, 10::BIGINT, 31::BIGINT",
    "part_small": "7.5::DECIMAL(18, 9), 3, 10, 31",
    "accumulated": "7.5::DECIMAL(28, 9), 10, 31",
    "part": "7.5::DECIMAL(28, 9), 3, 10, 31",
    "is_moderate": "7.5::DECIMAL(38, 9)",
    "ratio_billionths": "7::HUGEINT, 3::HUGEINT",
    "ratio": "7.5::DECIMAL(38, 9), 3::DECIMAL(38, 9)",
    "incomplete": "2025, 3, 5, 0",
    "missing_reason": "2",
    "no_change_reason": "2025, 1.0, 5, 5, 0, -1.0, 5, 5, 0",
    "layout_digest": "",
    "summarised_from": "",
    "hashed_from": "",
}
OF_RUNS = ("layout_digest", "summarised_from", "hashed_from")
TABLES = [table.qualified for table in versioned_tables()]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory, few_summaries: None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two publications of one account, and a database whose tables and macros of the same names say something else."""
    world = World(ROOT, "Holding")
    world.add_facility(ROOT, id="f-1")
    record = world.add_record("f-1", start_date="2024-01-01", end_date="2024-12-31", co2e="1200")
    with duckdb.connect() as opened, Sandbox(world) as sandbox:
        settings = settings_for(sandbox, tmp_path_factory.mktemp("data"))
        for name in ("theirs", "ours"):
            world.edit_facility("f-1", name=name)
            world.edit_record(record, invoice_id=name, co2e="1" if name == "ours" else "2")
            opened.execute(f"ATTACH '{sync(settings).file.resolve()}' AS {name} (READ_ONLY)")
        opened.execute("ATTACH ':memory:' AS odd; USE odd; CREATE SCHEMA sync; CREATE SCHEMA history")
        for name, call in CALLS.items():
            parameters = ", ".join(f"p{at}" for at in range(len(call.split(", ")) if call else 0))
            opened.execute(f"CREATE MACRO {'sync.' * (name in OF_RUNS)}{name}({parameters}) AS -42")
        for table in TABLES:
            opened.execute(f"CREATE TABLE {table} AS FROM ours.{table} LIMIT 0")
        opened.execute("CREATE TABLE sync.runs AS FROM ours.sync.runs LIMIT 0")
        yield opened


def test_every_macro_of_the_file_is_called_here(connection: duckdb.DuckDBPyConnection) -> None:
    found = connection.execute(
        "SELECT DISTINCT function_name FROM duckdb_functions() WHERE database_name = 'ours' AND function_type = 'macro'"
    ).fetchall()
    assert {name for (name,) in found} == CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_a_rule_means_the_same_whatever_database_is_in_use(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    path = f"ours.{'sync.' * (name in OF_RUNS)}{name}"
    answers = []
    for used in ("ours", "theirs", "odd", "memory"):
        connection.execute(f"USE {used}")
        answers += connection.execute(f"SELECT {path}({CALLS[name]})").fetchall()
    assert answers == answers[:1] * 4
    assert answers[0] not in ((-42,), (None,))


@pytest.mark.parametrize("table", TABLES)
def test_what_was_said_is_never_that_of_another_database(connection: duckdb.DuckDBPyConnection, table: str) -> None:
    connection.execute("USE ours")
    said = connection.execute(f"FROM ours.{table}_as_of({MOMENT})").fetchall()
    assert said == connection.execute(f"FROM {table}_as_of({MOMENT})").fetchall()
    assert said == connection.execute(f"FROM ours.{table} WHERE valid_to IS NULL").fetchall()
    assert said
    assert said != connection.execute(f"FROM theirs.{table} WHERE valid_to IS NULL").fetchall()
    for other in ("theirs", "odd"):
        connection.execute(f"USE {other}")
        with pytest.raises(duckdb.Error, match="that is not the one that holds it: say USE first"):
            connection.execute(f"FROM ours.{table}_as_of({MOMENT})").fetchall()
    connection.execute("USE memory")
    with pytest.raises(duckdb.CatalogException):
        connection.execute(f"FROM ours.{table}_as_of({MOMENT})").fetchall()
