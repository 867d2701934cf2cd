"""Turns landed lists into versions, in the same way for a sync and for landed pages without the API.

How versions are written belongs to `merge`; what is asked of the API, to `sync`.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import duckdb

from dcycle_pipeline.data_folder import is_within
from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS, Organization
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.landed_file import verify_file
from dcycle_pipeline.landing.lists import FACILITY_DELETED, NOT_FOUND, PROVEN, UNPROVEN, ListKey, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest, TreeManifest
from dcycle_pipeline.schema import Table, quoted
from dcycle_pipeline.warehouse import doubts, run_log
from dcycle_pipeline.warehouse.database import give_back, replace_changed_rows, transaction, with_room
from dcycle_pipeline.warehouse.decode import QuarantinedItem
from dcycle_pipeline.warehouse.merge import Staging
from dcycle_pipeline.warehouse.run_tables import EXCLUDED_ORGANIZATIONS, QUARANTINE
from dcycle_pipeline.warehouse.year_totals import merge_year_totals

NOT_LISTED = (
    "no longer in the tree of organisations; its last rows stay. Exclude it in DCYCLE_ORGANIZATIONS_FILE to accept that"
)
# The landed rows of such a list are all that exist, so any other row that is known of it vanished.
_ALL_ROWS_LANDED = (PROVEN, FACILITY_DELETED)


def merge_tree(connection: duckdb.DuckDBPyConnection, tree: TreeManifest) -> None:
    """Bring `dcycle.organizations` in step with a tree, all or nothing. Rows of absent organisations stay; they are noted as not found."""
    with transaction(connection):
        within = f"organization_id NOT IN ({', '.join(map(quoted, tree.absent))})" if tree.absent else "true"
        _replace_organizations(connection, ORGANIZATIONS, tree.organizations, within)
        _replace_organizations(connection, EXCLUDED_ORGANIZATIONS, tree.excluded)
        of_root = tree_result(
            tree, tree.root_organization_id, NOT_LISTED if tree.root_organization_id in tree.absent else ""
        )
        results = [tree_result(tree, each, NOT_LISTED) for each in tree.absent if each != tree.root_organization_id]
        results.append(replace(of_root, quarantined_count=len(tree.unusable)))
        run_log.record_lists(connection, tree.run_id, results, tree.merged_at)
        _quarantine_nodes(connection, tree)


def _replace_organizations(
    connection: duckdb.DuckDBPyConnection, table: Table, organizations: list[Organization], within: str = "true"
) -> None:
    rows = [(o.organization_id, o.name, o.parent_organization_id, o.depth) for o in organizations]
    with run_log.arrow_view(connection, "fresh_organizations", table, rows):
        replace_changed_rows(connection, table, "SELECT * FROM fresh_organizations", within)


def _quarantine_nodes(connection: duckdb.DuckDBPyConnection, tree: TreeManifest) -> None:
    """Note each node that cannot be used with the organisation above it, of which it is a part that is missing."""
    connection.execute(
        f"DELETE FROM {QUARANTINE.qualified} WHERE run_id = ? AND endpoint = ?", [tree.run_id, ORGANIZATIONS.name]
    )
    nodes: dict[str, list[QuarantinedItem]] = {}
    for position, node in enumerate(tree.unusable):
        above = node.parent_organization_id or tree.root_organization_id
        item = QuarantinedItem(tree_result(tree, above), node.item_id, 1, position, node.reason, node.item)
        nodes.setdefault(above, []).append(item)
    for above, items in nodes.items():
        run_log.record_quarantine(connection, (tree.run_id, above, ORGANIZATIONS.name), items, tree.merged_at)


def tree_result(tree: TreeManifest, organization_id: str, reason: str = "") -> ListResult:
    """The result for one organisation of the tree: not found for a `reason`, or proven without one."""
    key = ListKey(organization_id, ORGANIZATIONS.name)
    outcome = NOT_FOUND if reason else PROVEN
    return ListResult(key, outcome, reason, tree.run_started_at, tree.merged_at, tree.run_id)


def load_lists(
    staging: Staging, results: list[ListResult], memory_limit_mb: int, unchanged: Collection[ListKey] = ()
) -> None:
    """Stage the rows of those lists of which all rows are known. Of `unchanged` lists the versions hold them already."""
    known = [result for result in results if result.outcome in _ALL_ROWS_LANDED]
    changed = [result for result in known if result.key not in unchanged]
    kept = [result for result in known if result.key in unchanged]
    with_room(staging.connection, memory_limit_mb, lambda: staging.load(changed, kept))
    give_back(staging.connection)


def merge_sweep(staging: Staging, sweep: SweepManifest, memory_limit_mb: int) -> list[ListResult]:
    """Merge the staged rows of a sweep, and note its lists and quarantined items, all or nothing.

    Returns the results of the lists, now with their counts of deleted rows and quarantined items.
    """
    quarantined = Counter(item.result.key for item in staging.quarantined)
    deleted = Counter(sweep.deleted.values())
    results = [
        replace(
            result,
            deleted_count=deleted[result.key.facility_id] if result.outcome in _ALL_ROWS_LANDED else 0,
            quarantined_count=quarantined[result.key],
        )
        for result in sweep.results
    ]

    where = sweep.run_id, sweep.organization_id, sweep.endpoint
    unread = {result.key.facility_id for result in results if result.outcome not in _ALL_ROWS_LANDED}

    def merge() -> None:
        with transaction(staging.connection):
            staging.merge(list(sweep.deleted), sweep.merged_at, sweep.run_id, sweep.unlisted, sweep.decision)
            if sweep.decision is not None:
                doubts.record_decision(staging.connection, where, sweep.decision, sweep.merged_at)
            if sweep.part:
                if sweep.decision is None:
                    doubts.end_doubts(staging.connection, *where[1:], list(sweep.deleted))
                return
            doubts.record_doubtful_rows(
                staging.connection,
                where,
                sweep.doubtful,
                facility_of=staging.compared.facility_of,
                unread=unread,
                noted_at=sweep.merged_at,
            )
            run_log.record_lists(staging.connection, sweep.run_id, results, sweep.merged_at)
            names = set[str]().union(*staging.unreadable.values())
            run_log.add_drift(staging.connection, sweep.run_id, _unreadable(sweep.endpoint, names))
            run_log.record_quarantine(staging.connection, where, staging.quarantined, sweep.merged_at)

    with_room(staging.connection, memory_limit_mb, merge)
    give_back(staging.connection)
    return results


def _unreadable(endpoint: str, names: set[str]) -> set[str]:
    return {f"{endpoint}.{name} (unreadable in some item, and null there)" for name in names}


def merge_landed(
    connection: duckdb.DuckDBPyConnection, sweep: SweepManifest, landing: Path, memory_limit_mb: int
) -> list[ListResult]:
    """Stage and merge a sweep from landed pages alone. Returns the results of the lists, with their counts.

    If the pages of a list are missing or damaged, it is noted as unproven and its last rows stay.
    """
    sweep = replace(sweep, results=[_readable(result, landing) for result in sweep.results])
    endpoint = next((endpoint for endpoint in declared() if endpoint.name == sweep.endpoint), None)
    if endpoint is None:
        return merge_year_totals(connection, sweep, landing)
    lost = {result.key.facility_id for result in sweep.results if not result.nothing_missing}
    deleted = {item: facility_id for item, facility_id in sweep.deleted.items() if facility_id not in lost}
    staging = Staging(connection, endpoint, sweep.organization_id, landing)
    load_lists(staging, sweep.results, memory_limit_mb)
    doubtful = [row for row in sweep.doubtful if row.facility_id not in lost]
    return merge_sweep(staging, replace(sweep, deleted=deleted, doubtful=doubtful), memory_limit_mb)


def _readable(result: ListResult, landing: Path) -> ListResult:
    if result.landed_file is None:
        return result
    path = landing / result.landed_file
    try:
        if not is_within(landing, path):
            raise UnavailableError(f"Landed file {path} is gone, or a link leads out to it. Sync again.")
        verify_file(path, result.key)
    except UnavailableError as error:
        return replace(result, outcome=UNPROVEN, reason=str(error), landed_file=None)
    return result
