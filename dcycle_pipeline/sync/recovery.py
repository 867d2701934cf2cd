"""The working file rebuilt from the newest snapshot and from landed pages that are newer, and what a dead run left put right."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from dcycle_pipeline.data_folder import DAMAGED_STAMP, LOGS, DataFolder, copy_anew
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import DamagedError, UnavailableError, UnsoundError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.manifest import SweepManifest, TreeManifest
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.publish.catalog import everything, filled_tables, replaced_file
from dcycle_pipeline.publish.record import record_publication
from dcycle_pipeline.warehouse import backfills, pending, run_log, second_runs
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, failure, opened
from dcycle_pipeline.warehouse.load import merge_landed, merge_tree

_log = logging.getLogger(__name__)
Landed = TreeManifest | SweepManifest


@contextmanager
def open_or_rebuild(folder: DataFolder, run_id: str, memory_limit_mb: int) -> Iterator[duckdb.DuckDBPyConnection]:
    """The working file, open; rebuilt first if it is gone or damaged. The caller holds the folder for writing.

    A run that is not noted in it yet reads all of it once: damage deep inside would stop every run at the same step.
    """
    if not folder.warehouse.exists():
        _rebuild(folder, memory_limit_mb)
    elif folder.warehouse.stat().st_nlink > 1:
        copy_anew(folder.warehouse)
    with ExitStack() as stack:
        opening = opened(folder.warehouse, folder.spill, everything(), memory_limit_mb)
        try:
            connection = stack.enter_context(opening)
            _verify_readable(folder, connection, run_id)
        except DamagedError as error:
            stack.close()
            _log.warning("%s", error)
            _rebuild(folder, memory_limit_mb)
            connection = stack.enter_context(opened(folder.warehouse, folder.spill, everything(), memory_limit_mb))
        yield connection


def _verify_readable(folder: DataFolder, connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    try:
        noted = run_log.is_noted(connection, run_id)
    except duckdb.Error as error:
        raise failure(folder.warehouse, error) from error
    if not noted:
        _read_all(folder.warehouse, connection)


def _read_all(file: Path, connection: duckdb.DuckDBPyConnection) -> None:
    try:
        for table in filled_tables():
            connection.execute(f"SELECT bit_xor(hash(stored)) FROM {table.qualified} AS stored").fetchall()
    except duckdb.Error as error:
        raise failure(file, error) from error


def _rebuild(folder: DataFolder, memory_limit_mb: int) -> None:
    """Rebuild the working file from what is published and landed; the damaged one stays under another name.

    A snapshot that is damaged, or not what was published, is named, and the one before is taken. Raises UnavailableError if
    none can be used.
    """
    _set_aside(folder)
    published, steps = folder.published_snapshots(), landed(folder)
    for snapshot in reversed(published):
        try:
            snapshots.verify(folder, snapshot)
            _rebuild_from(folder, snapshot, steps, memory_limit_mb)
        except DamagedError as error:
            _log.warning("Snapshot %s is not used: %s", snapshots.name_of(snapshot), error)
        else:
            return
    if published:
        raise UnavailableError(
            f"The working file of {folder.root} is gone, and none of its {len(published)} snapshots can be used: put one back from "
            "a backup, then sync again. Without snapshots, a sync begins with a new history."
        )
    if steps:
        _rebuild_from(folder, None, steps, memory_limit_mb)


def _rebuild_from(folder: DataFolder, snapshot: Path | None, steps: list[Landed], memory_limit_mb: int) -> None:
    """Rebuild it from one snapshot, or none, and the landed steps. Raises DamagedError if the snapshot is damaged anywhere."""
    name = snapshots.name_of(snapshot) if snapshot else "nothing"
    _log.warning(
        "The working file of %s is gone; it is rebuilt from %s and %d landed steps.", folder.root, name, len(steps)
    )
    with replaced_file(folder, LOADING_MEMORY_MB, like=snapshot) as connection:
        _read_all(snapshot or folder.warehouse, connection)
        apply_landed(connection, folder, steps, memory_limit_mb)


def _set_aside(folder: DataFolder) -> None:
    """Keep a damaged working file, and its log, under another name: a log without its file would be played into the new one."""
    suffix = f"damaged-{datetime.now(UTC):{DAMAGED_STAMP}}"
    for path in (folder.warehouse.with_name(f"{folder.warehouse.name}{log}") for log in ("", *LOGS)):
        if path.exists():
            os.replace(path, path.with_name(f"{path.name}.{suffix}"))


def remember_owner(folder: DataFolder) -> None:
    """Tie a folder that no longer says whose it is to the root organisation that its snapshots or pages tell."""
    if "root_organization_id" not in folder.about() and (root := _known_root(folder)):
        folder.claim(root)


def _known_root(folder: DataFolder) -> str | None:
    for snapshot in reversed(folder.published_snapshots()):
        try:
            snapshots.verify(folder, snapshot)
            with duckdb.connect(str(snapshot), read_only=True) as connection:
                query = "SELECT root_organization_id FROM sync.runs ORDER BY started_at DESC LIMIT 1"
                return str(connection.execute(query).fetchall()[0][0])
        except (DamagedError, duckdb.Error, IndexError):
            continue
    trees = sorted(manifest.trees(folder.landing), key=lambda tree: tree.merged_at)
    return trees[-1].root_organization_id if trees else None


def reconcile_publication(connection: duckdb.DuckDBPyConnection, folder: DataFolder) -> None:
    """Bring the run log in step with what readers were shown, should a run have died between the two.

    The run's end says it, or else the published link.
    """
    for run_id, published_at in run_log.last_publication(connection):
        if manifest.was_published(folder.landing, run_id):
            continue
        if snapshots.was_shown(folder, run_id, published_at):
            try:
                pending_only = bool(run_log.run_facts(connection, run_id)["pending_only"])
                manifest.end_with_all_before(folder.landing, run_id, published_at, pending_only=pending_only)
            except UnavailableError as error:  # readers have it: no reason to stop this run
                _log.warning("%s", error)
        else:
            run_log.take_back(connection, run_id)


def landed(folder: DataFolder) -> list[Landed]:
    """Every tree and sweep that is landed, oldest first."""
    found: list[Landed] = [*manifest.trees(folder.landing), *manifest.sweeps(folder.landing)]
    return sorted(found, key=lambda step: step.merged_at)


def apply_landed(
    connection: duckdb.DuckDBPyConnection, folder: DataFolder, steps: Sequence[Landed], memory_limit_mb: int
) -> None:
    """Merge every landed step that is newer than what is merged of its kind, oldest first, and publications in their turn."""
    merged = run_log.last_merged(connection)
    waiting = [step for step in steps if _kind(step) not in merged or step.merged_at > merged[_kind(step)]]
    ends = manifest.ends(folder.landing)
    last_of_run = {step.run_id: step for step in waiting}
    trees = {step.run_id: step for step in steps if isinstance(step, TreeManifest)}
    for step in waiting:
        tree = trees.get(step.run_id)
        root = tree.root_organization_id if tree else str(folder.about()["root_organization_id"])
        run_log.note_run(connection, step.run_id, step.run_started_at, root, version("dcycle_pipeline"))
        backfills.note(connection, step.run_id, tree.backfill if tree else None)
        second_runs.note(connection, step.run_id, tree.completes if tree else None)
        if isinstance(step, SweepManifest) and step.pending_only:
            pending.note_pending_only(connection, step.run_id)
        landed_now = replace(step, merged_at=run_log.moment(connection, step.merged_at))
        if isinstance(landed_now, TreeManifest):
            merge_tree(connection, landed_now)
        else:
            merge_landed(connection, landed_now, folder.landing, memory_limit_mb)
        end = ends.get(step.run_id)
        if end and end.published_at and last_of_run[step.run_id] is step:
            _record_again(connection, step.run_id, end.published_at)


def _record_again(connection: duckdb.DuckDBPyConnection, run_id: str, published_at: datetime) -> None:
    """Note a publication again. If a check forbids it now, because pages are no longer kept, the next sync must not be stopped by that."""
    try:
        # A restored folder may hold ends that are older than what it says already: no moment is given twice.
        record_publication(connection, run_id, run_log.moment(connection, published_at))
    except UnsoundError as error:
        _log.warning("The publication of run %s cannot be noted again: %s", run_id, error)


def _kind(step: Landed) -> tuple[str, str]:
    if isinstance(step, TreeManifest):
        return step.root_organization_id, ORGANIZATIONS.name
    return step.organization_id, step.endpoint
