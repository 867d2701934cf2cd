"""What each run did, and the proof for every scope: the `sync` tables and the writing of their rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from dcycle_pipeline.schema import Column, Table
from dcycle_pipeline.sweep import Swept
from dcycle_pipeline.tables import BadItem

_OURS = "dcycle_pipeline"
_ARROW = {
    "VARCHAR": pa.string(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "TIMESTAMPTZ": pa.timestamp("us", tz="UTC"),
}


def _column(name: str, type_: str, meaning: str, unit: str | None = None) -> Column:
    return Column(name, type_, meaning, _OURS, unit)


RUNS = Table(
    "sync",
    "runs",
    "One row per run that read or published anything",
    ("run_id",),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("started_at", "TIMESTAMPTZ", "First step of the run"),
        _column("published_at", "TIMESTAMPTZ", "When this run put its snapshot in place, null where it has not"),
        _column(
            "outcome",
            "VARCHAR",
            "loaded (read, not published by this run), published, published_with_gaps, or rolled_back (an earlier snapshot put back)",
        ),
        _column("organizations_count", "BIGINT", "Organisations that the published file rests on", "1"),
        _column("requests_count", "BIGINT", "Requests sent to the API, repetitions included", "1"),
        _column("rows_count", "BIGINT", "Distinct rows that the API showed in proven scopes of the last sweeps", "1"),
        _column(
            "scopes_proven_count", "BIGINT", "Scopes of the last sweeps that were read completely, with proof", "1"
        ),
        _column(
            "scopes_open_count",
            "BIGINT",
            "Scopes unproven, held, forbidden, not found or unauthorized; their last rows stay",
            "1",
        ),
        _column("quarantined_count", "BIGINT", "Items rejected in the last sweeps", "1"),
        _column("drift", "VARCHAR[]", "Fields that the API sends and no declaration knows, endpoint.field"),
        _column("content_hash", "VARCHAR", "Hash over all content of dcycle, history and summaries"),
        _column("content_changed", "BOOLEAN", "Whether that differs from the snapshot before"),
        _column("root_organization_id", "VARCHAR", "Root of the tree of organisations"),
        _column("pipeline_version", "VARCHAR", "Version of dcycle_pipeline"),
    ),
)

SCOPES = Table(
    "sync",
    "scopes",
    "One row per run, organisation, endpoint and facility: the proof that all of it was read, or why not",
    ("run_id", "organization_id", "endpoint", "facility_id"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "organizations, facilities or waste_water_treatments"),
        _column("facility_id", "VARCHAR", "Facility, null for what is asked once an organisation"),
        _column("outcome", "VARCHAR", "proven, unproven, held, forbidden, not_found or unauthorized"),
        _column("reason", "VARCHAR", "Why it is not proven, and what to do; empty when it is"),
        _column("rows_count", "BIGINT", "Rows received, repetitions included", "1"),
        _column("distinct_ids_count", "BIGINT", "Distinct ids received", "1"),
        _column("counter", "BIGINT", "Rows that exist, as the API's counter says", "1"),
        _column("passes_count", "BIGINT", "Times the list was walked", "1"),
        _column("pages_count", "BIGINT", "Pages received", "1"),
        _column("deleted_count", "BIGINT", "Rows that vanished and that the API confirmed to be gone", "1"),
        _column("quarantined_count", "BIGINT", "Items rejected in this scope", "1"),
        _column(
            "started_at",
            "TIMESTAMPTZ",
            "First request; before the run's start where a run that died had landed the pages",
        ),
        _column("finished_at", "TIMESTAMPTZ", "Last answer"),
        _column("settled_at", "TIMESTAMPTZ", "When its rows were merged: valid_from of the versions that it brought"),
    ),
)

QUARANTINE = Table(
    "sync",
    "quarantine",
    "One row per rejected item of a run; the last good version of the row, if any, stays in its table",
    ("run_id", "organization_id", "endpoint", "facility_id", "page", "position"),
    (
        _column("run_id", "VARCHAR", "Dagster run"),
        _column("organization_id", "VARCHAR", "Organisation that was asked for"),
        _column("endpoint", "VARCHAR", "Endpoint that sent the item"),
        _column("facility_id", "VARCHAR", "Facility that was asked for"),
        _column("item_id", "VARCHAR", "Id of the item, empty where it has none"),
        _column("reason", "VARCHAR", "What is wrong with it"),
        _column("page", "BIGINT", "Page of the walk", "1"),
        _column("position", "BIGINT", "Place on the page, from 0", "1"),
        _column("item", "VARCHAR", "The item as received, without personal data, JSON"),
        _column("landed_file", "VARCHAR", "File below landing/ that holds the page"),
        _column("quarantined_at", "TIMESTAMPTZ", "When it was rejected"),
    ),
)

TABLES = (RUNS, SCOPES, QUARANTINE)

# A run may read one organisation, or publish what others read: what counts is the last sweep of each organisation and
# endpoint that is still synced, whichever run made it.
_LAST_SWEEP = f"""(SELECT endpoint, swept_organization_id, arg_max(run_id, settled_at) AS run_id FROM (
    SELECT *, CASE endpoint WHEN 'organizations' THEN '' ELSE organization_id END AS swept_organization_id
    FROM {SCOPES.qualified}
    WHERE endpoint = 'organizations' OR organization_id IN (SELECT organization_id FROM dcycle.organizations)
) GROUP BY ALL)"""
_OF_LAST_SWEEP = f"""JOIN {_LAST_SWEEP} AS last_sweep ON last_sweep.run_id = found.run_id AND last_sweep.endpoint = found.endpoint
    AND swept_organization_id IN ('', found.organization_id)"""
CURRENT_SCOPES = f"SELECT found.* FROM {SCOPES.qualified} AS found {_OF_LAST_SWEEP}"
CURRENT_QUARANTINE = f"SELECT found.* FROM {QUARANTINE.qualified} AS found {_OF_LAST_SWEEP}"
OPEN_SCOPES = f"""SELECT organization_id, endpoint, facility_id, outcome, reason FROM ({CURRENT_SCOPES})
WHERE outcome <> 'proven' ORDER BY ALL"""
QUARANTINED = (
    f"""SELECT organization_id, endpoint, facility_id, item_id, reason FROM ({CURRENT_QUARANTINE}) ORDER BY ALL"""
)


@dataclass(frozen=True)
class ScopeRecord:
    """A scope with what became of its rows."""

    swept: Swept
    deleted_count: int = 0
    quarantined_count: int = 0


def begin(
    connection: duckdb.DuckDBPyConnection, run_id: str, started_at: datetime, root_organization_id: str, version: str
) -> bool:
    """Note the run, once however many steps it has; whether this is its first."""
    inserted = connection.execute(
        f"""INSERT INTO {RUNS.qualified} BY NAME SELECT ? AS run_id, ? AS started_at, 'loaded' AS outcome, 0 AS requests_count,
        []::VARCHAR[] AS drift, ? AS root_organization_id, ? AS pipeline_version
        WHERE NOT EXISTS (SELECT 1 FROM {RUNS.qualified} WHERE run_id = ?)""",
        [run_id, started_at, root_organization_id, version, run_id],
    ).fetchall()
    return bool(inserted[0][0])


def started_at(connection: duckdb.DuckDBPyConnection, run_id: str) -> datetime:
    """When a run that is noted began."""
    found: datetime = connection.execute(
        f"SELECT started_at FROM {RUNS.qualified} WHERE run_id = ?", [run_id]
    ).fetchall()[0][0]
    return found


def moment(connection: duckdb.DuckDBPyConnection, now: datetime) -> datetime:
    """Now, but later than everything that is noted, also where the clock was put back."""
    last = connection.execute(
        f"""SELECT max(noted) FROM (SELECT max(greatest(started_at, published_at)) AS noted FROM {RUNS.qualified}
        UNION ALL SELECT max(settled_at) FROM {SCOPES.qualified})"""
    ).fetchall()[0][0]
    return now if last is None or now > last else last + timedelta(microseconds=1)


def add_requests(connection: duckdb.DuckDBPyConnection, run_id: str, requests_count: int, drift: set[str]) -> None:
    connection.execute(
        f"UPDATE {RUNS.qualified} SET requests_count = requests_count + ?, drift = list_sort(list_distinct(drift || ?::VARCHAR[])) WHERE run_id = ?",
        [requests_count, sorted(drift), run_id],
    )


def record_scopes(
    connection: duckdb.DuckDBPyConnection, run_id: str, records: list[ScopeRecord], settled_at: datetime
) -> None:
    """Write the proof of each scope; a scope asked again in the same run replaces its row."""
    rows = [(*_scope_row(run_id, record), settled_at) for record in records]
    with arrow_view(connection, "fresh_scopes", SCOPES, rows):
        connection.execute(
            f"""DELETE FROM {SCOPES.qualified} AS old USING fresh_scopes AS fresh WHERE old.run_id = fresh.run_id
            AND old.organization_id = fresh.organization_id AND old.endpoint = fresh.endpoint
            AND old.facility_id IS NOT DISTINCT FROM fresh.facility_id"""
        )
        connection.execute(f"INSERT INTO {SCOPES.qualified} SELECT * FROM fresh_scopes")


def _scope_row(run_id: str, record: ScopeRecord) -> tuple[Any, ...]:
    swept, scope, proof = record.swept, record.swept.scope, record.swept.proof
    facts = (proof.rows, proof.distinct, proof.counter, proof.passes, proof.pages) if proof else (None,) * 5
    where = (run_id, scope.organization_id, scope.endpoint, scope.scope_id, swept.outcome, swept.reason)
    return (*where, *facts, record.deleted_count, record.quarantined_count, swept.started_at, swept.finished_at)


def record_quarantine(
    connection: duckdb.DuckDBPyConnection, sweep: tuple[str, str, str], items: list[BadItem], quarantined_at: datetime
) -> None:
    """Write the rejected items of a sweep (run, organisation, endpoint), each with a pointer to its landed page."""
    rows = []
    for bad in items:
        landed = (
            "/".join(bad.swept.path.parts[bad.swept.path.parts.index(bad.swept.run_id) :]) if bad.swept.path else ""
        )
        rows.append(
            (
                *sweep,
                bad.swept.scope.scope_id,
                bad.identity,
                bad.reason,
                bad.page,
                bad.position,
                bad.item,
                landed,
                quarantined_at,
            )
        )
    connection.execute(
        f"DELETE FROM {QUARANTINE.qualified} WHERE run_id = ? AND organization_id = ? AND endpoint = ?",
        list(sweep),
    )
    with arrow_view(connection, "fresh_quarantine", QUARANTINE, rows):
        connection.execute(f"INSERT INTO {QUARANTINE.qualified} SELECT * FROM fresh_quarantine")


def finish(connection: duckdb.DuckDBPyConnection, run_id: str, published_at: datetime, content_hash: str) -> None:
    """Mark the run published, and count what the file now rests on: the last sweep of each organisation."""
    connection.execute(
        f"""UPDATE {RUNS.qualified} SET published_at = $published_at, content_hash = $content_hash,
            content_changed = $content_hash IS DISTINCT FROM (
                SELECT arg_max(content_hash, published_at) FROM {RUNS.qualified} WHERE run_id <> $run_id),
            organizations_count = facts.organizations, rows_count = facts.seen, scopes_proven_count = facts.proven,
            scopes_open_count = facts.open, quarantined_count = facts.quarantined,
            outcome = CASE WHEN facts.open + facts.quarantined > 0 THEN 'published_with_gaps' ELSE 'published' END
        FROM (SELECT count(DISTINCT organization_id) AS organizations,
                coalesce(sum(distinct_ids_count) FILTER (outcome = 'proven'), 0) AS seen,
                count(*) FILTER (outcome = 'proven') AS proven, count(*) FILTER (outcome <> 'proven') AS open,
                coalesce(sum(quarantined_count), 0) AS quarantined
            FROM ({CURRENT_SCOPES})) AS facts
        WHERE run_id = $run_id""",
        {"run_id": run_id, "published_at": published_at, "content_hash": content_hash},
    )


def open_scopes(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str, str | None, str, str]]:
    """Organisation, endpoint, facility, outcome and reason of what the last sweeps could not prove."""
    return connection.execute(OPEN_SCOPES).fetchall()


@contextmanager
def arrow_view(
    connection: duckdb.DuckDBPyConnection, name: str, table: Table, rows: list[tuple[Any, ...]]
) -> Iterator[None]:
    """Rows of Python values as a view with the table's columns; one statement for all is 30 times faster than one each."""
    values = zip(*rows, strict=True) if rows else ([] for _ in table.columns)
    columns = {c.name: pa.array(list(v), _ARROW[c.type]) for c, v in zip(table.columns, values, strict=True)}
    connection.register(name, pa.table(columns))
    try:
        yield
    finally:
        connection.unregister(name)


