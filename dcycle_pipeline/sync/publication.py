"""The last steps: summaries from the tables, and the snapshot for readers."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from dcycle_pipeline.errors import SettingsError, UnavailableError, UnsoundError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.forgetting import forget_runs
from dcycle_pipeline.publish import destinations, snapshots
from dcycle_pipeline.publish.checks import Finding
from dcycle_pipeline.publish.delivery import Delivery
from dcycle_pipeline.publish.record import Refreshed, is_recorded, record_publication, refresh_summaries
from dcycle_pipeline.sync.rewrite import rewrite_if_grown
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.text import counted
from dcycle_pipeline.warehouse import deliveries, last_sweeps, run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, MB_A_THREAD, THREADS, with_room
from dcycle_pipeline.warehouse.deliveries import Sending
from dcycle_pipeline.warehouse.pending import published_pending
from dcycle_pipeline.warehouse.second_runs import published_incomplete

# Enough for two threads. Summaries take some facilities at a time: with more memory they were measured to be no faster.
RECORDING_MEMORY_MB = THREADS * MB_A_THREAD
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Publication:
    """What a run put in place, and what came of sending it to each destination that is set.

    `refreshed` is what recording it did to the summaries; None if an earlier step of the run recorded it.
    """

    file: Path
    snapshot: Path
    content_hash: str
    content_changed: bool
    outcome: str
    sendings: tuple[Sending, ...] = ()
    refreshed: Refreshed | None = None


@dataclass(frozen=True)
class ReadEarlier:
    """How many lists that a run publishes were read before it began, of how many, and since when the first may be out of date."""

    lists_count: int
    of_count: int
    since: datetime

    def __str__(self) -> str:
        return (
            f"{self.lists_count:,} of {counted(self.of_count, 'list')} were read before this run began, the first at "
            f"{self.since:%Y-%m-%d %H:%M:%S} UTC: what came since is not in them. Launch `sync` to read it."
        )


def read_earlier(run: Run) -> ReadEarlier | None:
    """What a run publishes without having read it itself: other organisations, lists taken over, steps that were not repeated."""
    with run.working_file() as connection:
        return earlier_lists(connection, run.started_at(connection))


def earlier_lists(connection: duckdb.DuckDBPyConnection, began: datetime) -> ReadEarlier | None:
    """The same of any file: what it holds that was read before a run began."""
    before, count, since = connection.execute(last_sweeps.READ_BEFORE, [began]).fetchall()[0]
    return ReadEarlier(before, count, since.astimezone(UTC)) if before else None


def refuse_outdated(run: Run) -> None:
    """For a run that repeats only the last steps of another one. Raises SettingsError if it re-uses what a new run would read again."""
    found = read_earlier(run)
    if found and found.since < run.now() - timedelta(hours=run.settings.resume_hours):
        raise SettingsError(f"Not repeated, as DCYCLE_RESUME_HOURS is {run.settings.resume_hours:g}: {found}")


def summarise(run: Run) -> Refreshed:
    """Bring all summaries in step with the tables; in a run that publishes, record the publication with them.

    Raises UnsoundError if a check forbids it; the summaries stay as they were then.
    """
    with run.working_file(_memory_mb(run)) as connection:
        return _record(run, connection) if run.publishes else _refresh(run, connection)


def _memory_mb(run: Run) -> int:
    return min(RECORDING_MEMORY_MB, run.settings.memory_limit_mb)


def _refresh(run: Run, connection: duckdb.DuckDBPyConnection) -> Refreshed:
    moment = run_log.moment(connection, run.now())
    return with_room(
        connection,
        run.settings.memory_limit_mb,
        lambda: refresh_summaries(connection, run.run_id, moment, run.folder.scope_mapping),
    )


def _record(run: Run, connection: duckdb.DuckDBPyConnection) -> Refreshed:
    moment = run_log.moment(connection, run.now())
    known: Iterable[Finding] = [finding for findings in run.findings.values() for finding in findings]
    try:
        return with_room(
            connection,
            run.settings.memory_limit_mb,
            lambda: record_publication(connection, run.run_id, moment, run.folder.scope_mapping, known),
        )
    except UnsoundError:
        manifest.end_with_all_before(run.folder.landing, run.run_id)  # the same pages would fail again
        raise


def publish(run: Run) -> Publication:
    """Put a complete snapshot in place of the published file, and first record the publication if no step of the run did.

    Then send it to the destinations that are set. What comes of that decides nothing here.
    Raises UnavailableError if that fails and UnsoundError if a check forbids it; what was published before stays.
    """
    with run.working_file(_memory_mb(run)) as connection:
        refreshed = None if is_recorded(connection, run.run_id) else _record(run, connection)
        facts = run_log.run_facts(connection, run.run_id)
        moment = facts["published_at"]
        snapshot = _show(run, connection, moment)
        try:
            manifest.end_with_all_before(run.folder.landing, run.run_id, moment, pending_only=run.pending_only)
            forget_runs(run.folder.landing, run_log.last_runs(connection, run.settings.keep_runs), *run.resumable())
        except (OSError, UnavailableError) as error:  # readers have it; the next run makes up for the rest
            _log.warning("Published, but the landed pages could not be tidied: %s", error)
    hashed, changed, outcome = (facts[name] for name in ("content_hash", "content_changed", "outcome"))
    sendings = _send(run, Delivery(snapshot, run.settings, run.run_id, moment, hashed))
    return Publication(run.folder.published, snapshot, hashed, changed, outcome, sendings, refreshed)


def _send(run: Run, delivery: Delivery) -> tuple[Sending, ...]:
    """What came of each destination, noted too. The working file gives its memory to the destinations meanwhile."""
    with run.working_file(LOADING_MEMORY_MB) as connection:
        sendings = destinations.deliver(delivery, run.folder, run.now)
        try:
            deliveries.record(connection, sendings)
        except duckdb.Error as error:
            _log.warning("What was sent could not be noted: %s", str(error).splitlines()[0])
    return tuple(sendings)


def _show(run: Run, connection: duckdb.DuckDBPyConnection, moment: datetime) -> Path:
    """Make the snapshot and show it to readers; the record is taken back if they do not get it."""
    try:
        connection.execute("FORCE CHECKPOINT warehouse")
        rewrite_if_grown(connection, run.folder)
        # What could be rolled back to yesterday can be today, however often runs over pending records, or second ones, publish.
        brief = *published_pending(connection), *published_incomplete(connection)
        passing = {snapshots.publication_name(*one) for one in brief}
        return snapshots.publish(run.folder, run.run_id, moment, run.settings.keep_snapshots, passing)
    except BaseException:
        if not snapshots.was_shown(run.folder, run.run_id, moment):
            _take_back(connection, run)
        raise


def _take_back(connection: duckdb.DuckDBPyConnection, run: Run) -> None:
    """What was not shown was not published; if the file cannot say so now, the next publication makes it say so."""
    try:
        run_log.take_back(connection, run.run_id)
    except duckdb.Error as error:
        _log.warning("The publication that failed stays noted for now: %s", str(error).splitlines()[0])
