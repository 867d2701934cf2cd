"""The part of the check-up that needs no network: the data folder, what its disk can do and holds, and the output."""

import os
import shutil
import sys
from collections.abc import Iterator

from dcycle_pipeline.cli.diagnosis import Diagnosis
from dcycle_pipeline.data_folder import DataFolder, trial
from dcycle_pipeline.errors import SettingsError, few

LEAST_FREE_BYTES = 2 << 30
LEAST_FREE_FILES = 20_000
COPIES = 3  # of the working file: the next snapshot, one while it is rewritten, one while it is rebuilt
MOST_NAMED = 12
GIB, MIB = 1 << 30, 1 << 20
_ANOTHER_DISK = "choose a data folder on another disk"
# What a run does where the disk lacks something; nothing is to be done without what is not here.
_INSTEAD = {
    trial.LINKS: "landed pages are copied instead, which takes longer and more room after a kill and in a replay",
    trial.SYMLINKS: "the published file is a copy of its snapshot: one copy more, and a program that keeps it open sees the old data until it ends",
    trial.LOCKS: "a file, working/lock.soft, says who writes: if a machine dies on its way, delete it; all machines must reach the folder in the same way",
    trial.PERMISSIONS: "landed pages, the working file and its keys are as open as the disk makes them: let only the pipeline's user reach it",
    trial.NAMES: "after a power cut the last publication may be missing; the next sync makes it again",
}


def examine_folder(folder: DataFolder) -> Iterator[Diagnosis]:
    """The folder, its disk and what is used of it. An `error` comes last: nothing else can be looked at then."""
    try:
        folder.prepare()
    except SettingsError as error:
        yield Diagnosis("error", "data folder", str(error), "choose another DCYCLE_DATA_DIR, or put this one right")
        return
    yield Diagnosis("ok", "data folder", f"{folder.root.absolute()} can be written")
    if strangers := folder.strangers():
        named = few([str(path.relative_to(folder.root)) for path in strangers], MOST_NAMED, ", ")
        what = f"holds what is not the pipeline's: {named}"
        yield Diagnosis("warn", "data folder", what, "it stays untouched; move it elsewhere")
    yield _room(folder)
    yield _used(folder)
    yield from _abilities(folder)


def _room(folder: DataFolder) -> Diagnosis:
    free, names = shutil.disk_usage(folder.root).free, os.statvfs(folder.root)
    working = folder.warehouse.stat().st_size if folder.warehouse.exists() else 0
    wanted = max(LEAST_FREE_BYTES, COPIES * working)
    files_left = names.f_favail if names.f_files else LEAST_FREE_FILES  # some disks have no bound
    what = f"{free / GIB:.1f} GiB free"
    if free >= wanted and files_left >= LEAST_FREE_FILES:
        return Diagnosis("ok", "disk", what)
    what += f" of {wanted / GIB:.1f} wanted, room for {files_left} files"
    advice = "a sync needs room for copies of the file and ten runs of pages: free some or move DCYCLE_DATA_DIR"
    return Diagnosis("warn", "disk", what, advice)


def _used(folder: DataFolder) -> Diagnosis:
    used = trial.used(folder.root)
    parts = [f"{part} {count / MIB:.1f} MiB" for part, count in used.most_common() if count]
    return Diagnosis("ok", "disk", f"used {used.total() / MIB:.1f} MiB: {', '.join(parts) or 'nothing yet'}")


def _abilities(folder: DataFolder) -> Iterator[Diagnosis]:
    try:
        found = trial.lacks(folder.working)
    except OSError as error:
        yield Diagnosis(
            "error", "data folder", f"nothing can be tried in {folder.working}: {error.strerror}", _ANOTHER_DISK
        )
        return
    if able := [what for what, refusal in found.items() if not refusal]:
        yield Diagnosis("ok", "data folder", f"its disk has {', '.join(able)}")
    lacking = [(what, refusal) for what, refusal in found.items() if refusal]
    for what, refusal in sorted(lacking, key=lambda each: each[0] not in _INSTEAD):
        instead = _INSTEAD.get(what)
        said = f"its disk has no {what} ({refusal})"
        yield Diagnosis("warn" if instead else "error", "data folder", said, instead or _ANOTHER_DISK)


def examine_output() -> Diagnosis:
    """Whether names can be shown as they are. Files and --json do not depend on it."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        "ñß€→".encode(encoding)
    except UnicodeEncodeError:
        return Diagnosis(
            "ok", "output", f"{encoding}: other characters are shown as escapes", "set PYTHONIOENCODING=utf-8"
        )
    return Diagnosis("ok", "output", encoding)
