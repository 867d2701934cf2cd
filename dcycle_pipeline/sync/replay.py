"""Landed pages become tables again, without the API: after a fix of the pipeline, or where the tables are in doubt.

A replay is a run of its own. It takes over the last sweeps with their pages, so that what it brings is found below its id;
where the same pages give the same rows, it writes no version.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import duckdb

from dcycle_pipeline.endpoints import YEAR_TOTALS, declared
from dcycle_pipeline.errors import UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import Landing
from dcycle_pipeline.landing.manifest import LandedScope, LandedSweep, LandedTree
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.publication import Publication, publish
from dcycle_pipeline.sync.run import Run
from dcycle_pipeline.warehouse import run_log, run_tables
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB
from dcycle_pipeline.warehouse.load import settle_landed, settle_tree


def replay(run: Run) -> Publication:
    """Put every landed page that the tables rest on through once more, and publish.

    Raises UnavailableError where nothing is landed or nothing can be published.
    """
    root = run.folder.landing
    landed = recovery.landed(root)
    if not landed:
        raise UnavailableError(f"No landed pages are kept in {root}, so there is nothing to replay: sync first.")
    with run.folder.writing(f"replay {run.run_id}", run.wait_for_folder_seconds):
        recovery.remember_owner(run.folder)
        with run.warehouse(LOADING_MEMORY_MB) as connection:
            recovery.apply_landed(connection, run.folder, landed, run.settings.memory_limit_mb)
            _again_tree(run, connection, [tree for tree in landed if isinstance(tree, LandedTree)])
            for sweep in _last_sweeps(connection, landed):
                _again(run, connection, sweep)
        return publish(run)


def _last_sweeps(connection: duckdb.DuckDBPyConnection, landed: list[recovery.Landed]) -> Iterator[LandedSweep]:
    """The sweeps that the tables rest on, parents before children, year totals last."""
    last = set(
        connection.execute(
            f"SELECT DISTINCT run_id, organization_id, endpoint FROM ({run_tables.LAST_SCOPES})"
        ).fetchall()
    )
    for endpoint in (*declared(), *YEAR_TOTALS):
        for record in landed:
            if (
                isinstance(record, LandedSweep)
                and record.endpoint == endpoint.name
                and (record.run_id, record.organization_id, record.endpoint) in last
            ):
                yield record


def _again_tree(run: Run, connection: duckdb.DuckDBPyConnection, trees: list[LandedTree]) -> None:
    for last in trees[-1:]:
        tree = replace(last, run_id=run.run_id, **_times(run, connection))
        manifest.keep_tree(run.folder.landing, tree)
        settle_tree(connection, tree)


def _again(run: Run, connection: duckdb.DuckDBPyConnection, last: LandedSweep) -> None:
    root = run.folder.landing
    scopes = [_taken_over(run, last, scope) for scope in last.scopes]
    sweep = replace(last, run_id=run.run_id, **_times(run, connection), scopes=scopes, deleted={})
    manifest.keep_sweep(root, sweep)
    run.progress.expect(last.endpoint, last.organization_id, len(scopes))
    for swept in settle_landed(connection, sweep, root, run.settings.memory_limit_mb):
        run.progress.swept(swept)


def _times(run: Run, connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    return {"run_started_at": run.started_at(connection), "settled_at": run_log.moment(connection, run.now())}


def _taken_over(run: Run, last: LandedSweep, scope: LandedScope) -> LandedScope:
    """The scope with its pages in this run's folder too; open where they are no longer kept."""
    where = last.organization_id, last.endpoint, scope.scope_id
    root = run.folder.landing
    if not scope.landed or Landing(root, run.run_id).link(Landing(root, last.run_id).path(*where), *where):
        return scope
    return replace(
        scope,
        outcome="unproven",
        reason=f"its landed pages of run {last.run_id} are no longer kept: sync again",
        landed=False,
    )
