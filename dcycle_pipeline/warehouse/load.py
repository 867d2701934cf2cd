"""Turns landed lists into versions, in the same way for a sync and for landed pages without the API.

How versions are written belongs to `merge`; what is asked of the API, to `sync`.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
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
from dcycle_pipeline.warehouse.arrow_view import arrow_view
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
        run_log.record_lists(connection, tree.run_id, [(tree.merged_at, results)])
        _quarantine_nodes(connection, tree)


def _replace_organizations(
    connection: duckdb.DuckDBPyConnection, table: Table, organizations: list[Organization], within: str = "true"
) -> None:
    rows = [(o.organization_id, o.name, o.parent_organization_id, o.depth) for o in organizations]
    with arrow_view(connection, "fresh_organizations", table, rows):
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
    found = {(tree.run_id, above, ORGANIZATIONS.name): (tree.merged_at, items) for above, items in nodes.items()}
    if found:
        run_log.record_quarantine(connection, found)


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


def merge_sweeps(staging: Staging, sweeps: Sequence[SweepManifest], memory_limit_mb: int) -> list[list[ListResult]]:
    """Merge the staged rows of sweeps of one run and endpoint, and note their lists and quarantined items, all or nothing.

    Returns the results of the lists of each sweep, now with their counts of deleted rows and quarantined items.
    """
    results = [_counted(sweep, staging.quarantined) for sweep in sweeps]

    def merge() -> None:
        with transaction(staging.connection):
            staging.merge(sweeps)
            for sweep in sweeps:
                if sweep.decision is not None:
                    doubts.record_decision(staging.connection, _where(sweep), sweep.decision, sweep.merged_at)
            whole = [(sweep, found) for sweep, found in zip(sweeps, results, strict=True) if not sweep.part]
            for sweep in sweeps:
                if sweep.part and sweep.decision is None:
                    doubts.end_doubts(staging.connection, sweep.organization_id, sweep.endpoint, list(sweep.deleted))
            if whole:
                _note(staging, whole)

    with_room(staging.connection, memory_limit_mb, merge)
    give_back(staging.connection)
    return results


def _where(sweep: SweepManifest) -> tuple[str, str, str]:
    return sweep.run_id, sweep.organization_id, sweep.endpoint


def _counted(sweep: SweepManifest, quarantined: list[QuarantinedItem]) -> list[ListResult]:
    items = Counter(item.result.key for item in quarantined)
    deleted = Counter(sweep.deleted.values())
    return [
        replace(
            result,
            deleted_count=deleted[result.key.facility_id] if result.outcome in _ALL_ROWS_LANDED else 0,
            quarantined_count=items[result.key],
        )
        for result in sweep.results
    ]


def _note(staging: Staging, swept: Sequence[tuple[SweepManifest, list[ListResult]]]) -> None:
    """Note the doubtful rows, the lists and the quarantined items of sweeps, which are of one run and endpoint."""
    connection, first = staging.connection, swept[0][0]
    _note_doubts(staging, swept)
    run_log.forget_sweeps(
        connection, [_where(sweep) for sweep, _ in swept]
    )  # the run may have swept lists that are no longer there
    run_log.record_lists(connection, first.run_id, [(sweep.merged_at, results) for sweep, results in swept])
    merged = {sweep.organization_id: sweep for sweep, _ in swept}
    unreadable = (names for key, names in staging.unreadable.items() if key.organization_id in merged)
    run_log.add_drift(connection, first.run_id, _unreadable(first.endpoint, set[str]().union(*unreadable)))
    items: dict[str, list[QuarantinedItem]] = {organization: [] for organization in merged}
    for item in staging.quarantined:
        if item.result.key.organization_id in merged:
            items[item.result.key.organization_id].append(item)
    found = {_where(sweep): (sweep.merged_at, items[organization]) for organization, sweep in merged.items()}
    run_log.record_quarantine(connection, found)


def _note_doubts(staging: Staging, swept: Sequence[tuple[SweepManifest, list[ListResult]]]) -> None:
    organization_ids = [sweep.organization_id for sweep, _ in swept]
    before = doubts.last_doubtful(staging.connection, swept[0][0].endpoint, organization_ids)
    doubted = {organization for organization, *_ in before}
    for sweep, results in swept:
        if sweep.doubtful or sweep.organization_id in doubted:
            doubts.record_doubtful_rows(
                staging.connection,
                _where(sweep),
                sweep.doubtful,
                facility_of=partial(staging.compared.facility_of, sweep.organization_id),
                unread={result.key.facility_id for result in results if result.outcome not in _ALL_ROWS_LANDED},
                noted_at=sweep.merged_at,
            )


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
        return merge_year_totals(connection, [sweep], landing)[0]
    lost = {result.key.facility_id for result in sweep.results if not result.nothing_missing}
    deleted = {item: facility_id for item, facility_id in sweep.deleted.items() if facility_id not in lost}
    staging = Staging(connection, endpoint, [sweep.organization_id], landing)
    load_lists(staging, sweep.results, memory_limit_mb)
    doubtful = [row for row in sweep.doubtful if row.facility_id not in lost]
    return merge_sweeps(staging, [replace(sweep, deleted=deleted, doubtful=doubtful)], memory_limit_mb)[0]


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
