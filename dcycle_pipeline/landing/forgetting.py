"""Deletes landed pages that nobody needs any more, and what runs that were killed left half-written. Nothing else is touched."""

import os
import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from dcycle_pipeline.data_folder import FORGOTTEN, delete
from dcycle_pipeline.landing.files import HALF, SUFFIX, holds_only_ours, is_ours, runs, runs_that_died
from dcycle_pipeline.landing.landed_file import finished_at


def forget_runs(root: Path, but: Collection[str], since: datetime, until: datetime) -> None:
    """Delete the landed pages of all runs but those named in `but`, and those that died and landed a list from `since` to `until`:
    the next run may take that over.
    """
    died = {folder.name for folder in runs_that_died(root)}
    _forget(
        root,
        lambda folder: folder.name not in but and not (folder.name in died and _landed_a_list(folder, since, until)),
    )


def _landed_a_list(run: Path, since: datetime, until: datetime) -> bool:
    newest_first = sorted(run.rglob(f"*{SUFFIX}"), key=lambda path: path.lstat().st_mtime, reverse=True)
    return any((at := finished_at(path)) is not None and since <= at <= until for path in newest_first)


def forget_run(root: Path, run_id: str) -> None:
    """Delete what one run landed and decided."""
    _forget(root, lambda folder: folder.name == run_id)


def _forget(root: Path, chosen: Callable[[Path], bool]) -> None:
    """Delete the folders of runs. Each is first moved out of sight: a half-deleted one, without its end, would look like a run that died."""
    _delete_forgotten(root)
    if old := [folder for folder in runs(root) if chosen(folder) and holds_only_ours(folder)]:
        forgotten = Path(tempfile.mkdtemp(prefix=FORGOTTEN, dir=root))
        for folder in old:
            os.replace(folder, forgotten / folder.name)
        _delete_forgotten(root)


def _delete_forgotten(root: Path) -> None:
    for forgotten in root.glob(f"{FORGOTTEN}*"):
        if forgotten.is_dir() and not forgotten.is_symlink():
            for run in forgotten.iterdir():
                _delete(run, lambda _: True)
            _delete_if_empty(forgotten)


def delete_leftovers(root: Path) -> None:
    """Delete what runs that were killed left half-written, and their folders that hold nothing."""
    _delete_forgotten(root)
    for run in runs_that_died(root):
        _delete(run, lambda path: path.name.endswith(HALF))


def _delete(run: Path, chosen: Callable[[Path], bool]) -> None:
    """Delete the chosen files of ours within the folder of a run, and the folders that are empty then."""
    if run.is_symlink():
        return
    for within, _, names in os.walk(run, topdown=False):
        for path in (Path(within, name) for name in names):
            if chosen(path) and is_ours(run, path):
                delete(path)
        _delete_if_empty(Path(within))


def _delete_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()
