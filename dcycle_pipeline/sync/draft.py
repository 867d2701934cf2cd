"""A run on a draft, which is a copy of the working file: what it merges counts once the draft takes the file's place, or never.

A copy, and not a transaction, because a run has many of them, and because a run that is killed must leave the working file as it
was. What is compared is then exactly what the very merge of the sync made, and what is adopted is what was compared.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dcycle_pipeline.data_folder import DRAFT, LOGS, DataFolder, delete, sync_folder
from dcycle_pipeline.errors import SettingsError, UnavailableError, UnsoundError, after
from dcycle_pipeline.landing import manifest
from dcycle_pipeline.landing.forgetting import forget_run
from dcycle_pipeline.sync import recovery
from dcycle_pipeline.sync.begin import upgrade
from dcycle_pipeline.sync.run import Run


@contextmanager
def drafted(run: Run) -> Iterator[None]:
    """Let a run that has not begun work on a draft until the block ends, or until the run adopts it. The folder is held meanwhile.

    If the block ends well without that, nothing stays of the run. If it fails or is killed, its landed pages stay, and the next run
    takes them over. Raises UnavailableError if the folder is being written or fails.
    """
    folder = run.folder
    with folder.writing(f"run {run.run_id}", run.wait_for_folder_seconds):
        try:
            _copy(run, folder)
            run.is_draft = True
            manifest.begin_draft(folder.landing, run.run_id)
            yield
            _forget(run)
        except (SettingsError, UnsoundError):  # the same pages would fail again
            _forget(run)
            raise
        finally:
            run.close()
            run.is_draft = False  # the run may be tried again
            _delete(folder)


def _forget(run: Run) -> None:
    if run.is_draft:  # else the working file rests on what it landed
        forget_run(run.folder.landing, run.run_id)


def adopt(run: Run) -> None:
    """Put the draft in the place of the working file. Raises UnavailableError if that fails; then the working file stays as it was."""
    with run.working_file() as connection:
        connection.execute("FORCE CHECKPOINT warehouse")
    draft = run.folder.warehouse
    run.close()
    run.is_draft = False
    try:
        # First: a kill between the two leaves a run that landed, and the next one takes that over.
        manifest.end_draft(run.folder.landing, run.run_id)
        os.replace(draft, run.folder.warehouse)
        sync_folder(run.folder.working)
    except OSError as error:
        raise _failed(run.folder, error) from None


def _copy(run: Run, folder: DataFolder) -> None:
    upgrade(folder)
    recovery.remember_owner(folder)
    _delete(folder)
    with recovery.open_or_rebuild(folder, run.run_id, run.settings.memory_limit_mb) as connection:
        connection.execute("FORCE CHECKPOINT warehouse")
    try:
        shutil.copyfile(folder.warehouse, replace(folder, working_file=DRAFT).warehouse)
    except OSError as error:
        raise _failed(folder, error) from None


def _delete(folder: DataFolder) -> None:
    draft = replace(folder, working_file=DRAFT).warehouse
    for path in (draft.with_name(f"{draft.name}{log}") for log in ("", *LOGS)):
        delete(path)


def _failed(folder: DataFolder, error: OSError) -> UnavailableError:
    return UnavailableError(
        f"The draft of {folder.warehouse} cannot be written: {error.strerror}. {after(error)} What was published stays."
    )
