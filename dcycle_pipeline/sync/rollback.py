"""An earlier published snapshot put back for readers, within seconds; the working file and its history stay as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import duckdb

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import DamagedError, SettingsError, UnavailableError, UsageError
from dcycle_pipeline.publish import snapshots
from dcycle_pipeline.sync.begin import Beginning, begun, upgrade
from dcycle_pipeline.warehouse import run_log
from dcycle_pipeline.warehouse.database import LOADING_MEMORY_MB


@dataclass(frozen=True)
class Snapshot:
    """A kept snapshot, and the publication that it is."""

    name: str
    run_id: str | None
    published_at: datetime | None
    content_hash: str | None
    shown: bool
    problem: str | None = None


def kept(folder: DataFolder) -> list[Snapshot]:
    """The snapshots that are kept, oldest first; `shown` is the one that readers see now, `problem` why one cannot be put back."""
    if folder.snapshots_before():
        raise SettingsError(
            f"{folder.root} is of an older layout: a `dcycle-pipeline sync` or `rollback` takes its snapshots over first. Nothing was changed."
        )
    current = snapshots.shown(folder)
    return [_described(folder, path, shown=path == current) for path in folder.published_snapshots()]


def _described(folder: DataFolder, path: Path, *, shown: bool) -> Snapshot:
    name = snapshots.name_of(path)
    query = "SELECT run_id, published_at, content_hash FROM sync.runs WHERE content_hash IS NOT NULL ORDER BY published_at DESC LIMIT 1"
    try:
        snapshots.verify(folder, path)
        with duckdb.connect(str(path), read_only=True) as connection:
            run_id, published_at, content_hash = connection.execute(query).fetchall()[0]
    except DamagedError as error:
        return Snapshot(name, None, None, None, shown, str(error))
    except (duckdb.Error, IndexError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        return Snapshot(name, None, None, None, shown, f"Snapshot {path} cannot be read: {said}.")
    return Snapshot(name, run_id, published_at, content_hash, shown)


def roll_back(folder: DataFolder, to: str | None, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Snapshot:
    """Put back the snapshot whose name or run starts with `to`, or the one before the one that is shown.

    Raises UsageError if there is no such snapshot, UnavailableError if the folder is being written or fails.
    """
    purpose, run_id = "dcycle-pipeline rollback", str(uuid4())
    with folder.writing(purpose, wait_seconds=0):
        upgrade(folder)
        target = _chosen(kept(folder), to)
        with begun(folder, Beginning(run_id, purpose, now, LOADING_MEMORY_MB, wait_for_folder_seconds=0)) as connection:
            moment = run_log.moment(connection, now())
            run_log.note_rollback(connection, run_id, moment, target.content_hash)
        snapshots.put_back(folder, folder.snapshot(target.name))
    return target


def _chosen(snapshots: list[Snapshot], to: str | None) -> Snapshot:
    shown = next((index for index, snapshot in enumerate(snapshots) if snapshot.shown), len(snapshots))
    named = [one for one in snapshots if to and (one.name.startswith(to) or (one.run_id or "").startswith(to))]
    found = [one for one in snapshots[:shown] if not one.problem][-1:] if to is None else named
    if len(found) == 1 and not found[0].shown:
        if found[0].problem:
            raise UnavailableError(f"{found[0].problem} Choose another one (`rollback --list`); nothing was changed.")
        return found[0]
    there = (
        ", ".join(
            f"{one.name}{' (shown now)' if one.shown else ''}{' (damaged)' if one.problem else ''}" for one in snapshots
        )
        or "none"
    )
    wanted = "an earlier snapshot" if to is None else f"one other snapshot that starts with {to!r}"
    raise UsageError(
        f"There is not {wanted}; kept are: {there}. DCYCLE_KEEP_SNAPSHOTS says how many are. Nothing was changed."
    )
