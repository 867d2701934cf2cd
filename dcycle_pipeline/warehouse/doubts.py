"""Notes the rows that a sweep left in doubt, and what a person decided about one.

What is in doubt belongs to `sync`; what the tables are, to `run_tables`.
"""

from collections.abc import Callable, Collection
from datetime import datetime

import duckdb

from dcycle_pipeline.landing.lists import Decision, DoubtfulRow
from dcycle_pipeline.warehouse.arrow_view import arrow_view
from dcycle_pipeline.warehouse.last_sweeps import LAST_DOUBTFUL_ROWS
from dcycle_pipeline.warehouse.run_tables import DECISIONS, DOUBTFUL_ROWS


def last_doubtful(
    connection: duckdb.DuckDBPyConnection, endpoint: str, organization_ids: Collection[str]
) -> list[tuple[str, str, str | None, str]]:
    """Each row of these organisations that its last sweep left in doubt: organisation, id, facility of its list, and why."""
    where = "endpoint = ? AND organization_id IN (SELECT unnest(?::VARCHAR[]))"
    values = [endpoint, list(organization_ids)]
    # As nearly always there is none, and the last sweep of every organisation need not be looked up.
    if not connection.execute(f"SELECT 1 FROM {DOUBTFUL_ROWS.qualified} WHERE {where} LIMIT 1", values).fetchall():
        return []
    query = f"SELECT organization_id, item_id, facility_id, reason FROM ({LAST_DOUBTFUL_ROWS}) WHERE {where}"
    return connection.execute(query, values).fetchall()


def record_doubtful_rows(
    connection: duckdb.DuckDBPyConnection,
    sweep: tuple[str, str, str],
    rows: list[DoubtfulRow],
    *,
    facility_of: Callable[[list[str]], dict[str, str | None]],
    unread: set[str | None],
    noted_at: datetime,
) -> None:
    """Replace the doubtful rows of a sweep (run, organisation, endpoint). The caller has merged its rows, and not noted its lists yet.

    A row that the sweep before doubted too keeps the moment since when. Of `unread` facilities' lists nothing new is known, so
    their rows stay as doubtful as they were, unless they have moved: `facility_of` says where rows are now. A row that has ended is
    in no doubt, whoever replays the sweep that doubted it.
    """
    before = connection.execute(
        f"SELECT facility_id, item_id, reason, doubtful_since FROM ({LAST_DOUBTFUL_ROWS}) WHERE organization_id = ? AND endpoint = ?",
        list(sweep[1:]),
    ).fetchall()
    if not (before or rows):
        return
    since = {item_id: moment for _, item_id, _, moment in before}
    now = facility_of([*since, *(row.item_id for row in rows)])
    kept = [(*sweep, *row, noted_at) for row in before if row[0] in unread and now.get(row[1], "") == row[0]]
    found = [
        (*sweep, row.facility_id, row.item_id, row.reason, since.get(row.item_id, noted_at), noted_at)
        for row in rows
        if row.facility_id not in unread and row.item_id in now
    ] + kept
    connection.execute(
        f"DELETE FROM {DOUBTFUL_ROWS.qualified} WHERE run_id = ? AND organization_id = ? AND endpoint = ?", list(sweep)
    )
    with arrow_view(connection, "fresh_doubtful_rows", DOUBTFUL_ROWS, found):
        connection.execute(f"INSERT INTO {DOUBTFUL_ROWS.qualified} BY NAME SELECT * FROM fresh_doubtful_rows")


def end_doubts(connection: duckdb.DuckDBPyConnection, organization_id: str, endpoint: str, ids: list[str]) -> None:
    """Take back what the last sweep doubted of rows that ended since, because another organisation lists them."""
    connection.execute(
        f"""DELETE FROM {DOUBTFUL_ROWS.qualified} WHERE organization_id = $1 AND endpoint = $2 AND item_id IN (SELECT unnest($3::VARCHAR[]))
        AND run_id IN (SELECT run_id FROM ({LAST_DOUBTFUL_ROWS}) WHERE organization_id = $1 AND endpoint = $2)""",
        [organization_id, endpoint, ids],
    )


def record_decision(
    connection: duckdb.DuckDBPyConnection, sweep: tuple[str, str, str], decision: Decision, decided_at: datetime
) -> None:
    """Note what a person decided about a doubtful row of an organisation and endpoint; once, if a rebuild comes by again."""
    row = (*sweep, decision.item_id, decision.decision, decision.decided_by, decision.reason, decided_at)
    with arrow_view(connection, "fresh_decision", DECISIONS, [row]):
        connection.execute(
            f"INSERT INTO {DECISIONS.qualified} BY NAME SELECT * FROM fresh_decision AS fresh ANTI JOIN {DECISIONS.qualified} USING (run_id, item_id)"
        )
