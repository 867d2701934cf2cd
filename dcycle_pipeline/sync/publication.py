"""The last stages: summaries from the tables, and the snapshot for readers."""

import logging
from dataclasses import dataclass
from pathlib import Path

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.errors import UnavailableError, UnsoundError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import forget_runs
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.publish.closing import close_books
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.rewrite import compact
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import transaction

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What this run put in place."""

    file: Path
    snapshot: Path
    content_hash: str
    content_changed: bool
    outcome: str


def summarise(run: Run) -> int:
    """Bring all summaries in step with the tables; the number of rows touched."""
    with run.warehouse() as connection, transaction(connection):
        scope_file.adopt(connection, run.folder.scope_mapping)
        return summaries.refresh(connection, run_log.moment(connection, run.now()))


def publish(run: Run) -> Publication:
    """Close the run's books and put a complete snapshot in place of the published file.

    Raises UnavailableError where that fails and UnsoundError where a check forbids it; what was published before stays.
    """
    with run.folder.writing(f"sync run {run.run_id}", run.wait_for_folder_seconds):
        try:
            return _publish(run)
        except UnsoundError:
            manifest.end_with_all_before(run.folder.landing, run.run_id)  # the same pages would fail again
            raise


def _publish(run: Run) -> Publication:
    with run.warehouse() as connection:
        recovery.reconcile(connection, run.folder)
        with transaction(connection):
            moment = run_log.moment(connection, run.now())
            scope_file.adopt(connection, run.folder.scope_mapping)
            close_books(connection, run.run_id, moment)
        facts = run_log.run_facts(connection, run.run_id)
        try:
            connection.execute("FORCE CHECKPOINT warehouse")
            compact(connection, run.folder)
            snapshot = snapshots.publish(run.folder, run.run_id, moment, run.settings.keep_snapshots)
        except BaseException:
            if not snapshots.was_shown(run.folder, run.run_id, moment):
                _take_back(connection, run)
            raise
        try:
            manifest.end_with_all_before(run.folder.landing, run.run_id, moment)
            forget_runs(run.folder.landing, but=run_log.last_runs(connection, run.settings.keep_runs))
        except (OSError, UnavailableError) as error:  # readers have it; the next run makes up for the rest
            _log.warning("Published, but the landed pages could not be tidied: %s", error)
    hashed, changed, outcome = (facts[name] for name in ("content_hash", "content_changed", "outcome"))
    return Publication(run.folder.published, snapshot, hashed, changed, outcome)


def _take_back(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """What was not shown was not published; where the file cannot say so now, the next publication makes it say so."""
    try:
        run_log.take_back(connection, run.run_id)
    except duckdb.Error as error:
        _log.warning("The publication that failed stays noted for now: %s", str(error).splitlines()[0])
