"""Publishes snapshots. The published DuckDB file is a link to a complete snapshot; a publication points it at the next one.

A reader opens the snapshot that the link names at that moment and keeps it as long as it likes: neither waits for the other.
It is a link and not a renamed file because DuckDB in a process that still has the old file open would show the old data again
for the same path; only where the disk knows no links, the name is a file of its own. What a snapshot must fulfil belongs to `checks` and `record`.
"""

import filecmp
import hashlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from dcycle_pipeline.data_folder import DataFolder, beside, delete, link_or_copy, permissions, sync_folder, write_whole
from dcycle_pipeline.errors import DamagedError, UnavailableError, after

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
        _copy(folder.warehouse, snapshot, lambda digest: _note_digest(folder, snapshot, digest))
        _set_aside_foreign_wal(folder.published)
        _point(folder.published, snapshot)
    except OSError as error:
        if not was_shown(folder, run_id, published_at):
            snapshot.unlink(missing_ok=True)
        raise UnavailableError(f"Publishing to {folder.published} failed: {error.strerror}. {after(error)}") from None
    forget_old_snapshots(folder, keep)
    return snapshot


def _snapshot(folder: DataFolder, run_id: str, published_at: datetime) -> Path:
    return folder.snapshots / f"{_stamp(published_at)}-{run_id[:8]}.duckdb"


def _stamp(moment: datetime) -> str:
    """The start of a snapshot's name; the order of the names is that of the moments."""
    return f"{moment.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}"


def was_shown(folder: DataFolder, run_id: str, published_at: datetime) -> bool:
    """Whether the published name points at the snapshot of that publication."""
    return shown(folder) == _snapshot(folder, run_id, published_at)


def shown(folder: DataFolder) -> Path | None:
    """The snapshot that readers see; None if they see none of ours."""
    newest_first = reversed(folder.published_snapshots())
    if folder.published.is_symlink():
        target = os.path.realpath(folder.published)
        return next((each for each in newest_first if os.path.realpath(each) == target), None)
    if not folder.published.is_file():
        return None
    return next((each for each in newest_first if filecmp.cmp(folder.published, each, shallow=False)), None)


def put_back(folder: DataFolder, snapshot: Path) -> None:
    """Point the published name at an earlier snapshot. Raises UnavailableError if that fails; then the present one stays."""
    try:
        _set_aside_foreign_wal(folder.published)
        _point(folder.published, snapshot)
    except OSError as error:
        raise UnavailableError(
            f"{folder.published} cannot be pointed at {snapshot.name}: {error.strerror}. Check the folder, then try again; what was published stays."
        ) from None


def _copy(source: Path, target: Path, note: Callable[[str], None]) -> None:
    """Make a whole, durable, read-only copy, or none. `note` is given its digest before anybody sees it."""
    part = target.with_name(f".{target.name}.part")
    try:
        delete(part)
        with source.open("rb") as old, part.open("xb") as new:
            digest = hashlib.sha256()
            while block := old.read(_COPIED_AT_ONCE):
                digest.update(block)
                new.write(block)
            new.flush()
            os.fsync(new.fileno())
        note(digest.hexdigest())
        permissions.set_mode(part, permissions.published(0o444))
        os.replace(part, target)
        sync_folder(target.parent)
    finally:
        delete(part)


def _digests(folder: DataFolder) -> dict[str, str]:
    """What is noted of snapshots: SHA-256 by name. Those of an older version, or of a lost folder, are not there."""
    try:
        noted = json.loads(_noted(folder).read_bytes())
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _noted(folder: DataFolder) -> Path:
    return folder.working / "snapshots.json"


def _note_digest(folder: DataFolder, snapshot: Path, digest: str) -> None:
    there = {path.name for path in folder.published_snapshots()}
    kept = {name: noted for name, noted in _digests(folder).items() if name in there}
    write_whole(_noted(folder), json.dumps(kept | {snapshot.name: digest}).encode())


def verify(folder: DataFolder, snapshot: Path) -> None:
    """Raises DamagedError if a snapshot cannot be read, or is not what was published."""
    wanted = _digests(folder).get(snapshot.name)
    try:
        with snapshot.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest() if wanted else None
    except OSError as error:
        raise DamagedError(f"Snapshot {snapshot} cannot be read: {error.strerror}.") from None
    if found != wanted:
        raise DamagedError(f"Snapshot {snapshot} was changed after it was published: it is not trusted.")


def _point(published: Path, snapshot: Path) -> None:
    link = beside(published, ".link")
    try:
        link.symlink_to(snapshot.relative_to(published.parent))
    except OSError:  # each disk has its own word for it, and a file fails by itself if something else is wrong
        link_or_copy(snapshot, published)
    else:
        try:
            os.replace(link, published)
        finally:
            delete(link)
    sync_folder(published.parent)


def _set_aside_foreign_wal(published: Path) -> None:
    """Move a `.wal` aside that a tool left beside the link, after opening it for writing: it would break readers of the next snapshot."""
    wal = published.with_name(published.name + ".wal")
    if wal.exists():
        os.replace(wal, wal.with_name(f"{wal.name}.not-ours-{datetime.now(UTC):%Y%m%dT%H%M%S}"))


def forget_old_snapshots(folder: DataFolder, keep: int) -> None:
    """Delete all but the last `keep` snapshots, never the published one."""
    current = shown(folder)
    for old in folder.published_snapshots()[:-keep]:
        if old != current:
            old.unlink(missing_ok=True)


def forget_ahead(folder: DataFolder, now: datetime) -> None:
    """Delete the snapshots that are stamped with a moment after `now`, never the published one."""
    current = shown(folder)
    for snapshot in folder.published_snapshots():
        if snapshot.name > _stamp(now) and snapshot != current:
            snapshot.unlink(missing_ok=True)
