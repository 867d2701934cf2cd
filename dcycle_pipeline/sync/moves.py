"""Rows that moved to another organisation: alive there, they are not alive where they were, whatever is denied there.

What both listed before one of them was denied did not move. What several organisations list counts once, see `summaries`.
"""

from itertools import groupby

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing.lists import PROVEN
from dcycle_pipeline.sync.parts import merge_part
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.history import versions


def end_moved_rows(run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> None:
    """End each row of an organisation that no longer lists it while another organisation does. Ids are unique across organisations."""
    if not connection.execute(f"{_held_twice(endpoint)} LIMIT 1").fetchall():
        return  # as nearly always: who lists what need not be asked
    moved = connection.execute(_moved(endpoint)).fetchall()
    for organization_id, rows in groupby(moved, key=lambda row: str(row[0])):
        deleted = {item: facility for _, item, facility in rows}
        merge_part(run, connection, (organization_id, endpoint.name), deleted, part="moved")


def _held_twice(endpoint: Endpoint) -> str:
    """A query for the ids of current rows that several organisations hold."""
    item = endpoint.id_column
    return f"SELECT {item} FROM {versions(endpoint).qualified} WHERE valid_to IS NULL GROUP BY ALL HAVING count(*) > 1"


def _moved(endpoint: Endpoint) -> str:
    stored, item = versions(endpoint).qualified, endpoint.id_column
    facility, lists = endpoint.parent_parameter or "NULL::VARCHAR", run_tables.LISTS.qualified
    return f"""WITH doubles AS (
        SELECT organization_id, {item} AS item_id, {facility} AS list_facility_id, change FROM {stored} WHERE valid_to IS NULL
        AND {item} IN ({_held_twice(endpoint)})
    ), judged AS (
        SELECT doubles.*, change <> 'unlisted' AND doubt.item_id IS NULL AS may_be_listed,
            may_be_listed AND list.organization_id IS NOT NULL AS is_listed, coalesce(depth, -1) AS depth,
            (SELECT arg_max(run_id, merged_at) FROM {lists} AS read WHERE read.endpoint = '{endpoint.name}' AND read.outcome = '{PROVEN}'
                AND read.organization_id = doubles.organization_id AND read.facility_id IS NOT DISTINCT FROM list_facility_id) AS last_run_id,
            (SELECT max(valid_from) FROM {stored} AS version WHERE version.organization_id = doubles.organization_id
                AND version.{item} = doubles.item_id AND change IN ('new', 'restored')) AS there_since
        FROM doubles
        LEFT JOIN {ORGANIZATIONS.qualified} AS organizations USING (organization_id)
        LEFT JOIN ({run_tables.CURRENT_LISTS}) AS list ON list.endpoint = '{endpoint.name}' AND list.outcome = '{PROVEN}'
            AND list.organization_id = doubles.organization_id AND list.facility_id IS NOT DISTINCT FROM list_facility_id
        LEFT JOIN ({run_tables.LAST_DOUBTFUL_ROWS}) AS doubt ON doubt.endpoint = '{endpoint.name}'
            AND doubt.organization_id = doubles.organization_id AND doubt.item_id = doubles.item_id
    ), read AS (
        SELECT run_id AS last_run_id, max(merged_at) AS last_read_at FROM {lists} WHERE endpoint = '{endpoint.name}' GROUP BY ALL
    )
    SELECT organization_id, item_id, list_facility_id FROM judged AS gone LEFT JOIN read USING (last_run_id) WHERE NOT is_listed AND EXISTS (
        SELECT 1 FROM judged AS alive WHERE alive.is_listed AND alive.item_id = gone.item_id
        -- If it counts here and the other organisation listed it before, that this list cannot be read now says nothing new.
        AND NOT (gone.may_be_listed AND alive.there_since <= last_read_at AND (
            gone.depth > alive.depth OR (gone.depth = alive.depth AND gone.organization_id < alive.organization_id)))
    ) ORDER BY ALL"""
