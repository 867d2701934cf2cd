"""The record of a publication: summaries refreshed, checks that must hold, and the hash of all content, all or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from dcycle_pipeline import summaries
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.publish.catalog import content_tables
from dcycle_pipeline.publish.checks import Finding, endpoint_findings, summary_findings, verify_publishable
from dcycle_pipeline.summaries import scope_file
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import content_hash, transaction


@dataclass(frozen=True)
class Refreshed:
    """What a refresh of the summaries did: rows that changed in all of them, and what their checks found."""

    rows_changed: int
    findings: list[Finding]


def refresh_summaries(
    connection: duckdb.DuckDBPyConnection, moment: datetime, scope_mapping: Path | None = None
) -> Refreshed:
    """Bring the summaries up to date without a publication. `moment` is later than any that is noted.

    Raises UnsoundError if a check of theirs fails; they stay as they were then.
    """
    with transaction(connection):
        return _refresh(connection, moment, scope_mapping, [])


def record_publication(
    connection: duckdb.DuckDBPyConnection,
    run_id: str,
    published_at: datetime,
    scope_mapping: Path | None = None,
    known: Iterable[Finding] = (),
) -> Refreshed:
    """Note that a run publishes at a moment, with everything that follows from that.

    `known` are findings about endpoints that need no second look. Raises UnsoundError if a check forbids the publication; nothing is
    noted then.
    """
    known = list(known)
    with transaction(connection):
        run_log.mark_published(connection, run_id, published_at)
        seen = {finding.subject for finding in known}
        for endpoint in declared():
            if endpoint.name not in seen:
                known += endpoint_findings(connection, endpoint)
        refreshed = _refresh(connection, published_at, scope_mapping, known)
        run_log.finish(connection, run_id, content_hash(connection, content_tables()))
        return refreshed


def is_recorded(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Whether the publication of a run is noted and nothing is noted that is later."""
    published_at = run_log.run_facts(connection, run_id)["published_at"]
    return published_at is not None and published_at == run_log.last_moment(connection)


def _refresh(
    connection: duckdb.DuckDBPyConnection, moment: datetime, scope_mapping: Path | None, known: list[Finding]
) -> Refreshed:
    if scope_mapping is not None:
        scope_file.adopt(connection, scope_mapping)
    rows_changed = summaries.refresh(connection, moment)
    findings = [finding for summary in summaries.SUMMARIES for finding in summary_findings(connection, summary)]
    verify_publishable([*known, *findings])
    return Refreshed(rows_changed, findings)
