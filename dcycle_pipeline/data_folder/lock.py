"""The lock that lets one process write: the system's own, and on a disk that refuses it, a file that names its holder.

The system's lock dies with its process. The file is taken over from a process of this machine that is gone; one of another
machine nobody here can ask about, so a person has to delete it.
"""

import fcntl
import tempfile
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock

SOFT = "lock.soft"


def lock_of(working: Path) -> BaseFileLock:
    """The lock of a data folder. Every process gets the same kind, as long as all reach the disk in the same way."""
    kind = _kind(working)
    return kind(working / ("lock" if kind is FileLock else SOFT), is_singleton=True, thread_local=False)


def endings_lock_of(working: Path) -> BaseFileLock:
    """The lock of whoever notes how a run ended. It is another one than the folder's: the next run may hold that already."""
    return _kind(working)(working / "endings.lock", is_singleton=True, thread_local=False)


def life_of(file: Path, *, mine: bool) -> BaseFileLock:
    """The lock by which a run shows that it lives: the run's own, or what another process tries it with."""
    return _kind(file.parent)(file, is_singleton=mine, thread_local=False)


def _kind(folder: Path) -> type[BaseFileLock]:
    # The mode of a lock comes from the folder: not every disk can change one.
    return FileLock if why_not_locked(folder) is None else SoftFileLock


def why_not_locked(folder: Path) -> OSError | None:
    """What the disk of a folder says if it refuses the system's lock; None if it does not. Tried on a file of its own."""
    with tempfile.TemporaryFile(dir=folder, prefix=".writable") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return error
    return None