def run_facts(connection: duckdb.DuckDBPyConnection, run_id: str) -> dict[str, Any]:
    """The row of one run, by column."""
    cursor = connection.execute(f"SELECT * FROM {RUNS.qualified} WHERE run_id = ?", [run_id])
    return dict(zip(RUNS.names(), cursor.fetchall()[0], strict=True))


PUBLISHED = "('published', 'published_with_gaps')"


def last_publication(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, datetime]]:
    """Run and moment of the last publication; none where an earlier snapshot was put back since."""
    return connection.execute(
        f"""SELECT run_id, published_at FROM {RUNS.qualified} WHERE published_at IS NOT NULL AND outcome IN {PUBLISHED}
        AND published_at = (SELECT max(published_at) FROM {RUNS.qualified})"""
    ).fetchall()


def last_runs(connection: duckdb.DuckDBPyConnection, count: int) -> list[str]:
    """The runs that began last."""
    query = f"SELECT run_id FROM {RUNS.qualified} ORDER BY started_at DESC LIMIT ?"
    return [row[0] for row in connection.execute(query, [count]).fetchall()]


def take_back(connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    """The snapshot could not be put in place: the run is not published after all."""
    connection.execute(
        f"UPDATE {RUNS.qualified} SET published_at = NULL, content_hash = NULL, outcome = 'loaded' WHERE run_id = ?",
        [run_id],
    )
