"""Records a publication, all or nothing: refreshes the summaries, runs the checks, and notes the hash of all content. Or rehearses it.

Putting the snapshot in place belongs to `snapshots`.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.publish.catalog import bind_macros
from dcycle_pipeline.publish.checks import Finding, endpoint_findings, summary_findings, verify_publishable
from dcycle_pipeline.publish.content import content_tables
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import transaction
from dcycle_pipeline.warehouse.prints import Printer, content_hash


@dataclass(frozen=True)
class Refreshed:
    """What a refresh of the summaries did: how many rows it wrote in all of them, and what all checks found that it rests on."""

    rows_changed: int
    findings: list[Finding]


def refresh_summaries(
    connection: duckdb.DuckDBPyConnection, run_id: str, moment: datetime, scope_mapping: Path | None = None
) -> Refreshed:
    """Bring the summaries up to date without a publication. `moment` is later than any that is noted, and is noted with the run.

    `scope_mapping` is the account's own mapping file, if it has one. Raises UnsoundError if a check of a summary fails, SettingsError
    if the mapping is wrong. Then all summaries stay as they were.
    """
    with transaction(connection):
        run_log.mark_summarised(connection, run_id, moment)
        return _refresh(connection, moment, scope_mapping, [], Printer(connection))


def record_publication(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    published_at: datetime,
    scope_mapping: Path | None = None,
    known: Iterable[Finding] = (),
) -> Refreshed:
    """Note that a run publishes at a moment, and bring the summaries and the counts of the run up to date.

    `known` are findings about endpoints that this run has checked already. Raises UnsoundError if a check blocks the publication,
    SettingsError if the mapping is wrong. Then nothing is noted.
    """
    with transaction(connection):
        return _record(connection, run_id, published_at, scope_mapping, known)


@contextmanager
def rehearsed(
    connection: duckdb.DuckDBPyConnection, run_id: str, moment: datetime, scope_mapping: Path | None = None
) -> Iterator[None]:
    """The file as a publication would make it, until the block ends; then all is as before. Takes and raises what a publication does."""
    connection.execute("BEGIN")
    try:
        _record(connection, run_id, moment, scope_mapping, [])
        yield
    finally:
        connection.execute("ROLLBACK")


def _record(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    published_at: datetime,
    scope_mapping: Path | None,
    known: Iterable[Finding],
) -> Refreshed:
    known = list(known)
    run_log.mark_published(connection, run_id, published_at)
    seen = {finding.subject for finding in known}
    for endpoint in declared():
        if endpoint.name not in seen:
            known += endpoint_findings(connection, endpoint)
    printer = Printer(connection)
    refreshed = _refresh(connection, published_at, scope_mapping, known, printer)
    run_log.finish(connection, run_id, content_hash(connection, content_tables(), printer))
    bind_macros(connection)
    return refreshed


def is_recorded(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Whether the publication of a run is noted, and nothing after it."""
    published_at = run_log.run_facts(connection, run_id)["published_at"]
    return published_at is not None and published_at == run_log.last_moment(connection)


def _refresh(
    connection: duckdb.DuckDBPyConnection,
    moment: datetime,
    scope_mapping: Path | None,
    known: list[Finding],
    printer: Printer,
) -> Refreshed:
    if scope_mapping is not None:
        scope_file.adopt(connection, scope_mapping)
    rows_changed = summaries.refresh(connection, moment, printer)
    findings = [finding for summary in summaries.SUMMARIES for finding in summary_findings(connection, summary)]
    verify_publishable([*known, *findings])
    return Refreshed(rows_changed, [*known, *findings])
