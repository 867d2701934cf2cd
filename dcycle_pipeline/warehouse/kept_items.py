"""What the last merged sweep says of lists of which nothing differs: which it proved, and their quarantined items."""

from collections.abc import Sequence

import duckdb

from dcycle_pipeline.landing.lists import PROVEN, ListResult
from dcycle_pipeline.warehouse.decode import QuarantinedItem
from dcycle_pipeline.warehouse.run_tables import LISTS, QUARANTINE


def kept_items(
    connection: duckdb.DuckDBPyConnection, organization_id: str, endpoint: str, kept: Sequence[ListResult]
) -> list[QuarantinedItem]:
    """The items that the last merged sweep of an organisation and endpoint quarantined of these lists, as items of their results."""
    if not kept:
        return []
    results = {result.key.facility_id: result for result in kept}
    rows = connection.execute(
        f"""SELECT facility_id, item_id, page, position, reason, item FROM {QUARANTINE.qualified}
        WHERE organization_id = $1 AND endpoint = $2 AND run_id = (
            SELECT arg_max(run_id, merged_at) FROM {LISTS.qualified} WHERE organization_id = $1 AND endpoint = $2)
        ORDER BY ALL""",
        [organization_id, endpoint],
    ).fetchall()
    return [QuarantinedItem(results[facility], *item) for facility, *item in rows if facility in results]


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
