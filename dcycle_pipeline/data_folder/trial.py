"""What the disk of a data folder can do, tried on files of its own; and how much of it is used for what.

What a lack means for people belongs to `cli`.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE, S_ISREG

import duckdb

from dcycle_pipeline.data_folder.lock import why_not_locked

TRIAL = ".trial."
_BLOCK_BYTES = 512  # what st_blocks counts, whatever the disk


def lacks(working: Path) -> dict[str, str]:
    """What the disk says to each thing that a run does, by its name; empty if it can do it."""
    with tempfile.TemporaryDirectory(prefix=TRIAL, dir=working, ignore_cleanup_errors=True) as name:
        return {what: _said(attempt, Path(name)) for what, attempt in _TRIALS.items()}


def _said(attempt: Callable[[Path], object], folder: Path) -> str:
    try:
        attempt(folder)
    except OSError as error:
        return error.strerror or str(error)
    except duckdb.Error as error:
        return str(error).splitlines()[0]
    return ""


def _write(folder: Path, name: str = "file") -> Path:
    path = folder / name
    with path.open("wb") as file:
        file.write(b"tried")
        file.flush()
        os.fsync(file.fileno())
    return path


def _rename(folder: Path) -> None:
    _write(folder, "old")
    os.replace(_write(folder, "new"), folder / "old")


def _link(folder: Path) -> None:
    os.link(_write(folder), folder / "linked")


def _symlink(folder: Path) -> None:
    _write(folder)
    (folder / "symlink").symlink_to("file")
    (folder / "symlink").read_bytes()


def _lock(folder: Path) -> None:
    if refusal := why_not_locked(folder):
        raise refusal


def _restrict(folder: Path) -> None:
    path = _write(folder, "private")
    for mode in (0o400, 0o600):
        os.chmod(path, mode)
        if (found := S_IMODE(path.stat().st_mode)) != mode:
            raise OSError(0, f"a file stays {found:04o}")


def _sync_names(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _database(folder: Path) -> None:
    with duckdb.connect(str(folder / "tried.duckdb")) as connection:
        connection.execute("CREATE TABLE tried AS SELECT 1; CHECKPOINT")


FILES, RENAMES, LINKS, SYMLINKS = "durable files", "renaming over a file", "hard links", "symbolic links"
LOCKS, PERMISSIONS, NAMES, DATABASE = "locks", "permissions", "durable names in folders", "DuckDB files"
_TRIALS: dict[str, Callable[[Path], object]] = {
    FILES: _write,
    RENAMES: _rename,
    LINKS: _link,
    SYMLINKS: _symlink,
    LOCKS: _lock,
    PERMISSIONS: _restrict,
    NAMES: _sync_names,
    DATABASE: _database,
}


def used(root: Path) -> Counter[str]:
    """How many bytes of the disk each part of the folder takes; what has two names counts once."""
    found: Counter[str] = Counter()
    seen: set[int] = set()
    for within, _, names in os.walk(root):
        for path in (Path(within, name) for name in names):
            try:
                state = path.lstat()
            except OSError:
                continue  # a run that is under way has just deleted it
            if S_ISREG(state.st_mode) and state.st_ino not in seen:
                seen.add(state.st_ino)
                found[_part(path.relative_to(root))] += state.st_blocks * _BLOCK_BYTES
    return found


def _part(path: Path) -> str:
    if path.parts[0] in ("landing", "snapshots"):
        return path.parts[0]
    if path.parts[0] == "working":
        if ".damaged-" in path.name:
            return "damaged working files"
        return "spill" if path.parts[1] == "spill" else "working file"
    return "report" if path.name == "report.html" else "other"
