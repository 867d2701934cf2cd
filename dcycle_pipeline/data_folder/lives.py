"""Whether the process of a run lives: each run holds a lock that dies with its process. Writing in a data folder has a lock of its own."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from dcycle_pipeline.data_folder.lock import life_of
from dcycle_pipeline.data_folder.ours import ALIVE, is_alive_file


def _file(working: Path, run_id: str) -> Path:
    return working / f"{ALIVE}{run_id}"


@contextmanager
def living(working: Path, run_id: str) -> Iterator[None]:
    """Show that a run lives, in the folder `working`, until the block ends or the process does. May be nested."""
    file = _file(working, run_id)
    lock = life_of(file, mine=True)
    with lock.acquire():
        try:
            yield
        finally:
            if lock.lock_counter == 1:
                file.unlink(missing_ok=True)


def found_dead(working: Path) -> list[str]:
    """The runs that showed that they live, and whose process is gone. A disk that cannot say leaves them alive."""
    dead = []
    for file in working.glob(f"{ALIVE}*"):
        if is_alive_file(file):
            with suppress(Timeout, OSError), life_of(file, mine=False).acquire(timeout=0):
                dead.append(file.name.removeprefix(ALIVE))
    return dead


def forget(working: Path, run_id: str) -> None:
    """Delete what a dead run left."""
    _file(working, run_id).unlink(missing_ok=True)
