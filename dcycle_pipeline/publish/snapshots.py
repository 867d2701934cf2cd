"""Publishes snapshots. The published DuckDB file is a link to a complete snapshot; a publication points it at the next one.

A reader opens the snapshot that the link names at that moment and keeps it as long as it likes: neither waits for the other.
It is a link and not a renamed file because DuckDB in a process that still has the old file open would show the old data again
for the same path. What a snapshot must fulfil belongs to `checks` and `record`.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from dcycle_pipeline import permissions
from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import FREE_SPACE, UnavailableError

_COPIED_AT_ONCE = 8 << 20  # bytes; Python's default of 64 KiB makes a hundred times as many calls


def publish(folder: DataFolder, run_id: str, published_at: datetime, keep: int) -> Path:
    """Copy the working file, after a checkpoint, and point the published name at the copy. Returns the snapshot.

    `keep` is how many snapshots stay. Raises UnavailableError if that fails; then the last published file stays.
    """
    snapshot = _snapshot(folder, run_id, published_at)
    try:
        if (wal := folder.warehouse.with_name(folder.warehouse.name + ".wal")).exists() and wal.stat().st_size:
            raise UnavailableError(
                f"Not published, the last published file stays: a checkpoint did not empty {wal}, so a snapshot would lack rows. Sync again."
            )
        _copy(folder.warehouse, snapshot)
        _set_aside_foreign_wal(folder.published)
        _point(folder.published, snapshot)
    except OSError as error:
        if not was_shown(folder, run_id, published_at):
            snapshot.unlink(missing_ok=True)
        raise UnavailableError(f"Publishing to {folder.published} failed: {error.strerror}. {FREE_SPACE}") from None
    forget_old_snapshots(folder, keep)
    return snapshot


def _snapshot(folder: DataFolder, run_id: str, published_at: datetime) -> Path:
    return folder.snapshots / f"{_stamp(published_at)}-{run_id[:8]}.duckdb"


def _stamp(moment: datetime) -> str:
    """The start of a snapshot's name; the order of the names is that of the moments."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def was_shown(folder: DataFolder, run_id: str, published_at: datetime) -> bool:
    """Whether the published name points at the snapshot of that publication."""
    return folder.published.resolve() == _snapshot(folder, run_id, published_at).resolve()


def put_back(folder: DataFolder, snapshot: Path) -> None:
    """Point the published name at an earlier snapshot. Raises UnavailableError if that fails; then the present one stays."""
    try:
        _set_aside_foreign_wal(folder.published)
        _point(folder.published, snapshot)
    except OSError as error:
        raise UnavailableError(
            f"{folder.published} cannot be pointed at {snapshot.name}: {error.strerror}. Check the folder, then try again; what was published stays."
        ) from None


def _copy(source: Path, target: Path) -> None:
    """Make a whole, durable, read-only copy, or none."""
    beside = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as old, beside.open("wb") as new:
            shutil.copyfileobj(old, new, _COPIED_AT_ONCE)
            new.flush()
            os.fsync(new.fileno())
        beside.chmod(permissions.published(0o444))
        os.replace(beside, target)
        _sync_folder(target.parent)
    finally:
        beside.unlink(missing_ok=True)


def _point(published: Path, snapshot: Path) -> None:
    link = published.with_name(f".{published.name}.{os.getpid()}.link")
    link.unlink(missing_ok=True)
    link.symlink_to(snapshot.relative_to(published.parent))
    os.replace(link, published)
    _sync_folder(published.parent)


def _set_aside_foreign_wal(published: Path) -> None:
    """Move a `.wal` aside that a tool left beside the link, after opening it for writing: it would break readers of the next snapshot."""
    wal = published.with_name(published.name + ".wal")
    if wal.exists():
        os.replace(wal, wal.with_name(f"{wal.name}.not-ours-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def forget_old_snapshots(folder: DataFolder, keep: int) -> None:
    """Delete all but the last `keep` snapshots, never the published one."""
    current = folder.published.resolve()
    for old in folder.published_snapshots()[:-keep]:
        if old.resolve() != current:
            old.unlink(missing_ok=True)


def forget_ahead(folder: DataFolder, now: datetime) -> None:
    """Delete the snapshots that are stamped with a moment after `now`, never the published one."""
    current = folder.published.resolve()
    for snapshot in folder.published_snapshots():
        if snapshot.name > _stamp(now) and snapshot.resolve() != current:
            snapshot.unlink(missing_ok=True)
