"""Whether the process of a run lives: each run holds a lock that dies with its process. Writing in a data folder has a lock of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

_PREFIX = "alive-"


def _file(working: Path, run_id: str) -> Path:
    return working / f"{_PREFIX}{run_id}"


@contextmanager
def living(working: Path, run_id: str) -> Iterator[None]:
    """Show that a run lives, in the folder `working`, until the block ends or the process does. May be nested."""
    file = _file(working, run_id)
    lock = FileLock(file, is_singleton=True, thread_local=False, mode=0o600)
    with lock.acquire():
        try:
            yield
        finally:
            if lock.lock_counter == 1:
                file.unlink(missing_ok=True)


def found_dead(working: Path) -> list[str]:
    """The runs that showed that they live, and whose process is gone. A disk that cannot say leaves them alive."""
    dead = []
    for file in working.glob(f"{_PREFIX}*"):
        with suppress(Timeout, OSError), FileLock(file, is_singleton=False).acquire(timeout=0):
            dead.append(file.name.removeprefix(_PREFIX))
    return dead


def forget(working: Path, run_id: str) -> None:
    """Delete what a dead run left."""
    _file(working, run_id).unlink(missing_ok=True)
