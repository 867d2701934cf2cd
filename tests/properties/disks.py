"""Disks that cannot do everything: functions of the system that answer with an error, in this process."""

import fcntl
import os
import stat
from collections.abc import Callable, Iterable
from typing import Any

LINK, SYMLINK, FLOCK, SYNC_FOLDER, CHMOD = "os.link", "os.symlink", "fcntl.flock", "fsync of a folder", "os.chmod"


def refuse(functions: Iterable[tuple[str, int]]) -> None:
    """From now on, each of these functions fails with its error. Nothing undoes this."""
    for name, number in functions:
        always = _failing(name, number)
        if name == SYNC_FOLDER:
            os.fsync = _failing_for_folders(os.fsync, always)  # type: ignore[assignment]
        else:
            module = fcntl if name == FLOCK else os
            setattr(module, name.partition(".")[2], always)


def _failing(name: str, number: int) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, f"{os.strerror(number)} ({name})")

    return fail


def _failing_for_folders(fsync: Callable[[int], None], fail: Callable[..., Any]) -> Callable[[int], None]:
    def sync(descriptor: int) -> None:
        (fail if stat.S_ISDIR(os.fstat(descriptor).st_mode) else fsync)(descriptor)

    return sync
