"""Who may read what: what a run writes is its owner's alone, and only what is published follows the umask of the user."""

import errno
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

PRIVATE_FOLDER = 0o700
READABLE_BY_ALL = 0o644  # of what is written for others, within the umask of the user
_PRIVATE_FILE = 0o600
_OTHERS = 0o077
# How disks say that they know no permissions, or cannot make a folder durable: FAT, some shares, some FUSE.
UNKNOWN_TO_DISK = (errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class _Umask:
    """The umask belongs to the whole process: the first block that asks for privacy sets it, the last one puts it back."""

    def __init__(self) -> None:
        self._lock, self._blocks, self._of_user = Lock(), 0, 0

    def make_private(self) -> None:
        with self._lock:
            if not self._blocks:
                self._of_user = os.umask(_OTHERS)
            self._blocks += 1

    def put_back(self) -> None:
        with self._lock:
            self._blocks -= 1
            if not self._blocks:
                os.umask(self._of_user)

    def of_user(self) -> int:
        with self._lock:
            if not self._blocks:
                os.umask(umask := os.umask(_OTHERS))
                return umask
            return self._of_user


_umask = _Umask()


@contextmanager
def private() -> Iterator[None]:
    """What this process creates until the block ends, DuckDB's files too, only its owner reads."""
    _umask.make_private()
    try:
        yield
    finally:
        _umask.put_back()


def published(mode: int) -> int:
    """The mode of a file for others: `mode` within the umask of the user."""
    return mode & ~_umask.of_user()


def set_mode(file: int | Path, mode: int) -> None:
    """Give a file that this process made its mode. A disk that knows no permissions keeps its own: `doctor` says so."""
    try:
        os.chmod(file, mode)
    except OSError as error:
        if error.errno not in UNKNOWN_TO_DISK:
            raise


def tighten(folder: Path) -> None:
    """Make a folder private that an older version left open, and all in it. It comes last: what dies on the way is done again.

    A file that has a name outside of the folder too keeps its mode: others may need it.
    """
    if not folder.stat().st_mode & _OTHERS:
        return
    found = [Path(within, name) for within, _, files in os.walk(folder, topdown=False) for name in files]
    names = Counter(path.lstat().st_ino for path in found)
    for path in found:
        if path.lstat().st_nlink == names[path.lstat().st_ino]:
            _restrict(path, _PRIVATE_FILE)
    for within, _, _ in os.walk(folder, topdown=False):
        _restrict(Path(within), PRIVATE_FOLDER)


def _restrict(path: Path, mode: int) -> None:
    with suppress(OSError):  # of another user: not ours to change
        if not path.is_symlink():
            path.chmod(mode)
