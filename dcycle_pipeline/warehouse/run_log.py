"""The run log: writes and reads the rows of the run tables, which say what each run did and hold the proof of every list.

What the tables are belongs to `run_tables`.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import duckdb

from dcycle_pipeline.landing.lists import NOT_READ, PROVEN, ListResult
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse.arrow_view import arrow_view
from dcycle_pipeline.warehouse.decode import QuarantinedItem
from dcycle_pipeline.warehouse.last_sweeps import CURRENT_DOUBTFUL_ROWS, CURRENT_LISTS, LISTED_TWICE, UNPROVEN_LISTS
from dcycle_pipeline.warehouse.run_tables import DECISIONS, LISTS, PUBLISHED, QUARANTINE, RUNS


def note_run(
    connection: duckdb.DuckDBPyConnection, run_id: str, started_at: datetime, root_organization_id: str, version: str
) -> None:
    """Note that a run began. A run that is noted already stays as it is. `version` is that of dcycle_pipeline."""
    connection.execute(
        f"""INSERT INTO {RUNS.qualified} BY NAME SELECT ? AS run_id, ? AS started_at, 'loaded' AS outcome, 0 AS requests_count,
        []::VARCHAR[] AS drift, ? AS root_organization_id, ? AS pipeline_version, nullif(
            (SELECT arg_max(root_organization_id, started_at) FROM {RUNS.qualified}), ?) AS former_root_organization_id
        WHERE NOT EXISTS (SELECT 1 FROM {RUNS.qualified} WHERE run_id = ?)""",
        [run_id, started_at, root_organization_id, version, root_organization_id, run_id],
    )


def is_noted(connection: duckdb.DuckDBPyConnection, run_id: str) -> bool:
    """Whether a run is noted."""
    return bool(connection.execute(f"SELECT 1 FROM {RUNS.qualified} WHERE run_id = ?", [run_id]).fetchall())


def started_at(connection: duckdb.DuckDBPyConnection, run_id: str) -> datetime:
    """When a run that is noted began."""
    found: datetime = connection.execute(
        f"SELECT started_at FROM {RUNS.qualified} WHERE run_id = ?", [run_id]
    ).fetchall()[0][0]
    return found


def last_moment(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """The latest moment that is noted; None if the log is empty. Every moment that stamps a version is noted."""
    found: datetime | None = connection.execute(
        f"""SELECT max(noted) FROM (SELECT max(greatest(started_at, summarised_at, published_at)) AS noted FROM {RUNS.qualified}
        UNION ALL SELECT max(merged_at) FROM {LISTS.qualified} UNION ALL SELECT max(decided_at) FROM {DECISIONS.qualified})"""
    ).fetchall()[0][0]
    return found


def moment(connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime:
    """`now`, or the first moment after everything that is noted, if the clock was put back."""
    last = last_moment(connection)
    return now if last is None or now > last else last + timedelta(microseconds=1)


def moments(connection: duckdb.DuckDBPyConnection, now: datetime) -> Iterator[datetime]:
    """One moment after the other, from that of `moment` on: each sweep that is merged has its own."""
    first = moment(connection, now)
    return (first + timedelta(microseconds=number) for number in count())


def add_requests(connection: duckdb.DuckDBPyConnection, run_id: str, requests_count: int, drift: set[str]) -> None:
    """Add to what a run sent, and to the undeclared fields that it met (`endpoint.field`)."""
    connection.execute(
        f"UPDATE {RUNS.qualified} SET requests_count = requests_count + ? WHERE run_id = ?", [requests_count, run_id]
    )
    add_drift(connection, run_id, drift)


def add_drift(connection: duckdb.DuckDBPyConnection, run_id: str, drift: set[str]) -> None:
    """Add to the fields of a run that are not what the declarations say."""
    if drift:
        connection.execute(
            f"UPDATE {RUNS.qualified} SET drift = list_sort(list_distinct(drift || ?::VARCHAR[])) WHERE run_id = ?",
            [sorted(drift), run_id],
        )


def record_lists(
    connection: duckdb.DuckDBPyConnection, run_id: str, merged: Iterable[tuple[datetime, list[ListResult]]]
) -> None:
    """Write a row for each list, with the moment when it was merged. If the run has read the list before, the new row replaces the
    old one.
    """
    rows = [_list_row(run_id, result, merged_at) for merged_at, results in merged for result in results]
    with arrow_view(connection, "fresh_lists", LISTS, rows):
        connection.execute(
            f"""DELETE FROM {LISTS.qualified} AS old USING fresh_lists AS fresh WHERE old.run_id = $1
            AND old.organization_id = fresh.organization_id AND old.endpoint = fresh.endpoint
            AND old.facility_id IS NOT DISTINCT FROM fresh.facility_id AND old.year IS NOT DISTINCT FROM fresh.year""",
            [run_id],
        )
        connection.execute(f"INSERT INTO {LISTS.qualified} BY NAME SELECT * FROM fresh_lists")


def forget_sweeps(connection: duckdb.DuckDBPyConnection, sweeps: Iterable[tuple[str, str, str]]) -> None:
    """Delete the rows of the lists of sweeps (run, organisation, endpoint)."""
    connection.execute(f"DELETE FROM {LISTS.qualified} WHERE {_of(sweeps)}")


def _of(sweeps: Iterable[tuple[str, str, str]]) -> str:
    named = ", ".join(f"({', '.join(map(quoted, sweep))})" for sweep in sweeps)
    return f"(run_id, organization_id, endpoint) IN ({named})"


def _list_row(run_id: str, result: ListResult, merged_at: datetime) -> tuple[Any, ...]:
    key, proof = result.key, result.proof
    facts = (proof.rows, proof.distinct, proof.counter, proof.passes, proof.pages) if proof else (None,) * 5
    where = (run_id, key.organization_id, key.endpoint, key.facility_id, key.year, result.outcome, result.reason)
    counts = result.deleted_count, result.quarantined_count
    return (*where, *facts, *counts, result.started_at, result.finished_at, merged_at)


def record_quarantine(
    connection: duckdb.DuckDBPyConnection,
    sweeps: Mapping[tuple[str, str, str], tuple[datetime, list[QuarantinedItem]]],
) -> None:
    """Replace the quarantined items of sweeps (run, organisation, endpoint), each with its moment. An item names its landed file and page."""
    rows = []
    for sweep, (quarantined_at, items) in sweeps.items():
        for item in items:
            key = item.result.key
            found = item.identity, item.reason, item.page, item.position, item.item, item.result.landed_file or ""
            rows.append((*sweep, key.facility_id, key.year, *found, quarantined_at))
    connection.execute(f"DELETE FROM {QUARANTINE.qualified} WHERE {_of(sweeps)}")
    if rows:
        with arrow_view(connection, "fresh_quarantine", QUARANTINE, rows):
            connection.execute(f"INSERT INTO {QUARANTINE.qualified} BY NAME SELECT * FROM fresh_quarantine")


def mark_published(connection: duckdb.DuckDBPyConnection, run_id: str, published_at: datetime) -> None:
    """Note that the run publishes at that moment. `finish` notes what the publication rests on."""
    mark_summarised(connection, run_id, published_at)
    connection.execute(
        f"UPDATE {RUNS.qualified} SET published_at = ?, outcome = 'published' WHERE run_id = ?", [published_at, run_id]
    )


def mark_summarised(connection: duckdb.DuckDBPyConnection, run_id: str, moment: datetime) -> None:
    """Note that the run brings the summaries up to date at that moment. It stays noted if the publication is taken back."""
    connection.execute(f"UPDATE {RUNS.qualified} SET summarised_at = ? WHERE run_id = ?", [moment, run_id])


def finish(connection: duckdb.DuckDBPyConnection, run_id: str, content_hash: str) -> None:
    """Note the hash of the content, and the counts of what the file rests on: the last sweep of each organisation and endpoint."""
    connection.execute(
        f"""UPDATE {RUNS.qualified} SET content_hash = $content_hash,
            content_changed = $content_hash IS DISTINCT FROM (
                SELECT arg_max(content_hash, published_at) FROM {RUNS.qualified} WHERE run_id <> $run_id),
            organizations_count = facts.organizations, rows_count = facts.seen, lists_proven_count = facts.proven,
            lists_unproven_count = facts.unproven, quarantined_count = facts.quarantined, doubtful_count = facts.doubtful,
            listed_twice_count = facts.twice,
            outcome = CASE WHEN facts.unproven + facts.quarantined + facts.doubtful + facts.twice > 0 THEN 'published_with_gaps' ELSE 'published' END
        FROM (SELECT count(DISTINCT organization_id) FILTER (outcome <> '{NOT_READ}') AS organizations,
                coalesce(sum(distinct_ids_count) FILTER (outcome = '{PROVEN}'), 0) AS seen,
                count(*) FILTER (outcome = '{PROVEN}') AS proven, count(*) FILTER (is_unproven) AS unproven,
                coalesce(sum(quarantined_count), 0) AS quarantined,
                (SELECT count(*) FROM ({CURRENT_DOUBTFUL_ROWS})) AS doubtful,
                (SELECT count(*) FROM ({LISTED_TWICE})) AS twice
            FROM ({CURRENT_LISTS})) AS facts
        WHERE run_id = $run_id""",
        {"run_id": run_id, "content_hash": content_hash},
    )


def note_rollback(connection: duckdb.DuckDBPyConnection, run_id: str, at: datetime, content_hash: str | None) -> None:
    """Note that readers see an earlier snapshot again from `at` on. The run did nothing else."""
    connection.execute(
        f"""UPDATE {RUNS.qualified} SET published_at = $at, outcome = 'rolled_back', content_hash = $content_hash, content_changed =
            $content_hash IS DISTINCT FROM (SELECT arg_max(content_hash, published_at) FROM {RUNS.qualified})
        WHERE run_id = $run_id""",
        {"run_id": run_id, "at": at, "content_hash": content_hash},
    )


def last_merged(connection: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], datetime]:
    """When each organisation's sweep of each endpoint was last merged."""
    rows = connection.execute(
        f"SELECT organization_id, endpoint, max(merged_at) FROM {LISTS.qualified} GROUP BY ALL"
    ).fetchall()
    return {(organization, endpoint): merged_at for organization, endpoint, merged_at in rows}


