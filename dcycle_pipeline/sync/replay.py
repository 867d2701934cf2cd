"""Landed pages become tables again, without the API: after a fix of the pipeline, or if the tables are in doubt.

A replay is a run of its own. It takes over the last sweeps with their pages, so that what it brings lies below its id;
if the same pages give the same rows, it writes no version.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.lists import UNPROVEN, ListResult
from dcycle_pipeline.landing.manifest import SweepManifest, TreeManifest
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import last_sweeps, run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.load import merge_landed, merge_tree


def replay(run: Run) -> Publication:
    """Put every landed page that the tables rest on through once more, and publish.

    Raises UnavailableError if nothing is landed or nothing can be published.
    """
    root = run.folder.landing
    if not any(manifest.tree_paths(root)):
        raise UnavailableError(f"No landed pages are kept in {root}, so there is nothing to replay: sync first.")
    with run.working_file(LOADING_MEMORY_MB) as connection:
        landed = recovery.landed(run.folder)
        recovery.apply_landed(connection, run.folder, landed, run.settings.memory_limit_mb)
        _merge_tree_again(run, connection, [tree for tree in landed if isinstance(tree, TreeManifest)])
        for sweep in _last_sweeps(connection, landed):
            _merge_sweep_again(run, connection, sweep)
        return publish(run)


def _last_sweeps(connection: duckdb.DuckDBPyConnection, landed: list[recovery.Landed]) -> Iterator[SweepManifest]:
    """The sweeps that the tables rest on, parents before children, year totals last."""
    query = f"SELECT DISTINCT run_id, organization_id, endpoint FROM ({last_sweeps.LAST_LISTS})"
    last = set(connection.execute(query).fetchall())
    for endpoint in (*declared(), *YEAR_TOTALS):
        for step in landed:
            if (
                isinstance(step, SweepManifest)
                and not step.part
                and step.endpoint == endpoint.name
                and (step.run_id, step.organization_id, step.endpoint) in last
            ):
                yield step


def _merge_tree_again(run: Run, connection: duckdb.DuckDBPyConnection, trees: list[TreeManifest]) -> None:
    for last in trees[-1:]:
        tree = replace(last, run_id=run.run_id, backfill=None, completes=None, **_times(run, connection))
        manifest.write_tree(run.folder.landing, tree)
        run.progress.called({each.organization_id: each.name for each in tree.organizations if each.name})
        merge_tree(connection, tree)


def _merge_sweep_again(run: Run, connection: duckdb.DuckDBPyConnection, last: SweepManifest) -> None:
    results = [_taken_over(run, result) for result in last.results]
    sweep = replace(last, run_id=run.run_id, **_times(run, connection), results=results, deleted={}, pending_only=False)
    manifest.write_sweep(run.folder.landing, sweep)
    run.progress.expect(last.endpoint, last.organization_id, len(results))
    for result in merge_landed(connection, sweep, run.folder.landing, run.settings.memory_limit_mb):
        run.progress.finished(result)


def _times(run: Run, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {"run_started_at": run.started_at(connection), "merged_at": run_log.moment(connection, run.now())}


def _taken_over(run: Run, result: ListResult) -> ListResult:
    """The list with its pages in this run's folder too; unproven if they are no longer kept."""
    root, here = run.folder.landing, Landing(run.folder.landing, run.run_id)
    if result.landed_file is None:
        return replace(result, run_id=run.run_id)
    if here.link(root / result.landed_file, result.key):
        return replace(result, run_id=run.run_id, landed_file=here.file(result.key))
    reason = f"its landed pages of run {result.run_id} are no longer kept: sync again"
    return replace(result, run_id=run.run_id, outcome=UNPROVEN, reason=reason, landed_file=None)
