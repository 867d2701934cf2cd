"""Which lists a step reads, and what is known of each from its last proven read. Reading and merging them belongs to `lists`."""

from collections.abc import Collection, Mapping
from datetime import datetime

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.last_proven import LastProven, last_proven
from dcycle_pipeline.landing.lists import ListKey
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_tables
from dcycle_pipeline.warehouse.kept_items import proven_facilities


def lists_due(connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_id: str) -> list[ListKey]:
    """What to read: the one list of the organisation, or one for every parent row and every parent of a known row."""
    if endpoint.parent is None:
        return [ListKey(organization_id, endpoint.name)]
    rows = connection.execute(
        f"""{parents(endpoint)}
        UNION SELECT {endpoint.parent_parameter} FROM {endpoint.table.qualified} WHERE organization_id = $1 ORDER BY 1""",
        [organization_id],
    ).fetchall()
    return [ListKey(organization_id, endpoint.name, row[0]) for row in rows]


def parents(endpoint: Endpoint) -> str:
    """A query for the parents of an organisation: the rows, and the items that have an id and cannot be used otherwise."""
    return f"""SELECT {endpoint.parent_parameter} FROM dcycle.{endpoint.parent} WHERE organization_id = $1
        UNION SELECT item_id FROM ({run_tables.CURRENT_QUARANTINE})
        WHERE organization_id = $1 AND endpoint = '{endpoint.parent}' AND item_id <> ''"""


def left_out(keys: Collection[ListKey], facility_ids: Collection[str]) -> set[ListKey]:
    """The lists that need not be asked for if only those of some facilities are wanted; none if no facility is named."""
    return {key for key in keys if facility_ids and key.facility_id is not None and key.facility_id not in facility_ids}


def landing_of(run: Run, endpoint: Endpoint, merged: Mapping[str, tuple[str, datetime]]) -> Landing:
    """Where the lists of an endpoint land. `merged` says which run merged each organisation last, and when."""
    return run.landing(endpoint.paging.path, (*endpoint.paging.query, *endpoint.paging.filter), merged)


def last_reads(
    connection: duckdb.DuckDBPyConnection, landing: Landing, keys: list[ListKey], merged: tuple[str, datetime] | None
) -> dict[ListKey, LastProven]:
    """The last proven reads of the lists of one organisation."""
    if merged is None or not keys:
        return {}
    proven = proven_facilities(connection, merged[0], keys[0].organization_id, keys[0].endpoint)
    return last_proven(landing.root, keys, landing.source, merged, proven)
