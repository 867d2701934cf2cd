"""How a run begins: the folder locked, the working file open, and once a run everything put right that an earlier one left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import duckdb

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import SettingsError
from dcycle_pipeline.landing.lists import Backfill
from dcycle_pipeline.landing.upgrade import upgrade_manifests
from dcycle_pipeline.publish.snapshots import set_aside_foreign_logs
from dcycle_pipeline.publish.upgrade import upgrade_snapshots
from dcycle_pipeline.sync import leftovers, recovery
from dcycle_pipeline.warehouse import backfills, pending, run_log, second_runs


@dataclass(frozen=True)
class Beginning:
    """What it takes to begin a run: its id, who it is for messages, the clock, DuckDB's memory, patience for the lock, what the run
    is for if it is a backfill, whether it asks only for lists with pending records, and which run it completes.
    """

    run_id: str
    purpose: str
    now: Callable[[], datetime]
    memory_limit_mb: int
    wait_for_folder_seconds: float
    backfill: Backfill | None = None
    pending_only: bool = False
    completes: str | None = None


@contextmanager
def begun(folder: DataFolder, beginning: Beginning) -> Iterator[duckdb.DuckDBPyConnection]:
    """The working file, open and held for writing, with the run noted in it. Healing happens once a run, however many steps ask.

    Raises UnavailableError if another process holds the folder, SettingsError if nothing has been read yet.
    """
    with folder.writing(beginning.purpose, beginning.wait_for_folder_seconds):
        upgrade(folder)
        recovery.remember_owner(folder)
        with recovery.open_or_rebuild(folder, beginning.run_id, beginning.memory_limit_mb) as connection:
            if not run_log.is_noted(connection, beginning.run_id):
                _heal(connection, folder, beginning)
            yield connection


def upgrade(folder: DataFolder) -> None:
    """Bring a folder of an older layout to the present one. The caller holds it for writing."""
    if folder.is_of_older_layout():
        upgrade_manifests(folder.landing)
        upgrade_snapshots(folder)
        folder.note_layout()


def _heal(connection: duckdb.DuckDBPyConnection, folder: DataFolder, beginning: Beginning) -> None:
    root = folder.about().get("root_organization_id")
    if root is None:
        raise SettingsError(
            "Nothing has been read into this data folder yet: run `dcycle-pipeline sync`, or launch the job `sync` in Dagster."
        )
    leftovers.delete_leftovers(folder, beginning.now())  # first, as what a killed run left may be what fills the disk
    with suppress(OSError):  # the publication tries again, and says why it fails
        set_aside_foreign_logs(folder)
    moment = run_log.moment(connection, beginning.now())
    run_log.note_run(connection, beginning.run_id, moment, root, version("dcycle_pipeline"))
    backfills.note(connection, beginning.run_id, beginning.backfill)
    second_runs.note(connection, beginning.run_id, beginning.completes)
    if beginning.pending_only:
        pending.note_pending_only(connection, beginning.run_id)
    recovery.reconcile_publication(connection, folder)
