"""Rows that moved to another organisation: alive there, they are not alive where they were, whatever is denied there.

What both listed before one of them was denied did not move. What several organisations list counts once, see `summaries`.
"""

from itertools import groupby

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.landing.lists import HELD, PROVEN, UNPROVEN
from dcycle_pipeline.sync.parts import merge_part
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import last_sweeps
from dcycle_pipeline.warehouse.history import versions
from dcycle_pipeline.warehouse.last_reads import ABSENT, LAST_READS

_IS_UNREAD = f"""(organization_id IN ({ABSENT})
    OR organization_id NOT IN (SELECT organization_id FROM {ORGANIZATIONS.qualified}))"""


def end_moved_rows(run: Run, connection: duckdb.DuckDBPyConnection, endpoint: Endpoint) -> None:
    """End each row of an organisation that no longer lists it while another organisation does. Ids are unique across organisations.

    An organisation that is excluded, or that the tree no longer shows, lists nothing any more.
    """
    guarded = {_held_twice(endpoint): _moved(endpoint), _gone(endpoint): _left_behind(endpoint)}
    # Nearly always nothing is: then who lists what need not be asked.
    asked = [query for guard, query in guarded.items() if connection.execute(f"{guard} LIMIT 1").fetchall()]
    if not asked:
        return
    moved = connection.execute(f"{' UNION '.join(f'({query})' for query in asked)} ORDER BY ALL").fetchall()
    for organization_id, rows in groupby(moved, key=lambda row: str(row[0])):
        deleted = {item: facility for _, item, facility in rows}
        merge_part(run, connection, (organization_id, endpoint.name), deleted, part="moved")


def _held_twice(endpoint: Endpoint) -> str:
    """A query for the ids of current rows that several organisations hold."""
    item = endpoint.id_column
    return f"SELECT {item} FROM {versions(endpoint).qualified} WHERE valid_to IS NULL GROUP BY ALL HAVING count(*) > 1"


def _gone(endpoint: Endpoint) -> str:
    """A query for ids that count nowhere: the last publication knew them to be gone from where their facility moved."""
    return f"""SELECT item_id FROM summaries.listed_twice WHERE endpoint = '{endpoint.name}'
        GROUP BY ALL HAVING NOT bool_or(is_counted)"""


def _left_behind(endpoint: Endpoint) -> str:
    """A query for the rows of such ids that nobody will read again."""
    item, facility = endpoint.id_column, endpoint.parent_parameter or "NULL::VARCHAR"
    return f"""SELECT organization_id, {item} AS item_id, {facility} AS list_facility_id FROM {versions(endpoint).qualified}
        WHERE valid_to IS NULL AND {_IS_UNREAD} AND {item} IN ({_gone(endpoint)})"""


def _moved(endpoint: Endpoint) -> str:
    stored, item = versions(endpoint).qualified, endpoint.id_column
    facility = endpoint.parent_parameter or "NULL::VARCHAR"
    return f"""WITH doubles AS (
        SELECT organization_id, {item} AS item_id, {facility} AS list_facility_id, change FROM {stored} WHERE valid_to IS NULL
        AND {item} IN ({_held_twice(endpoint)})
    ), began AS (
        SELECT organization_id, {item} AS item_id, max(valid_from) AS began_at, arg_max(run_id, valid_from) AS began_run_id
        FROM {stored} WHERE change IN ('new', 'restored') AND {item} IN (SELECT item_id FROM doubles) GROUP BY ALL
    ), judged AS (
        SELECT doubles.*, began_at, began_run_id, change <> 'unlisted' AND doubt.item_id IS NULL AS may_be_listed,
            {_IS_UNREAD} AS is_unread, coalesce(list.outcome, '') AS list_outcome, coalesce(depth, -1) AS level,
            coalesce(read.read_at, '-infinity'::TIMESTAMPTZ) AS read_at, coalesce(read.run_id, '') AS read_run_id
        FROM doubles JOIN began USING (organization_id, item_id)
        LEFT JOIN {ORGANIZATIONS.qualified} AS organizations USING (organization_id)
        LEFT JOIN ({last_sweeps.CURRENT_LISTS}) AS list ON list.endpoint = '{endpoint.name}'
            AND list.organization_id = doubles.organization_id AND list.facility_id IS NOT DISTINCT FROM list_facility_id
        LEFT JOIN ({LAST_READS}) AS read ON read.endpoint = '{endpoint.name}'
            AND read.organization_id = doubles.organization_id AND read.facility_id IS NOT DISTINCT FROM list_facility_id
        LEFT JOIN ({last_sweeps.LAST_DOUBTFUL_ROWS}) AS doubt ON doubt.endpoint = '{endpoint.name}'
            AND doubt.organization_id = doubles.organization_id AND doubt.item_id = doubles.item_id
    ), listed AS (
        SELECT *, may_be_listed AND NOT is_unread AND list_outcome = '{PROVEN}' AS is_listed FROM judged
    )
    SELECT organization_id, item_id, list_facility_id FROM listed AS gone WHERE NOT is_listed AND EXISTS (
        SELECT 1 FROM listed AS alive WHERE alive.is_listed AND alive.item_id = gone.item_id
        -- What this one showed is news, if the other was not read since.
        AND NOT (gone.may_be_listed AND gone.read_run_id <> alive.read_run_id AND gone.read_at > alive.read_at)
        -- The other organisation listed it before: that this list could not be proven says nothing new. Nor does a denial, if it counts here.
        AND NOT (gone.may_be_listed AND NOT gone.is_unread
            AND (alive.began_run_id = gone.read_run_id OR alive.began_at <= gone.read_at) AND (
            gone.list_outcome IN ('{UNPROVEN}', '{HELD}') OR gone.level > alive.level
            OR (gone.level = alive.level AND gone.organization_id < alive.organization_id)))
    )"""
