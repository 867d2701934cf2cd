"""What the last merged sweep says of lists of which nothing differs: which it proved, which it let stand, and their quarantined items."""

from collections.abc import Sequence
from datetime import datetime

import duckdb

from dcycle_pipeline.landing.lists import PROVEN, ListKey, ListResult
from dcycle_pipeline.warehouse.decode import QuarantinedItem
from dcycle_pipeline.warehouse.run_tables import LISTS, QUARANTINE, RUNS


def kept_items(
    connection: duckdb.DuckDBPyConnection, endpoint: str, kept: Sequence[ListResult]
) -> list[QuarantinedItem]:
    """The items that the last merged sweep of each organisation quarantined of these lists of an endpoint, as items of their results."""
    results = {(result.key.organization_id, result.key.facility_id): result for result in kept}
    organization_ids = sorted({organization for organization, _ in results})
    where = "organization_id IN (SELECT unnest($1::VARCHAR[])) AND endpoint = $2"
    any_item = f"SELECT 1 FROM {QUARANTINE.qualified} WHERE {where} LIMIT 1"
    if not kept or not connection.execute(any_item, [organization_ids, endpoint]).fetchall():
        return []
    rows = connection.execute(
        f"""SELECT organization_id, facility_id, item_id, page, position, reason, item FROM {QUARANTINE.qualified} JOIN (
            SELECT organization_id, arg_max(run_id, merged_at) AS run_id FROM {LISTS.qualified} WHERE {where} GROUP BY ALL)
        USING (organization_id, run_id) WHERE endpoint = $2 ORDER BY ALL""",
        [organization_ids, endpoint],
    ).fetchall()
    return [
        QuarantinedItem(results[organization, facility], *item)
        for organization, facility, *item in rows
        if (organization, facility) in results
    ]


def proven_facilities(
    connection: duckdb.DuckDBPyConnection, run_id: str, organization_id: str, endpoint: str
) -> set[str | None]:
    """The facilities whose lists a run proved and merged; None stands for the list of the organisation."""
    rows = connection.execute(
        f"""SELECT facility_id FROM {LISTS.qualified}
        WHERE run_id = ? AND organization_id = ? AND endpoint = ? AND outcome = '{PROVEN}'""",
        [run_id, organization_id, endpoint],
    ).fetchall()
    return {row[0] for row in rows}


def lists_that_stood(connection: duckdb.DuckDBPyConnection, endpoint: str) -> dict[ListKey, datetime]:
    """The lists of an endpoint that the run which merged them last had not read itself, with the time when they were read."""
    rows = connection.execute(
        f"""SELECT organization_id, facility_id, finished_at FROM {LISTS.qualified} JOIN {RUNS.qualified} AS runs USING (run_id) JOIN (
            SELECT organization_id, arg_max(run_id, merged_at) AS run_id FROM {LISTS.qualified} WHERE endpoint = $1 GROUP BY ALL)
        USING (organization_id, run_id) WHERE endpoint = $1 AND finished_at < runs.started_at""",
        [endpoint],
    ).fetchall()
    return {ListKey(organization, endpoint, facility): at for organization, facility, at in rows}
