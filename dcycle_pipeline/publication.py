"""The last stages: summaries from the tables, and the snapshot for readers."""

from dataclasses import dataclass
from pathlib import Path

from dcycle_pipeline import checks, ledger, summaries
from dcycle_pipeline.landing import forget_old_runs
from dcycle_pipeline.publish import duckdb_file
from dcycle_pipeline.run import Run, content_tables
from dcycle_pipeline.warehouse import content_hash, transaction


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
        return summaries.refresh(connection)


def publish(run: Run) -> Publication:
    """Close the run's books and put a complete snapshot in place of the published file.

    Raises UnavailableError where that fails and UnsoundError where a check forbids it; what was published before stays.
    """
    with run.warehouse() as connection:
        with transaction(connection):
            summaries.refresh(connection)
            checks.demand_publishable(connection)
            ledger.finish(connection, run.run_id, run.now(), content_hash(connection, content_tables()))
        hashed, changed, outcome = connection.execute(
            f"SELECT content_hash, content_changed, outcome FROM {ledger.RUNS.qualified} WHERE run_id = ?", [run.run_id]
        ).fetchall()[0]
        try:
            snapshot = duckdb_file.publish(connection, run.folder, run.run_id, run.settings.keep_snapshots)
        except BaseException:
            ledger.take_back(connection, run.run_id)
            raise
    forget_old_runs(run.folder.landing, run.settings.keep_runs)
    return Publication(run.folder.published, snapshot, hashed, changed, outcome)
