"""The published DuckDB file: a link that is pointed from one complete snapshot to the next, never written in place.

A reader opens the snapshot that the link names at that moment and keeps it as long as it likes; a sync never waits for
it. A link rather than a renamed file, because a process that still holds the old file open under the same name would
be shown the old data again.
"""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from dcycle_pipeline.data_folder import DataFolder
from dcycle_pipeline.errors import FREE_SPACE, UnavailableError


def publish(folder: DataFolder, run_id: str, published_at: datetime, keep: int) -> Path:
    """Copy the working file, which a checkpoint has brought up to date, and point the published name at the copy.

    Raises UnavailableError where that fails; what was published before stays.
    """
    snapshot = _snapshot(folder, run_id, published_at)
    try:
        if (wal := folder.warehouse.with_name(folder.warehouse.name + ".wal")).exists() and wal.stat().st_size:
            raise UnavailableError(
                f"{wal} was not emptied by a checkpoint, so the snapshot would not be complete; the last published file stays."
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
    return folder.snapshots / f"{published_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{run_id[:8]}.duckdb"


def was_shown(folder: DataFolder, run_id: str, published_at: datetime) -> bool:
    """Whether the published name points at that publication."""
    return folder.published.resolve() == _snapshot(folder, run_id, published_at).resolve()


def put_back(folder: DataFolder, snapshot: Path) -> None:
    """Point the published name at an earlier snapshot. Raises UnavailableError where that fails."""
    try:
        _set_aside_foreign_wal(folder.published)
        _point(folder.published, snapshot)
    except OSError as error:
        raise UnavailableError(f"{folder.published} cannot be pointed at {snapshot.name}: {error.strerror}.") from None


def _copy(source: Path, target: Path) -> None:
    """A whole, durable, read-only copy, or none."""
    beside = target.with_name(f".{target.name}.part")
    try:
        with source.open("rb") as old, beside.open("wb") as new:
            shutil.copyfileobj(old, new, 8 << 20)
            new.flush()
            os.fsync(new.fileno())
        beside.chmod(0o444)
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
    """A tool that opened the file for writing may have left a `.wal`, which would break every reader of the next snapshot."""
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
