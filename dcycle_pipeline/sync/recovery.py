"""The working file made again: from the last published snapshot, and from landed pages where those are newer."""

import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import duckdb

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.endpoints.organizations import ORGANIZATIONS
from dcycle_pipeline.errors import DamagedError, UnavailableError
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.files import runs_that_died
from dcycle_pipeline.landing.manifest import LandedSweep, LandedTree
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.publish.catalog import everything, filled_tables, replacing
from dcycle_pipeline.publish.closing import close_books
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB, failure, opened, transaction
from dcycle_pipeline.warehouse.load import settle_landed, settle_tree

_log = logging.getLogger(__name__)
Landed = LandedTree | LandedSweep


@contextmanager
def sound(
    folder: DataFolder, run_id: str, memory_limit_mb: int, most_memory_mb: int
) -> Iterator[duckdb.DuckDBPyConnection]:
    """The working file, open; made again first where it is gone or damaged. The caller holds the folder for writing.

    A run that is not noted in it yet reads all of it once: damage deep inside would stop every run at the same step.
    """
    remember_owner(folder)
    if not folder.warehouse.exists():
        _make_again(folder, most_memory_mb)
    with ExitStack() as stack:
        opening = opened(folder.warehouse, folder.spill, everything(), memory_limit_mb)
        try:
            connection = stack.enter_context(opening)
            _demand_readable(folder, connection, run_id)
        except DamagedError as error:
            stack.close()
            _log.warning("%s", error)
            _make_again(folder, most_memory_mb)
            connection = stack.enter_context(opened(folder.warehouse, folder.spill, everything(), memory_limit_mb))
        yield connection


def _demand_readable(folder: DataFolder, connection: duckdb.DuckDBPyConnection, run_id: str) -> None:
    try:
        if not run_log.is_noted(connection, run_id):
            for table in filled_tables():
                connection.execute(f"SELECT bit_xor(hash(stored)) FROM {table.qualified} AS stored").fetchall()
    except duckdb.Error as error:
        raise failure(folder.warehouse, error) from error


def _make_again(folder: DataFolder, memory_limit_mb: int) -> None:
    # A log without its file would be played into the new one.
    set_aside(folder)
    rebuild(folder, memory_limit_mb)


def set_aside(folder: DataFolder) -> None:
    """Keep a damaged working file, and its log, under another name."""
    suffix = f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for path in (folder.warehouse, folder.warehouse.with_name(f"{folder.warehouse.name}.wal")):
        if path.exists():
            os.replace(path, path.with_name(f"{path.name}.{suffix}"))


def rebuild(folder: DataFolder, memory_limit_mb: int) -> None:
    """Make the working file again where it is gone. The caller holds the folder for writing.

    Raises UnavailableError where the last snapshot cannot be used either.
    """
    snapshots = folder.published_snapshots()
    steps = landed(folder.landing)
    if not snapshots and not steps:
        return
    _log.warning(
        "The working file of %s is gone; it is made again from %s and %d landed steps.",
        folder.root,
        snapshots[-1].name if snapshots else "nothing",
        len(steps),
    )
    with replacing(folder, LOADING_MEMORY_MB, like=snapshots[-1] if snapshots else None) as connection:
        apply_landed(connection, folder, steps, memory_limit_mb)


def remember_owner(folder: DataFolder) -> None:
    """Tie a folder that no longer says whose it is to the root organisation that its snapshots or pages tell."""
    if "root_organization_id" not in folder.about() and (root := _known_root(folder)):
        folder.claim(root)


def tidy(folder: DataFolder) -> None:
    """Delete what runs that were killed left half-written. The caller holds the folder for writing and writes nothing yet."""
    left = [*folder.root.glob(".*.link"), *folder.working.glob(".*.part*"), *folder.snapshots.glob(".*.part")]
    for run in runs_that_died(folder.landing):
        left += run.rglob("*.part")
    for path in [*left, *folder.spill.glob("*")]:
        path.unlink(missing_ok=True)


def reconcile(connection: duckdb.DuckDBPyConnection, folder: DataFolder) -> None:
    """Bring the books in step with what readers were shown, should a run have died between the two."""
    for run_id, published_at in run_log.last_publication(connection):
        if manifest.was_published(folder.landing, run_id):
            continue
        if snapshots.was_shown(folder, run_id, published_at):
            try:
                manifest.end_with_all_before(folder.landing, run_id, published_at)
            except UnavailableError as error:  # readers have it: no reason to stop this run
                _log.warning("%s", error)
        else:
            run_log.take_back(connection, run_id)


def _known_root(folder: DataFolder) -> str | None:
    for snapshot in reversed(folder.published_snapshots()):
        try:
            with duckdb.connect(str(snapshot), read_only=True) as connection:
                query = "SELECT root_organization_id FROM sync.runs ORDER BY started_at DESC LIMIT 1"
                return str(connection.execute(query).fetchall()[0][0])
        except (duckdb.Error, IndexError):
            continue
    trees = sorted(manifest.trees(folder.landing), key=lambda tree: tree.settled_at)
    return trees[-1].root_organization_id if trees else None


def landed(root: Path) -> list[Landed]:
    """Every step that is landed below `root`, oldest first."""
    return sorted([*manifest.trees(root), *manifest.sweeps(root)], key=lambda record: record.settled_at)


def apply_landed(
    connection: duckdb.DuckDBPyConnection, folder: DataFolder, steps: Iterable[Landed], memory_limit_mb: int
) -> None:
    """Settle every landed step that is newer than what is settled of its kind, oldest first, and publications in their turn."""
    settled = run_log.last_settled(connection)
    waiting = [step for step in steps if _kind(step) not in settled or step.settled_at > settled[_kind(step)]]
    ends = manifest.ends(folder.landing)
    last_of_run = {step.run_id: step for step in waiting}
    root = str(folder.about()["root_organization_id"]) if waiting else ""
    for step in waiting:
        run_log.begin(connection, step.run_id, step.run_started_at, root, version("dcycle_pipeline"))
        landed_now = replace(step, settled_at=run_log.moment(connection, step.settled_at))
        if isinstance(landed_now, LandedTree):
            settle_tree(connection, landed_now)
        else:
            settle_landed(connection, landed_now, folder.landing, memory_limit_mb)
        end = ends.get(step.run_id)
        if end and end.published_at and last_of_run[step.run_id] is step:
            with transaction(connection):
                close_books(connection, step.run_id, end.published_at)


def _kind(step: Landed) -> tuple[str, str]:
    if isinstance(step, LandedTree):
        return step.root_organization_id, ORGANIZATIONS.name
    return step.organization_id, step.endpoint
