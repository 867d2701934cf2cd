"""Publishes snapshots. The published DuckDB file is a link to a complete snapshot; a publication points it at the next one.

A snapshot is a file of the published name in a folder of its own: DuckDB names the catalog after the file that it finds, before or
after it follows the link, so what a tool saves of names holds over a publication.
A reader opens the snapshot that the link names at that moment and keeps it as long as it likes: neither waits for the other.
It is a link and not a renamed file because DuckDB in a process that still has the old file open would show the old data again
for the same path; only where the disk knows no links, the name is a file of its own. What a snapshot must fulfil belongs to `checks` and `record`.
"""

import filecmp
import hashlib
import json
import os
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from dcycle_pipeline.data_folder import (
    LOGS,
    PUBLISHED,
    DataFolder,
    beside,
    delete,
    link_or_copy,
    permissions,
    sync_folder,
    write_whole,
)
from dcycle_pipeline.errors import DamagedError, UnavailableError, after

_COPIED_AT_ONCE = 8 << 20  # bytes; Python's default of 64 KiB makes a hundred times as many calls


def publish(folder: DataFolder, run_id: str, published_at: datetime, keep: int, passing: Collection[str] = ()) -> Path:
    """Copy the working file, after a checkpoint, and point the published name at the copy. Returns the snapshot.

    `keep` is how many snapshots stay; of the `passing` ones, by name, only the newest does, beside them. Raises UnavailableError if that
    fails; then the last published file stays.
    """
    snapshot = _snapshot(folder, run_id, published_at)
    try:
        if (wal := folder.warehouse.with_name(folder.warehouse.name + ".wal")).exists() and wal.stat().st_size:
            raise UnavailableError(
                f"Not published, the last published file stays: a checkpoint did not empty {wal}, so a snapshot would lack rows. Sync again."
            )
        _copy(folder.warehouse, snapshot, lambda digest: _note_digest(folder, snapshot, digest))
        set_aside_foreign_logs(folder)
        point(folder.published, snapshot)
    except OSError as error:
        if not was_shown(folder, run_id, published_at):
            _forget(snapshot.parent)
        raise UnavailableError(f"Publishing to {folder.published} failed: {error.strerror}. {after(error)}") from None
    _forget_old(folder, keep, passing)
    return snapshot


def _snapshot(folder: DataFolder, run_id: str, published_at: datetime) -> Path:
    return folder.snapshot(publication_name(run_id, published_at))


def publication_name(run_id: str, published_at: datetime) -> str:
    """The name of a folder that holds one publication, here or at a destination."""
    return f"{_stamp(published_at)}-{run_id[:8]}"


def name_of(snapshot: Path) -> str:
    """The name of a snapshot, which is that of its folder."""
    return snapshot.parent.name


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
        set_aside_foreign_logs(folder)
        point(folder.published, snapshot)
    except OSError as error:
        raise UnavailableError(
            f"{folder.published} cannot be pointed at {name_of(snapshot)}: {error.strerror}. Check the folder, then try again; what was published stays."
        ) from None


def _copy(source: Path, target: Path, note: Callable[[str], None]) -> None:
    """Make a whole, durable, read-only copy, or none. `note` is given its digest before anybody sees it."""
    part = target.with_name(f".{target.name}.part")
    make_folder(target.parent)
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
        for folder in (target.parent, target.parent.parent):
            sync_folder(folder)
    finally:
        delete(part)


def make_folder(folder: Path) -> None:
    """Make the folder of a snapshot, which readers may enter."""
    folder.mkdir(exist_ok=True)
    permissions.set_mode(folder, permissions.published(0o755))


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
    there = {name_of(path) for path in folder.published_snapshots()}
    kept = {name: noted for name, noted in _digests(folder).items() if name in there}
    write_whole(_noted(folder), json.dumps(kept | {name_of(snapshot): digest}).encode())


def rename_digests(folder: DataFolder, names: dict[str, str]) -> None:
    """Note the digests of snapshots under other names: the new one by the old one."""
    noted = {names.get(name, name): digest for name, digest in _digests(folder).items()}
    if noted:
        write_whole(_noted(folder), json.dumps(noted).encode())


def verify(folder: DataFolder, snapshot: Path) -> None:
    """Raises DamagedError if a snapshot cannot be read, or is not what was published."""
    wanted = _digests(folder).get(name_of(snapshot))
    try:
        with snapshot.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest() if wanted else None
    except OSError as error:
        raise DamagedError(f"Snapshot {snapshot} cannot be read: {error.strerror}.") from None
    if found != wanted:
        raise DamagedError(f"Snapshot {snapshot} was changed after it was published: it is not trusted.")


def point(published: Path, snapshot: Path) -> None:
    """Let readers of the published name find a snapshot from now on. Raises OSError if that fails."""
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


def set_aside_foreign_logs(folder: DataFolder) -> None:
    """Move a log aside that a tool left after opening the file for writing: the next reader would replay it, or fail on it.

    DuckDB until 1.4 puts it beside the link, from 1.5 on beside the snapshot. Raises OSError if that fails.
    """
    aside = f"not-ours-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    for file in (folder.published, *folder.published_snapshots()):
        for log in (file.with_name(f"{file.name}{ending}") for ending in LOGS):
            if log.exists():
                os.replace(log, log.with_name(f"{log.name}.{aside}"))


def _forget_old(folder: DataFolder, keep: int, passing: Collection[str]) -> None:
    """Delete all but the last `keep` snapshots and the newest of the passing ones, never the published one."""
    found = folder.published_snapshots()
    kept = [each for each in found if name_of(each) not in passing][-keep:]
    kept += [each for each in found if name_of(each) in passing][-1:]
    kept.append(shown(folder) or found[-1])
    for old in found:
        if old not in kept:
            _forget(old.parent)


def forget_ahead(folder: DataFolder, now: datetime) -> None:
    """Delete the snapshots that are stamped with a moment after `now`, never the published one."""
    current = shown(folder)
    for snapshot in folder.published_snapshots():
        if name_of(snapshot) > _stamp(now) and snapshot != current:
            _forget(snapshot.parent)


def forget_unfinished(folder: DataFolder) -> None:
    """Delete the folders of snapshots that killed runs did not finish, or did not wholly delete."""
    for each in folder.snapshot_folders():
        if not folder.snapshot(each.name).exists():
            _forget(each)


def _forget(folder: Path) -> None:
    """Delete a snapshot, first its file, with all that DuckDB or a tool put beside it under its name. Anything else stays."""
    name = folder / PUBLISHED
    for path in (name, *folder.glob(f"{name.name}*"), *folder.glob(f".{name.name}*")):
        delete(path)
    with suppress(OSError):  # somebody put something else there
        folder.rmdir()
