"""Which lists a step reads, and what is known of each from its last proven read. Reading and merging them belongs to `lists`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import duckdb

from dcycle_pipeline.endpoints.declaration import Endpoint
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.last_proven import LastProven, as_merged, last_proven
from dcycle_pipeline.landing.lists import ListKey, ListResult
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import last_sweeps
from dcycle_pipeline.warehouse.kept_items import lists_that_stood, proven_facilities


def lists_due(
    connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: Collection[str]
) -> dict[str, list[ListKey]]:
    """What to read of each organisation: its one list, or one for every parent row and every parent of a known row."""
    if endpoint.parent is None:
        return {each: [ListKey(each, endpoint.name)] for each in organization_ids}
    of_known_rows = f"SELECT DISTINCT organization_id, {endpoint.parent_parameter} FROM {endpoint.table.qualified}"
    due = _by_organization(connection, f"{_parents(endpoint)} UNION {of_known_rows}", organization_ids)
    return {each: [ListKey(each, endpoint.name, parent) for parent in sorted(due[each])] for each in organization_ids}


def parents_of(
    connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: Collection[str]
) -> dict[str, set[str]]:
    """The parents of each organisation: the rows, and the items that have an id and cannot be used otherwise."""
    if endpoint.parent is None:
        return {each: set() for each in organization_ids}
    return _by_organization(connection, _parents(endpoint), organization_ids)


def _parents(endpoint: Endpoint) -> str:
    return f"""SELECT organization_id, {endpoint.parent_parameter} FROM dcycle.{endpoint.parent}
        UNION SELECT organization_id, item_id FROM ({last_sweeps.CURRENT_QUARANTINE})
        WHERE endpoint = '{endpoint.parent}' AND item_id <> ''"""


def _by_organization(
    connection: duckdb.DuckDBPyConnection, pairs: str, organization_ids: Collection[str]
) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {each: set() for each in organization_ids}
    asked = f"SELECT * FROM ({pairs}) WHERE organization_id IN (SELECT unnest(?::VARCHAR[]))"
    for organization, identifier in connection.execute(asked, [list(organization_ids)]).fetchall():
        found[organization].add(identifier)
    return found


def why_lists_may_be_missing(
    connection: duckdb.DuckDBPyConnection, endpoint: Endpoint, organization_ids: Collection[str]
) -> dict[str, str]:
    """Why an organisation may have lists that nobody knows of: its parents could not be read, or some have no id that can be read."""
    if endpoint.parent is None:
        return {}
    query = f"""SELECT organization_id, max(is_unread), sum(nameless) FROM (
            SELECT organization_id, 1 AS is_unread, 0 AS nameless FROM ({last_sweeps.CURRENT_LISTS})
            WHERE endpoint = $1 AND is_unproven
            UNION ALL SELECT organization_id, 0, 1 FROM ({last_sweeps.CURRENT_QUARANTINE}) WHERE endpoint = $1 AND item_id = '')
        WHERE organization_id IN (SELECT unnest($2::VARCHAR[])) GROUP BY ALL"""
    found = {}
    for each, is_unread, nameless in connection.execute(query, [endpoint.parent, list(organization_ids)]).fetchall():
        why = "could not be read" if is_unread else f"include {nameless} without an id that can be read"
        found[each] = f"{endpoint.parent} of this organisation {why}, so lists of those are missing here too"
    return found


def landing_of(
    run: Run,
    connection: duckdb.DuckDBPyConnection,
    endpoint: Endpoint,
    merged: Mapping[str, tuple[str, datetime]],
) -> Landing:
    """Where the lists of an endpoint land. `merged` says which run merged each organisation last, and when."""
    query = *endpoint.paging.query, *endpoint.paging.filter
    return run.landing(endpoint.paging.path, query, merged, lists_that_stood(connection, endpoint.name))


def last_reads(
    connection: duckdb.DuckDBPyConnection, landing: Landing, keys: list[ListKey], merged: tuple[str, datetime] | None
) -> dict[ListKey, LastProven]:
    """The last proven reads of the lists of one organisation."""
    if merged is None or not keys:
        return {}
    proven = proven_facilities(connection, merged[0], keys[0].organization_id, keys[0].endpoint)
    return last_proven(landing.root, keys, landing.source, merged, proven)


def ran_out_of_time(
    landing: Landing,
    keys: list[ListKey],
    merged: tuple[str, datetime] | None,
    reads: Mapping[ListKey, LastProven],
) -> bool:
    """Whether the last sweep of an organisation left one of its lists unproven because the time was used up."""
    if merged is None or all(key in reads and reads[key].is_merged for key in keys):
        return False
    sweep = manifest.sweep_of(landing.root, merged[0], keys[0].organization_id, keys[0].endpoint)
    return sweep is not None and any(result.is_out_of_time for result in sweep.results)


def read_in_time(run: Run, reads: Mapping[ListKey, LastProven]) -> dict[ListKey, ListResult]:
    """What the last sweep of an organisation proved before its time was used up, and not long ago: there the run goes on.

    A backfill asks for everything that it was told to ask for.
    """
    now, within = run.now(), run.resume.within
    if run.backfill is not None or not within:
        return {}
    recent = {key: read for key, read in reads.items() if now - within <= read.result.finished_at <= now}
    return {key: read.result for key, read in recent.items() if read.still_counts()}


@dataclass(frozen=True)
class Selection:
    """Which lists of its organisations a step asks for: all, or those of some facilities.

    Of a list that is not asked for, the last proven read counts on. If there is none, or its pages are gone, it is asked for too.
    With `only_these`, what the last sweep could not read is not asked for either: it stays unread, for the same reason.
    """

    facility_ids: Collection[str] = ()
    only_these: bool = False

    def stands(
        self,
        connection: duckdb.DuckDBPyConnection,
        landing: Landing,
        keys: list[ListKey],
        merged: tuple[str, datetime] | None,
        reads: Mapping[ListKey, LastProven],
    ) -> dict[ListKey, ListResult]:
        """The lists of one organisation that are not asked for, with the result that counts on. `reads` are their last proven reads."""
        if merged is None or not keys or not (self.only_these or self.facility_ids):
            return {}
        others = [key for key in keys if key.facility_id is not None and key.facility_id not in self.facility_ids]
        if not self.only_these:
            return {key: reads[key].result for key in others if key in reads and reads[key].still_counts()}
        where = keys[0].organization_id, keys[0].endpoint
        said = (
            as_merged(landing.root, *where, merged, proven_facilities(connection, merged[0], *where)) if others else {}
        )
        return {key: said[key] for key in others if key in said}


EVERY_LIST = Selection()
