"""The quarantined items of lists of which nothing differs from the sweep before: nobody decodes them again."""

from collections.abc import Sequence

import duckdb

from dcycle_pipeline.landing.lists import ListResult
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
