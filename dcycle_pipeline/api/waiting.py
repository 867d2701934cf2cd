"""Which requests wait for an answer just now, and since when nothing was answered: for who says why nothing happens.

How long they may wait belongs to `patience`, saying it to the command line.
"""

import time
from collections.abc import Callable


class Waiting:
    """A request waits for its answer, or for the end of a pause of so many seconds, as long as the block lasts.

    `outlook` says which try it is; only somebody who tells of it asks. A wait without a pause that ends well was answered.
    """

    def __init__(self, where: str, outlook: Callable[[], str], pause_seconds: float | None = None) -> None:
        self.since = time.monotonic()
        self.pause_seconds = pause_seconds
        self._where = where
        self._outlook = outlook

    def told(self, now: float) -> str:
        """The same for people."""
        waited = now - self.since
        if self.pause_seconds is None:
            return f"{self._where}: no answer for {waited:.0f} s. {self._outlook()}"
        return f"{self._where}: the next try comes in {max(self.pause_seconds - waited, 0):.0f} s. {self._outlook()}"

    def __enter__(self) -> None:
        _waiting[id(self)] = self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        global _last_answer  # noqa: PLW0603 - a process waits for all of its requests
        del _waiting[id(self)]
        if kind is None and self.pause_seconds is None:
            _last_answer = time.monotonic()


_waiting: dict[int, Waiting] = {}
_last_answer = float("-inf")


def longest(now: float, seconds: float) -> Waiting | None:
    """What waits longest, if nothing was answered for so many `seconds` before `now`; None if something was, or nothing waits.

    `now` is of the clock `time.monotonic`.
    """
    if now - _last_answer < seconds:
        return None
    return min(list(_waiting.values()), key=lambda one: (one.pause_seconds is not None, one.since), default=None)
