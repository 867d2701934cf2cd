"""Brings the published name and the snapshots of data folder layout 3 to the present ones.

Layout 3 had snapshots as files in one folder, and the published link `dcycle.duckdb`: its catalog had the name of a schema, and
DuckDB from 1.5 on named it after the snapshot.
"""

import filecmp
import logging
import os
from pathlib import Path

from dcycle_pipeline.data_folder import DataFolder, delete, is_link_of_ours, link_or_copy, sync_folder
from dcycle_pipeline.errors import UnavailableError, after
from dcycle_pipeline.publish import snapshots

_log = logging.getLogger(__name__)


def upgrade_snapshots(folder: DataFolder) -> None:
    """Give each snapshot of layout 3 a folder and the present name, show the one that was shown, and remove the old link.

    Readers that have the old file open keep it. Stopped anywhere, the next call goes on from there. Raises UnavailableError if it fails.
    """
    old = folder.snapshots_before()
    try:
        shown = _shown(folder, old)
        for name, path in old.items():
            snapshots.make_folder(folder.snapshot(name).parent)
            link_or_copy(path, folder.snapshot(name))
        snapshots.rename_digests(folder, {path.name: name for name, path in old.items()})
        if shown:
            snapshots.point(folder.published, folder.snapshot(shown))
            folder.note_renamed()
            delete(folder.published_before)
            _log.warning(
                "%s is now %s: point your tools at the new name.", folder.published_before.name, folder.published
            )
        elif folder.published_before.is_symlink() and is_link_of_ours(folder.published_before):
            delete(folder.published_before)  # its snapshot is lost
        for path in old.values():
            delete(path)
        sync_folder(folder.snapshots)
    except OSError as error:
        raise UnavailableError(
            f"{folder.published_before} cannot be moved to {folder.published.name}: {error.strerror}. {after(error)}"
        ) from None


def _shown(folder: DataFolder, old: dict[str, Path]) -> str | None:
    """The name of the snapshot that the old link, or the old file where the disk knows no links, shows; None if it shows none."""
    link = folder.published_before
    for name, path in reversed(old.items()):
        if link.is_symlink() and os.path.realpath(link) == os.path.realpath(path):
            return name
        if not link.is_symlink() and link.is_file() and filecmp.cmp(link, path, shallow=False):
            return name
    return None
