"""One organisation's sweep of one endpoint becomes versions: the same step for a sync, and for landed pages without the API."""

from dataclasses import replace
from pathlib import Path

import duckdb

from dcycle_pipeline.endpoints import declared
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing.fetch import Scope, Swept
from dcycle_pipeline.landing.files import demand_whole
from dcycle_pipeline.landing.manifest import LandedSweep, LandedTree
from dcycle_pipeline.schema import quoted
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import follow, transaction, with_room
from dcycle_pipeline.warehouse.merge import Staging
from dcycle_pipeline.warehouse.run_log import ScopeRecord
from dcycle_pipeline.warehouse.year_totals import settle_totals

NOT_LISTED = (
    "no longer in the tree of organisations; its last rows stay. Exclude it in DCYCLE_ORGANIZATIONS_FILE to accept that"
)


def settle_tree(connection: duckdb.DuckDBPyConnection, tree: LandedTree) -> None:
    """Bring `dcycle.organizations` in step with a tree; absent ones keep their rows and stay open."""
    with transaction(connection):
        rows = [(o.organization_id, o.name, o.parent_organization_id, o.depth) for o in tree.organizations]
        with run_log.arrow_view(connection, "fresh_organizations", ORGANIZATIONS, rows):
            within = f"organization_id NOT IN ({', '.join(map(quoted, tree.absent))})" if tree.absent else "true"
            follow(connection, ORGANIZATIONS, "SELECT * FROM fresh_organizations", within)
        scopes = [tree_scope(tree, identifier, NOT_LISTED) for identifier in tree.absent]
        scopes.append(tree_scope(tree, tree.root_organization_id))
        run_log.record_scopes(connection, tree.run_id, scopes, tree.settled_at)


def tree_scope(tree: LandedTree, organization_id: str, reason: str = "") -> ScopeRecord:
    """The state of one organisation in the tree: not there, for a `reason`, or there."""
    scope = Scope(organization_id, ORGANIZATIONS.name)
    outcome = "not_found" if reason else "proven"
    return ScopeRecord(Swept(scope, outcome, reason, None, None, tree.run_started_at, tree.settled_at))


def settle(staging: Staging, sweep: LandedSweep, swept: list[Swept]) -> list[ScopeRecord]:
    """Merge what is staged and note proofs and rejected items, all or nothing; `swept` are the scopes of the sweep."""
    bad = [item.swept.scope for item in staging.bad]
    gone = list(sweep.deleted.values())
    records = [
        ScopeRecord(one, gone.count(one.scope.scope_id) if one.proven else 0, bad.count(one.scope)) for one in swept
    ]
    with transaction(staging.connection):
        staging.merge(list(sweep.deleted), sweep.settled_at, sweep.run_id)
        run_log.record_scopes(staging.connection, sweep.run_id, records, sweep.settled_at)
        where = sweep.run_id, sweep.organization_id, sweep.endpoint
        run_log.record_quarantine(staging.connection, where, staging.bad, sweep.settled_at)
    return records


def settle_landed(
    connection: duckdb.DuckDBPyConnection, sweep: LandedSweep, root: Path, memory_limit_mb: int
) -> list[Swept]:
    """The same from landed pages alone. Scopes whose pages are gone or damaged come out open and keep their last rows."""
    swept = [_readable(one) for one in sweep.swept(root)]
    endpoint = next((endpoint for endpoint in declared() if endpoint.name == sweep.endpoint), None)
    if endpoint is None:
        settle_totals(connection, sweep, swept)
        return swept
    lost = {one.scope.scope_id for one in swept if not one.proven}
    kept = replace(sweep, deleted={item: scope for item, scope in sweep.deleted.items() if scope not in lost})
    staging = Staging(connection, endpoint, sweep.organization_id)
    with_room(connection, memory_limit_mb, lambda: staging.load([one for one in swept if one.proven]))
    with_room(connection, memory_limit_mb, lambda: settle(staging, kept, swept))
    return swept


def _readable(swept: Swept) -> Swept:
    if swept.path is None:
        return swept
    try:
        scope = swept.scope
        demand_whole(swept.path, scope.organization_id, scope.endpoint, scope.scope_id)
    except UnavailableError as error:
        return replace(swept, outcome="unproven", reason=str(error), path=None)
    return swept
