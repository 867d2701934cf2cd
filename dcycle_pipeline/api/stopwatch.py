"""Measures how long each organisation is asked in a run. How long it may be belongs to `meter`."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopwatch:
    """Counts the time of each organisation while something of it is under way; what goes on side by side counts once.

    `clock` counts seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._under_way: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._passed: dict[str, float] = {}

    @contextmanager
    def running(self, organization_id: str) -> Iterator[None]:
        """While the block lasts, the time of the organisation passes."""
        self._since.setdefault(organization_id, self._clock())
        self._under_way[organization_id] += 1
        try:
            yield
        finally:
            self._under_way[organization_id] -= 1
            if not self._under_way[organization_id]:
                self._passed[organization_id] = self.seconds(organization_id)
                del self._since[organization_id]

    def seconds(self, organization_id: str) -> float:
        """The time that passed so far."""
        now = self._clock()
        return self._passed.get(organization_id, 0.0) + now - self._since.get(organization_id, now)
