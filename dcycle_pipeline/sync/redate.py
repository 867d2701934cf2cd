"""Moments that were stamped while the clock was ahead, put back to the present in their order; then a publication.

A moment that lies ahead is never given again, so without this all later ones would follow it. Only a person can know that the
clock was wrong then and is right now; the API's time has to agree.
"""

from datetime import datetime, timedelta

import duckdb

from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.publish.catalog import filled_tables
from dcycle_pipeline.sync.clock import MOST_DIFFERENCE, ahead_of_server, wrong_clock
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse.database import transaction


def redate(run: Run, server_date: str) -> tuple[int, Publication | None]:
    """Put back every moment that lies ahead of the clock, and publish. How many there were; no publication if there was none.

    `server_date` is the API's time. Raises UnavailableError if the clock does not agree with it.
    """
    now = run.now()
    if ahead_of_server(server_date, now) is None or (wrong := wrong_clock(server_date, now)):
        raise UnavailableError(f"{wrong or 'The API does not tell its time.'} Nothing was changed.")
    with run.working_file() as connection:
        count = _put_back(connection, run, now)
        snapshots.forget_ahead(run.folder, now)
        if not count:
            run.end()
            return 0, None
        published = publish(run)
        snapshots.forget_ahead(run.folder, run.now())
    return count, published


def _put_back(connection: duckdb.DuckDBPyConnection, run: Run, now: datetime) -> int:
    landed = manifest.moments(run.folder.landing)
    moments = sorted({*_noted(connection), *landed})
    ahead = [moment for moment in moments if moment > now + MOST_DIFFERENCE]
    if not ahead:
        return 0
    # All that is later than the clock goes back, so that the order stays.
    later = [moment for moment in moments if moment > now]
    last = max((moment for moment in moments if moment <= now), default=now - timedelta(days=1))
    start = max(now - timedelta(microseconds=len(later)), last)
    instead = {old: start + timedelta(microseconds=place) for place, old in enumerate(later, 1)}
    # Manifests first: a kill between the two leaves none that looks newer than the tables.
    manifest.redate(run.folder.landing, lambda moment: instead.get(moment, moment))
    with transaction(connection):
        _replace(connection, instead)
    return len(ahead)


def _stamped() -> list[tuple[str, str]]:
    """Every table and column that holds a moment of ours, not one that the API told."""
    return [
        (table.qualified, column.name)
        for table in filled_tables()
        for column in table.columns
        if column.type == "TIMESTAMPTZ" and (table.schema == "sync" or column.stamp)
    ]


def _noted(connection: duckdb.DuckDBPyConnection) -> list[datetime]:
    each = [f"SELECT {column} AS noted FROM {table}" for table, column in _stamped()]
    query = f"SELECT DISTINCT noted FROM ({' UNION ALL '.join(each)}) WHERE noted IS NOT NULL"
    return [row[0] for row in connection.execute(query).fetchall()]


def _replace(connection: duckdb.DuckDBPyConnection, instead: dict[datetime, datetime]) -> None:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE redated AS SELECT unnest($old::TIMESTAMPTZ[]) AS old, unnest($new::TIMESTAMPTZ[]) AS new",
        {"old": list(instead), "new": list(instead.values())},
    )
    for table, column in _stamped():
        connection.execute(f"UPDATE {table} SET {column} = redated.new FROM redated WHERE {column} = redated.old")
    connection.execute("DROP TABLE redated")