def last_merged_by(connection: duckdb.DuckDBPyConnection, endpoint: str) -> dict[str, tuple[str, datetime]]:
    """Which run merged each organisation's sweep of one endpoint last, and when."""
    rows = connection.execute(
        f"""SELECT organization_id, arg_max(run_id, merged_at), max(merged_at) FROM {LISTS.qualified}
        WHERE endpoint = ? GROUP BY ALL""",
        [endpoint],
    ).fetchall()
    return {organization: (run_id, merged_at) for organization, run_id, merged_at in rows}


def unproven_lists(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None, str, str]]:
    """Organisation, endpoint, facility, outcome and reason of each list of the last sweeps of which something may be missing."""
    return connection.execute(UNPROVEN_LISTS).fetchall()


def run_facts(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    """The row of one run, by column."""
    cursor = connection.execute(f"SELECT * FROM {RUNS.qualified} WHERE run_id = ?", [run_id])
    return dict(zip(RUNS.names(), cursor.fetchall()[0], strict=True))


def last_publication(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime]]:
    """Run and moment of the last publication; an empty list if an earlier snapshot was put back since."""
    return connection.execute(
        f"""SELECT run_id, published_at FROM {RUNS.qualified} WHERE published_at IS NOT NULL AND outcome IN {PUBLISHED}
        AND published_at = (SELECT max(published_at) FROM {RUNS.qualified})"""
    ).fetchall()


def last_runs(connection: duckdb.DuckDBPyConnection, count: int) -> list[str]:
    """The ids of the `count` runs that began last, the latest first, and of those between that only carried out a decision,
    asked only for lists with pending records, or completed another run.
    """
    query = f"""SELECT run_id FROM {RUNS.qualified} WHERE started_at >= (SELECT min(started_at) FROM (
        SELECT started_at FROM {RUNS.qualified}
        WHERE pending_only IS NOT TRUE AND completes_run_id IS NULL AND run_id NOT IN (SELECT run_id FROM {DECISIONS.qualified})
        ORDER BY started_at DESC LIMIT ?)) ORDER BY started_at DESC"""
    return [row[0] for row in connection.execute(query, [count]).fetchall()]


def take_back(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """Note that the run did not publish after all, because its snapshot could not be put in place."""
    connection.execute(
        f"UPDATE {RUNS.qualified} SET published_at = NULL, content_hash = NULL, outcome = 'loaded' WHERE run_id = ?",
        [run_id],
    )
