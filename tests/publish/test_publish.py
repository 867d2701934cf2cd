"""A reader never meets a half-written file, never blocks a publish, and finds every table and column described."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from subprocess import PIPE

import duckdb
import pytest

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.publish.catalog import all_tables
from dcycle_pipeline.sandbox import Sandbox
from dcycle_pipeline.sync.publication import publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.run_log import note_run
from tests.cli.conftest import Invoke, invoke, variables
from tests.conftest import Published, Synced, quick_only, settings_for, sync

__all__ = ["invoke"]

READER = """
import sys, duckdb
print('ready', flush=True)
reads = 0
while True:
    with duckdb.connect(sys.argv[1], read_only=True) as connection:
        rows, runs = connection.execute(
            "SELECT (SELECT count(*) FROM dcycle.waste_water_treatments), (SELECT max(requests_count) FROM sync.runs)"
        ).fetchone()
    assert rows == 138, rows
    reads += 1
    # A pause as of a tool: readers without one would leave the writer no processor.
    if __import__('select').select([sys.stdin], [], [], 0.05)[0]:
        break
print(reads, flush=True)
"""


@pytest.fixture
def synced(sandbox: Sandbox, tmp_path: Path) -> Synced:
    return sync(settings_for(sandbox, tmp_path / "data", keep_snapshots=2))


def publish_again(synced: Synced, number: int) -> Published:
    with Run(f"again-{number}", synced.settings) as run:
        return Published(publish(run).file)


@pytest.mark.parametrize("publications", quick_only([3], [3, 20]))
def test_readers_in_other_processes_never_fail_nor_see_half_a_file(synced: Synced, publications: int) -> None:
    command = [sys.executable, "-c", READER, str(DataFolder(synced.settings.data_dir).published)]
    with ExitStack() as stack:
        readers = []
        for _ in range(2):
            reader = subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True)
            readers.append(stack.enter_context(reader))
            stack.callback(reader.kill)
            assert reader.stdout
            assert reader.stdout.readline() == "ready\n"
        for number in range(publications):
            publish_again(synced, number)
        for reader in readers:
            output, errors = reader.communicate("\n")
            assert (reader.returncode, errors) == (0, "")
            assert int(output) > 0


@pytest.mark.exhaustive
def test_a_reader_that_keeps_the_file_open_blocks_nothing_and_keeps_what_it_saw(
    sandbox: Sandbox, synced: Synced
) -> None:
    with duckdb.connect(str(synced.publication.file), read_only=True) as reader:
        before = reader.execute("SELECT count(*) FROM dcycle.waste_water_treatments").fetchall()
        for _ in range(4):
            sandbox.world.add_records("f-north", 1)
            after = sync(synced.settings)
        assert reader.execute("SELECT count(*) FROM dcycle.waste_water_treatments").fetchall() == before == [(138,)]
    assert after.query("SELECT count(*) FROM dcycle.waste_water_treatments") == [(142,)]


def test_the_published_name_leads_to_the_newest_snapshot_without_a_wal(synced: Synced) -> None:
    file = DataFolder(synced.settings.data_dir).published
    assert file.resolve() == synced.publication.snapshot.resolve()
    assert list(file.parent.rglob("*.duckdb.wal")) == []
    assert list(file.parent.rglob("*.part")) == []


def test_a_foreign_wal_is_set_aside(synced: Synced) -> None:
    wal = DataFolder(synced.settings.data_dir).published.with_name("dcycle_warehouse.duckdb.wal")
    wal.write_bytes(b"not ours")
    assert publish_again(synced, 1).query("SELECT count(*) FROM dcycle.facilities") == [(4,)]
    assert not wal.exists()
    assert [path.read_bytes() for path in wal.parent.glob("dcycle_warehouse.duckdb.wal.*")] == [b"not ours"]


@pytest.mark.exhaustive
def test_as_many_snapshots_are_kept_as_set(synced: Synced) -> None:
    for number in range(4):
        publish_again(synced, number)
    kept = sorted((synced.settings.data_dir / "snapshots").glob("*"))
    assert len(kept) == 2
    assert DataFolder(synced.settings.data_dir).published.resolve().parent == kept[-1].resolve()


def test_every_declared_table_and_column_is_there_and_described(synced: Synced) -> None:
    columns = synced.query(
        "SELECT schema_name || '.' || table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    )
    declared = {(table.qualified, column) for table in all_tables() for column in table.names()}
    assert {row[:2] for row in columns} == declared
    assert all(comment and comment.strip() for _, _, comment in columns)
    tables = synced.query(
        "SELECT schema_name || '.' || table_name, comment FROM duckdb_tables() WHERE NOT internal UNION ALL "
        "SELECT schema_name || '.' || view_name, comment FROM duckdb_views() WHERE NOT internal"
    )
    assert {name for name, _ in tables} == {table.qualified for table in all_tables()}
    assert all(comment for _, comment in tables)


def test_a_publish_that_fails_leaves_the_last_file_and_says_so(synced: Synced) -> None:
    before = DataFolder(synced.settings.data_dir).published.resolve()
    run = Run("failing", synced.settings)
    DataFolder(synced.settings.data_dir).published.unlink()
    DataFolder(synced.settings.data_dir).published.mkdir()
    from dcycle_pipeline.errors import UnavailableError

    with pytest.raises(UnavailableError), run:
        publish(run)
    DataFolder(synced.settings.data_dir).published.rmdir()
    assert before.exists()
    with run, run.working_file() as connection:
        note_run(connection, "failing", run.now(), "x", "0")
        rows = connection.execute("SELECT outcome, published_at FROM sync.runs WHERE run_id = 'failing'").fetchall()
    assert rows == [("loaded", None)]


@pytest.mark.exhaustive
def test_what_strangers_put_into_the_folder_stays_and_stops_nothing(
    sandbox: Sandbox, synced: Synced, invoke: Invoke
) -> None:
    data, settings = synced.settings.data_dir, variables(sandbox, synced.settings.data_dir)
    shown = synced.publication.snapshot
    strange = [
        data / "snapshots" / "99990101T000000.000000Z-analysis copy.duckdb",
        data / "snapshots" / f"zz {shown.parent.name}" / shown.name,
        shown.with_name("notes.txt"),
        data / "snapshots" / "notes.txt",
        data / "working" / "spill" / "mine" / "notes.txt",
        data / "landing" / "notes.txt",
        data / "landing" / "mine" / "notes.txt",
        data / "notes.duckdb",
    ]
    for path in strange:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"mine")
    for _ in range(3):
        assert invoke("sync", **settings).exit_code == 0
    assert invoke("rollback", "--list", **settings).exit_code == 0
    assert invoke("rollback", **settings).exit_code == 0
    told = invoke("doctor", **settings)
    assert all(name in told.output for name in ("snapshots/notes.txt", "working/spill/mine"))
    (data / "working" / "warehouse.duckdb").unlink()
    assert invoke("sync", **settings).exit_code == 0
    assert [path for path in strange if not path.exists()] == []
