"""The rewritten working file holds all that it held, is what readers get, and is no reason to publish nothing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.publish.catalog import everything
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.sync.rewrite import rewrite_if_grown
from dcycle_pipeline.warehouse.database import opened
from tests.conftest import ROOT, Synced, disk_full_for, settings_for, sync

CATALOG = (
    "SELECT schema_name, table_name, comment FROM duckdb_tables() WHERE database_name = 'warehouse' ORDER BY ALL",
    "SELECT schema_name, view_name, sql, comment FROM duckdb_views() WHERE database_name = 'warehouse' ORDER BY ALL",
    "SELECT schema_name, function_name, parameters, macro_definition, comment FROM duckdb_functions() "
    "WHERE database_name = 'warehouse' ORDER BY ALL",
    "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
    "WHERE database_name = 'warehouse' AND NOT internal ORDER BY ALL",
)


@pytest.fixture
def synced(sandbox: Sandbox, tmp_path: Path) -> Synced:
    """A folder with a past, whose file counts as grown from now on."""
    first = sync(settings_for(sandbox, tmp_path / "data"))
    sandbox.world.recalculate_record(sandbox.world.records(ROOT)[0]["id"], "77.5")
    again = sync(first.settings)
    (again.settings.data_dir / "working" / "compacted_bytes").write_text("1")
    return again


@contextmanager
def at_work(folder: DataFolder) -> Iterator[duckdb.DuckDBPyConnection]:
    with opened(folder.warehouse, folder.spill, everything(), 512) as connection:
        connection.execute("FORCE CHECKPOINT warehouse")
        yield connection


def held(connection: duckdb.DuckDBPyConnection) -> list[Any]:
    """The whole catalogue and every row."""
    found: list[Any] = [connection.execute(query).fetchall() for query in CATALOG]
    tables = [f"{schema}.{name}" for schema, name, _ in found[0]]
    assert len(tables) > 20
    return found + [connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall() for table in tables]


@pytest.mark.exhaustive
def test_it_holds_all_that_it_held(synced: Synced) -> None:
    folder = DataFolder(synced.settings.data_dir)
    with at_work(folder) as connection:
        before = held(connection)
        assert rewrite_if_grown(connection, folder)
        assert held(connection) == before
        assert not rewrite_if_grown(connection, folder)
    with at_work(folder) as connection:
        assert held(connection) == before


@pytest.mark.exhaustive
def test_readers_get_the_rewritten_file(synced: Synced) -> None:
    again = sync(synced.settings)
    working = again.settings.data_dir / "working"
    assert int((working / "compacted_bytes").read_text()) == (working / "warehouse.duckdb").stat().st_size
    assert again.file.read_bytes() == (working / "warehouse.duckdb").read_bytes()


@pytest.mark.exhaustive
def test_where_it_cannot_be_done_the_run_publishes_all_the_same(
    synced: Synced, caplog: pytest.LogCaptureFixture
) -> None:
    with disk_full_for("warehouse.duckdb"), caplog.at_level(logging.WARNING, "dcycle_pipeline.sync.rewrite"):
        again = sync(synced.settings)
    assert (again.outcome, again.records()) == ("published", synced.records())
    assert "No space left" in caplog.text
    assert [path.name for path in (again.settings.data_dir / "working").glob(".*")] == []
    assert sync(synced.settings).publication.content_hash == again.publication.content_hash
